"""Sourcing: which locations an order is taken from. The order of the candidates, and the choice among them.

What does not depend on the stock (distance, footfall, priority, open, group) is ranked here and sent along; the choice
itself is made inside the store by ``lua/lib/sourcing.lua``. :func:`choose` says in Python what that does: it explains a
choice, and the tests hold the store against it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, NamedTuple

import msgspec

from server.domain.limits import DEFAULT_LOCATION
from server.domain.locations import Directory, OpenLocations, Position, vector
from server.domain.operations.reservations import Order, Reserve

Strategy = Literal["nearest", "most_stock", "lowest_footfall", "priority"]
"""``nearest``: to a position; those without one come last. ``most_stock``: most units available of all that is wanted.
``lowest_footfall``, ``priority``: the lowest, the highest first. What is still equal goes by name."""

STRATEGIES_MAX: Final = 4
"""Each once."""
SPLITS_DEFAULT: Final = 1
SPLITS_MAX: Final = 9
"""Ten parcels for one order are enough."""
SKUS_MAX: Final = 30
"""Different SKUs that one order can have planned: the store keeps them as bits of one number."""
CANDIDATES_MAX: Final = 500
PAIRS_MAX: Final = 2_500
"""Candidates times SKUs of one order: each may be one record to read, so this is some 5 ms of its time."""
SEARCH_MAX: Final = 4_000
"""Candidates looked at while searching for the fewest, as in ``lua/lib/sourcing.lua``."""
RECORDS_PER_LINE: Final = 6
"""So many records that sourcing looks at take as long as one line."""
_CHUNK_FIRST: Final = 2
_CHUNK_GROWTH: Final = 4
"""The store reads candidates in growing chunks, and stops at one that has everything."""


class Rules(msgspec.Struct, frozen=True):
    """How an order is to be sourced: by ``strategies``, each breaking the ties of those before it.

    ``group`` empty: any described location. ``splits_max``: locations beyond the first. ``position`` is where it goes.
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
    """What goes along with a promise so that the store can choose. ``closed``: lines that name a closed location.

    ``split_lines``: units of one SKU may come from several locations. ``open_group``: the planned lines stay open, and
    are bound within this group (empty: anywhere) when there is an address.
    """

    splits_max: int
    candidates: list[Candidate]
    closed: list[int]
    split_lines: bool = False
    open_group: str | None = None


class Sourced(msgspec.Struct, frozen=True):
    """A promise whose lines with an empty location are planned in the script that makes it."""

    function: ClassVar[str] = "mutate"

    promise: Reserve | Order
    plan: Plan

    @property
    def weight(self) -> int:
        """Its lines, and the records that the plan looks at: all candidates of the first rank are."""
        lines, candidates = len(self.promise.lines), self.plan.candidates
        equals = sum(each.rank == candidates[0].rank for each in candidates)
        return lines + lines * equals // RECORDS_PER_LINE

    @property
    def weight_to_explain(self) -> int:
        """The same where all candidates are looked at."""
        lines = len(self.promise.lines)
        return lines + lines * len(self.plan.candidates) // RECORDS_PER_LINE


class Wanted(NamedTuple):
    """Units of one SKU; all of them come from one location, unless lines may be split."""

    sku: str
    units: int


Stock = Mapping[tuple[str, str], int]
"""What is available by (SKU, location); what is not in it is unknown there."""


class PlannedPart(NamedTuple):
    """Units of one line (its number, from 1) that would come from a location."""

    line: int
    location: str
    units: int


class UnitsAt(NamedTuple):
    """A candidate and how many units of each :class:`Wanted` it has; negative is a shortage."""

    location: str
    units: list[int]


ChoiceOutcome = Literal["chosen", "unknown_sku", "location_closed", "too_many_splits", "out_of_stock"]
"""``chosen`` also where every line names its location, so that there is nothing to choose."""


class Choice(msgspec.Struct, array_like=True, frozen=True):
    """Where the store would take an order from at a moment on its clock; nothing is held.

    ``parts``: of the planned lines, in their order; none where the outcome is not ``chosen``. ``candidates``: all of
    them, the best first.
    """

    as_of_ms: int
    outcome: ChoiceOutcome
    parts: list[PlannedPart]
    wanted: list[Wanted]
    candidates: list[UnitsAt]


