"""A store of the bench's own, with the very settings of the embedded one, and a plain connection to ask it things."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from server.store.connection.clients import Durability
from server.store.embedded import config
from server.store.embedded.binary import StoreBinary
from server.store.embedded.files import DataDirectory
from server.store.lua_library import library

_READY_TIMEOUT_S: Final = 20.0
_REWRITE_TIMEOUT_S: Final = 120.0
_LOOK_S: Final = 0.02


def connect(path: Path) -> redis.Redis:
    """Open a client that never sends twice."""
    return redis.Redis(unix_socket_path=str(path), retry=Retry(NoBackoff(), 0), socket_timeout=120.0)


class Store:
    """One store process in a directory of its own, which goes with it.

    It rewrites its append-only file only when asked to, so that none falls into a measurement.
    """

    def __init__(
        self, binary: StoreBinary, *, durability: Durability = "durable", words_before: Sequence[str] = ()
    ) -> None:
        self.binary = binary
        self._words_before = words_before
        self._durability: Durability = durability
        self._path = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
        self._directory = DataDirectory(self._path)
        self.socket = self._directory.socket

    def __enter__(self) -> Self:
        self._directory.ready_socket_folder()
        settings = config.render(self._directory, self._durability) + b"auto-aof-rewrite-percentage 0\n"
        self._directory.config.write_bytes(settings)
        with self._directory.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._words_before, self.binary.path, self._directory.config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.client = connect(self.socket)
        self._wait(self._answers, _READY_TIMEOUT_S)
        self.client.function_load(library().source)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.client.close()
        # Nothing here is worth an orderly stop: the directory goes next.
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        shutil.rmtree(self._path, ignore_errors=True)

    @property
    def version(self) -> str:
        """Its name and version, as people call it."""
        return f"{self.binary.family.capitalize()} {'.'.join(map(str, self.binary.version))}"

    def info(self, name: str) -> float:
        """Read one figure of INFO."""
        found: dict[str, Any] = self.client.info("everything")
        return float(found[name])

    def lead(self, replica: "Store") -> None:
        """Have another store follow this one, and wait until it is in step. They meet over TCP, on loopback."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        self.client.config_set("bind", "127.0.0.1")
        self.client.config_set("port", port)
        self.client.config_set("repl-diskless-sync-delay", 0)
        replica.client.replicaof("127.0.0.1", port)
        self._wait(lambda: dict(self.client.info("replication")).get("slave0", {}).get("state") == "online", 20.0)

    def stop_logging(self) -> None:
        """Turn the append-only file off, to fill the store quickly."""
        self.client.config_set("appendonly", "no")

    def start_logging(self) -> None:
        """Turn the append-only file on again and wait until all that was filled in is in it."""
        self.client.config_set("appendonly", "yes")
        self._wait(self._is_logged, _REWRITE_TIMEOUT_S)

    def used_bytes(self) -> int:
        """Return how much memory the data and its structures take, once what was freed is really free."""
        self._wait(lambda: self.info("lazyfree_pending_objects") == 0, _READY_TIMEOUT_S)
        return int(self.info("used_memory"))

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False

    def _is_logged(self) -> bool:
        found: dict[str, Any] = self.client.info("persistence")
        pending = found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"]
        return not pending and found["aof_last_bgrewrite_status"] == "ok"

    def _wait(self, condition: Callable[[], bool], timeout_s: float) -> None:
        until = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > until:
                log = self._directory.log.read_text("utf-8", "replace")[-2000:]
                raise TimeoutError(f"{self.version} is not ready after {timeout_s:g} s:\n{log}")
            time.sleep(_LOOK_S)
