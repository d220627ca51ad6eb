"""return: what was shipped comes back, wherever it is brought; and moves between buckets, which are reality."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.changes import Change
from server.domain.operations.stock import Bucket
from server.store.audit.audit import audit
from server.store.connection.commands import run_on_keys
from server.store.journal.journal import read
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import now_ms, wait_past
from tests.support.operations import (
    SHORT_MS,
    ask,
    available,
    changed,
    commit,
    fulfil,
    level,
    move,
    moved,
    order,
    refused,
    release,
    reserve,
    stocked,
    take_back,
)

BUCKETS = (Bucket.ON_HAND, Bucket.HELD, Bucket.COMMITTED, Bucket.DAMAGED, Bucket.QUALITY_CONTROL)


async def shipped(ledger: Ledger, reservation_id: str = "o", units: int = 3, on_hand: int = 10) -> None:
    """Receive so many units of A at ``main`` and ship some of them on channel n11."""
    await stocked(ledger, A=on_hand)
    await changed(ledger, order(reservation_id, ("A", units), channel="n11"))
    await changed(ledger, fulfil(reservation_id))


async def buckets(ledger: Ledger, location: str = "main") -> tuple[int, ...]:
    found = await level(ledger, "A", location)
    return tuple(getattr(found, bucket) for bucket in BUCKETS)


async def journal_of(ledger: Ledger, client: Redis) -> list[Change]:
    return [change async for _, changes in read(client, ledger.keyspace) for change in changes]


async def assert_clean(ledger: Ledger, client: Redis) -> None:
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)


@pytest.mark.parametrize(
    ("disposition", "expected"),
    [("restock", (8, 0, 0, 0, 0)), ("damaged", (8, 0, 0, 1, 0)), ("quality_control", (8, 0, 0, 0, 1))],
)
async def test_given_shipped_units_when_one_comes_back_then_its_bucket_follows_the_disposition(
    ledger: Ledger, client: Redis, disposition: str, expected: tuple[int, ...]
) -> None:
    await shipped(ledger)
    answer = await changed(ledger, take_back("o", (1, 1, disposition, "main")))
    assert await buckets(ledger) == expected
    [line] = answer.reservation.lines
    assert (answer.reservation.state, line.fulfilled, line.returned) == ("fulfilled", 3, 1)
    await assert_clean(ledger, client)


async def test_given_a_store_that_never_had_the_sku_when_a_return_is_brought_there_then_it_is_known_there(
    ledger: Ledger, client: Redis
) -> None:
    await shipped(ledger)
    answer = await changed(ledger, take_back("o", (1, 2, "damaged", "store-b"), reason="cracked"))
    assert await buckets(ledger, "store-b") == (2, 0, 0, 2, 0)
    assert await buckets(ledger) == (7, 0, 0, 0, 0)
    assert [(each.location, each.available) for each in answer.availability] == [("store-b", 0)]
    assert answer.reservation.notes == [("return_reason", "cracked")]
    change = (await journal_of(ledger, client))[-1]
    assert (change.operation, change.channel, change.reservation_id) == ("return", "n11", "o")
    assert (change.lines[0].line, change.lines[0].location) == (1, "store-b")
    assert (change.lines[0].deltas, change.notes) == ((2, 0, 0, 2, 0, 0), [("reason", "cracked")])
    await assert_clean(ledger, client)


async def test_given_parts_of_one_line_when_they_come_back_differently_then_each_goes_its_way(ledger: Ledger) -> None:
    await shipped(ledger)
    parts = ((1, 1, "restock", "main"), (1, 1, "damaged", "main"), (1, 1, "quality_control", "store-b"))
    answer = await changed(ledger, take_back("o", *parts))
    assert answer.reservation.lines[0].returned == 3
    assert await buckets(ledger) == (9, 0, 0, 1, 0)
    assert await buckets(ledger, "store-b") == (1, 0, 0, 0, 1)


@pytest.mark.parametrize("parts", [((1, 4),), ((1, 2), (1, 2)), ((1, 1), (2, 1))], ids=["more", "summed", "no line"])
async def test_given_more_than_was_shipped_when_returned_then_it_is_refused_whole(
    ledger: Ledger, client: Redis, parts: tuple[tuple[int, int], ...]
) -> None:
    await shipped(ledger)
    before = await journal_of(ledger, client)
    answer = await refused(ledger, take_back("o", *parts, key="k"))
    assert (answer.outcome, answer.state) == ("exceeds_remaining", "fulfilled")
    assert await journal_of(ledger, client) == before
    assert await buckets(ledger) == (7, 0, 0, 0, 0)


async def test_given_units_that_are_back_when_they_come_again_then_only_the_rest_may(ledger: Ledger) -> None:
    await shipped(ledger)
    await changed(ledger, take_back("o", (1, 2)))
    answer = await refused(ledger, take_back("o", (1, 2)))
    assert answer == Refused("exceeds_remaining", "fulfilled", [LineRefusal(1, "A", "main", 2, 1)])
    await changed(ledger, take_back("o", (1, 1)))
    assert await available(ledger, "A") == 10


async def test_given_a_hundred_who_return_the_same_units_when_they_race_then_only_what_was_shipped_comes_back(
    ledger: Ledger,
) -> None:
    await shipped(ledger, units=7)
    answers = await asyncio.gather(*(ask(ledger, take_back("o", (1, 1), key=f"k{n}")) for n in range(100)))
    assert sum(not isinstance(answer, Refused) for answer in answers) == 7
    assert await available(ledger, "A") == 10


async def test_given_a_key_when_a_return_is_repeated_then_it_has_one_effect(ledger: Ledger) -> None:
    await shipped(ledger)
    first = await changed(ledger, take_back("o", (1, 1), key="k"))
    again = await changed(ledger, take_back("o", (1, 1), key="k"))
    assert (again.replayed, again.reservation) == (True, first.reservation)
    assert (await refused(ledger, take_back("o", (1, 2), key="k"))).outcome == "id_reused"
    assert await available(ledger, "A") == 8


async def test_given_nothing_shipped_when_returned_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("o", ("A", 2)))
    assert await refused(ledger, take_back("o", (1, 1))) == Refused("not_fulfilled", "committed", [])
    assert (await refused(ledger, take_back("nobody", (1, 1)))).outcome == "unknown_reservation"


async def test_given_an_order_shipped_in_part_when_that_part_comes_back_then_the_rest_stays_committed(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, order("o", ("A", 3)))
    await changed(ledger, fulfil("o", (1, 1)))
    answer = await changed(ledger, take_back("o", (1, 1)))
    assert answer.reservation.state == "committed"
    assert await buckets(ledger) == (5, 0, 2, 0, 0)
    await assert_clean(ledger, client)


async def test_given_a_hold_beside_what_was_shipped_when_its_deadline_passed_then_the_return_ends_it_first(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    held = await changed(ledger, reserve("r", ("A", 3), ttl_ms=SHORT_MS))
    await changed(ledger, commit("r", (1, 1), keep=True))
    await changed(ledger, fulfil("r"))
    await wait_past(client, held.reservation.deadline_ms)
    answer = await changed(ledger, take_back("r", (1, 1)))
    assert (answer.reservation.state, answer.reservation.lines[0].expired) == ("fulfilled", 2)
    await assert_clean(ledger, client)


async def test_given_a_return_when_time_goes_on_then_the_reservation_is_kept_as_long_as_a_shipped_one(
    make_ledger: Callable[..., Ledger], client: Redis, limits_with: Callable[..., bytes]
) -> None:
    ledger = make_ledger(ended_s=0, fulfilled_s=3600)
    await shipped(ledger)
    await run_on_keys(
        client, library().function("purge_ended"), ledger.keyspace.forgetting, limits_with(ended_s=0), 100
    )
    await changed(ledger, take_back("o", (1, 3)))
    forget_at_ms = await client.zscore(ledger.keyspace.all[6], "ro")
    assert forget_at_ms is not None
    assert 3_500_000 < int(forget_at_ms) - await now_ms(client) <= 3_600_000


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("available", "damaged", (10, 0, 0, 2, 0)),
        ("available", "quality_control", (10, 0, 0, 0, 2)),
    ],
)
async def test_given_units_when_put_aside_then_on_hand_stays_and_they_cannot_be_sold(
    ledger: Ledger, client: Redis, source: str, target: str, expected: tuple[int, ...]
) -> None:
    await stocked(ledger, A=10)
    await moved(ledger, move("A", source, target, 2, reason="seen"))
    assert await buckets(ledger) == expected
    assert await available(ledger, "A") == 8
    await moved(ledger, move("A", target, "available", 2))
    assert await available(ledger, "A") == 10
    await assert_clean(ledger, client)


async def test_given_fewer_in_the_bucket_when_moved_then_it_is_refused_and_nothing_changes(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await moved(ledger, move("A", "available", "damaged", 2))
    before = await journal_of(ledger, client)
    answer = await refused(ledger, move("A", "damaged", "quality_control", 3, key="k"))
    assert answer == Refused("exceeds_bucket", "", [LineRefusal(1, "A", "main", 3, 2)])
    assert (await refused(ledger, move("A", "available", "damaged", 9))).lines[0].available == 8
    assert (await refused(ledger, move("B", "available", "damaged", 1))).outcome == "unknown_sku"
    assert await journal_of(ledger, client) == before


async def test_given_reserved_units_when_found_broken_then_the_shortage_is_recorded_and_not_refused(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await changed(ledger, reserve("r", ("A", 4)))
    answer = await moved(ledger, move("A", "available", "damaged", 3))
    assert answer.level.available == -2
    assert await client.hget(ledger.keyspace.meta, "shortage") == b"2"
    await changed(ledger, release("r"))
    await assert_clean(ledger, client)


async def test_given_an_order_of_the_same_batch_when_returned_then_it_is_known(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    _, answer = await asyncio.gather(ask(ledger, order("o", ("A", 1))), ask(ledger, take_back("o", (1, 1))))
    assert answer == Refused("not_fulfilled", "committed", [])
