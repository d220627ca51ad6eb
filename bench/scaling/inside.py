"""Inside the store: reservations a second with few SKUs and many, with no live reservation and many."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from bench.harness.stores import Store
from bench.scaling.series import Series
from bench.store.store_table import Case, State, rate

BATCH: Final = 64
FEW, SOME, MANY, MOST = 1_000, 10_000, 100_000, 1_000_000


class Sizes(NamedTuple):
    """What is compared: SKUs without any live reservation, and live reservations on ``SOME`` SKUs."""

    skus: tuple[int, ...]
    live: tuple[int, ...]

    @property
    def states(self) -> list[State]:
        """The stores that this takes, each once."""
        by_skus, by_live = [State(skus, 0) for skus in self.skus], [State(SOME, live) for live in self.live]
        return list(dict.fromkeys([*by_skus, *by_live]))


USUAL: Final = Sizes((FEW, SOME, MANY, MOST), (0, MANY, MOST))
QUICK: Final = Sizes((FEW, SOME, MANY), (0, SOME, MANY))


class Inside:
    """The series that are taken inside the store."""

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._hot = Series("SKUs in the store; all want one", "reservations", {}, flat=True)
        self._spread = Series(f"SKUs in the store; {FEW:,} of them wanted", "reservations", {}, flat=True)
        self._all = Series("SKUs in the store; all of them wanted", "reservations", {})
        self._live_hot = Series("live reservations; all want one SKU", "reservations", {}, flat=True)
        self._live_spread = Series(f"live reservations; {SOME:,} SKUs wanted", "reservations", {}, flat=True)

    @property
    def series(self) -> list[Series]:
        """All of them."""
        return [self._hot, self._spread, self._all, self._live_hot, self._live_spread]

    def take(self, stores: Mapping[State, Store], report: Callable[[str], None]) -> None:
        """Take one round, the sizes in turn."""
        for skus in self._sizes.skus:
            state = State(skus, 0)
            report(f"inside the store: {state.title}")
            for series, spread in ((self._hot, 1), (self._spread, FEW), (self._all, skus)):
                series.add(f"{skus:,}", rate(stores[state], Case(state, spread, BATCH)))
        for live in self._sizes.live:
            state = State(SOME, live)
            report(f"inside the store: {state.title}")
            for series, spread in ((self._live_hot, 1), (self._live_spread, SOME)):
                series.add(f"{live:,}", rate(stores[state], Case(state, spread, BATCH)))

    def steps(self) -> int:
        """Return how often one round reports progress."""
        return len(self._sizes.skus) + len(self._sizes.live)
