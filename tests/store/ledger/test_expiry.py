"""A hold ends once, never before its deadline on the store's clock, and never blocks a sale after it."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, RetryAfterExpiry
from server.store.connection.commands import run_function
from server.store.ledger import ledger as ledger_module
from server.store.ledger.codec import pack
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import now_ms, wait_past
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    ask,
    available,
    changed,
    commit,
    extend,
    level,
    order,
    refused,
    release,
    reserve,
    stocked,
)
from tests.support.replay import read_journal


async def expire(client: Redis, ledger: Ledger, limits: bytes) -> tuple[bool, list[int]]:
    """Run the sweeper's script once: (more, latenesses in milliseconds)."""
    reply = await run_function(client, library().function("expire_holds"), ledger.keyspace, limits)
    return msgspec.msgpack.decode(reply, type=tuple[bool, list[int]])


async def hold_shortly(ledger: Ledger, client: Redis, number: int, sku: str = "A") -> None:
    """Hold one unit for each of so many reservations, and wait until the deadlines have passed."""
    wanted = [reserve(f"short-{n}", (sku, 1), ttl_ms=SHORT_MS) for n in range(number)]
    held = await asyncio.gather(*(changed(ledger, each) for each in wanted))
    await wait_past(client, max(each.reservation.deadline_ms for each in held))


async def test_given_an_overdue_hold_when_swept_then_its_units_are_available(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=1)
    await hold_shortly(ledger, client, 1)
    more, lateness_ms = await expire(client, ledger, limits_with())
    assert (more, len(lateness_ms)) == (False, 1)
    assert await available(ledger, "A") == 1
    ended = (await ledger.reservation("short-0")).reservation
    assert ended is not None
    assert (ended.state, ended.lines[0].expired, ended.deadline_ms) == ("expired", 1, 0)


