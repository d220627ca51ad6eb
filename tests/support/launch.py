"""Starts ``holdfast``: forked off a process that has imported everything, or from nothing where that is what matters.

Four fifths of what a short command costs is Python reading modules. What is forked is a whole process, with its own
working directory, environment, files, signals and exit status. It does not test the beginning: the interpreter's
options, ``python -m server``, and whether each module can be imported first. ``COLD=true``, which ``make soak`` sets,
makes every process begin from nothing.
"""

import atexit
import contextlib
import functools
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Protocol, Self

from tests.support import forks

ROOT: Final = Path(__file__).parents[2]
MODULE: Final = "server"
COLD: Final = os.environ.get("COLD") == "true"
READ_AT_THE_BEGINNING: Final = ("PYTHON", "LC_", "LANG", "LD_", "OTEL_", "PROMETHEUS_", "MALLOC_")
"""How variables begin that mean nothing, or something else, to a process that runs already."""


class Process(Protocol):
    """What tests do with a process; :class:`subprocess.Popen` is one."""

    @property
    def pid(self) -> int: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def terminate(self) -> None: ...
    def kill(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None, /
    ) -> None: ...


def launch(
    words: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    session: bool = False,
    prefix: Sequence[str] = (),
    module: str = MODULE,
) -> Process:
    """Start a module with these words. ``session``: in one of its own; ``prefix``: what runs it in its way."""
    changed = [name for name, value in env.items() if os.environ.get(name) != value]
    if COLD or prefix or any(name.startswith(READ_AT_THE_BEGINNING) for name in changed):
        command = [*prefix, sys.executable, "-m", module, *words]
        return subprocess.Popen(
            command, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=session
        )
    request = forks.Request(module=module, words=list(words), cwd=str(cwd), environment=dict(env), session=session)
    with Path(os.devnull).open("r+b", buffering=0) as nothing:
        files = [nothing if each == subprocess.DEVNULL else each for each in (stdin, stdout, stderr)]
        return _starter().start(request, [each if isinstance(each, int) else each.fileno() for each in files])


def run(
    words: Sequence[str], *, cwd: Path, env: Mapping[str, str], within_s: float, module: str = MODULE
) -> "subprocess.CompletedProcess[str]":
    """Run a module with these words to its end; there is nothing on its standard input."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out, tempfile.TemporaryFile("w+", encoding="utf-8") as err:
        process = launch(words, cwd=cwd, env=env, stdout=out.fileno(), stderr=err.fileno(), module=module)
        try:
            code = process.wait(within_s)
        except BaseException:
            process.kill()
            process.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(words), code, out.read(), err.read())


class _Forked:
    """A process that was forked; its number and how it ended come through a pipe."""

    def __init__(self, words: Sequence[str], told: int) -> None:
        self._words = words
        self._told = told
        self._lock = threading.Lock()
        self._code: int | None = None
        self.pid = forks.read_number(told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait()

    def __del__(self) -> None:
        if self._code is None:
            os.close(self._told)

    def poll(self) -> int | None:
        return self._ended(0.0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(list(self._words), timeout or 0.0)
        return code

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, within_s: float | None) -> int | None:
        with self._lock:
            if self._code is None:
                waiting = select.poll()
                waiting.register(self._told, select.POLLIN)
                if waiting.poll(None if within_s is None else within_s * 1000):
                    self._code = os.waitstatus_to_exitcode(forks.read_number(self._told))
                    os.close(self._told)
            return self._code


class _Starter:
    """The process that all others are forked off; it ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, other = socket.socketpair()
        with other:
            # A session of its own, so that Ctrl-C comes to pytest alone, which ends what it has started.
            self._process = subprocess.Popen(
                [sys.executable, "-m", forks.__name__, str(other.fileno())],
                cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[other.fileno()],
                env={name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_")},
                start_new_session=True,
            )  # fmt: skip

    def start(self, request: forks.Request, files: Sequence[int]) -> _Forked:
        told, tell = os.pipe()
        try:
            with self._lock:
                forks.send(self._socket, request, [*files, tell])
        finally:
            os.close(tell)
        return _Forked(request.words, told)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@functools.cache
def _starter() -> _Starter:
    starter = _Starter()
    atexit.register(starter.close)
    return starter