def ranked(directory: Directory, rules: Rules, skus: int) -> list[Candidate]:
    """Put the open locations of the group in order, as far as that needs no stock; at most as many as may be read.

    Where no location was described at all, the default one is the only candidate. ``nearest`` needs a position.
    """
    if not directory.locations and not rules.group:
        return [Candidate(DEFAULT_LOCATION, 0)]
    by_stock = "most_stock" in rules.strategies
    place = rules.strategies.index("most_stock") if by_stock else len(rules.strategies)
    there = directory.open_locations(rules.group)
    before = _columns(there, rules.strategies[:place], rules.position)
    after = _columns(there, rules.strategies[place + 1 :], rules.position)
    first, all_keys = _keys(before, len(there.names)), _keys([*before, *after], len(there.names))
    # What is equal stays in the order of the names.
    in_order = sorted(range(len(there.names)), key=all_keys.__getitem__)
    found: list[Candidate] = []
    rank, last = -1, None
    for number in in_order[: min(CANDIDATES_MAX, PAIRS_MAX // max(skus, 1))]:
        if not by_stock or first[number] != last:
            rank, last = rank + 1, first[number]
        found.append(Candidate(there.names[number], rank))
    return found


def _columns(there: OpenLocations, strategies: Sequence[Strategy], position: Position | None) -> list[list[float]]:
    """Give for each strategy what the locations are sorted by."""
    columns: list[list[float]] = []
    for strategy in strategies:
        match strategy:
            case "nearest":
                a, b, c = vector(position)
                columns.append([(x - a) * (x - a) + (y - b) * (y - b) + (z - c) * (z - c) for x, y, z in there.vectors])
            case "lowest_footfall":
                columns.append([*there.footfalls])
            case _:
                columns.append([-priority for priority in there.priorities])
    return columns


def _keys(columns: list[list[float]], locations: int) -> Sequence[Any]:
    """Give for each location one key; plain numbers where they do, for they sort much faster than tuples."""
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


class Seen(NamedTuple):
    """A candidate and what it has: ``has`` are the places of the wants that it can fill.

    ``left``: units of each want, at most as many as are wanted.
    """

    name: str
    rank: int
    place: int
    has: frozenset[int]
    units: int
    left: tuple[int, ...]


def choose(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[str] | None:
    """Choose for each want the location to take it from; None: ``splits_max`` locations and one do not have everything.

    One location that has everything is best; else as few as can be; of those, the ones that come first.
    """
    return choose_among(look_at(wanted, candidates, stock), len(wanted), splits_max)


def look_at(wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock) -> list[Seen]:
    """See what each candidate has, and put them in order: by rank, then by what they have, then as they were given."""
    return in_order(_look(wanted, candidate, place, stock) for place, candidate in enumerate(candidates))


def choose_among(seen: list[Seen], wants: int, splits_max: int) -> list[str] | None:
    """As :func:`choose`, among candidates that were looked at. ``wants``: how many there are."""
    everything = frozenset(range(wants))
    whole = next(([each] for each in seen if each.has == everything), None)
    chosen = whole or _several(seen, everything, splits_max + 1)
    if chosen is None:
        return None
    return [next(each.name for each in chosen if i in each.has) for i in range(wants)]


def in_order(seen: Iterable[Seen]) -> list[Seen]:
    """Put candidates in their order: by rank, then by what they have, then as they were given."""
    return sorted(seen, key=lambda one: (one.rank, -one.units, one.place))


def _look(wanted: Sequence[Wanted], candidate: Candidate, place: int, stock: Stock) -> Seen:
    left = [max(0, stock.get((want.sku, candidate.name), 0)) for want in wanted]
    has = frozenset(i for i, want in enumerate(wanted) if left[i] >= want.units)
    capped = tuple(min(units, want.units) for want, units in zip(wanted, left, strict=True))
    return Seen(candidate.name, candidate.rank, place, has, sum(left), capped)


class GaveUpError(Exception):
    """The search has looked at as many candidates as it may."""


def _several(seen: list[Seen], everything: frozenset[int], size_max: int) -> list[Seen] | None:
    search = Search(seen)
    try:
        for size in range(2, min(size_max, len(seen)) + 1):
            chosen = search.cover(0, everything, size)
            if chosen is not None:
                return chosen
    except GaveUpError:
        return _greedy(seen, everything, size_max)
    return None


class Search:
    """The search for the first few candidates that have everything together."""

    def __init__(self, seen: list[Seen]) -> None:
        self._seen = seen
        self.looked = 0
        self._rest: list[frozenset[int]] = [frozenset()]
        for each in reversed(seen):
            self._rest.append(self._rest[-1] | each.has)
        self._rest.reverse()  # what each and those after it have together

    def cover(self, first: int, missing: frozenset[int], left: int) -> list[Seen] | None:
        """Find ``left`` candidates, from the place ``first`` on, that have all that is missing."""
        tried: list[frozenset[int]] = []
        for i in range(first, len(self._seen)):
            if not missing <= self._rest[i]:
                return None
            self._look()
            gain = self._seen[i].has & missing
            # One that brings no more than an earlier one did, which failed with all that come after, fails too.
            if not gain or (left == 1 and gain != missing) or any(gain <= earlier for earlier in tried):
                continue
            tried.append(gain)
            others = [] if left == 1 else self.cover(i + 1, missing - gain, left - 1)
            if others is not None:
                return [self._seen[i], *others]
        return None

    def _look(self) -> None:
        self.looked += 1
        if self.looked > SEARCH_MAX:
            raise GaveUpError


def _greedy(seen: list[Seen], everything: frozenset[int], size_max: int) -> list[Seen] | None:
    chosen: list[Seen] = []
    missing = everything
    while missing and len(chosen) < size_max:
        best = max(seen, key=lambda one: len(one.has & missing))  # the first of those that are equal
        if not best.has & missing:
            return None
        chosen.append(best)
        missing -= best.has
    return None if missing else in_order(chosen)
