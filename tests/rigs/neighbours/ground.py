"""The ground of a row: a real server with two merchants, and what is measured on it while one does its worst."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from server.store.command_session import OpenStore, open_store
from server.store.connection.slow_calls import LOGGED_FROM_US, slow_calls
from server.telemetry.worker_files import WORKER_OPTION
from tests.conftest import RETENTION
from tests.rigs.neighbours.apart import Apart, apart
from tests.rigs.neighbours.loader import Load, Loaded
from tests.rigs.neighbours.neighbour import Asks, Served
from tests.support.http import Api, Key, Server, opened

ATTACKER: Final = Key("attacker", "attacker", ("admin", "metrics"))
NEIGHBOUR: Final = Key("neighbour", "neighbour")
SKU: Final = "calm"
UNITS: Final = 100_000_000
CALM_MS: Final = 50.0


class Measured(msgspec.Struct):
    """One round: the neighbour alone and under attack, and what the server's processes took meanwhile."""

    alone: Served
    under: Served
    memory_mb: float
    """The server's resident memory at its highest."""
    grown_mb: float
    """By how much that is above what it was before the attack."""
    longest_script_ms: float
    attack: list[Loaded] = []


class Ground:
    """A server that serves, with the neighbour's stock on its shelf."""

    def __init__(self, server: Server, api: Api, neighbour: Api, store: OpenStore) -> None:
        self.server = server
        self.api = api
        """Asks as the attacker."""
        self.neighbour = neighbour
        self.store = store
        """The server's own store, to fill it quickly."""

    def load(self, does: Any, connections: int, line: str, **options: Any) -> Load:
        """Write down what a loader does; it has the attacker's key unless told otherwise."""
        token = options.pop("token", ATTACKER.token)
        return Load(self.server.host, self.server.port, does, connections, line, token, **options)

    async def serve(self, seconds: float, rate_per_s: float = 100.0) -> Served:
        """Let the neighbour ask for so long."""
        asks = Asks(self.server.host, self.server.port, NEIGHBOUR.token, SKU, rate_per_s, seconds)
        async with apart("tests.rigs.neighbours.neighbour", asks, Served) as process:
            await process.ready()
            return await process.told()

    @asynccontextmanager
    async def loading(self, loads: Sequence[Load]) -> AsyncIterator[list[Apart[Loaded]]]:
        """Have loaders load until the block ends."""
        async with contextlib.AsyncExitStack() as started:
            processes = [
                await started.enter_async_context(apart("tests.rigs.neighbours.loader", load, Loaded)) for load in loads
            ]
            for process in processes:
                await process.ready()
            yield processes

    async def calm_down(self, within_s: float) -> None:
        """Wait until the neighbour is served as before, so that one round does not spoil the next."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + within_s
        quick = 0
        while quick < 5 and loop.time() < until_s:
            began_s = loop.time()
            with contextlib.suppress(Exception):
                await self.neighbour.reserve(SKU, 1)
            quick = quick + 1 if 1000 * (loop.time() - began_s) < CALM_MS else 0
            await asyncio.sleep(0.05)

    # -- what the processes take

    def pids(self) -> list[int]:
        """List the server's own processes: the main one, and its workers."""
        return [self.server.process.pid, *workers_of(self.server)]

    def begin_to_measure(self) -> float:
        """Forget the highest memory and the slow scripts so far; return the memory now, in MB."""
        for pid in self.pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")
        with self.server.store() as store:
            store.config_set("slowlog-log-slower-than", LOGGED_FROM_US)
            store.slowlog_reset()
        return self.memory_mb("VmRSS")

    def memory_mb(self, field: str = "VmHWM") -> float:
        """Sum the resident memory of the server's processes: the highest (VmHWM) or the present (VmRSS)."""
        return sum(_status_kb(pid, field) for pid in self.pids()) / 1024

    def longest_script_ms(self) -> float:
        """Return how long the longest script took since the measurement began; 0: none took a millisecond."""
        with self.server.store() as store:
            # A script that runs right now is waited for.
            calls = slow_calls(store.slowlog_get(128))
        return max((call.microseconds for call in calls if call.is_ours), default=0) / 1000


@asynccontextmanager
async def opened_ground(
    *, keys: Sequence[Key] = (), toml: str = "", prefix: Sequence[str] = (), **settings: Any
) -> AsyncIterator[Ground]:
    """Start a server of its own for two merchants; it is ended with all its processes and files after the block."""
    server = Server(keys=[ATTACKER, NEIGHBOUR, *keys], toml=toml, prefix=prefix, log_level="warning", **settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(server.close)
        await asyncio.to_thread(server.start)
        api = await stack.enter_async_context(opened(server, ATTACKER))
        neighbour = await stack.enter_async_context(opened(server, NEIGHBOUR))
        url = f"unix://{server.data_dir}/store.sock"
        store = await stack.enter_async_context(
            open_store(store_url=url, data_dir=server.data_dir, durability="durable", retention=RETENTION)
        )
        await neighbour.count(SKU, UNITS)
        yield Ground(server, api, neighbour, store)


def workers_of(server: Server) -> list[int]:
    """List the worker processes of a server, the first one first; none where it is one process."""
    pid = server.process.pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    found = [(_words(child), int(child)) for child in children]
    return [child for words, child in sorted(found) if WORKER_OPTION.encode() in words]


def _words(pid: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []


def _status_kb(pid: int, field: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{field}:")), 0)
