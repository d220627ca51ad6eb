"""Sourcing: which locations an order is taken from. The order of the candidates, and the choice among them.

Candidates are ranked here by what does not depend on the stock: distance, footfall, priority, open, group. The choice
among them is made inside the store by ``lua/lib/sourcing.lua``, for an order as for an explanation.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Literal, NamedTuple

import msgspec

from server.domain.locations import UNREGISTERED, Directory, Position, Standing, vector
from server.domain.operations.reservations import Edit, MapLines, Order, Reserve

Strategy = Literal["nearest", "most_stock", "lowest_footfall", "priority"]
"""``nearest``: to a position; those without one come last. ``most_stock``: most units available of all that is wanted.
``lowest_footfall``, ``priority``: the lowest, the highest first. What is still equal goes by name."""

STRATEGIES_MAX: Final = 4
"""Each once."""
SPLITS_DEFAULT: Final = 1
SPLITS_MAX: Final = 9
"""Locations beyond the first: ten parcels for one order are enough."""
SKUS_MAX: Final = 30
"""Different SKUs that one order can have planned: the store keeps them as bits of one number."""
CANDIDATES_MAX: Final = 500
PAIRS_MAX: Final = 2_500
"""Candidates times SKUs of one order: each may be one record to read, so this is some 5 ms of its time."""
RECORDS_PER_LINE: Final = 6
"""So many records that sourcing reads take as long as one line."""
_CHUNK_FIRST: Final = 2
_CHUNK_GROWTH: Final = 4
"""The store reads candidates in growing chunks, and stops at one that has everything."""


class Rules(msgspec.Struct, frozen=True):
    """How an order is to be sourced: by ``strategies``, each breaking the ties of those before it.

    ``group`` empty: any location. ``splits_max``: locations beyond the first. ``position``: the destination.
    ``split_lines``: where no location has all units of a SKU, they may come from several; ``late``: see :class:`Plan`.
    """

    strategies: tuple[Strategy, ...]
    group: str = ""
    position: Position | None = None
    splits_max: int = SPLITS_DEFAULT
    split_lines: bool = False
    late: bool = False


class Candidate(NamedTuple):
    """A location that may be chosen. Those of one ``rank`` (from 0) are equals, and ``most_stock`` decides."""

    name: str
    rank: int


class Plan(msgspec.Struct, frozen=True):
    """What is sent with a reserve or order so that the store can choose.

    ``split_lines``: units of one SKU may come from several locations. ``open_group``: the planned lines stay open, and
    are bound within this group (empty: to any location) when the address is known. ``is_cut``: there are more locations
    that may have units.
    """

    splits_max: int
    candidates: list[Candidate]
    split_lines: bool = False
    open_group: str | None = None
    is_cut: bool = False


class Sourced(msgspec.Struct, frozen=True):
    """A reserve or order whose lines with an empty location are planned in the script that runs it."""

    function: ClassVar[str] = "mutate"

    promise: Reserve | Order
    plan: Plan

    @property
    def weight(self) -> int:
        """Its lines, and the records that the plan reads: those of all candidates of the first rank."""
        lines, candidates = len(self.promise.lines), self.plan.candidates
        equals = sum(each.rank == candidates[0].rank for each in candidates)
        return lines + lines * equals // RECORDS_PER_LINE

    @property
    def weight_to_explain(self) -> int:
        """The same where the records of all candidates are read."""
        lines = len(self.promise.lines)
        return lines + lines * len(self.plan.candidates) // RECORDS_PER_LINE


def wanted_of(operation: Reserve | Order) -> Counter[str]:
    """Return the units of each SKU whose lines name no location."""
    wanted: Counter[str] = Counter()
    for line in operation.lines:
        if not line.location:
            wanted[line.sku] += line.quantity
    return wanted


class AmongPlaces(msgspec.Struct, frozen=True):
    """An operation whose units without a location come from some places only: ``places`` by SKU.

    ``elsewhere``: units of each SKU at others, a shortage there subtracted.
    """

    function: ClassVar[str] = "mutate"

    operation: Reserve | Order | Sourced | Edit | MapLines
    places: dict[str, list[str]]
    elsewhere: dict[str, int]

    @property
    def weight(self) -> int:
        """That of the operation, and of its places: to read their records, and as each of them may become a line."""
        places = sum(map(len, self.places.values()))
        return self.operation.weight + places // RECORDS_PER_LINE + places


class Wanted(NamedTuple):
    """Units of one SKU; all of them come from one location, unless lines may be split."""

    sku: str
    units: int


class PlannedPart(NamedTuple):
    """Units of one line (its number, from 1) that would come from a location."""

    line: int
    location: str
    units: int


class UnitsAt(NamedTuple):
    """A candidate and how many units of each :class:`Wanted` it has; negative is a shortage."""

    location: str
    units: list[int]


ChoiceOutcome = Literal[
    "chosen", "unknown_sku", "location_closed", "too_many_splits", "out_of_stock", "sourcing_incomplete"
]
"""``chosen`` also where every line names its location, so that there is nothing to choose."""


class Choice(msgspec.Struct, array_like=True, frozen=True):
    """The locations that the store would choose for an order at a moment on its clock; nothing is held.

    ``parts``: of the planned lines, in their order; none where the outcome is not ``chosen``. ``candidates``: all of
    them, the best first.
    """

    as_of_ms: int
    outcome: ChoiceOutcome
    parts: list[PlannedPart]
    wanted: list[Wanted]
    candidates: list[UnitsAt]


def ranked(directory: Directory, rules: Rules, names: Iterable[str]) -> list[Candidate]:
    """Sort locations as far as that needs no stock; equals by name. ``nearest`` needs a position.

    One that is not registered has neither position nor footfall, and priority 0. What others fill, a channel or a
    supplier, comes behind all that is our own.
    """
    in_names = sorted(names)
    by_stock = "most_stock" in rules.strategies
    place = rules.strategies.index("most_stock") if by_stock else len(rules.strategies)
    there = [directory.standings.get(name, UNREGISTERED) for name in in_names]
    before = _columns(there, rules.strategies[:place], rules.position)
    after = _columns(there, rules.strategies[place + 1 :], rules.position)
    if directory.any_filled:
        before.insert(0, [float(each.is_filled) for each in there])
    first, all_keys = _keys(before, len(there)), _keys([*before, *after], len(there))
    # What is equal stays in the order of the names.
    in_order = sorted(range(len(there)), key=all_keys.__getitem__)
    found: list[Candidate] = []
    rank, last = -1, None
    for number in in_order:
        if not by_stock or first[number] != last:
            rank, last = rank + 1, first[number]
        found.append(Candidate(in_names[number], rank))
    return found


def _columns(there: Sequence[Standing], strategies: Sequence[Strategy], position: Position | None) -> list[list[float]]:
    """Return for each strategy what the locations are sorted by."""
    columns: list[list[float]] = []
    for strategy in strategies:
        match strategy:
            case "nearest":
                a, b, c = vector(position)
                vectors = (each.vector for each in there)
                columns.append([(x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c) for x, y, z in vectors])
            case "lowest_footfall":
                columns.append([each.footfall for each in there])
            case _:
                columns.append([-each.priority for each in there])
    return columns


def _keys(columns: list[list[float]], locations: int) -> Sequence[Any]:
    """Return one key for each location; plain numbers where they suffice: they sort much faster than tuples."""
    if not columns:
        return [0.0] * locations
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


def chunks(candidates: Sequence[Candidate]) -> list[Sequence[Candidate]]:
    """Cut the candidates into growing chunks, never within a rank."""
    found: list[Sequence[Candidate]] = []
    first, size = 0, _CHUNK_FIRST
    while first < len(candidates):
        end = min(first + size, len(candidates))
        while end < len(candidates) and candidates[end].rank == candidates[end - 1].rank:
            end += 1
        found.append(candidates[first:end])
        first, size = end, size * _CHUNK_GROWTH
    return found
