"""Over HTTP: workers, lines of an order, the batch route against single calls, and full stores against empty ones."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench import stock
from bench.contestants import MiscountError
from bench.load import PATH, RESERVE, Target, load
from bench.processes import ServerProcess
from bench.scaling.inside import SOME, Sizes
from bench.scaling.series import Series
from bench.store_table import State
from bench.stores import Store

CONNECTIONS: Final = 32
MANY_CONNECTIONS: Final = 128
WORKERS: Final = (1, 2)
LINES: Final = (1, 5, 20)
BATCH: Final = 500
BATCH_CONNECTIONS: Final = 4
"""Each call brings 500, so that more would only wait in the queue before the store."""
_WARM_UP_S: Final = 1


class OverHttp:
    """The series that are taken over HTTP."""

    def __init__(self, sizes: Sizes, seconds: int) -> None:
        self._sizes = sizes
        self._seconds = seconds
        self._skus = Series("over HTTP: SKUs in the store, 32 connections", "requests", {}, flat=True)
        self._live = Series("over HTTP: live reservations, 32 connections", "requests", {}, flat=True)
        self._workers = Series("worker processes, 32 connections", "requests", {})
        self._more = Series("worker processes, 128 connections", "requests", {})
        self._orders = Series("lines of a reservation, 32 connections", "requests", {})
        self._lines = Series("lines of a reservation, 32 connections", "lines", {})
        self._batches = Series("reservations in one call", "reservations", {})

    @property
    def series(self) -> list[Series]:
        """All of them."""
        return [self._skus, self._live, self._workers, self._more, self._orders, self._lines, self._batches]

    def take(self, stores: Mapping[State, Store], tell: Callable[[str], None]) -> None:
        """Take one round: servers come and go, the stores stay, with what was reserved in them before."""
        skus, live = self._sizes.skus, self._sizes.live
        base, full = State(SOME, 0), State(SOME, live[-1])
        for series, size, state in (
            (self._skus, skus[0], State(skus[0], 0)),
            (self._skus, skus[-1], State(skus[-1], 0)),
            (self._live, live[0], base),
            (self._live, live[-1], full),
        ):
            tell(f"over HTTP: {state.title}")
            with serving(stores[state], 1) as url:
                # The same spread over the fewest, so that only what lies beside it differs.
                series.add(f"{size:,}", self._load(url, stores[state], CONNECTIONS, skus[0]))
        for workers in WORKERS:
            tell(f"over HTTP: {workers} worker processes")
            with serving(stores[base], workers) as url:
                self._workers.add(str(workers), self._load(url, stores[base], CONNECTIONS, SOME))
                self._more.add(str(workers), self._load(url, stores[base], MANY_CONNECTIONS, SOME))
                if workers == 1:
                    self._shapes(url, stores[base])

    def _shapes(self, url: str, store: Store) -> None:
        for lines in LINES:
            rate = self._load(url, store, CONNECTIONS, SOME, RESERVE._replace(words=(str(lines),)))
            self._orders.add(str(lines), rate)
            self._lines.add(str(lines), rate * lines)
        self._batches.add("1", self._load(url, store, CONNECTIONS, SOME))
        calls = RESERVE._replace(path=f"{PATH}/batch", words=("1", str(BATCH)))
        self._batches.add(str(BATCH), BATCH * self._load(url, store, BATCH_CONNECTIONS, SOME, calls, each=BATCH))

    def _load(
        self, url: str, store: Store, connections: int, skus: int, target: Target = RESERVE, *, each: int = 1
    ) -> float:
        """Load a server; what it acknowledged must be in the store afterwards. ``each``: reservations in one call."""
        before = _reservations(store)
        result = load(url, connections, self._seconds, skus, target)
        made, least = _reservations(store) - before, result.requests * each
        if not least <= made <= least + connections * each:
            raise MiscountError(f"{least} reservations were acknowledged over {connections} connections, {made} made")
        return result.rate

    @staticmethod
    def steps() -> int:
        """Say how often one round tells what it does."""
        return 4 + len(WORKERS)


def _reservations(store: Store) -> int:
    found: Any = store.client.hlen(stock.keyspace().reservations)
    return int(found)


@contextlib.contextmanager
def serving(store: Store, workers: int) -> Iterator[str]:
    """Serve a store that is there already; gives the address, after a moment of load to warm up."""
    options = ("--host", "127.0.0.1", "--port", "0", "--workers", str(workers), "--store-url", f"unix://{store.socket}")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        log = Path(folder) / "server.log"
        with ServerProcess("server", "serve", "--data-dir", folder, *options, log=log) as process:
            load(process.url, 8, _WARM_UP_S, 1)
            yield process.url
