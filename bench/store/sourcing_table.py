"""The table of sourcing inside the store: orders a second where it chooses among 200 locations, or they name one."""

import contextlib
import itertools
import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from bench.harness import stock
from bench.harness.bars import Bar
from bench.harness.driver import drive
from bench.harness.figures import figure
from bench.harness.report import Table, interval
from bench.harness.stores import Store
from server.domain.locations import Directory, Location, Position
from server.domain.operations.reservations import Line, Reserve
from server.domain.operations.stock import Count
from server.domain.sourcing import CANDIDATES_MAX, PAIRS_MAX, Plan, Rules, Sourced, ranked
from server.store.embedded.binary import StoreBinary

SKUS: Final = 10
STORES: Final = 200
BATCH: Final = 8
ORDERS: Final = 4_000
"""Of one measurement: some tenths of a second to a second."""
POSITIONS: Final = 50
"""Where orders are delivered; ranking 200 stores for each of them is Python's work and is not measured here."""
_RULES_SPLITS_MAX: Final = 1
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Case:
    """One line of the table: how many lines an order has, in how many of 100 stores a SKU lies, and who chooses."""

    lines: int
    stocked_percent: int
    strategies: tuple[str, ...]

    @property
    def title(self) -> str:
        """Who chooses, in words."""
        return " then ".join(self.strategies).replace("_", " ") or "named"

    @property
    def named(self) -> "Case":
        """The same where each order names its location."""
        return Case(self.lines, 100, ())


NEAREST: Final = ("nearest", "most_stock")
CASES: Final = tuple(
    Case(lines, percent, strategies)
    for lines in (1, SKUS)
    for percent, strategies in ((100, ()), (100, NEAREST), (90, NEAREST), (100, ("most_stock", "nearest")))
)
Cells = dict[Case, list[float]]


def measure(binary: StoreBinary, rounds: int, report: Callable[[str], None]) -> Cells:
    """Take the figures, in turn and ``rounds`` times, in one store for each way of stocking."""
    cells: Cells = {case: [] for case in CASES}
    with contextlib.ExitStack() as stack:
        report("filling the stores' shelves")
        stores = {percent: stack.enter_context(filled(binary, percent)) for percent in (100, 90)}
        for turn in range(1, rounds + 1):
            report(f"round {turn}: sourcing")
            for case in CASES:
                cells[case].append(rate(stores[case.stocked_percent], case))
    return cells


def steps(rounds: int) -> int:
    """Return how often ``measure`` reports progress."""
    return 1 + rounds


@contextlib.contextmanager
def filled(binary: StoreBinary, percent: int) -> Iterator[Store]:
    """Start a store in which each SKU lies in so many of 100 locations, in units that no run can sell."""
    choose = random.Random(percent)
    counts = [
        Count("", "local", "", stock.sku(sku), name(number), stock.ON_HAND)
        for number in range(STORES)
        for sku in range(SKUS)
        if choose.randrange(100) < percent
    ]
    with Store(binary) as store:
        drive(store.socket, stock.commands(counts, stock.FILL_BATCH), stock.FILL_BATCH, stock.took_effect)
        yield store


def name(number: int) -> str:
    """Name the location of this number."""
    return f"store-{number:03}"


def directory(choose: random.Random) -> Directory:
    """Describe the locations, each somewhere in a large country."""
    return Directory(Location(name(number), "store", _somewhere(choose)) for number in range(STORES))


def _somewhere(choose: random.Random) -> Position:
    return Position(choose.uniform(36, 42), choose.uniform(26, 45))


def orders(case: Case) -> list[Reserve | Sourced]:
    """Make the orders of a case, all for other ids; the store chooses, or each names a location at random."""
    choose, run = random.Random(case.lines), secrets.token_hex(4)
    described = directory(choose)
    plans = [_plan(described, case, _somewhere(choose)) for _ in range(POSITIONS)] if case.strategies else []
    made: list[Reserve | Sourced] = []
    for _ in range(ORDERS):
        location = "" if plans else name(choose.randrange(STORES))
        skus = choose.sample(range(SKUS), case.lines)
        reserve = Reserve(
            "0123456789abcdef",
            "local",
            f"{run}-{next(_numbers)}",
            "web",
            [Line(stock.sku(sku), location, 1) for sku in skus],
            stock.TTL_MS,
        )
        made.append(Sourced(reserve, choose.choice(plans)) if plans else reserve)
    return made


def _plan(described: Directory, case: Case, position: Position) -> Plan:
    rules = Rules(case.strategies, "", position, _RULES_SPLITS_MAX)  # type: ignore[arg-type]  # words of the table
    candidates = ranked(described, rules, described.open_in())
    return Plan(rules.splits_max, candidates[: min(CANDIDATES_MAX, PAIRS_MAX // case.lines)])


def rate(store: Store, case: Case) -> float:
    """Measure one cell, and take away again what it added."""
    made = orders(case)
    before = stock.held_units(store.client)
    took_s = drive(store.socket, stock.commands(made, BATCH), BATCH, stock.took_effect)
    if stock.held_units(store.client) - before != ORDERS * case.lines:
        raise AssertionError(f"{case}: the store holds another number of units than it acknowledged")
    stock.forget_reservations(store.client, _promises(made))
    return ORDERS / took_s


def _promises(made: Sequence[Reserve | Sourced]) -> list[Reserve]:
    bare = (each.promise if isinstance(each, Sourced) else each for each in made)
    return [each for each in bare if isinstance(each, Reserve)]


def table(cells: Cells, version: str) -> Table:
    """Lay the figures out."""
    made = Table(
        f"Orders/s inside {version}, one core: the location named, or chosen among {STORES}",
        ["lines", "a SKU lies in", "the location is chosen by", "per s", "cost against named"],
    )
    for case in CASES:
        rates, named = figure(cells[case]), figure(cells[case.named])
        made.add(
            str(case.lines),
            f"{case.stocked_percent} % of them",
            case.title,
            interval(rates, ",.0f"),
            f"{named.over(rates).median:.2f}",
        )
        if case is CASES[len(CASES) // 2 - 1]:
            made.end_section()
    return made


def bars(cells: Cells) -> Iterator[Bar]:
    """Compare the figures with the bars."""
    for lines in (1, SKUS):
        case = Case(lines, 100, NEAREST)
        cost = figure(cells[case.named]).over(figure(cells[case]))
        yield Bar(f"Sourcing {lines} of {SKUS} SKUs in {STORES} stores, {case.title}: cost against named", "≤", 3, cost)
