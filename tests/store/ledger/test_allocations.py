"""Units of a channel's own and caps: who may have what, through everything that can happen to a reservation."""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.allocations import Allocation
from server.domain.answers import AllocationUsageUnknown, LineRefusal, Refused
from server.domain.operations.reservations import Order, Reserve
from server.domain.operations.stock import Bucket
from server.domain.reservation import Changed, left_available
from server.domain.sourcing import Candidate, Plan, Sourced
from server.domain.stock import Backorder, StockChanged
from server.store.audit.audit import audit
from server.store.connection.commands import run_function
from server.store.journal.journal import bounds, read
from server.store.journal.replay import Replay
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories.allocations import Count
from server.store.repositories.allocations import allocate as allocate_counted
from tests.conftest import wait_past
from tests.support.operations import (
    SHORT_MS,
    AnOperation,
    adjust,
    allocate,
    allocate_move,
    arrive,
    ask,
    backorder,
    bound,
    cancel,
    changed,
    commit,
    count,
    exchange,
    exchanged,
    extend,
    fulfil,
    half_refused,
    level,
    moved,
    order,
    receive,
    refused,
    release,
    relocate,
    reserve,
    ship,
    sourced,
    stocked,
    take_back,
    transferred,
)
from tests.support.stores import StoreProcess

SEED: Final = random.randrange(1 << 32)


async def left(ledger: Ledger, channel: str = "", sku: str = "A", location: str = "main") -> int:
    found = await ledger.availability([sku], location, channel)
    return found.skus[0][0].available


async def allocation(ledger: Ledger, channel: str, location: str = "main") -> tuple[str, int, int]:
    """(kind, units, used)."""
    found = {each.channel: each for each in (await level(ledger, "A", location)).allocated}[channel]
    return found.kind, found.units, found.used


async def stored(ledger: Ledger, client: Redis) -> list[Any]:
    """Return the stock record as it lies in the store."""
    packed: Any = await client.hget(ledger.keyspace.stock, "A\0main")
    record: list[Any] = msgspec.msgpack.decode(packed)
    return record


async def assert_clean(ledger: Ledger, client: Redis) -> None:
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)
    replay = Replay()
    async for _, changes in read(client, ledger.keyspace):
        for change in changes:
            assert replay.apply(change) == []
    for rebuilt in replay.levels():
        found = await level(ledger, rebuilt.sku, rebuilt.location)
        assert rebuilt == msgspec.structs.replace(found, backorder=None)  # which the journal does not hold


@pytest.fixture
async def shared(ledger: Ledger) -> Ledger:
    """Ten units, of which four are the shop's own."""
    await stocked(ledger, A=10)
    await moved(ledger, allocate("A", "shop", 4))
    return ledger


async def test_given_units_when_some_are_a_channels_own_then_others_may_not_have_them(
    shared: Ledger, client: Redis
) -> None:
    assert [await left(shared), await left(shared, "pazar"), await left(shared, "shop")] == [6, 6, 10]
    refusal = await refused(shared, reserve("r", ("A", 7), channel="pazar"))
    assert (refusal.outcome, refusal.lines) == ("out_of_stock", [LineRefusal(1, "A", "main", 7, 6)])
    await changed(shared, reserve("r", ("A", 6), channel="pazar"))
    assert [await left(shared), await left(shared, "shop")] == [0, 4]
    await assert_clean(shared, client)


async def test_given_its_own_units_when_a_channel_sells_then_they_go_before_the_common_ones(
    shared: Ledger, client: Redis
) -> None:
    sold = await changed(shared, reserve("r", ("A", 3), channel="shop"))
    assert [each.available for each in left_available(sold)] == [7]
    assert [await left(shared), await left(shared, "shop")] == [6, 7]
    await changed(shared, order("o", ("A", 3), channel="shop"))
    assert [await left(shared), await left(shared, "shop")] == [4, 4]
    assert await allocation(shared, "shop") == ("own", 4, 6)
    await assert_clean(shared, client)


async def test_given_lines_that_name_a_location_twice_when_reserved_then_they_count_together(shared: Ledger) -> None:
    await refused(shared, reserve("r", ("A", 3), ("A", 4), channel="pazar"))
    part = await changed(shared, reserve("r", ("A", 3), ("A", 4), channel="pazar", partial=True))
    assert [(line.quantity, line.first_available) for line in part.reservation.lines] == [(3, 3), (3, 0)]


