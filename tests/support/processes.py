"""The real ``holdfast`` as processes: commands that run to their end, and servers that are started and stopped."""

import os
import re
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from tests.support.launch import Process, launch, run
from tests.support.stores import wait_until

END_S = 60.0
P = TypeVar("P", bound=Process)
_ADDRESS = re.compile(r"^Holdfast \S+ at (http://\S+)$", re.MULTILINE)


def environment(**settings: str) -> dict[str, str]:
    """Make the environment of a process: ours without settings, and those given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PROMETHEUS_"))}
    return ours | settings


def holdfast(*words: str | Path, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; keyword arguments become environment variables."""
    return run([str(word) for word in words], cwd=cwd, env=environment(**settings), within_s=END_S)


def good(ended: "subprocess.CompletedProcess[str]") -> str:
    """Return what a command printed that must have done what it should."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def refused(ended: "subprocess.CompletedProcess[str]") -> str:
    """Return why a command refused, which it must have, as one line."""
    assert ended.returncode == 1, ended.stdout + ended.stderr
    return " ".join(ended.stderr.split())


@contextmanager
def ending(process: P) -> Iterator[P]:
    """End a process with the block if it still runs, and wait for it: also where the test fails.

    It is asked to end first, as a server that is killed leaves its store.
    """
    with process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_S)
            finally:
                process.kill()


@contextmanager
def start(*words: str | Path, cwd: Path, **settings: str) -> Iterator[Process]:
    """Run a command for the block; what it prints goes to ``out`` and ``err`` in ``cwd``."""
    with ending(_started(*words, cwd=cwd, **settings)) as process:
        yield process


def _started(*words: str | Path, cwd: Path, **settings: str) -> Process:
    with (cwd / "out").open("wb") as out, (cwd / "err").open("wb") as err:
        words_given = [str(word) for word in words]
        return launch(words_given, cwd=cwd, env=environment(**settings), stdout=out, stderr=err, session=True)


class Server:
    """A ``holdfast serve`` on a free port, its data in ``cwd``; stopped at the end of the block."""

    def __init__(self, *words: str | Path, cwd: Path, **settings: str) -> None:
        self._words = ("serve", "--port", "0", *words) if "--port" not in words else ("serve", *words)
        self._cwd = cwd
        self._settings = settings
        self.address = ""

    def __enter__(self) -> Self:
        self.process = _started(*self._words, cwd=self._cwd, **self._settings)
        try:
            wait_until(lambda: self.process.poll() is not None or bool(self.address_printed()), "the server serves")
            assert self.process.poll() is None, f"it ended instead:\n{self.errors()[-2000:]}"
        except BaseException:
            self.__exit__(None, None, None)
            raise
        self.address = self.address_printed()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.stop()
        stop_store(self._cwd / ".holdfast")

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def output(self) -> str:
        return (self._cwd / "out").read_text("utf-8")

    def errors(self) -> str:
        return (self._cwd / "err").read_text("utf-8")

    def address_printed(self) -> str:
        found = _ADDRESS.search(self.output())
        return found[1] if found else ""

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, and wait; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(END_S)

    def get(self, path: str) -> Any:
        """Read JSON from it."""
        return msgspec.json.decode(self.read(path))

    def read(self, path: str) -> bytes:
        with urllib.request.urlopen(self.address + path, timeout=END_S) as response:  # noqa: S310  # our own http://
            body: bytes = response.read()
            return body

    def post(self, path: str, body: object) -> Any:
        """Send JSON to it and read what it answers."""
        request = urllib.request.Request(  # noqa: S310
            self.address + path, msgspec.json.encode(body), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=END_S) as response:  # noqa: S310
            return msgspec.json.decode(response.read())


def stop_store(data_dir: Path) -> None:
    """End a store that a killed Holdfast left behind; nothing happens where there is none."""
    try:
        pid = int((data_dir / "store.pid").read_text("ascii"))
    except (OSError, ValueError):
        return
    if is_store(pid):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not is_store(pid), "the orphaned store is gone")


def is_store(pid: int) -> bool:
    """Whether a process is a store (and not another that got its number)."""
    words = _command_line(pid)
    return b"valkey" in words or b"redis" in words


def children(pid: int) -> list[int]:
    """List the live child processes of a process that are Holdfasts."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return []
    return [int(child) for child in found if b"-m\0server\0" in _command_line(int(child))]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
