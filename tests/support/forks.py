"""The process that has imported all of Holdfast and forks itself for each request; ``launch.py`` beside starts it.

python -m tests.support.forks NUMBER_OF_A_SOCKET
"""

import atexit
import contextlib
import gc
import os
import runpy
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from importlib import import_module
from pkgutil import walk_packages
from typing import Final

import msgspec

_NUMBER: Final = struct.Struct("=i")
_FILES: Final = 4
_WOKEN_BYTES: Final = 4096
APART: Final = ("server.__main__", "adapters.testing")
"""What is not imported: it runs at once, or is no part of what is served."""


class Request(msgspec.Struct):
    """A process to start, as ``python -m module words``.

    With it come its three files, and a pipe that is told its number and how it ended.
    """

    module: str
    words: list[str]
    cwd: str
    environment: dict[str, str]
    session: bool


def send(to: socket.socket, request: Request, files: Sequence[int]) -> None:
    data = msgspec.msgpack.encode(request)
    socket.send_fds(to, [_NUMBER.pack(len(data))], files)
    to.sendall(data)


def read_number(pipe: int) -> int:
    data = os.read(pipe, _NUMBER.size)
    assert data, "the process that starts others is gone"
    return int(_NUMBER.unpack(data)[0])


def import_all() -> None:
    """Import what a command could; what is kept for all processes is not looked through for garbage by each."""
    for package in ("server", "adapters"):
        for module in walk_packages(import_module(package).__path__, f"{package}."):
            if not module.name.startswith(APART):
                import_module(module.name)
    assert threading.active_count() == 1, f"a fork has this thread alone: {threading.enumerate()}"
    gc.collect()
    gc.freeze()


def serve(requests: socket.socket) -> Request:
    """Fork for each request, until nobody can ask any more. Returns in what is forked, with what it is."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, _WOKEN_BYTES)
            _tell_ends(running)
        if requests.fileno() in ready:
            data, files, _, _ = socket.recv_fds(requests, _NUMBER.size, _FILES)
            if not data:  # a pytest that was killed stops nothing itself
                for pid in running:
                    os.kill(pid, signal.SIGTERM)
                sys.exit()
            request = msgspec.msgpack.decode(_exactly(requests, _NUMBER.unpack(data)[0]), type=Request)
            *standard, told = files
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                _become(request, standard)
                for file in (woken, wake, requests.fileno(), *running.values(), *files):
                    os.close(file)
                return request
            for file in standard:
                os.close(file)
            running[pid] = told
            _tell(told, pid)


def _tell_ends(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if pid in running:
            told = running.pop(pid)
            _tell(told, status)
            os.close(told)


def _tell(pipe: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody waits for it any more
        os.write(pipe, _NUMBER.pack(number))


def _exactly(requests: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += requests.recv(size - len(data))
    return data


def _become(request: Request, standard: Sequence[int]) -> None:
    if request.session:
        os.setsid()
    os.chdir(request.cwd)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    for number, file in enumerate(standard):
        os.dup2(file, number)
    sys.stdout.reconfigure(line_buffering=os.isatty(1))  # type: ignore[union-attr]  # as it is where that is the beginning
    sys.argv[1:] = request.words


def end(code: int) -> None:
    """End as Python does, but for taking apart all that was imported: that would copy each page of memory first."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        import_all()
        request = serve(asked)
        asked.detach()
    try:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if isinstance(ended.code, int):
            end(ended.code)
        raise
