"""Reports rest on the way."""

import asyncio

from server.insight.rests import Rests

ROWS = 2_000


async def test_given_two_reports_at_once_when_others_ask_then_most_rounds_of_the_loop_are_free_of_them() -> None:
    worked = 0

    async def report() -> None:
        nonlocal worked
        rests = Rests()
        for _ in range(ROWS):
            if rests.is_due():
                worked += 1
                await rests.take()

    rounds = busy = 0
    both = asyncio.gather(report(), report())
    while not both.done():
        before = worked
        await asyncio.sleep(0)
        rounds, busy = rounds + 1, busy + (worked > before)
    await both
    assert worked == 2 * ROWS // 100
    assert busy < rounds / 2
