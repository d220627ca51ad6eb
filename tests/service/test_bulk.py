"""Many operations of one request: some at a time, in order, and together where the store is away."""

import asyncio

from server.service import bulk
from tests.conftest import wait_until


class Acts:
    """Answers each item when it is told to, and counts how many wait for it."""

    def __init__(self, outcome: str = "held") -> None:
        self.running: list[int] = []
        self._outcome = outcome
        self._answers: dict[int, asyncio.Event] = {}

    async def act(self, item: int) -> str:
        self.running.append(item)
        await self._answers.setdefault(item, asyncio.Event()).wait()
        self.running.remove(item)
        return f"{self._outcome} {item}"

    def answer(self, *items: int) -> None:
        for item in items:
            self._answers.setdefault(item, asyncio.Event()).set()


async def test_given_many_items_when_acted_on_then_as_many_as_may_run_at_once_and_results_are_in_order() -> None:
    acts = Acts()
    whole = asyncio.create_task(bulk.each(range(5), acts.act, 2))
    await wait_until(lambda: acts.running == [0, 1])
    acts.answer(1)
    await wait_until(lambda: acts.running == [0, 2])
    acts.answer(0, 2, 3, 4)
    assert await whole == [f"held {item}" for item in range(5)]


async def test_given_a_store_that_is_away_when_the_first_is_answered_then_the_rest_waits_together() -> None:
    acts = Acts("store_unavailable")
    whole = asyncio.create_task(bulk.each(range(6), acts.act, 2, lambda result: result.split()[0]))
    await wait_until(lambda: acts.running == [0, 1])
    acts.answer(1)
    await wait_until(lambda: acts.running == [0, 2, 3, 4, 5])
    acts.answer(*range(6))
    assert await whole == [f"store_unavailable {item}" for item in range(6)]


async def test_given_no_items_when_acted_on_then_there_are_no_results() -> None:
    assert await bulk.each([], Acts().act, 2) == []