async def test_given_a_cap_when_a_channel_sells_then_it_gets_no_more_than_that(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    await moved(ledger, allocate("A", "kiosk", 3, "cap"))
    assert [await left(ledger), await left(ledger, "kiosk")] == [10, 3]
    refusal = await refused(ledger, order("o", ("A", 4), channel="kiosk"))
    assert refusal.lines == [LineRefusal(1, "A", "main", 4, 3)]
    await changed(ledger, order("o", ("A", 2), channel="kiosk"))
    await changed(ledger, fulfil("o"))
    assert await allocation(ledger, "kiosk") == ("cap", 1, 0)
    assert [await left(ledger), await left(ledger, "kiosk")] == [8, 1]
    await moved(ledger, allocate("A", "kiosk", 0, "cap"))
    assert await left(ledger, "kiosk") == 0
    await assert_clean(ledger, client)


@pytest.mark.parametrize("way", ["release", "cancel", "expire"])
async def test_given_a_reservation_of_own_units_when_it_ends_then_they_are_the_channels_again(
    shared: Ledger, client: Redis, limits_with: Callable[..., bytes], way: str
) -> None:
    if way == "cancel":
        await changed(shared, order("r", ("A", 4), channel="shop"))
        await changed(shared, cancel("r"))
    else:
        held = await changed(shared, reserve("r", ("A", 4), channel="shop", ttl_ms=SHORT_MS))
        if way == "release":
            await changed(shared, release("r", (1, 1)))
            assert await allocation(shared, "shop") == ("own", 4, 3)
            await changed(shared, release("r"))
        else:
            await wait_past(client, held.reservation.deadline_ms)
            await run_function(client, library().function("expire_holds"), shared.keyspace, limits_with())
    assert await allocation(shared, "shop") == ("own", 4, 0)
    assert [await left(shared), await left(shared, "shop")] == [6, 10]
    await assert_clean(shared, client)


async def test_given_own_units_when_shipped_then_they_are_used_up_and_a_return_is_everybodys(
    shared: Ledger, client: Redis
) -> None:
    await changed(shared, reserve("r", ("A", 3), channel="shop"))
    await changed(shared, extend("r", 7_200_000))
    await changed(shared, commit("r"))
    await changed(shared, fulfil("r", (1, 2)))
    assert await allocation(shared, "shop") == ("own", 2, 1)
    assert [await left(shared), await left(shared, "shop")] == [6, 7]
    await changed(shared, fulfil("r"))
    await changed(shared, take_back("r", (1, 3)))
    assert await allocation(shared, "shop") == ("own", 1, 0)
    assert [await left(shared), await left(shared, "shop")] == [9, 10]
    await assert_clean(shared, client)


async def test_given_an_overdue_hold_when_committed_late_then_it_may_have_what_its_channel_may(
    shared: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await changed(shared, reserve("mine", ("A", 4), channel="shop", ttl_ms=SHORT_MS))
    held = await changed(shared, reserve("theirs", ("A", 4), channel="pazar", ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)
    await run_function(client, library().function("expire_holds"), shared.keyspace, limits_with())
    await changed(shared, order("o", ("A", 6), channel="pazar"))
    assert (await refused(shared, commit("theirs"))).outcome == "expired"
    await changed(shared, commit("mine"))
    assert await allocation(shared, "shop") == ("own", 4, 4)
    await assert_clean(shared, client)


async def test_given_an_order_that_is_sold_already_when_short_then_it_is_taken_from_what_is_set_aside(
    shared: Ledger, client: Redis
) -> None:
    await changed(shared, order("o", ("A", 8), channel="pazar", accept_shortage=True))
    assert [await left(shared), await left(shared, "pazar"), await left(shared, "shop")] == [0, 0, 2]
    assert int(await client.hget(shared.keyspace.meta, "shortage") or 0) == 0
    await refused(shared, reserve("r", ("A", 3), channel="shop"))
    await changed(shared, reserve("r", ("A", 2), channel="shop"))
    await assert_clean(shared, client)


async def test_given_fewer_units_than_are_set_aside_when_counted_then_the_channels_share_what_is_there(
    shared: Ledger, client: Redis
) -> None:
    await moved(shared, allocate("A", "pazar", 5))
    counted = await moved(shared, count("A", 6))
    assert (counted.level.available, counted.level.free, counted.level.set_aside) == (0, 6, 9)
    assert [await left(shared, each) for each in ("", "shop", "pazar", "kiosk")] == [0, 4, 5, 0]
    await changed(shared, reserve("r", ("A", 5), channel="pazar"))
    assert [await left(shared, each) for each in ("", "shop", "pazar")] == [0, 1, 0]
    assert int(await client.hget(shared.keyspace.meta, "shortage") or 0) == 0
    await moved(shared, adjust("A", Bucket.ON_HAND, 3))
    assert [await left(shared, each) for each in ("", "shop", "pazar")] == [0, 4, 0]
    await moved(shared, adjust("A", Bucket.DAMAGED, 8))
    assert [await left(shared, each) for each in ("", "shop", "pazar")] == [-4, -4, -4]
    assert int(await client.hget(shared.keyspace.meta, "shortage") or 0) == 4
    await assert_clean(shared, client)


async def test_given_a_reservation_when_moved_then_each_location_asks_whether_its_channel_may(
    shared: Ledger, client: Redis
) -> None:
    await moved(shared, receive("A", 5, "depo"))
    await moved(shared, allocate("A", "shop", 2, location="depo"))
    await changed(shared, order("o", ("A", 4), channel="pazar"))
    refusal = await refused(shared, relocate("o", (1, 4, "depo")))
    assert refusal.lines == [LineRefusal(1, "A", "depo", 4, 3)]
    await changed(shared, relocate("o", (1, 3, "depo")))
    await changed(shared, order("s", ("A", 4), channel="shop"))
    answer = await changed(shared, relocate("s", (1, 2, "depo")))
    assert [(each.location, each.available) for each in answer.availability] == [("main", 7), ("depo", 0)]
    assert await allocation(shared, "shop") == ("own", 4, 2)
    assert await allocation(shared, "shop", "depo") == ("own", 2, 2)
    await assert_clean(shared, client)


async def test_given_a_plan_when_sourced_then_a_location_offers_what_the_channel_may_have(
    shared: Ledger, client: Redis
) -> None:
    await moved(shared, receive("A", 7, "depo"))
    for name, channel, chosen in (("p", "pazar", "depo"), ("s", "shop", "main")):
        wanted = reserve(name, ("A", 7, ""), channel=channel)
        plan = Plan(0, [Candidate("main", 0), Candidate("depo", 1)])
        sourced = await changed(shared, Sourced(wanted, plan))
        assert [line.location for line in sourced.reservation.lines] == [chosen]
    await assert_clean(shared, client)


async def test_given_own_units_when_a_transfer_would_take_them_then_it_is_refused(
    shared: Ledger, client: Redis
) -> None:
    refusal = await refused(shared, ship("t", "main", "depo", ("A", 7)))
    assert (refusal.outcome, refusal.lines[0].available) == ("exceeds_available", 6)
    sent = await transferred(shared, ship("t", "main", "depo", ("A", 6)))
    assert [each.available for each in sent.availability] == [0]
    await transferred(shared, arrive("t", everything=True))
    assert await left(shared, "shop") == 4
    await assert_clean(shared, client)


async def test_given_too_few_common_units_when_allocated_then_it_is_refused_and_nothing_changes(
    shared: Ledger,
) -> None:
    before = await level(shared, "A")
    refusal = await refused(shared, allocate("A", "pazar", 7))
    assert (refusal.outcome, refusal.lines) == ("exceeds_available", [LineRefusal(1, "A", "main", 7, 6)])
    refusal = await refused(shared, allocate("A", "shop", 11))
    assert refusal.lines == [LineRefusal(1, "A", "main", 11, 10)]
    assert (await refused(shared, allocate("B", "shop", 1))).outcome == "unknown_sku"
    assert await level(shared, "A") == before


async def test_given_an_overdue_hold_when_its_units_are_wanted_for_a_channel_then_it_is_ended_first(
    shared: Ledger, client: Redis
) -> None:
    held = await changed(shared, reserve("r", ("A", 6), channel="pazar", ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)
    await moved(shared, allocate("A", "shop", 10))
    assert await left(shared, "shop") == 10
    await assert_clean(shared, client)


async def test_given_reservations_when_units_are_taken_back_then_those_stay(shared: Ledger, client: Redis) -> None:
    await changed(shared, order("o", ("A", 3), channel="shop"))
    await moved(shared, allocate("A", "shop", 1))
    assert await allocation(shared, "shop") == ("own", 1, 3)
    assert [await left(shared), await left(shared, "shop")] == [7, 7]
    gone = await moved(shared, allocate("A", "shop", 0))
    assert (gone.level.allocated, gone.level.committed) == ([], 3)
    assert len(await stored(shared, client)) == 7
    await changed(shared, fulfil("o"))
    await assert_clean(shared, client)


async def test_given_what_is_so_already_when_allocated_then_nothing_changes(shared: Ledger) -> None:
    before = await level(shared, "A")
    assert (await moved(shared, allocate("A", "shop", 4))).level == before
    assert (await moved(shared, allocate("A", "nobody", 0))).level == before


async def test_given_a_key_when_sent_twice_then_it_has_one_effect(shared: Ledger) -> None:
    first = await moved(shared, allocate("A", "shop", 5, key="k"))
    await moved(shared, allocate("A", "shop", 2))
    again = await moved(shared, allocate("A", "shop", 5, key="k"))
    assert (again.replayed, again.level) == (True, first.level)
    assert (await refused(shared, allocate("A", "shop", 6, key="k"))).outcome == "id_reused"


async def test_given_own_units_when_moved_then_as_much_stays_set_aside(shared: Ledger, client: Redis) -> None:
    await changed(shared, order("o", ("A", 1), channel="shop"))
    refusal = await refused(shared, allocate_move("A", "shop", "pazar", 4))
    assert (refusal.outcome, refusal.lines[0].available) == ("exceeds_remaining", 3)
    end = (await bounds(client, shared.keyspace)).last_id
    counted = await moved(shared, allocate_move("A", "shop", "pazar", 2, counted=(end, 0)))
    assert counted.level.allocated == [Allocation("shop", "own", 2, 1), Allocation("pazar", "own", 2, 0)]
    assert [await left(shared, each) for each in ("", "shop", "pazar")] == [6, 7, 8]
    await assert_clean(shared, client)


async def test_given_a_taker_that_has_reserved_more_when_units_are_moved_then_it_gets_them_all_the_same(
    shared: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await changed(shared, order("o", ("A", 3), channel="pazar"))
    move = allocate_move("A", "shop", "pazar", 4)
    answer = await allocate_counted(client, shared, limits_with(), move)
    assert not isinstance(answer, Refused)
    assert answer.level.allocated == [Allocation("pazar", "own", 7, 3)]
    assert [await left(shared), await left(shared, "pazar")] == [3, 7]
    await assert_clean(shared, client)


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        (allocate_move("A", "nobody", "shop", 1), "unknown_allocation"),
        (allocate_move("A", "shop", "kiosk", 1), "allocation_differs"),
        (allocate_move("B", "shop", "kiosk", 1), "unknown_sku"),
        (allocate_move("A", "shop", "pazar", 5), "exceeds_remaining"),
    ],
    ids=["nothing to give", "a cap there", "no such SKU", "more than it has"],
)
async def test_given_what_cannot_be_when_units_are_moved_then_it_is_refused_and_nothing_changes(
    shared: Ledger, operation: AnOperation, outcome: str
) -> None:
    await moved(shared, allocate("A", "kiosk", 1, "cap"))
    before = await level(shared, "A")
    assert (await refused(shared, operation)).outcome == outcome
    assert await level(shared, "A") == before


async def test_given_as_many_channels_as_may_be_when_one_more_is_given_units_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=100)
    for number in range(32):
        await moved(ledger, allocate("A", f"c{number}", 1))
    assert (await refused(ledger, allocate("A", "one more", 1))).outcome == "too_many_allocations"
    await moved(ledger, allocate_move("A", "c0", "one more", 1))


# -- what was reserved before


async def test_given_live_reservations_when_a_channel_gets_its_first_units_then_they_count(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=10)
    await changed(ledger, reserve("r", ("A", 2), channel="shop"))
    await changed(ledger, order("o", ("A", 1), ("A", 1), channel="shop"))
    await changed(ledger, order("p", ("A", 1), channel="pazar"))
    answer = await allocate_counted(client, ledger, limits_with(), allocate("A", "shop", 6))
    assert not isinstance(answer, Refused)
    assert answer.level.allocated == [Allocation("shop", "own", 6, 4)]
    assert [await left(ledger), await left(ledger, "shop")] == [3, 5]
    await changed(ledger, release("r"))
    assert [await left(ledger), await left(ledger, "shop")] == [3, 7]
    await assert_clean(ledger, client)


async def test_given_sales_that_go_on_when_reservations_are_counted_then_the_sum_is_exact(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=100_000)
    chance, ended = random.Random(SEED), asyncio.Event()

    async def sell(number: int) -> None:
        turn = 0
        while not ended.is_set():
            name, turn = f"r{number}-{turn}", turn + 1
            await changed(ledger, reserve(name, ("A", chance.randint(1, 3)), channel=chance.choice(("shop", "pazar"))))
            if chance.random() < 0.6:
                await changed(ledger, chance.choice((release, commit))(name))

    sellers = [asyncio.create_task(sell(number)) for number in range(4)]
    for _ in range(2):
        for channel in ("shop", "pazar"):
            answer = await allocate_counted(client, ledger, limits_with(), allocate("A", channel, 50_000, "cap"))
            assert not isinstance(answer, Refused)
            report = await audit(client, ledger.keyspace)
            assert (report.drift, report.conclusive) == ([], True), f"seed {SEED}"
            await moved(ledger, allocate("A", channel, 0))
    for channel in ("shop", "pazar"):
        await allocate_counted(client, ledger, limits_with(), allocate("A", channel, 50_000, "cap"))
    ended.set()
    await asyncio.gather(*sellers)
    await assert_clean(ledger, client)


async def test_given_changes_behind_the_count_when_allocated_then_they_count(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=20)
    await changed(ledger, reserve("r", ("A", 2), channel="shop"))
    counting = Count(client, ledger.keyspace, limits_with(), ("A", "main"), "shop")
    await counting.begin()
    await changed(ledger, release("r"))
    await changed(ledger, reserve("s", ("A", 3), channel="shop"))
    await counting.catch_up()
    assert counting.units == 3
    await changed(ledger, commit("s"))
    await changed(ledger, order("t", ("A", 1), ("A", 1), channel="shop"))
    await changed(ledger, order("p", ("A", 1), channel="pazar"))
    asked = allocate("A", "shop", 9, counted=(counting.seen_id, counting.units))
    in_one_call: list[AnOperation] = [reserve("u", ("A", 4), channel="shop"), asked]
    _, answer = await asyncio.gather(*(ask(ledger, each) for each in in_one_call))
    assert isinstance(answer, StockChanged)
    assert answer.level.allocated == [Allocation("shop", "own", 9, 9)]
    await assert_clean(ledger, client)


async def test_given_no_count_when_a_channel_gets_its_first_units_then_it_is_asked_for_and_nothing_changes(
    shared: Ledger, client: Redis
) -> None:
    await changed(shared, reserve("r", ("A", 1), channel="pazar"))
    before = await stored(shared, client)
    given = allocate("A", "pazar", 3)
    taken = allocate_move("A", "shop", "pazar", 1)
    assert [await ask(shared, each) for each in (given, taken)] == [AllocationUsageUnknown(), AllocationUsageUnknown()]
    assert await stored(shared, client) == before
    await assert_clean(shared, client)


# -- many at once


async def test_given_two_channels_with_own_units_when_64_callers_race_then_neither_takes_the_others_and_none_oversells(
    make_ledger: Callable[..., Ledger], open_batcher: Callable[..., Batcher], store: StoreProcess, client: Redis
) -> None:
    ledgers = [make_ledger(open_batcher(store)) for _ in range(3)]
    await stocked(ledgers[0], A=100)
    for channel, units in (("shop", 40), ("pazar", 30)):
        await moved(ledgers[0], allocate("A", channel, units))
    todo = [(kind, channel) for channel in ("shop", "pazar") for kind in (reserve, order) for _ in range(100)]
    random.Random(SEED).shuffle(todo)
    wanted: list[tuple[int, tuple[Callable[..., Reserve | Order], str]]] = list(enumerate(todo))
    sold = {"shop": 0, "pazar": 0}

    async def caller(number: int) -> None:
        while wanted:
            place, (kind, channel) = wanted.pop()
            answer = await ask(ledgers[number % 3], kind(f"r{place}", ("A", 1), channel=channel))
            if isinstance(answer, Changed):
                sold[channel] += 1
            else:
                assert isinstance(answer, Refused)
                assert answer.outcome == "out_of_stock"

    await asyncio.gather(*(caller(number) for number in range(64)))
    assert sum(sold.values()) == 100
    assert 40 <= sold["shop"] <= 70, f"seed {SEED}"
    assert 30 <= sold["pazar"] <= 60, f"seed {SEED}"
    assert (await level(ledgers[0], "A")).free == 0
    await assert_clean(ledgers[0], client)


# -- the audit finds what is wrong


@pytest.mark.parametrize("change", [{"used": 3}, {"units": 5}, {"kind": "cap"}], ids=str)
async def test_given_an_allocation_that_was_tampered_with_when_audited_then_it_is_found(
    shared: Ledger, client: Redis, change: dict[str, object]
) -> None:
    await changed(shared, order("o", ("A", 2), channel="shop"))
    record = await stored(shared, client)
    names = ("channel", "kind", "units", "used")
    for name, value in change.items():
        record[7][0][names.index(name)] = value
    await client.hset(shared.keyspace.stock, "A\0main", msgspec.msgpack.encode(record))
    report = await audit(client, shared.keyspace)
    assert {each.what for each in report.drift} == {"allocations"}


async def test_given_what_may_be_waited_for_when_allocations_come_and_go_then_both_keep_their_places(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=5)
    await moved(ledger, backorder("A", 3))
    allocated = (await moved(ledger, allocate("A", "shop", 2))).level
    assert (await stored(ledger, client))[7:] == [[["shop", "own", 2, 0]], ["backorder", 3, "", 0]]
    assert (allocated.allocated, allocated.backorder) == (
        [Allocation("shop", "own", 2, 0)],
        Backorder("backorder", 3, "", 0),
    )
    await moved(ledger, allocate("A", "shop", 0))
    assert (await stored(ledger, client))[7:] == [False, ["backorder", 3, "", 0]]
    await moved(ledger, backorder("A", 0))
    assert len(await stored(ledger, client)) == 7
    await assert_clean(ledger, client)


@pytest.fixture
async def awaited(ledger: Ledger) -> Ledger:
    """Four units, all of them the shop's own, and a backorder of another channel for two."""
    await stocked(ledger, A=4)
    await moved(ledger, backorder("A", 9))
    await moved(ledger, allocate("A", "shop", 4))
    waits = await changed(ledger, order("w", ("A", 2), channel="pazar", backorder=True))
    assert (waits.reservation.state, waits.reservation.lines[0].owed) == ("backordered", 2)
    return ledger


async def owed(ledger: Ledger, reservation_id: str = "w") -> int:
    found = (await ledger.reservation(reservation_id)).reservation
    assert found
    return found.lines[0].owed


async def test_given_a_waiting_order_when_units_lie_there_for_a_channel_then_only_that_may_have_them(
    awaited: Ledger, client: Redis
) -> None:
    assert await left(awaited, "shop") == 4
    await refused(awaited, reserve("r", ("A", 1), channel="kiosk"))
    await changed(awaited, reserve("r", ("A", 4), channel="shop"))
    assert await owed(awaited) == 2
    await changed(awaited, release("r"))
    assert await owed(awaited) == 2, "what came free is the shop's own"
    await assert_clean(awaited, client)


async def test_given_a_waiting_order_when_a_channel_returns_its_own_units_then_the_order_gets_them(
    awaited: Ledger, client: Redis
) -> None:
    level = (await moved(awaited, allocate("A", "shop", 3))).level
    assert (level.committed, level.backorder) == (1, Backorder("backorder", 9, "", 1))
    await moved(awaited, allocate("A", "shop", 0))
    assert (await owed(awaited), await left(awaited)) == (0, 2)
    await assert_clean(awaited, client)


async def test_given_a_channel_that_waits_when_a_common_unit_comes_then_its_own_count_for_it_too(
    awaited: Ledger, client: Redis
) -> None:
    await moved(awaited, allocate_move("A", "shop", "pazar", 1))
    assert (await owed(awaited), await allocation(awaited, "pazar")) == (2, ("own", 1, 0))
    await moved(awaited, receive("A", 1))
    assert (await owed(awaited), await allocation(awaited, "pazar")) == (0, ("own", 1, 2))
    assert await left(awaited, "shop") == 3
    await assert_clean(awaited, client)


async def test_given_a_part_that_is_there_when_the_rest_waits_then_each_counts_as_used_when_it_is_there(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=3)
    await moved(ledger, backorder("A", 9))
    await moved(ledger, allocate("A", "shop", 2))
    part = await changed(ledger, reserve("r", ("A", 5), channel="shop", backorder=True))
    line = part.reservation.lines[0]
    assert (line.held, line.waiting, line.first_available) == (3, 2, 0)
    assert await allocation(ledger, "shop") == ("own", 2, 3)
    await moved(ledger, receive("A", 1))
    assert await allocation(ledger, "shop") == ("own", 2, 4)
    await changed(ledger, release("r"))
    assert await allocation(ledger, "shop") == ("own", 2, 0)
    await assert_clean(ledger, client)


async def test_given_a_cap_when_more_than_that_is_to_be_waited_for_then_it_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1)
    await moved(ledger, backorder("A", 9))
    await moved(ledger, allocate("A", "kiosk", 2, "cap"))
    refusal = await refused(ledger, order("o", ("A", 3), channel="kiosk", backorder=True))
    assert refusal.lines == [LineRefusal(1, "A", "main", 3, 1)]
    await changed(ledger, order("o", ("A", 2), channel="kiosk", backorder=True))
    assert await allocation(ledger, "kiosk") == ("cap", 2, 1)
    await moved(ledger, receive("A", 5))
    assert await allocation(ledger, "kiosk") == ("cap", 2, 2)
    await assert_clean(ledger, client)


async def test_given_a_reservation_that_cannot_be_when_exchanged_then_the_allocations_are_as_before(
    shared: Ledger, client: Redis
) -> None:
    await changed(shared, order("old", ("A", 2), channel="shop"))
    await changed(shared, fulfil("old"))
    before = await stored(shared, client)
    swap = exchange(take_back("old", (1, 1)), order("new", ("A", 8), channel="pazar"))
    assert await half_refused(shared, swap) == ("promise", "out_of_stock")
    assert await stored(shared, client) == before
    swap = exchange(take_back("old", (1, 1)), order("new", ("A", 2), channel="shop"))
    answer = await exchanged(shared, swap)
    assert [each.available for each in answer.returned.availability] == [7]
    assert await allocation(shared, "shop") == ("own", 2, 2)
    await assert_clean(shared, client)


async def test_given_own_units_elsewhere_when_open_lines_are_bound_then_only_their_channel_gets_them(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=4)
    await moved(ledger, receive("A", 2, "depo"))
    await moved(ledger, allocate("A", "shop", 2, location="depo"))
    for each in ("pazar", "shop"):
        hold = reserve(each, ("A", 2, ""), channel=each)
        await changed(ledger, sourced(hold, ["main"], open_group="stores"))
        bound_to = await changed(ledger, bound(commit(each), "depo", "main"))
        where = [line.location for line in bound_to.reservation.lines if line.committed]
        assert where == (["depo"] if each == "shop" else ["main"])
    assert await allocation(ledger, "shop", "depo") == ("own", 2, 2)
    await assert_clean(ledger, client)


async def test_given_own_units_when_a_line_is_split_then_they_count_for_their_channel_only(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=2)
    await moved(ledger, receive("A", 2, "depo"))
    await moved(ledger, allocate("A", "shop", 2, location="depo"))
    for_others = sourced(order("o", ("A", 3, ""), channel="pazar"), ["main", "depo"], 1, split_lines=True)
    assert (await refused(ledger, for_others)).outcome == "out_of_stock"
    own = sourced(order("s", ("A", 3, ""), channel="shop"), ["main", "depo"], 1, split_lines=True)
    parts = (await changed(ledger, own)).reservation.lines
    assert sorted((line.location, line.committed) for line in parts) == [("depo", 1), ("main", 2)]
    await assert_clean(ledger, client)
