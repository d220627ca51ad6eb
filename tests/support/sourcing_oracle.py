"""The choice of sourcing once more in Python: an oracle for the store, where trying everything would take too long.

:func:`choose` is what ``lua/lib/sourcing.lua`` does where no line may be split, :func:`choose_parts` where lines may.
Both give their search up where the store does.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from server.domain.sourcing import Candidate, Wanted

Stock = Mapping[tuple[str, str], int]
"""What is available by (SKU, location); what is not in it is unknown there."""

Parts = list[tuple[str, int]]
"""Of one SKU: how many units come from which location."""

SEARCH_MAX: Final = 4_000
"""Candidates looked at while searching for the fewest, as in ``lua/lib/sourcing.lua``."""


class _Seen(NamedTuple):
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
    seen, everything = _look_at(wanted, candidates, stock), frozenset(range(len(wanted)))
    whole = next(([each] for each in seen if each.has == everything), None)
    chosen = whole or _fewest(seen, everything, splits_max + 1)
    if chosen is None:
        return None
    return [next(each.name for each in chosen if i in each.has) for i in range(len(wanted))]


def _look_at(wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock) -> list[_Seen]:
    """See what each candidate has, and put them in order: by rank, then by what they have, then as they were given."""
    return _in_order(_seen(wanted, candidate, place, stock) for place, candidate in enumerate(candidates))


def _in_order(seen: Iterable[_Seen]) -> list[_Seen]:
    """Put candidates in their order: by rank, then by what they have, then as they were given."""
    return sorted(seen, key=lambda one: (one.rank, -one.units, one.place))


def _seen(wanted: Sequence[Wanted], candidate: Candidate, place: int, stock: Stock) -> _Seen:
    left = [max(0, stock.get((want.sku, candidate.name), 0)) for want in wanted]
    has = frozenset(i for i, want in enumerate(wanted) if left[i] >= want.units)
    capped = tuple(min(units, want.units) for want, units in zip(wanted, left, strict=True))
    return _Seen(candidate.name, candidate.rank, place, has, sum(left), capped)


class _GaveUpError(Exception):
    """The search has looked at as many candidates as it may."""


def _fewest(seen: list[_Seen], everything: frozenset[int], size_max: int) -> list[_Seen] | None:
    search = _Search(seen)
    try:
        for size in range(2, min(size_max, len(seen)) + 1):
            chosen = search.cover(0, everything, size)
            if chosen is not None:
                return chosen
    except _GaveUpError:
        return _greedy(seen, everything, size_max)
    return None


class _Search:
    """The search for the first few candidates that have everything together."""

    def __init__(self, seen: list[_Seen]) -> None:
        self._seen = seen
        self.looked = 0
        self._rest: list[frozenset[int]] = [frozenset()]
        for each in reversed(seen):
            self._rest.append(self._rest[-1] | each.has)
        self._rest.reverse()  # what each and those after it have together

    def cover(self, first: int, missing: frozenset[int], left: int) -> list[_Seen] | None:
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
            raise _GaveUpError


def _greedy(seen: list[_Seen], everything: frozenset[int], size_max: int) -> list[_Seen] | None:
    chosen: list[_Seen] = []
    missing = everything
    while missing and len(chosen) < size_max:
        best = max(seen, key=lambda one: len(one.has & missing))  # the first of those that are equal
        if not best.has & missing:
            return None
        chosen.append(best)
        missing -= best.has
    return None if missing else _in_order(chosen)


def choose_parts(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[Parts] | None:
    """Choose for each want where to take how much of it; None: ``splits_max`` locations and one do not have it all."""
    seen, everything = _look_at(wanted, candidates, stock), frozenset(range(len(wanted)))
    whole = next(([each] for each in seen if each.has == everything), None)
    chosen = whole or _fewest_with_split_lines(seen, wanted, splits_max + 1)
    return None if chosen is None else [_parts(chosen, i, want.units) for i, want in enumerate(wanted)]


def _fewest_with_split_lines(seen: list[_Seen], wanted: Sequence[Wanted], size_max: int) -> list[_Seen] | None:
    if any(sum(each.left[i] for each in seen) < want.units for i, want in enumerate(wanted)):
        return None
    everything = frozenset(range(len(wanted)))
    size_max = min(size_max, len(seen))
    whole_lines, parted = _Search(seen), _UnitSearch(seen, [want.units for want in wanted], size_max)
    try:
        for size in range(2, size_max + 1):
            chosen = whole_lines.cover(0, everything, size)
            if chosen is None:
                parted.looked = whole_lines.looked
                chosen = parted.cover(0, parted.wanted, size)
                whole_lines.looked = parted.looked
            if chosen is not None:
                return chosen
    except _GaveUpError:
        return _greedy_in_units(seen, [want.units for want in wanted], size_max)
    return None


def _parts(chosen: list[_Seen], i: int, units: int) -> Parts:
    whole = next((each.name for each in chosen if i in each.has), None)
    if whole is not None:
        return [(whole, units)]
    parts: Parts = []
    for each in sorted(chosen, key=lambda one: -one.left[i]):
        taken = min(each.left[i], units)
        if taken:
            parts.append((each.name, taken))
        units -= taken
    return parts


class _UnitSearch:
    """The search for the first few candidates that have enough together, counted in units."""

    def __init__(self, seen: list[_Seen], wanted: list[int], size_max: int) -> None:
        self.looked = 0
        self.wanted = wanted
        self._seen = seen
        self._most = [[0] * len(wanted)]
        for each in reversed(seen):
            self._most.append([max(pair) for pair in zip(self._most[-1], each.left, strict=True)])
        self._most.reverse()  # the most that one of those from each on has
        columns = list(zip(*(each.left for each in seen), strict=True))
        self._bounds = [_top_sums(column, size_max) for column in columns]
        self._bound_of_all = _top_sums([sum(each.left) for each in seen], size_max)

    def cover(self, first: int, missing: list[int], left: int) -> list[_Seen] | None:
        """Find ``left`` candidates, from the place ``first`` on, that have all that is missing."""
        tried: list[list[int]] = []
        if self._too_much(missing, left):
            return None
        for i in range(first, len(self._seen) - left + 1):
            if any(units > left * most for units, most in zip(missing, self._most[i], strict=True)):
                return None
            self._look(len(tried))
            gain = [min(pair) for pair in zip(self._seen[i].left, missing, strict=True)]
            rest = [units - gained for units, gained in zip(missing, gain, strict=True)]
            # One that brings no more than an earlier one did, which failed with all that come after, fails too.
            if not any(gain) or (left == 1 and any(rest)) or any(_at_most(gain, earlier) for earlier in tried):
                continue
            tried.append(gain)
            others = self.cover(i + 1, rest, left - 1) if any(rest) else []
            if others is not None:
                return [self._seen[i], *others]
        return None

    def _too_much(self, missing: list[int], left: int) -> bool:
        """Check whether no ``left`` candidates, wherever they stand, have so much."""
        if sum(missing) > self._bound_of_all[left]:
            return True
        return any(units > bound[left] for units, bound in zip(missing, self._bounds, strict=True))

    def _look(self, tried: int) -> None:
        self.looked += len(self.wanted) * (1 + tried)
        if self.looked > SEARCH_MAX:
            raise _GaveUpError


def _top_sums(units: Sequence[int], size_max: int) -> list[int]:
    """Return the sums of what the k candidates that have most have together, for each k."""
    return [0, *accumulate(sorted(units, reverse=True)[:size_max])]


def _at_most(gain: list[int], other: list[int]) -> bool:
    return all(a <= b for a, b in zip(gain, other, strict=True))


def _greedy_in_units(seen: list[_Seen], missing: list[int], size_max: int) -> list[_Seen] | None:
    chosen: list[_Seen] = []

    def brings(one: _Seen) -> int:
        return 0 if one in chosen else sum(min(pair) for pair in zip(one.left, missing, strict=True))

    while any(missing):
        best = max(seen, key=brings)  # the first of those that are equal
        if not brings(best) or len(chosen) == size_max:
            return None
        chosen.append(best)
        missing = [units - min(units, left) for units, left in zip(missing, best.left, strict=True)]
    return _in_order(chosen)
