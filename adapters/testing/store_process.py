"""A store for a test run: the program that the embedded store would run, in a directory that goes with it."""

import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final, Self

from server.store.embedded.binary import find_binary

READY_S: Final = 20.0
_LOOK_EVERY_S: Final = 0.005


class StoreProcess:
    """One server at a unix socket. Its data need not survive, so it waits for no disk."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="hf-store-"))
        self._socket = self._directory / "s.sock"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"unix://{self._socket}"

    def __enter__(self) -> Self:
        settings = {"port": "0", "unixsocket": self._socket, "dir": self._directory, "save": "", "appendonly": "no"}
        words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
        self._child = subprocess.Popen(
            [find_binary().path, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        until = time.monotonic() + READY_S
        while not self._answers():
            if self._child.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise RuntimeError("the store of the tests did not start")
            time.sleep(_LOOK_EVERY_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait(READY_S)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as asked:
            try:
                asked.connect(str(self._socket))
                asked.sendall(b"PING\r\n")
                return asked.recv(64) == b"+PONG\r\n"
            except OSError:
                return False
