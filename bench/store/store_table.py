"""The table of the scripts inside the store: reservations a second by batch size, without HTTP and without Python."""

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from bench.harness import stock
from bench.harness.bars import Bar
from bench.harness.driver import drive
from bench.harness.figures import Figure, figure
from bench.harness.report import Table, interval
from bench.harness.stores import Store
from server.store.embedded.binary import StoreBinary

BATCHES: Final = (1, 16, 64, 128)
TRIVIAL: Final = "trivial EVALSHA"
OPERATIONS: Final = {1: 10_000, 16: 50_000, 64: 60_000, 128: 60_000}
"""Reservations of one measurement: half a second to two, whatever the size of a batch."""
_TRIVIAL_OPERATIONS: Final = 200_000
_SKUS_SMALL: Final = 1_000


@dataclass(frozen=True)
class State:
    """What is in a store before it is measured."""

    skus: int
    live: int

    @property
    def title(self) -> str:
        """Both numbers."""
        return f"{self.skus:,} SKUs, {self.live:,} live"


@dataclass(frozen=True)
class Case:
    """One cell: a state, how many SKUs the reservations are spread over (1: hot), and how many go in one call."""

    state: State
    spread: int
    batch: int

    @property
    def pattern(self) -> str:
        """How the reservations are spread, in words."""
        return "hot" if self.spread == 1 else f"spread over {self.spread:,}"


Cells = dict[Case | str, list[float]]
"""The rounds of each case and of :data:`TRIVIAL`: operations a second."""


def states(*, quick: bool) -> tuple[State, ...]:
    """List what is compared. The quick run is a tenth as large, and its ratios therefore say less."""
    many = 100_000 if quick else 1_000_000
    return State(_SKUS_SMALL, 0), State(stock.SPREAD_SKUS, 0), State(many, many)


def cases(state: State) -> list[Case]:
    """List the cells of one state."""
    # Hot is hot, however many others there are: the middle state is there for the spread over 10,000 alone.
    hot = () if state == State(stock.SPREAD_SKUS, 0) else (1,)
    return [Case(state, spread, batch) for spread in (*hot, min(state.skus, stock.SPREAD_SKUS)) for batch in BATCHES]


def measure(binary: StoreBinary, rounds: int, report: Callable[[str], None], *, quick: bool) -> Cells:
    """Take the figures, every state in a store of its own, in turn and ``rounds`` times."""
    cells: Cells = {TRIVIAL: []} | {case: [] for state in states(quick=quick) for case in cases(state)}
    with contextlib.ExitStack() as stack:
        stores: dict[State, Store] = {}
        for state in states(quick=quick):
            report(f"filling a store: {state.title}")
            stores[state] = stack.enter_context(filled(binary, state))
        for turn in range(1, rounds + 1):
            for state, store in stores.items():
                report(f"round {turn}: {state.title}")
                if state.live == 0:
                    cells[TRIVIAL].append(trivial_rate(store))
                for case in cases(state):
                    cells[case].append(rate(store, case))
    return cells


def steps(rounds: int) -> int:
    """Return how often ``measure`` reports progress."""
    return len(states(quick=True)) * (1 + rounds)


@contextlib.contextmanager
def filled(binary: StoreBinary, state: State) -> Iterator[Store]:
    """Start a store and bring it into a state, through the very functions that serve."""
    with Store(binary) as store:
        store.stop_logging()
        stock.fill_skus(store.socket, state.skus)
        stock.fill_reservations(store.socket, state.live, state.skus)
        store.start_logging()
        check(store, state.live)
        yield store


def check(store: Store, live: int) -> None:
    """Read back what was written: so many records, deadlines and held units must be there."""
    keys = stock.keyspace()
    found = (store.client.hlen(keys.reservations), store.client.zcard(keys.deadlines), stock.held_units(store.client))
    if found != (live, live, live):
        raise AssertionError(f"{live:,} reservations of one unit were made; records, deadlines, held units: {found}")


def trivial_rate(store: Store) -> float:
    """Measure what the same core does when the script does nothing."""
    digest: Any = store.client.script_load("return 1")
    call = b"*3\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n0\r\n" % (digest if type(digest) is bytes else digest.encode())
    return _TRIVIAL_OPERATIONS / drive(store.socket, [call] * _TRIVIAL_OPERATIONS, 1, lambda reply: reply == 1)


def rate(store: Store, case: Case) -> float:
    """Measure one cell, and bring the store back to where it was."""
    choose = random.Random(case.batch)
    stride = case.state.skus // case.spread
    operations = stock.reserves([choose.randrange(case.spread) * stride for _ in range(OPERATIONS[case.batch])])
    calls = stock.commands(operations, case.batch)
    before = stock.held_units(store.client) if case.state.skus <= stock.SPREAD_SKUS else None
    took_s = drive(store.socket, calls, case.batch, stock.took_effect)
    if before is not None and stock.held_units(store.client) - before != len(operations):
        raise AssertionError(f"{case}: the store holds another number of units than it acknowledged")
    stock.forget_reservations(store.client, operations)
    return len(operations) / took_s


def table(cells: Cells, version: str) -> Table:
    """Lay the figures out."""
    made = Table(
        f"Reservations/s inside {version}, one core", ["store", "skus of the load", "batch", "per s", "of trivial"]
    )
    trivial = figure(cells[TRIVIAL])
    made.add("", TRIVIAL, "1", interval(trivial, ",.0f"), "1.000")
    made.end_section()
    for case in (case for case in cells if isinstance(case, Case)):
        rates = figure(cells[case])
        made.add(
            case.state.title,
            case.pattern,
            str(case.batch),
            interval(rates, ",.0f"),
            f"{rates.median / trivial.median:.3f}",
        )
        if case.batch == BATCHES[-1]:
            made.end_section()
    return made


def bars(cells: Cells, *, quick: bool) -> Iterator[Bar]:
    """Compare the figures with the bars."""
    small, middle, large = states(quick=quick)
    trivial = figure(cells[TRIVIAL]).median
    for case, limit in ((Case(small, 1, 64), 0.25), (Case(middle, stock.SPREAD_SKUS, 64), 0.17)):
        of_trivial = Figure([each / trivial for each in cells[case]])
        yield Bar(f"Batches of 64, {case.pattern}: of the trivial EVALSHA/s", "≥", limit, of_trivial)
    for spread, base in ((1, small), (stock.SPREAD_SKUS, middle)):
        ratio = figure(cells[Case(large, spread, 64)]).over(figure(cells[Case(base, spread, 64)]))
        pattern = Case(large, spread, 64).pattern
        yield Bar(f"Batches of 64, {pattern}: {large.title}, against {base.title}", "≥", 0.85, ratio)
