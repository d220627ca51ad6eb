"""The part of sourcing that comes to bear where a SKU may be taken from several locations, because none has all of it.

:func:`choose_parts` says in Python what ``lua/lib/splitting.lua`` does inside the store: as few locations as can be; of
as many, first those that part no line; of those, the ones that come first. Among those chosen, a SKU comes from the
first that has all of it; else from those that have most.
"""

from collections.abc import Sequence
from itertools import accumulate

from server.domain.sourcing import (
    SEARCH_MAX,
    Candidate,
    GaveUpError,
    Search,
    Seen,
    Stock,
    Wanted,
    in_order,
    look_at,
)

Parts = list[tuple[str, int]]
"""Of one SKU: how many units come from which location."""


def choose_parts(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[Parts] | None:
    """Choose for each want where to take how much of it; None: ``splits_max`` locations and one do not have it all."""
    return parts_among(look_at(wanted, candidates, stock), wanted, splits_max)


def parts_among(seen: list[Seen], wanted: Sequence[Wanted], splits_max: int) -> list[Parts] | None:
    """As :func:`choose_parts`, among candidates that were looked at."""
    everything = frozenset(range(len(wanted)))
    whole = next(([each] for each in seen if each.has == everything), None)
    chosen = whole or _several(seen, wanted, splits_max + 1)
    return None if chosen is None else [_parts(chosen, i, want.units) for i, want in enumerate(wanted)]


def _several(seen: list[Seen], wanted: Sequence[Wanted], size_max: int) -> list[Seen] | None:
    if any(sum(each.left[i] for each in seen) < want.units for i, want in enumerate(wanted)):
        return None
    everything = frozenset(range(len(wanted)))
    size_max = min(size_max, len(seen))
    whole_lines, parted = Search(seen), _PartedSearch(seen, [want.units for want in wanted], size_max)
    try:
        for size in range(2, size_max + 1):
            chosen = whole_lines.cover(0, everything, size)
            if chosen is None:
                parted.looked = whole_lines.looked
                chosen = parted.cover(0, parted.wanted, size)
                whole_lines.looked = parted.looked
            if chosen is not None:
                return chosen
    except GaveUpError:
        return _greedy(seen, [want.units for want in wanted], size_max)
    return None


def _parts(chosen: list[Seen], i: int, units: int) -> Parts:
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


def deal(lines: Sequence[int], parts: Parts) -> list[Parts]:
    """Deal the parts of a SKU out to the lines that want it, in order. ``lines``: units of each, all of them there."""
    left, dealt = list(parts), []
    for wanted in lines:
        of_line: Parts = []
        missing = wanted
        while missing:
            name, units = left[0]
            taken = min(units, missing)
            of_line.append((name, taken))
            left[:1] = [(name, units - taken)] if units > taken else []
            missing -= taken
        dealt.append(of_line)
    return dealt


class _PartedSearch:
    """The search for the first few candidates that have enough together, counted in units."""

    def __init__(self, seen: list[Seen], wanted: list[int], size_max: int) -> None:
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

    def cover(self, first: int, missing: list[int], left: int) -> list[Seen] | None:
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
        """Say whether no ``left`` candidates, wherever they stand, have so much."""
        if sum(missing) > self._bound_of_all[left]:
            return True
        return any(units > bound[left] for units, bound in zip(missing, self._bounds, strict=True))

    def _look(self, tried: int) -> None:
        self.looked += len(self.wanted) * (1 + tried)
        if self.looked > SEARCH_MAX:
            raise GaveUpError


def _top_sums(units: Sequence[int], size_max: int) -> list[int]:
    """Sum up what the k candidates that have most have together, for each k."""
    return [0, *accumulate(sorted(units, reverse=True)[:size_max])]


def _at_most(gain: list[int], other: list[int]) -> bool:
    return all(a <= b for a, b in zip(gain, other, strict=True))


def _greedy(seen: list[Seen], missing: list[int], size_max: int) -> list[Seen] | None:
    chosen: list[Seen] = []

    def brings(one: Seen) -> int:
        return 0 if one in chosen else sum(min(pair) for pair in zip(one.left, missing, strict=True))

    while any(missing):
        best = max(seen, key=brings)  # the first of those that are equal
        if not brings(best) or len(chosen) == size_max:
            return None
        chosen.append(best)
        missing = [units - min(units, left) for units, left in zip(missing, best.left, strict=True)]
    return in_order(chosen)
