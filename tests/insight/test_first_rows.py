"""The first rows of an order are those that sorting all of them would put first."""

import asyncio
from random import Random

import pytest

from server.insight import rests
from server.insight.first_rows import first_rows


@pytest.mark.parametrize("limit", [1, 100, 1_000])
@pytest.mark.parametrize("count", [0, 1, 99, 1_501, 5_000])
async def test_given_rows_in_no_order_when_the_first_are_asked_for_then_they_are_those_of_a_sort(
    count: int, limit: int
) -> None:
    random = Random(f"{count} {limit}")
    rows = [random.randrange(100) for _ in range(count)]
    numbered = list(enumerate(rows))

    first = await first_rows(numbered, lambda each: each[1], limit)

    assert first == sorted(numbered, key=lambda each: each[1])[:limit], "equal ones stay in their order"


async def test_given_many_rows_when_the_first_are_asked_for_then_others_have_their_turn_on_the_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rests, "_REST_S_MIN", 0.0)
    monkeypatch.setattr(rests, "_REST_S_MAX", 0.0)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    await first_rows(range(10_000), lambda each: -each, 10)
    beside.cancel()

    assert turns >= 100
