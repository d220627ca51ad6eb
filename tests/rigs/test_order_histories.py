"""Random histories of orders end as the market has them, and find faults that are planted in the booking."""

import asyncio

import pytest

from tests.rigs.order_histories.plants import names, planted
from tests.rigs.order_histories.run import play
from tests.support.stores import start_valkey

FOUND_WITHIN = {
    "booked_again": 130,
    "nothing_compared": 130,
    "ours_ignored": 100,
    "part_lowers": 160,
    "stale_counts": 160,
}
"""Seeds from the first on, of which one at least finds the fault."""
STEP = 20
"""So many are played before it is seen whether the fault is found."""


def wrong_in(first: int, end: int, plant: str = "") -> list[int]:
    with planted(plant), start_valkey(appendonly="no") as store:
        return [each.seed for each in asyncio.run(play(store, range(first, end))) if each.problems]


@pytest.mark.timeout(600)
def test_histories_in_any_order_end_as_the_market_has_them() -> None:
    assert wrong_in(0, 60) == []


@pytest.mark.soak
@pytest.mark.timeout(2700)
def test_many_histories_end_as_the_market_has_them() -> None:
    assert wrong_in(10_000, 11_000) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plant", names())
def test_a_planted_fault_is_found(plant: str) -> None:
    within = FOUND_WITHIN[plant]

    assert any(wrong_in(first, min(first + STEP, within), plant) for first in range(0, within, STEP))
