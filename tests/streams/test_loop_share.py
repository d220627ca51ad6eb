"""Turns and the share of the event loop: whose turn comes when, and what is left for others."""

import asyncio
import time
from collections import Counter

import pytest

from server.streams import loop_share
from server.streams.loop_share import LoopShare
from server.streams.one_at_a_time import OneAtATime


async def test_who_asks_often_waits_for_who_asks_seldom() -> None:
    turns, served = OneAtATime(), list[str]()

    async def take(name: str) -> None:
        async with turns.turn(name):
            served.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(take("many") for _ in range(20)), take("few"), take("few"))

    assert served[:5] == ["many", "many", "few", "many", "few"]
    assert Counter(served) == {"many": 20, "few": 2}


async def test_a_turn_that_was_given_to_one_who_left_goes_to_the_next() -> None:
    turns = OneAtATime()
    await turns.enter("first")
    leaving, staying = asyncio.create_task(turns.enter("leaving")), asyncio.create_task(turns.enter("staying"))
    gone = asyncio.create_task(turns.enter("leaving"))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)

    turns.leave()
    leaving.cancel()  # the turn has just been given to it
    await asyncio.gather(leaving, return_exceptions=True)

    async with asyncio.timeout(10):
        await staying
        turns.leave()
        await turns.enter("another")


async def test_work_in_turns_leaves_the_rest_of_the_time_to_others() -> None:
    share, loop = LoopShare(0.25), asyncio.get_running_loop()
    began_s, worked_s = loop.time(), 0.0
    for partition in ("a", "b") * 30:
        async with share.turn(partition):
            work_began_s = time.thread_time()
            while time.thread_time() - work_began_s < 0.001:
                pass
            worked_s += time.thread_time() - work_began_s

    # Whatever else the machine does makes it longer, never shorter.
    assert (worked_s - loop_share.BURST_S) / (loop.time() - began_s) < 0.3


async def test_a_few_turns_after_a_quiet_time_are_given_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    share, loop = LoopShare(0.01), asyncio.get_running_loop()
    pauses: list[float] = []
    monkeypatch.setattr(share._turns, "leave", lambda: None)
    share._loop = loop

    class Watched:
        """The loop, which notes how long a pause is asked for."""

        time = staticmethod(loop.time)

        @staticmethod
        def call_later(delay_s: float, _: object) -> None:
            pauses.append(delay_s)

    share._loop = Watched()  # type: ignore[assignment]
    share._settle(time.thread_time() - loop_share.BURST_S / 2)
    assert pauses == []
    share._settle(time.thread_time() - 10)
    assert pauses == [pytest.approx(loop_share.PAUSE_S_MAX)]
