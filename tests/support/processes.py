"""The real ``holdfast`` as processes: commands that run to their end, and servers that are started and stopped."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from tests.support.stores import wait_until

END_S = 60.0
_ADDRESS = re.compile(r"^Holdfast \S+ at (http://\S+)$", re.MULTILINE)


def environment(**settings: str) -> dict[str, str]:
    """Make the environment of a process: ours without settings, and those given."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "PROMETHEUS_"))}
    return ours | settings


def holdfast(*words: str | Path, cwd: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; keyword arguments become environment variables."""
    return subprocess.run(
        [sys.executable, "-m", "server", *map(str, words)],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=END_S,
        check=False,
    )


def start(*words: str | Path, cwd: Path, **settings: str) -> "subprocess.Popen[bytes]":
    """Start a command; what it prints goes to ``out`` and ``err`` in ``cwd``."""
    with (cwd / "out").open("wb") as out, (cwd / "err").open("wb") as err:
        return subprocess.Popen(
            [sys.executable, "-m", "server", *map(str, words)],
            cwd=cwd,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


class Server:
    """A ``holdfast serve`` on a free port, its data in ``cwd``; stopped at the end of the block."""

    def __init__(self, *words: str | Path, cwd: Path, **settings: str) -> None:
        self._words = ("serve", "--port", "0", *words) if "--port" not in words else ("serve", *words)
        self._cwd = cwd
        self._settings = settings
        self.address = ""

    def __enter__(self) -> Self:
        self.process = start(*self._words, cwd=self._cwd, **self._settings)
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
