"""One effect for each key, however often and however late the same request comes."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed
from server.domain.stock import StockChanged
from server.store.connection.commands import run_on_keys
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import DAY_S, wait_past
from tests.support.operations import (
    HOUR_MS,
    SHORT_MS,
    AnOperation,
    adjust,
    ask,
    cancel,
    changed,
    commit,
    count,
    extend,
    fulfil,
    level,
    moved,
    order,
    receive,
    refused,
    release,
    reserve,
    stocked,
)

TIMES: Final = 11
"""How often a client with ten retries sends one request whose replies are lost."""
EACH: Final[list[AnOperation]] = [
    reserve("new", ("A", 2), ("A", 1), ("B", 1)),
    reserve("new", ("A", 99), ("B", 1), partial=True),
    order("new", ("A", 2), ("B", 1)),
    order("new", ("A", 99), accept_shortage=True),
    extend("held", 2 * HOUR_MS, key="k"),
    commit("held", (1, 1), key="k", order_ref="o"),
    commit("held", (1, 1), keep=True, key="k"),
    release("held", (1, 1), key="k"),
    cancel("ordered", (1, 1), reason="why", key="k"),
    fulfil("ordered", (1, 1), tracking="T", key="k"),
    receive("A", 2, key="k"),
    receive("fresh", 2, key="k"),
    adjust("A", Bucket.DAMAGED, 1, key="k"),
    count("A", 3, safety=1, key="k"),
    count("A", 10, key="k"),
]
ids: Final = [f"{type(each).__name__.lower()}{number}" for number, each in enumerate(EACH)]


async def prepare(ledger: Ledger) -> None:
    """Ten units of A and B, of which "held" holds and "ordered" has ordered three of each."""
    await stocked(ledger, A=10, B=10)
    await changed(ledger, reserve("held", ("A", 3), ("B", 3)))
    await changed(ledger, order("ordered", ("A", 3), ("B", 3)))


def as_first(answer: object) -> object:
    """Take the flag of a replay away; all else must be as the first time."""
    assert isinstance(answer, Changed | StockChanged)
    assert answer.replayed
    return msgspec.structs.replace(answer, replayed=False)


@pytest.mark.parametrize("operation", EACH, ids=ids)
async def test_given_a_request_when_sent_eleven_times_then_it_has_one_effect_and_one_answer(
    ledger: Ledger, client: Redis, operation: AnOperation
) -> None:
    await prepare(ledger)
    first = await ask(ledger, operation)
    after_first = await client.dump(ledger.keyspace.stock), await client.xlen(ledger.keyspace.journal)
    for _ in range(TIMES - 1):
        assert as_first(await ask(ledger, operation)) == first
    assert (await client.dump(ledger.keyspace.stock), await client.xlen(ledger.keyspace.journal)) == after_first


@pytest.mark.parametrize("operation", EACH, ids=ids)
async def test_given_a_request_when_sent_eleven_times_in_one_batch_then_it_has_one_effect_and_one_answer(
    ledger: Ledger, client: Redis, operation: AnOperation
) -> None:
    await prepare(ledger)
    before = await client.xlen(ledger.keyspace.journal)
    first, *others = await asyncio.gather(*(ask(ledger, operation) for _ in range(TIMES)))
    assert [as_first(other) for other in others] == [first] * (TIMES - 1)
    assert await client.xlen(ledger.keyspace.journal) <= before + 1


@pytest.mark.parametrize("operation", EACH, ids=ids)
async def test_given_a_request_when_its_reservation_and_stock_went_on_then_the_replay_is_still_the_first_answer(
    ledger: Ledger, operation: AnOperation
) -> None:
    await prepare(ledger)
    first = await ask(ledger, operation)
    for later in (release("held"), commit("new"), fulfil("new"), fulfil("ordered"), release("held", (1, 1))):
        await ask(ledger, later)
    await moved(ledger, receive("A", 50))
    assert as_first(await ask(ledger, operation)) == first


@pytest.mark.parametrize(
    ("operation", "other"),
    [
        (reserve("new", ("A", 2)), reserve("new", ("A", 1))),
        (reserve("new", ("A", 2)), reserve("new", ("A", 2), ttl_ms=5)),
        (reserve("new", ("A", 2)), order("new", ("A", 2))),
        (order("new", ("A", 2)), order("new", ("A", 2), accept_shortage=True)),
        (extend("held", 5, key="k"), extend("held", 6, key="k")),
        (commit("held", key="k"), commit("held", (1, 1), key="k")),
        (release("held", (1, 1), key="k"), release("held", (1, 2), key="k")),
        (cancel("ordered", (1, 1), key="k"), cancel("ordered", (2, 1), key="k")),
        (fulfil("ordered", (1, 1), key="k"), fulfil("ordered", (1, 1), key="k", tracking="T")),
        (receive("A", 1, key="k"), receive("A", 2, key="k")),
        (receive("A", 1, key="k"), receive("A", 1, "shop", key="k")),
        (adjust("A", Bucket.DAMAGED, 1, key="k"), adjust("A", Bucket.SAFETY, 1, key="k")),
        (count("A", 5, key="k"), count("A", 6, key="k")),
    ],
    ids=lambda operation: type(operation).__name__.lower(),
)
async def test_given_a_key_when_it_comes_back_with_another_body_then_it_is_refused_and_nothing_changes(
    ledger: Ledger, operation: AnOperation, other: AnOperation
) -> None:
    await prepare(ledger)
    await ask(ledger, operation)
    before = await level(ledger, "A")
    assert (await refused(ledger, other)).outcome == "id_reused"
    assert await level(ledger, "A") == before


@pytest.mark.parametrize(
    "other", [release("held", key="k"), fulfil("ordered", key="k"), receive("A", 1, key="k"), count("A", 1, key="k")]
)
async def test_given_a_key_when_it_comes_back_on_another_operation_then_it_is_refused(
    ledger: Ledger, other: AnOperation
) -> None:
    await prepare(ledger)
    await changed(ledger, extend("held", 5, key="k"))
    before = await level(ledger, "A")
    assert await refused(ledger, other) == Refused("id_reused", "", [])
    assert await level(ledger, "A") == before


async def test_given_another_body_in_the_same_batch_when_it_runs_then_only_the_first_takes_effect(
    ledger: Ledger,
) -> None:
    await prepare(ledger)
    first, other = await asyncio.gather(ask(ledger, receive("A", 1, key="k")), ask(ledger, receive("A", 2, key="k")))
    assert isinstance(first, StockChanged)
    assert other == Refused("id_reused", "", [])


async def test_given_a_replay_and_news_in_one_batch_when_it_runs_then_the_replay_shows_no_news(ledger: Ledger) -> None:
    await prepare(ledger)
    once = release("held", (1, 1), key="k")
    first, _, again = await asyncio.gather(
        ask(ledger, once), ask(ledger, release("held", (2, 1), key="other")), ask(ledger, once)
    )
    assert as_first(again) == first


async def test_given_a_count_that_changed_nothing_when_replayed_after_stock_moved_then_it_changes_nothing(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=10)
    first = await moved(ledger, count("A", 10, key="k"))
    await moved(ledger, receive("A", 5))
    assert as_first(await moved(ledger, count("A", 10, key="k"))) == first
    assert (await level(ledger, "A")).on_hand == 15


async def test_given_a_reserve_that_was_out_of_stock_when_restocked_then_the_same_request_succeeds(
    ledger: Ledger,
) -> None:
    await stocked(ledger, A=1)
    wanted = reserve("r", ("A", 2))
    await refused(ledger, wanted)
    await moved(ledger, receive("A", 1))
    assert not (await changed(ledger, wanted)).replayed


async def test_given_an_operation_that_was_refused_when_it_becomes_possible_then_the_same_key_succeeds(
    ledger: Ledger,
) -> None:
    await prepare(ledger)
    wanted = release("new", key="k")
    await refused(ledger, wanted)
    await changed(ledger, reserve("new", ("A", 1)))
    assert not (await changed(ledger, wanted)).replayed


async def test_given_a_refused_key_when_it_comes_with_another_body_then_it_is_as_good_as_new(ledger: Ledger) -> None:
    await prepare(ledger)
    await refused(ledger, release("held", (1, 9), key="k"))
    await changed(ledger, release("held", (1, 1), key="k"))


async def test_given_a_replayed_reserve_when_its_hold_has_expired_then_it_answers_as_the_first_time(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    wanted = reserve("r", ("A", 2), ttl_ms=SHORT_MS)
    first = await changed(ledger, wanted)
    await wait_past(client, first.reservation.deadline_ms)
    assert as_first(await changed(ledger, wanted)) == first
    await refused(ledger, release("r"))
    assert as_first(await changed(ledger, wanted)) == first


async def test_given_one_key_on_two_partitions_when_used_then_they_know_nothing_of_each_other(
    make_ledger: Callable[..., Ledger],
) -> None:
    ours, theirs = make_ledger(), make_ledger(partition="another")
    assert not (await moved(ours, receive("A", 1, key="k"))).replayed
    assert not (await moved(theirs, receive("A", 2, key="k"))).replayed


async def forget(client: Redis, ledger: Ledger, limits: bytes) -> None:
    await run_on_keys(client, library().function("purge_ended"), ledger.keyspace.forgetting, limits, 1000)


async def test_given_a_key_whose_time_is_over_when_forgotten_then_it_can_be_used_anew(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(idempotency_s=0)
    await moved(ledger, receive("A", 1, key="k"))
    await forget(client, ledger, limits_with(idempotency_s=0))
    assert not (await moved(ledger, receive("A", 2, key="k"))).replayed


async def test_given_a_key_whose_time_is_not_over_when_forgetting_then_it_is_kept(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await moved(ledger, receive("A", 1, key="k"))
    await forget(client, ledger, limits_with())
    assert (await moved(ledger, receive("A", 1, key="k"))).replayed


async def test_given_a_reservation_that_lives_when_its_keys_time_is_over_then_the_key_is_kept(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(idempotency_s=0)
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    await changed(ledger, release("r", (1, 1), key="k"))
    await forget(client, ledger, limits_with(idempotency_s=0))
    assert (await changed(ledger, release("r", (1, 1), key="k"))).replayed


async def test_given_an_ended_reservation_whose_time_is_over_when_forgotten_then_it_is_unknown(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(ended_s=0)
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 2)))
    await changed(ledger, release("r"))
    await forget(client, ledger, limits_with(ended_s=0))
    assert (await ledger.reservation("r")).reservation is None


async def test_given_a_shipped_reservation_when_the_released_ones_are_forgotten_then_it_is_kept(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(ended_s=0, fulfilled_s=DAY_S)
    await stocked(ledger, A=5)
    await changed(ledger, order("r", ("A", 2)))
    await changed(ledger, fulfil("r"))
    await forget(client, ledger, limits_with(ended_s=0))
    assert (await ledger.reservation("r")).reservation is not None
