"""Several serving processes on one port: start them, replace one that dies, stop them together.

Each worker is a ``holdfast serve`` of its own on the same store and port (SO_REUSEPORT spreads connections over them).
They report metrics through files in one directory, so that a scrape of any of them tells of all.
"""

import asyncio
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.multiprocess import mark_process_dead

from server import config
from server.store.embedded import EmbeddedStore

log = structlog.get_logger("holdfast.workers")

_RESTART_S: Final = 0.5


class Workers:
    """The parent of the workers: owns the embedded store, the port and the metrics directory."""

    def __init__(self, settings: config.Settings, command: list[str]) -> None:
        self._settings = settings
        self._command = command
        self._store: EmbeddedStore | None = None
        self._store_url = settings.store_url
        self._metrics_dir = Path(tempfile.mkdtemp(prefix="holdfast-metrics-"))
        self._tasks: list[asyncio.Task[None]] = []
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self.port = settings.port

    async def start(self) -> None:
        """Start the store, reserve the port, start the workers."""
        try:
            if not self._store_url:
                self._store = EmbeddedStore(self._settings.data_dir, durability=self._settings.durability)
                await self._store.start()
                self._store_url = self._store.url
            # Bound and never listening: it keeps the number for the workers, and takes no connection itself.
            self._reserved = self._reserve_port()
            self.port = self._reserved.getsockname()[1]
        except BaseException:
            await self.drain()
            raise
        self._tasks = [
            asyncio.create_task(self._keep(number), name=f"worker-{number}") for number in range(self._settings.workers)
        ]

    def _reserve_port(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._settings.host else socket.AF_INET
        reserved = socket.socket(family, socket.SOCK_STREAM)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind((self._settings.host, self._settings.port))
        return reserved

    async def drain(self) -> None:
        """Stop the workers, each of which answers what is in flight, then the store."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for process in self._processes.values():
            if process.returncode is None:
                process.terminate()
        for process in self._processes.values():
            await process.wait()
        if hasattr(self, "_reserved"):
            self._reserved.close()
        if self._store is not None:
            await self._store.stop()
        shutil.rmtree(self._metrics_dir, ignore_errors=True)

    async def _keep(self, number: int) -> None:
        """Run one worker; start it again when it ends by itself."""
        environment = config.worker_environment(self._metrics_dir)
        arguments = ["--worker", str(number), "--store-url", self._store_url, "--port", str(self.port)]
        while True:
            process = await asyncio.create_subprocess_exec(
                *self._command, *arguments, env=environment, start_new_session=True
            )
            self._processes[number] = process
            status = await process.wait()
            mark_process_dead(process.pid, str(self._metrics_dir))  # type: ignore[no-untyped-call]
            log.error("worker_ended", worker=number, pid=process.pid, status=status, restart_in_s=_RESTART_S)
            await asyncio.sleep(_RESTART_S)


def worker_command(arguments: list[str]) -> list[str]:
    """Say how to start a worker that takes its other settings like this process."""
    return [sys.executable, "-m", "server", "serve", *arguments]
