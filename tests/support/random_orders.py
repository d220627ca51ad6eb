"""Random orders for sourcing, with the locations and the stock that they could be taken from."""

import random
from typing import NamedTuple

from server.domain.sourcing import Candidate, Wanted


class Bounds(NamedTuple):
    """How large what is drawn may become; a location may be short of up to two units."""

    skus: int
    locations: int
    wanted: int
    available: int
    splits: int


def drawn(choice: random.Random, most: Bounds) -> tuple[list[Wanted], list[Candidate], dict[tuple[str, str], int], int]:
    """Draw an order, candidates of which some are equally good, what they have, and over how many it may be split."""
    skus, names = choice.randint(1, most.skus), choice.randint(1, most.locations)
    rank, candidates = 0, []
    for number in range(names):
        rank += choice.random() < 0.5
        candidates.append(Candidate(f"L{number}", rank))
    wanted = [Wanted(f"S{number}", choice.randint(1, most.wanted)) for number in range(skus)]
    rarity = choice.random()
    stock = {
        (want.sku, each.name): choice.randint(-2, most.available)
        for want in wanted
        for each in candidates
        if choice.random() > rarity
    }
    return wanted, candidates, stock, choice.randint(0, most.splits)
