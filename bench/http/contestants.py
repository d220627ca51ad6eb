"""Who takes part in the table over HTTP, and the running servers behind them."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.harness import stock
from bench.harness.neighbours import cpu_s
from bench.harness.processes import ServerProcess
from bench.harness.stores import connect
from server.store.embedded.files import DataDirectory


@dataclass(frozen=True)
class Contestant:
    """One row of the table at each number of connections. ``skus``: how many the requests are spread over."""

    server: str
    title: str
    skus: int


NOOP: Final = Contestant("noop", "no-op handler", 1)
BARE: Final = Contestant("bare", "no-op handler, no router", 1)
POOL: Final = Contestant("pool", "one call each, pool", 1)
FAST: Final = Contestant("fast", "Holdfast fast, hot", 1)
FAST_SPREAD: Final = Contestant("fast", "Holdfast fast, spread", stock.SPREAD_SKUS)
DURABLE: Final = Contestant("durable", "Holdfast durable, hot", 1)
DURABLE_SPREAD: Final = Contestant("durable", "Holdfast durable, spread", stock.SPREAD_SKUS)

ALL: Final = (NOOP, BARE, POOL, FAST, FAST_SPREAD, DURABLE, DURABLE_SPREAD)


_COUNTED_S: Final = 10.0
"""The longest wait for the counting. A server that the environment keeps from counting never finishes it."""
_LOOK_S: Final = 0.05


class MiscountError(Exception):
    """What a store holds and what was acknowledged do not agree."""


class Server:
    """One running server, and how many reservations it has acknowledged."""

    def __init__(self, process: ServerProcess, socket: Path | None, *, counts: bool = False) -> None:
        self.url = process.url
        self.pid = process.pid
        listed = subprocess.run(["pgrep", "-P", str(self.pid)], capture_output=True, text=True, check=False)
        self._store_pids = [*map(int, listed.stdout.split())]
        self._socket = socket
        self._counts = counts
        self._acknowledged = 0
        self._unread = 0

    def fill(self) -> None:
        """Put the stock that will be sold into its store, if it has one, and wait until the server has counted it.

        Counting thousands of receipts is no part of selling what they brought.
        """
        if self._socket is None:
            return
        stock.fill_skus(self._socket, stock.SPREAD_SKUS)
        if not self._counts:
            return
        with connect(self._socket) as client:
            until_s = time.monotonic() + _COUNTED_S
            while not stock.is_counted(client) and time.monotonic() < until_s:
                time.sleep(_LOOK_S)

    def cpu_s(self) -> tuple[float, float]:
        """Return the processor time that the server and its store have used."""
        return cpu_s(self.pid), sum(map(cpu_s, self._store_pids))

    def count(self, acknowledged: int, connections: int) -> None:
        """Note a stretch of load. At its end the loader hangs up on at most one request of each connection."""
        self._acknowledged += acknowledged
        self._unread += connections

    def check(self) -> None:
        """Compare what the store holds with what was acknowledged.

        Raises
        ------
        MiscountError
            Less is held than was acknowledged, or more than was ever asked for.

        """
        if self._socket is None:
            return
        with connect(self._socket) as client:
            held = stock.held_units(client)
        if not self._acknowledged <= held <= self._acknowledged + self._unread:
            raise MiscountError(
                f"{self.url}: {self._acknowledged} reservations of one unit were acknowledged, at most "
                f"{self._unread} more were on their way, and the store holds {held} units"
            )


@contextlib.contextmanager
def running(names: set[str]) -> Iterator[Mapping[str, Server]]:
    """Start the servers of these names, each a process with a fresh store, and stop them afterwards."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        servers = {name: start(name, folder, stack) for name in sorted(names)}
        for server in servers.values():
            server.fill()
        yield servers


def start(name: str, folder: Path, stack: contextlib.ExitStack) -> Server:
    """Start one server of the table, with its data in ``folder``; ``stack`` stops it."""
    data_dir, log = folder / name, folder / f"{name}.log"
    if name in (NOOP.server, BARE.server):
        return Server(stack.enter_context(ServerProcess("bench.peers.local_peers", name, log=log)), None)
    if name == "pool":
        process = ServerProcess("bench.peers.local_peers", "pool", str(data_dir), log=log)
    else:
        process = holdfast(data_dir, name, log)
    stack.enter_context(process)
    return Server(process, DataDirectory(data_dir).socket, counts=name != "pool")


def holdfast(data_dir: Path, durability: str, log: Path) -> ServerProcess:
    """Prepare Holdfast itself, as ``holdfast serve`` starts it: one worker, the embedded store."""
    options = ("--host", "127.0.0.1", "--port", "0", "--data-dir", str(data_dir), "--durability", durability)
    return ServerProcess("server", "serve", *options, log=log)
