"""The choice of sourcing, by trying everything: what the store's answer is held against."""

from collections.abc import Sequence
from itertools import combinations

from server.domain.sourcing import Candidate, Stock, Wanted


def brute_force(
    wanted: Sequence[Wanted], candidates: Sequence[Candidate], stock: Stock, splits_max: int
) -> list[str] | None:
    """Try every set of candidates: the smallest first, and of one size in the order of the candidates."""

    def left(want: Wanted, name: str) -> int:
        return max(0, stock.get((want.sku, name), 0))

    def units(name: str) -> int:
        return sum(left(want, name) for want in wanted)

    order = [name for name, _ in sorted(candidates, key=lambda one: (one.rank, -units(one.name)))]
    for size in range(1, splits_max + 2):
        for chosen in combinations(order, size):
            places = [next((name for name in chosen if left(want, name) >= want.units), None) for want in wanted]
            if None not in places:
                return [name for name in places if name is not None]
    return None
