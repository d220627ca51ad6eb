"""The choice of sourcing, by trying everything: what the store's answer is compared with."""

from collections.abc import Sequence
from itertools import combinations

from server.domain.sourcing import Candidate, Wanted
from tests.support.sourcing_oracle import Parts, Stock


def brute_force(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[str] | None:
    """Try every set of candidates: the smallest first, and of one size in the order of the candidates."""

    order = _in_order(wanted, candidates, stock)
    for size in range(1, splits_max + 2):
        for chosen in combinations(order, size):
            places = [_whole(want, chosen, stock) for want in wanted]
            if None not in places:
                return [name for name in places if name is not None]
    return None


def brute_force_parts(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[Parts] | None:
    """Try the same where lines may be split; of one size, first all sets that split none."""
    order = _in_order(wanted, candidates, stock)
    for size in range(1, splits_max + 2):
        sets = list(combinations(order, size))
        whole = (each for each in sets if all(_whole(want, each, stock) for want in wanted))
        enough = (each for each in sets if all(sum(_left(w, name, stock) for name in each) >= w.units for w in wanted))
        chosen = next(whole, None) or next(enough, None)
        if chosen:
            return [_parts(want, chosen, stock) for want in wanted]
    return None


def _in_order(wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock) -> list[str]:
    def units(name: str) -> int:
        return sum(_left(want, name, stock) for want in wanted)

    return [name for name, _ in sorted(candidates, key=lambda one: (one.rank, -units(one.name)))]


def _left(want: Wanted, name: str, stock: Stock) -> int:
    return max(0, stock.get((want.sku, name), 0))


def _whole(want: Wanted, chosen: Sequence[str], stock: Stock) -> str | None:
    return next((name for name in chosen if _left(want, name, stock) >= want.units), None)


def _parts(want: Wanted, chosen: Sequence[str], stock: Stock) -> Parts:
    """Take all from the first that has all; else from those that have most, one after the other."""
    whole = _whole(want, chosen, stock)
    if whole:
        return [(whole, want.units)]
    parts, missing, others = [], want.units, list(chosen)
    while missing:
        best = max(others, key=lambda name: _left(want, name, stock))
        others.remove(best)
        parts.append((best, min(missing, _left(want, best, stock))))
        missing -= parts[-1][1]
    return parts
