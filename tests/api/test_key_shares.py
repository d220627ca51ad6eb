"""Shares of keys: how many requests of one kind run at once, in which order, and what is left of them."""

import asyncio
from contextlib import suppress

import pytest

from server.api.http.key_shares import KeyShares, Share
from server.domain.principal import ALL_SCOPES, Principal
from server.service.problems import ProblemError
from tests.conftest import wait_until

MINE, THEIRS = Principal("a", "shop", ALL_SCOPES), Principal("b", "shop", ALL_SCOPES)


class Requests:
    """Requests that run until they are told to end; ``began`` has them in the order of their turns."""

    def __init__(self, shares: KeyShares) -> None:
        self.began: list[str] = []
        self._shares = shares
        self._ends: dict[str, asyncio.Event] = {}

    def start(self, name: str, who: Principal = MINE) -> "asyncio.Task[None]":
        self._ends[name] = asyncio.Event()
        return asyncio.create_task(self._run(name, who))

    async def _run(self, name: str, who: Principal) -> None:
        async with self._shares.turn(who):
            self.began.append(name)
            await self._ends[name].wait()

    def end(self, name: str) -> None:
        self._ends[name].set()


async def test_given_a_full_share_when_one_ends_then_the_next_one_begins_in_the_order_of_asking() -> None:
    requests = Requests(KeyShares(Share.REPORTS, 2, wait_s=20))
    tasks = [requests.start(name) for name in "abcd"]
    other = requests.start("other", THEIRS)
    await wait_until(lambda: len(requests.began) == 3)
    assert requests.began == ["a", "b", "other"]
    requests.end("b")
    await wait_until(lambda: len(requests.began) == 4)
    assert requests.began[3] == "c"
    for name in "acd":
        requests.end(name)
    requests.end("other")
    await asyncio.gather(*tasks, other)


async def test_given_no_turn_in_time_when_asked_then_it_is_refused_and_the_others_go_on() -> None:
    shares = KeyShares(Share.BULK, 1, wait_s=0.01)
    requests = Requests(shares)
    first = requests.start("a")
    await wait_until(lambda: bool(requests.began))
    with pytest.raises(ProblemError) as refused:
        await requests.start("b")
    assert refused.value.problem.outcome == "overloaded"
    assert "1 bulk requests running" in refused.value.problem.detail
    requests.end("a")
    await first
    assert shares.keys == 0


async def test_given_requests_that_fail_or_leave_when_all_is_over_then_nothing_is_left_of_them() -> None:
    shares = KeyShares(Share.BULK, 1, wait_s=20)

    async def fails() -> None:
        async with shares.turn(MINE):
            raise ZeroDivisionError

    with suppress(ZeroDivisionError):
        await fails()
    requests = Requests(shares)
    tasks = [requests.start(name) for name in "abc"]
    await wait_until(lambda: bool(requests.began))
    tasks[1].cancel()  # it waits
    tasks[0].cancel()  # it runs
    await wait_until(lambda: requests.began == ["a", "c"])
    requests.end("c")
    await asyncio.wait(tasks)
    assert shares.keys == 0
