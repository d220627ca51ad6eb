"""One running store process, our child or an adopted orphan: whether it is alive, waiting for its end, signals."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
from typing import Final

_POLL_S: Final = 0.05
"""Only where the kernel has no process descriptors (macOS, some sandboxes)."""


class StoreProcess:
    """A process to watch. An adopted one is not our child, so its exit status stays unknown."""

    def __init__(self, pid: int, child: "subprocess.Popen[bytes] | None" = None) -> None:
        """Begin watching ``pid``.

        Raises
        ------
        ProcessLookupError
            There is no such process.

        """
        self.pid = pid
        self.adopted = child is None
        self._child = child
        self._descriptor = _process_descriptor(pid)

    def alive(self) -> bool:
        """Whether it still runs; a zombie does not."""
        if self._child is not None:
            return self._child.poll() is None
        if self._descriptor >= 0:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            return not poll.poll(0)
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    async def ended(self) -> None:
        """Wait until it is gone."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):  # out of descriptors: poll
                await _readable(self._descriptor)
        while self.alive():  # noqa: ASYNC110  # another process sets no event of ours
            await asyncio.sleep(_POLL_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the process is already gone."""
        if self.alive():
            with contextlib.suppress(ProcessLookupError):
                if self._descriptor >= 0:
                    signal.pidfd_send_signal(self._descriptor, number)  # cannot reach another process with the same pid
                else:
                    os.kill(self.pid, number)

    def how_it_ended(self) -> str:
        """Return how it ended, for a log line."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "ended"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"exited with status {code}"

    def close(self) -> None:
        """Stop watching; the process itself is left alone."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _process_descriptor(pid: int) -> int:
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except OSError:
        return -1  # an old kernel, or a sandbox that forbids it: poll instead


def _resolve(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)


async def _readable(descriptor: int) -> None:
    """Wait for a process descriptor, on a duplicate so that two waiters do not share one registration."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    copy = os.dup(descriptor)
    loop.add_reader(copy, _resolve, done)
    try:
        await done
    finally:
        loop.remove_reader(copy)
        os.close(copy)
