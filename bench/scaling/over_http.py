"""Over HTTP: workers, lines of an order, the batch route against single calls, and full stores against empty ones."""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.harness import stock
from bench.harness.load import PATH, RESERVE, Target, load
from bench.harness.processes import ServerProcess
from bench.harness.stores import Store
from bench.http.contestants import MiscountError
from bench.scaling.inside import SOME, Sizes
from bench.scaling.series import Series
from bench.store.store_table import State

CONNECTIONS: Final = 32
MANY_CONNECTIONS: Final = 128
WORKERS: Final = (1, 2)
LINES: Final = (1, 5, 20)
BATCH: Final = 500
BATCH_CONNECTIONS: Final = 4
"""Each call brings 500, so that more would only wait in the queue before the store."""
_WARM_UP_S: Final = 1
_SETTINGS: Final = {"HOLDFAST_FIGURES_INTERVAL_S": "0"}
"""A server that first sees a store counts its whole journal into figures: a million receipts, while it is measured."""


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

    def take(self, stores: Mapping[State, Store], report: Callable[[str], None]) -> None:
        """Take one round: servers come and go, the stores stay, with what was reserved in them before."""
        skus, live = self._sizes.skus, self._sizes.live
        base, full = State(SOME, 0), State(SOME, live[-1])
        for series, size, state in (
            (self._skus, skus[0], State(skus[0], 0)),
            (self._skus, skus[-1], State(skus[-1], 0)),
            (self._live, live[0], base),
            (self._live, live[-1], full),
        ):
            report(f"over HTTP: {state.title}")
            with serving(stores[state], 1) as served:
                # The same spread over the fewest, so that only what lies beside it differs.
                series.add(f"{size:,}", served.rate(CONNECTIONS, self._seconds, skus[0]))
        for workers in WORKERS:
            report(f"over HTTP: {workers} worker processes")
            with serving(stores[base], workers) as served:
                self._workers.add(str(workers), served.rate(CONNECTIONS, self._seconds, SOME))
                self._more.add(str(workers), served.rate(MANY_CONNECTIONS, self._seconds, SOME))
                if workers == 1:
                    self.shapes(served)

    def shapes(self, served: "Served") -> None:
        """Take what depends on the shape of the requests: lines, and reservations in one call."""
        for lines in LINES:
            target = RESERVE._replace(words=(str(lines),))
            rate = served.rate(CONNECTIONS, self._seconds, SOME, target)
            self._orders.add(str(lines), rate)
            self._lines.add(str(lines), rate * lines)
        self._batches.add("1", served.rate(CONNECTIONS, self._seconds, SOME))
        calls = RESERVE._replace(path=f"{PATH}/batch", words=("1", str(BATCH)))
        self._batches.add(str(BATCH), served.rate(BATCH_CONNECTIONS, self._seconds, SOME, calls, each=BATCH))

    @staticmethod
    def steps() -> int:
        """Return how often one round reports progress."""
        return 4 + len(WORKERS)


class Served:
    """A server on a store that was there before it, and what it has acknowledged since."""

    def __init__(self, url: str, store: Store) -> None:
        self._url = url
        self._store = store
        self._before = self._reservations()
        self._acknowledged = 0
        self._unread = 0

    def rate(self, connections: int, seconds: float, skus: int, target: Target = RESERVE, *, each: int = 1) -> float:
        """Load it and give the reservations a second; ``each`` of them come in one call.

        Raises
        ------
        MiscountError
            The store holds fewer than were acknowledged, or more than were asked for.

        """
        result = load(self._url, connections, seconds, skus, target)
        self._acknowledged += result.requests * each
        self._unread += connections * each  # at its end the loader hangs up on a call of each connection at most
        made = self._reservations() - self._before
        if not self._acknowledged <= made <= self._acknowledged + self._unread:
            raise MiscountError(
                f"{self._acknowledged} reservations were acknowledged, at most {self._unread} more were on their way, "
                f"and the store has {made} more than before"
            )
        return result.rate * each

    def _reservations(self) -> int:
        found: Any = self._store.client.hlen(stock.keyspace().reservations)
        return int(found)


@contextlib.contextmanager
def serving(store: Store, workers: int) -> Iterator[Served]:
    """Serve a store that is there already, after a moment of load to warm up."""
    options = ("--host", "127.0.0.1", "--port", "0", "--workers", str(workers), "--store-url", f"unix://{store.socket}")
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        log = Path(folder) / "server.log"
        with ServerProcess("server", "serve", "--data-dir", folder, *options, log=log, settings=_SETTINGS) as process:
            served = Served(process.url, store)
            served.rate(8, _WARM_UP_S, 1)
            yield served
