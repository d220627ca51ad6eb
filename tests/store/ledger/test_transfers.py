"""Transfers: units that are on their way belong to no location, and none of them gets lost unnoticed."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.transfer import Transfer
from server.store.audit.audit import audit
from server.store.connection.commands import run_on_keys
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories import transfers
from server.store.repositories.renames import AliasStore
from server.store.repositories.transfers import in_transit, open_transfers, read_transfer
from tests.conftest import RETENTION, wait_past
from tests.support import operations as ops
from tests.support.operations import (
    SHORT_MS,
    arrive,
    ask,
    available,
    changed,
    level,
    moved,
    receive,
    refused,
    release,
    reserve,
    ship,
    stocked,
    transferred,
)
from tests.support.replay import read_journal


async def on_the_way(client: Redis, ledger: Ledger) -> int:
    return int(await client.hget(ledger.keyspace.meta, "in_transit") or 0)


async def assert_clean(ledger: Ledger, client: Redis) -> None:
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)


async def test_given_units_when_shipped_then_they_belong_to_no_location(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10, B=5)
    sent = await transferred(ledger, ship("t", "main", "shop", ("A", 4), ("B", 5), reason="window"))
    assert (sent.transfer.state, [line.in_transit for line in sent.transfer.lines]) == ("in_transit", [4, 5])
    assert [(each.sku, each.available) for each in sent.availability] == [("A", 6), ("B", 0)]
    assert [each.location for each in (await ledger.stock("A")).levels] == ["main"]
    assert await on_the_way(client, ledger) == 9
    [moving] = await in_transit(client, ledger.keyspace, RETENTION.packed(), "A")
    assert (moving.transfer_id, moving.source, moving.destination, moving.quantity) == ("t", "main", "shop", 4)
    await assert_clean(ledger, client)


async def test_given_many_transfers_when_asked_what_of_a_sku_is_on_its_way_then_the_others_stay_in_the_store(
    ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stocked(ledger, A=10, AB=2_000)
    for first in range(0, 1_200, 100):
        await asyncio.gather(*(
            transferred(ledger, ship(f"t{n}", "main", "shop", ("AB", 1))) for n in range(first, first + 100)
        ))  # fmt: skip
    await transferred(ledger, ship("mine", "main", "shop", ("AB", 1), ("A", 3)))
    await AliasStore(client, ledger.keyspace, RETENTION.packed()).rename_sku("A", "NEW", "k", ())
    await transferred(ledger, ship("new", "main", "izmir", ("NEW", 2)))
    unpacked, decode = list[bytes](), transfers._decode

    def counted(packed: bytes) -> Transfer:
        unpacked.append(packed)
        return decode(packed)

    monkeypatch.setattr(transfers, "_decode", counted)

    found = await in_transit(client, ledger.keyspace, RETENTION.packed(), "NEW")

    assert [(each.transfer_id, each.quantity) for each in found] == [("mine", 3), ("new", 2)]
    assert len(unpacked) >= 1_202, "A is a part of AB, so those are looked at, too"
    unpacked.clear()
    await moved(ledger, receive("OTHER", 4))
    await transferred(ledger, ship("other", "main", "shop", ("OTHER", 4)))
    assert [each.quantity for each in await in_transit(client, ledger.keyspace, RETENTION.packed(), "OTHER")] == [4]
    assert len(unpacked) == 1


async def test_given_a_transfer_when_all_arrives_then_it_is_closed(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    received = await transferred(ledger, arrive("t", everything=True))
    assert (received.transfer.state, received.transfer.lines[0].received) == ("closed", 4)
    assert received.transfer.closed_ms > 0
    assert await available(ledger, "A", "shop") == 4
    assert await on_the_way(client, ledger) == 0
    assert (await open_transfers(client, ledger.keyspace, "", 10)).transfers == []
    assert await read_transfer(client, ledger.keyspace, "t") == received.transfer
    await assert_clean(ledger, client)


async def test_given_a_transfer_when_it_arrives_in_parts_and_short_then_the_difference_is_recorded(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 6)))
    first = await transferred(ledger, arrive("t", (1, 2), (1, 1, "damaged")))
    assert (first.transfer.state, first.transfer.lines[0].in_transit) == ("in_transit", 3)
    last = await transferred(ledger, arrive("t", (1, 1), close=True, reason="lost by the carrier"))
    [line] = last.transfer.lines
    assert (last.transfer.state, line.received, line.lost) == ("closed", 4, 2)
    assert last.transfer.lost_reason == "lost by the carrier"
    found = await level(ledger, "A", "shop")
    assert (found.on_hand, found.damaged, found.available) == (4, 1, 3)
    [(_, [*_, change])] = (await read_journal(client, ledger.keyspace.journal))[-1:]
    assert (change.operation, dict(change.notes)) == (
        "transfer_receive",
        {"transfer": "t", "in_transit": "-3", "lost": "2", "reason": "lost by the carrier"},
    )
    await assert_clean(ledger, client)


async def test_given_a_transfer_when_nothing_of_it_arrives_then_it_can_be_written_off(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 6)))
    lost = await transferred(ledger, arrive("t", close=True, reason="fire"))
    assert (lost.transfer.state, lost.transfer.lines[0].lost) == ("closed", 6)
    assert await on_the_way(client, ledger) == 0
    await assert_clean(ledger, client)


async def test_given_reserved_units_when_shipped_away_then_it_is_refused_whole(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10, B=5)
    await changed(ledger, reserve("r", ("A", 7)))
    before = await client.xlen(ledger.keyspace.journal)
    answer = await refused(ledger, ship("t", "main", "shop", ("B", 5), ("A", 2), ("A", 2), key="k"))
    assert answer == Refused("exceeds_available", "", [LineRefusal(3, "A", "main", 2, 1)])
    assert await client.xlen(ledger.keyspace.journal) == before
    assert await available(ledger, "B") == 5
    assert await client.exists(ledger.keyspace.transfers) == 0
    await changed(ledger, release("r"))
    await transferred(ledger, ship("t", "main", "shop", ("B", 5), ("A", 2), ("A", 2), key="k"))


async def test_given_an_overdue_hold_when_its_units_are_shipped_then_it_is_ended_first(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=10)
    held = await changed(ledger, reserve("r", ("A", 7), ttl_ms=SHORT_MS))
    await wait_past(client, held.reservation.deadline_ms)
    await transferred(ledger, ship("t", "main", "shop", ("A", 10)))
    await assert_clean(ledger, client)


async def test_given_an_unknown_sku_when_shipped_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    answer = await refused(ledger, ship("t", "main", "shop", ("A", 1), ("X", 2)))
    assert answer == Refused("unknown_sku", "", [LineRefusal(2, "X", "main", 2, 0)])


@pytest.mark.parametrize("parts", [((1, 5),), ((1, 3), (1, 2)), ((1, 1), (2, 1))], ids=["more", "summed", "no line"])
async def test_given_more_than_is_on_its_way_when_received_then_it_is_refused_whole(
    ledger: Ledger, client: Redis, parts: tuple[tuple[int, int], ...]
) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    assert (await refused(ledger, arrive("t", *parts))).outcome == "exceeds_remaining"
    assert await on_the_way(client, ledger) == 4
    assert [each.location for each in (await ledger.stock("A")).levels] == ["main"]


async def test_given_a_closed_or_unknown_transfer_when_received_then_it_is_refused(ledger: Ledger) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    await transferred(ledger, arrive("t", everything=True))
    assert await refused(ledger, arrive("t", (1, 1))) == Refused("transfer_closed", "closed", [])
    assert await refused(ledger, arrive("nobody", (1, 1))) == Refused("unknown_transfer", "", [])


async def test_given_an_id_or_a_key_when_asked_again_then_there_is_one_effect(ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, A=10)
    first = await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    again = await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    assert (again.replayed, again.transfer) == (True, first.transfer)
    assert (await refused(ledger, ship("t", "main", "shop", ("A", 5)))).outcome == "id_reused"
    one = await transferred(ledger, arrive("t", (1, 1), key="k"))
    two = await transferred(ledger, arrive("t", (1, 1), key="k"))
    assert (two.replayed, two.transfer) == (True, one.transfer)
    assert (await refused(ledger, arrive("t", (1, 2), key="k"))).outcome == "id_reused"
    assert await on_the_way(client, ledger) == 3


async def test_given_many_who_ship_and_receive_at_once_when_they_race_then_every_unit_is_somewhere(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=50)
    await moved(ledger, receive("A", 50, "shop"))
    sent = await asyncio.gather(
        *(ask(ledger, ship(f"t{n}", *(("main", "shop") if n % 2 else ("shop", "main")), ("A", 3))) for n in range(60))
    )
    shipped = [f"t{n}" for n, answer in enumerate(sent) if not isinstance(answer, Refused)]
    assert len(shipped) == 32
    await asyncio.gather(*(ask(ledger, arrive(each, (1, 2), key=f"k{each}")) for each in shipped for _ in range(3)))
    everywhere = sum(each.on_hand for each in (await ledger.stock("A")).levels)
    assert everywhere + await on_the_way(client, ledger) == 100
    assert await on_the_way(client, ledger) == 32
    await assert_clean(ledger, client)


async def test_given_a_closed_transfer_when_its_time_is_over_then_it_is_forgotten(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes], make_ledger: Callable[..., Ledger]
) -> None:
    await stocked(ledger, A=10)
    short = make_ledger(fulfilled_s=0)
    await transferred(ledger, ship("open", "main", "shop", ("A", 1)))
    await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    await transferred(short, arrive("t", everything=True))
    await run_on_keys(client, library().function("purge_ended"), ledger.keyspace.forgetting, limits_with(), 100)
    assert await read_transfer(client, ledger.keyspace, "t") is None
    assert await read_transfer(client, ledger.keyspace, "open") is not None
    await assert_clean(ledger, client)


@pytest.mark.parametrize("where", ["document", "sum"])
async def test_given_units_on_their_way_when_a_record_of_them_is_wrong_then_the_audit_tells(
    ledger: Ledger, client: Redis, where: str
) -> None:
    await stocked(ledger, A=10)
    await transferred(ledger, ship("t", "main", "shop", ("A", 4)))
    keys = ledger.keyspace
    if where == "sum":
        await client.hincrby(keys.meta, "in_transit", 2)
    else:
        packed = await client.hget(keys.transfers, "t")
        assert isinstance(packed, bytes)
        record = msgspec.msgpack.decode(packed)
        record[7][0][2] = 3
        await client.hset(keys.transfers, "t", msgspec.msgpack.encode(record))
    report = await audit(client, keys)
    assert {drift.what for drift in report.drift} == {"in_transit"}
    assert report.drift[0].units == (2 if where == "sum" else 3)


async def test_given_a_transfer_that_never_left_when_cancelled_then_its_units_are_at_the_source_again(
    client: Redis, ledger: Ledger
) -> None:
    await ops.stocked(ledger, A=5, B=5)
    await ops.transferred(ledger, ops.ship("t", "main", "store", ("A", 3), ("B", 1)))

    cancelled = await ops.transferred(ledger, ops.cancel_transfer("t", reason="van"))
    again = await ops.transferred(ledger, ops.cancel_transfer("t"))
    shipped = await ops.transferred(ledger, ops.ship("t", "main", "store", ("A", 3), ("B", 1)))

    assert (cancelled.transfer.state, cancelled.transfer.cancel_reason) == ("cancelled", "van")
    assert [(each.cancelled, each.in_transit) for each in cancelled.transfer.lines] == [(3, 0), (1, 0)]
    assert (again.replayed, again.transfer) == (True, cancelled.transfer)
    assert (shipped.replayed, shipped.transfer) == (True, cancelled.transfer)
    assert [await ops.available(ledger, sku) for sku in "AB"] == [5, 5]
    assert int(await client.hget(ledger.keyspace.meta, "in_transit") or 0) == 0
    assert await client.hlen(ledger.keyspace.transfers) == 0
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_transfer_of_which_units_arrived_when_cancelled_then_it_is_refused(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5)
    await ops.transferred(ledger, ops.ship("t", "main", "store", ("A", 3)))
    await ops.transferred(ledger, ops.arrive("t", (1, 1)))

    arrived = await ops.refused(ledger, ops.cancel_transfer("t"))
    await ops.transferred(ledger, ops.arrive("t", everything=True))
    closed = await ops.refused(ledger, ops.cancel_transfer("t"))
    nobody = await ops.refused(ledger, ops.cancel_transfer("nobody"))

    assert arrived == Refused("transfer_arrived", "in_transit", [LineRefusal(1, "A", "store", 3, 1)])
    assert (closed.outcome, nobody.outcome) == ("transfer_closed", "unknown_transfer")


async def test_given_a_cancelled_transfer_when_units_of_it_are_received_then_it_is_refused(ledger: Ledger) -> None:
    await ops.stocked(ledger, A=5)
    await ops.transferred(ledger, ops.ship("t", "main", "store", ("A", 3)))
    first = await ops.transferred(ledger, ops.cancel_transfer("t", key="k"))

    refused = await ops.refused(ledger, ops.arrive("t", everything=True))
    replayed = await ops.transferred(ledger, ops.cancel_transfer("t", key="k"))

    assert refused == Refused("transfer_closed", "cancelled", [])
    assert (replayed.replayed, replayed.transfer) == (True, first.transfer)


async def test_given_units_that_are_waited_for_when_a_transfer_is_cancelled_then_they_go_to_who_waits(
    ledger: Ledger,
) -> None:
    await ops.stocked(ledger, A=3)
    await ops.moved(ledger, ops.backorder("A", 5))
    await ops.transferred(ledger, ops.ship("t", "main", "store", ("A", 3)))
    await ops.changed(ledger, ops.order("o", ("A", 2), backorder=True))

    await ops.transferred(ledger, ops.cancel_transfer("t"))

    waited = (await ledger.reservation("o")).reservation
    assert waited is not None
    assert (waited.lines[0].committed, await ops.available(ledger, "A")) == (2, 1)
