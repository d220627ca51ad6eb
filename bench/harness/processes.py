"""Starting a server as a process of its own, learning its address, and stopping it gently."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

READY_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 30.0
_LOOK_S: Final = 0.01
_ADDRESS: Final = re.compile(r" at (http://\S+:\d+)")
"""With its port, for valgrind says on the same output at which address it takes reports of bugs."""


def end_gently() -> None:
    """Have SIGTERM end this process as an exception does, so that it still stops every server that it started."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class ServerFailedError(Exception):
    """A server of the bench did not start; the message holds what it said."""


class ServerProcess:
    """One server: ``python -m MODULE …``, which says `` at http://host:port`` on standard error once it serves.

    Parameters
    ----------
    settings
        For its environment.
    python
        The words in front of ``-m``: an interpreter, or a tool that runs one.
    cwd
        The checkout whose modules are run; left out, this one.
    ready_s
        How long it may take to start.

    """

    def __init__(
        self,
        module: str,
        *arguments: str,
        log: Path,
        settings: Mapping[str, str] | None = None,
        python: Sequence[str] = (sys.executable,),
        cwd: Path | None = None,
        ready_s: float = READY_TIMEOUT_S,
    ) -> None:
        self._log = log
        self._ready_s = ready_s
        self._environment = os.environ | (settings or {})
        self._cwd = cwd
        # What is said of a failure leaves these words out: one of them may be a whole program.
        self._python = python
        self._arguments = ["-m", module, *arguments]

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._python, *self._arguments],
                env=self._environment,
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self.url = self._address()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def _address(self) -> str:
        until = time.monotonic() + self._ready_s
        while time.monotonic() < until:
            said = self._log.read_text("utf-8", "replace")
            found = _ADDRESS.search(said)
            if found:
                return found[1]
            if self._process.poll() is not None:
                raise ServerFailedError(f"{' '.join(self._arguments)} ended with {self._process.returncode}:\n{said}")
            time.sleep(_LOOK_S)
        raise ServerFailedError(f"{' '.join(self._arguments)} is still not serving after {self._ready_s:g} s")

    def _stop(self) -> None:
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