async def test_given_an_overdue_hold_when_swept_then_its_lateness_is_counted_from_its_deadline(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=1)
    held = await changed(ledger, reserve("r", ("A", 1), ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms + 3)
    _, (late_ms,) = await expire(client, ledger, limits_with())
    assert 3 <= late_ms <= await now_ms(client) - held.reservation.deadline_ms


async def test_given_a_hold_that_was_swept_when_swept_again_then_it_does_not_end_twice(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=1)
    await hold_shortly(ledger, client, 1)
    await expire(client, ledger, limits_with())
    assert await expire(client, ledger, limits_with()) == (False, [])
    assert await available(ledger, "A") == 1


async def test_given_holds_before_their_deadline_when_swept_then_none_ends(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    assert await expire(client, ledger, limits_with()) == (False, [])
    assert (await level(ledger, "A")).held == 2


async def test_given_a_sweep_at_every_moment_when_a_hold_ends_then_it_was_not_before_its_deadline(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=20)
    deadlines = {}
    for n in range(20):
        held = await changed(ledger, reserve(f"r{n}", ("A", 1), ttl_ms=1 + n))
        deadlines[f"r{n}"] = held.reservation.deadline_ms
    ended = 0
    while ended < len(deadlines):
        ended += len((await expire(client, ledger, limits_with()))[1])
    changes = [change for _, entry in await read_journal(client, ledger.keyspace.journal) for change in entry]
    ends = {change.reservation_id: change.at_ms for change in changes if change.operation == "expire"}
    assert all(ends[each] >= deadline_ms for each, deadline_ms in deadlines.items())


async def test_given_a_committed_order_when_swept_then_it_stays(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=1)
    held = await changed(ledger, reserve("r", ("A", 1), ttl_ms=300))
    await changed(ledger, commit("r"))
    await wait_past(client, held.reservation.deadline_ms)
    assert await expire(client, ledger, limits_with()) == (False, [])
    assert (await level(ledger, "A")).committed == 1


async def test_given_an_extended_hold_when_its_first_deadline_is_swept_then_it_stays(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=1)
    held = await changed(ledger, reserve("r", ("A", 1), ttl_ms=300))
    await changed(ledger, extend("r", HOUR_MS))
    await wait_past(client, held.reservation.deadline_ms)
    assert await expire(client, ledger, limits_with()) == (False, [])


async def test_given_an_overdue_hold_and_no_sweeper_when_the_next_buyer_comes_then_it_gets_the_units(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    await hold_shortly(ledger, client, 1)
    await changed(ledger, reserve("next", ("A", 1)))
    assert (await refused(ledger, release("short-0"))).outcome == "expired"


async def test_given_an_overdue_hold_and_no_sweeper_when_a_marketplace_orders_then_there_is_no_shortage(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    await hold_shortly(ledger, client, 1)
    answer = await changed(ledger, order("next", ("A", 1), accept_shortage=True))
    assert answer.reservation.lines[0].first_available == 0


async def test_given_an_overdue_hold_of_another_when_a_late_commit_runs_short_then_it_gets_the_units(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    first = await changed(ledger, reserve("first", ("A", 1), ttl_ms=SHORT_MS))
    await wait_past(client, first.reservation.deadline_ms)
    second = await changed(ledger, reserve("second", ("A", 1), ttl_ms=SHORT_MS))
    await wait_past(client, second.reservation.deadline_ms)
    assert (await changed(ledger, commit("first"))).reservation.state == "committed"


async def test_given_overdue_holds_and_a_partial_buyer_when_units_run_short_then_it_gets_them_all(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=3)
    await hold_shortly(ledger, client, 2)
    answer = await changed(ledger, reserve("next", ("A", 5), partial=True))
    assert answer.reservation.lines[0].held == 3


async def test_given_a_refusal_when_overdue_holds_were_ended_on_the_way_then_it_reports_what_is_left_with_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=3)
    await hold_shortly(ledger, client, 2)
    assert (await refused(ledger, reserve("next", ("A", 5)))).lines == [LineRefusal(1, "A", "main", 5, 3)]
    assert (await level(ledger, "A")).held == 0


async def test_given_several_short_in_one_batch_when_it_runs_then_the_expired_units_are_given_once(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=2)
    await hold_shortly(ledger, client, 2)
    answers = await asyncio.gather(*(ask(ledger, reserve(f"next-{n}", ("A", 1))) for n in range(4)))
    assert [getattr(answer, "outcome", "held") for answer in answers] == ["held"] * 2 + ["out_of_stock"] * 2


async def test_given_more_overdue_holds_than_one_script_may_end_when_swept_then_it_says_that_there_are_more(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=5)
    await hold_shortly(ledger, client, 5)
    limits = limits_with(expire_max=2)
    rounds = [await expire(client, ledger, limits) for _ in range(3)]
    assert [(more, len(lateness_ms)) for more, lateness_ms in rounds] == [(True, 2), (True, 2), (False, 1)]


async def test_given_overdue_holds_of_many_ages_when_swept_then_the_longest_overdue_ends_first(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=3)
    wanted = [reserve(f"r{n}", ("A", 1), ttl_ms=ttl_ms) for n, ttl_ms in enumerate((20, 30, 10))]
    held = await asyncio.gather(*(changed(ledger, each) for each in wanted))
    await wait_past(client, max(each.reservation.deadline_ms for each in held))
    _, lateness_ms = await expire(client, ledger, limits_with())
    assert [before - after for before, after in pairwise(lateness_ms)] == [10, 10]


@pytest.fixture
def expire_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let one script end two overdue holds at most, so that a handful of them needs several."""
    monkeypatch.setattr(ledger_module, "EXPIRE_BATCH_MAX", 2)


@pytest.mark.usefixtures("expire_two")
async def test_given_units_behind_many_overdue_holds_when_a_buyer_comes_then_it_asks_again_until_they_are_free(
    make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    ledger = make_ledger()
    await stocked(ledger, A=5, B=1)
    await hold_shortly(ledger, client, 5)
    await changed(ledger, reserve("next", ("A", 5)))
    assert await available(ledger, "A") == 0


@pytest.mark.usefixtures("expire_two")
async def test_given_many_overdue_holds_elsewhere_when_a_buyer_runs_short_then_it_is_refused_in_the_end(
    make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    ledger = make_ledger()
    await stocked(ledger, A=5, B=1)
    await hold_shortly(ledger, client, 5)
    assert (await refused(ledger, reserve("next", ("B", 2)))).outcome == "out_of_stock"


@pytest.mark.usefixtures("expire_two")
async def test_given_many_overdue_holds_when_a_late_commit_runs_short_then_it_asks_again_until_they_are_free(
    make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    ledger = make_ledger()
    await stocked(ledger, A=5)
    await hold_shortly(ledger, client, 5)
    late = await changed(ledger, reserve("late", ("A", 5), ttl_ms=SHORT_MS))
    await wait_past(client, late.reservation.deadline_ms)
    wanted = [reserve(f"more-{n}", ("A", 1), ttl_ms=SHORT_MS) for n in range(5)]
    held = await asyncio.gather(*(changed(ledger, each) for each in wanted))
    await wait_past(client, max(each.reservation.deadline_ms for each in held))
    assert (await changed(ledger, commit("late"))).reservation.state == "committed"


@pytest.mark.usefixtures("expire_two")
async def test_given_more_overdue_than_may_be_ended_when_a_script_answers_again_then_it_took_nothing(
    make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    ledger = make_ledger()
    await stocked(ledger, A=5)
    await hold_shortly(ledger, client, 5)
    answer = await ledger._submit(ledger._functions["mutate"], pack(reserve("next", ("A", 5))), 1)
    assert answer == RetryAfterExpiry()
    assert (await ledger.reservation("next")).reservation is None
    assert (await level(ledger, "A")).held == 3
