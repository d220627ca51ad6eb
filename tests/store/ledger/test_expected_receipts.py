"""Expected receipts: what is still to come is less by each unit that came, and an old list adds nothing twice."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.store.audit.audit import audit
from server.store.connection.commands import run_on_keys
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories.expected_receipts import read_outlook, read_parcel, read_supply
from tests.support import operations as ops
from tests.support.operations import (
    available,
    expect,
    expected,
    forgo,
    level,
    moved,
    receive_expected,
    refused,
    stocked,
)
from tests.support.replay import read_journal

Outlook = Callable[..., Awaitable[dict[str, int]]]


@pytest.fixture
def outlook(ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]) -> Outlook:
    """Read what is to come of A as {supply id: units}, in its order."""

    async def read(location: str = "") -> dict[str, int]:
        found = await read_outlook(client, ledger.keyspace, limits_with(), "A", location)
        return {supply_id: supply.expected for supply_id, supply in found.supply}

    return read


async def assert_clean(ledger: Ledger, client: Redis) -> None:
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive, report.journal_complete) == ([], True, True)


async def test_given_an_order_at_a_supplier_when_set_then_it_is_expected_and_nothing_is_available(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes]
) -> None:
    await stocked(ledger, A=3)
    await expected(ledger, expect("late", "A", 5, "2030-02-01"))
    await expected(ledger, expect("early", "A", 7, "2030-01-15", "depo"))
    await expected(ledger, expect("other", "B", 9))
    found = await read_outlook(client, ledger.keyspace, limits_with(), "A")
    assert [(each, supply.expected) for each, supply in found.supply] == [("early", 7), ("late", 5)]
    assert [(each.location, each.available) for each in found.levels] == [("main", 3)]
    at_depot = await read_outlook(client, ledger.keyspace, limits_with(), "A", "depo")
    assert ([each for each, _ in at_depot.supply], at_depot.levels) == (["early"], [])
    assert await available(ledger, "A") == 3
    await assert_clean(ledger, client)


async def test_given_an_expected_receipt_when_parts_arrive_then_the_rest_is_expected(
    ledger: Ledger, client: Redis, outlook: Outlook
) -> None:
    await expected(ledger, expect("po", "A", 10, location="depo"))
    await moved(ledger, receive_expected("po", "A", 4, reason="first parcel"))
    assert await outlook() == {"po": 6}
    assert await available(ledger, "A", "depo") == 4
    await moved(ledger, receive_expected("po", "A", 1, "shop"))
    assert await outlook() == {"po": 5}
    assert await available(ledger, "A", "shop") == 1
    [(_, [first]), (_, [change]), _] = await read_journal(client, ledger.keyspace.journal)
    assert first.operation == "expect"
    assert (change.operation, dict(change.notes)) == (
        "receive",
        {"supply": "po", "reason": "first parcel", "new_sku": "A"},
    )
    await assert_clean(ledger, client)


@pytest.mark.parametrize("last", [6, 8], ids=["all", "more"])
async def test_given_an_expected_receipt_when_it_came_whole_then_nothing_is_expected_and_it_can_be_read(
    ledger: Ledger, client: Redis, outlook: Outlook, last: int
) -> None:
    await expected(ledger, expect("po", "A", 10))
    await moved(ledger, receive_expected("po", "A", 4))
    await moved(ledger, receive_expected("po", "A", last))
    assert await outlook() == {}
    assert await available(ledger, "A") == 4 + last
    found = await read_supply(client, ledger.keyspace, "po")
    assert found is not None
    assert (found.received, found.expected) == (4 + last, 0)
    await assert_clean(ledger, client)


async def test_given_a_receipt_in_part_when_the_same_list_is_set_again_then_no_unit_is_expected_twice(
    ledger: Ledger, outlook: Outlook
) -> None:
    await expected(ledger, expect("po", "A", 10))
    await moved(ledger, receive_expected("po", "A", 4))
    await expected(ledger, expect("po", "A", 10))
    assert await outlook() == {"po": 6}
    await moved(ledger, receive_expected("po", "A", 6))
    await expected(ledger, expect("po", "A", 10))
    assert await outlook() == {}


async def test_given_an_expected_receipt_when_set_otherwise_then_the_new_holds(
    ledger: Ledger, client: Redis, outlook: Outlook
) -> None:
    await expected(ledger, expect("po", "A", 10))
    await moved(ledger, receive_expected("po", "A", 4))
    await expected(ledger, expect("po", "A", 4))
    assert await outlook() == {}
    answer = await expected(ledger, expect("po", "A", 12, "2031-05-06", "depo"))
    assert (answer.supply.expected, str(answer.supply.expected_on), answer.supply.location) == (8, "2031-05-06", "depo")
    assert await outlook() == {"po": 8}
    assert await client.zscore(ledger.keyspace.all[6], "spo") is None
    await assert_clean(ledger, client)


async def test_given_an_expected_receipt_when_it_is_forgone_then_only_what_came_stays(
    ledger: Ledger, client: Redis, outlook: Outlook
) -> None:
    await expected(ledger, expect("po", "A", 10))
    await moved(ledger, receive_expected("po", "A", 4))
    gone = await expected(ledger, forgo("po"))
    assert (gone.supply.quantity, gone.supply.received) == (10, 4)
    assert await outlook() == {}
    assert await read_supply(client, ledger.keyspace, "po") is None
    assert await client.exists(ledger.keyspace.supply_skus) == 0
    assert await available(ledger, "A") == 4
    assert await refused(ledger, forgo("po")) == Refused("unknown_supply", "", [])
    await expected(ledger, expect("po", "B", 1))  # the name is free again, for another SKU, too
    await assert_clean(ledger, client)


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        (receive_expected("nobody", "A", 1), "unknown_supply"),
        (receive_expected("po", "B", 1), "unknown_supply"),
        (expect("po", "B", 5), "id_reused"),
    ],
    ids=["unknown", "of another SKU", "to another SKU"],
)
async def test_given_a_mistake_when_set_then_nothing_changes(
    ledger: Ledger, client: Redis, outlook: Outlook, operation: object, outcome: str
) -> None:
    await stocked(ledger, B=1)
    await expected(ledger, expect("po", "A", 10))
    before = await client.xlen(ledger.keyspace.journal)
    assert (await refused(ledger, operation)).outcome == outcome  # type: ignore[arg-type]
    assert await outlook() == {"po": 10}
    assert await client.xlen(ledger.keyspace.journal) == before
    assert (await level(ledger, "B")).on_hand == 1


async def test_given_a_key_when_a_receipt_is_set_again_then_it_counts_once(ledger: Ledger, outlook: Outlook) -> None:
    await expected(ledger, expect("po", "A", 10))
    first = await moved(ledger, receive_expected("po", "A", 4, key="k"))
    again = await moved(ledger, receive_expected("po", "A", 4, key="k"))
    assert (again.replayed, again.level) == (True, first.level)
    assert (await refused(ledger, receive_expected("po", "A", 5, key="k"))).outcome == "id_reused"
    assert await outlook() == {"po": 6}


async def test_given_many_doors_when_they_receive_at_once_then_every_unit_counts_once(
    ledger: Ledger, client: Redis, outlook: Outlook
) -> None:
    await asyncio.gather(*(expected(ledger, expect(f"po{n}", "A", 10)) for n in range(20)))
    await asyncio.gather(*(moved(ledger, receive_expected(f"po{n % 20}", "A", 1)) for n in range(120)))
    assert await outlook() == {f"po{n}": 4 for n in sorted(range(20), key=str)}
    assert await available(ledger, "A") == 120
    await assert_clean(ledger, client)


async def test_given_a_receipt_that_came_whole_when_its_time_is_over_then_it_is_forgotten(
    ledger: Ledger, client: Redis, limits_with: Callable[..., bytes], make_ledger: Callable[..., Ledger]
) -> None:
    short = make_ledger(fulfilled_s=0)
    for name in ("open", "whole"):
        await expected(ledger, expect(name, "A", 2))
    await moved(short, receive_expected("whole", "A", 2))
    await moved(short, receive_expected("open", "A", 1))
    await run_on_keys(client, library().function("purge_ended"), ledger.keyspace.forgetting, limits_with(), 100)
    assert await read_supply(client, ledger.keyspace, "whole") is None
    assert await read_supply(client, ledger.keyspace, "open") is not None
    await assert_clean(ledger, client)


@pytest.mark.parametrize("where", ["record", "index"])
async def test_given_what_is_expected_when_a_record_of_it_is_wrong_then_the_audit_tells(
    ledger: Ledger, client: Redis, where: str
) -> None:
    await expected(ledger, expect("po", "A", 10))
    keys = ledger.keyspace
    if where == "index":
        await client.hdel(keys.supply_skus, "A")
    else:
        await client.hset(keys.supply, "po", msgspec.msgpack.encode(["A", "main", 10, 10, "2030-01-01", ""]))
    report = await audit(client, keys)
    assert [(drift.sku, drift.what) for drift in report.drift] == [("A", "supply")]


async def test_given_a_receipt_that_was_removed_after_units_came_when_set_again_then_it_remembers_them(
    client: Redis, ledger: Ledger
) -> None:
    await ops.expected(ledger, ops.expect("s", "A", 10))
    await ops.moved(ledger, ops.receive_expected("s", "A", 4))

    removed = await ops.expected(ledger, ops.forgo("s"))
    gone = await read_supply(client, ledger.keyspace, "s")
    refusals = [await ops.refused(ledger, each) for each in (ops.forgo("s"), ops.receive_expected("s", "A", 1))]
    again = await ops.expected(ledger, ops.expect("s", "A", 10))

    assert (removed.supply.quantity, removed.supply.received) == (10, 4)
    assert gone is None
    assert [each.outcome for each in refusals] == ["unknown_supply"] * 2
    assert (again.supply.received, again.supply.expected) == (4, 6)
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_removed_receipt_when_its_id_is_used_for_another_sku_then_nothing_has_come_of_that(
    client: Redis, ledger: Ledger
) -> None:
    await ops.expected(ledger, ops.expect("s", "A", 10))
    await ops.moved(ledger, ops.receive_expected("s", "A", 4))
    await ops.expected(ledger, ops.forgo("s"))

    other = await ops.expected(ledger, ops.expect("s", "B", 5))

    assert (other.supply.sku, other.supply.received) == ("B", 0)
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_a_receipt_of_which_nothing_came_when_removed_then_nothing_is_kept(
    client: Redis, ledger: Ledger
) -> None:
    await ops.expected(ledger, ops.expect("s", "A", 10))
    await ops.expected(ledger, ops.forgo("s"))

    assert await client.hlen(ledger.keyspace.supply) == 0


async def test_given_receipts_in_a_parcel_when_it_is_read_then_it_holds_what_is_still_to_come(
    ledger: Ledger, client: Redis
) -> None:
    keys = ledger.keyspace
    await expected(ledger, expect("po-1", "B", 10, sscc="1"))
    await expected(ledger, expect("po-2", "A", 10, sscc="1"))
    await expected(ledger, expect("po-3", "A", 10, sscc="2"))
    assert [each for each, _ in await read_parcel(client, keys, "1")] == ["po-2", "po-1"]
    await expected(ledger, expect("po-3", "A", 10, sscc="1"))
    await moved(ledger, receive_expected("po-2", "A", 10))
    await expected(ledger, forgo("po-1"))
    assert [each for each, _ in await read_parcel(client, keys, "1")] == ["po-3"]
    assert await read_parcel(client, keys, "2") == []
    await assert_clean(ledger, client)


async def test_given_a_parcel_when_its_list_lacks_a_receipt_then_the_audit_tells_and_more_of_it_is_no_fault(
    ledger: Ledger, client: Redis
) -> None:
    await expected(ledger, expect("po", "A", 10, sscc="1"))
    keys = ledger.keyspace
    # As 0.1.0 leaves it, which receives without knowing the list.
    await client.hset(keys.supply_skus, "\x001", msgspec.msgpack.encode(["po", "received"]))
    await assert_clean(ledger, client)
    await client.hdel(keys.supply_skus, "\x001")
    report = await audit(client, keys)
    assert [(drift.sku, drift.what, drift.expected) for drift in report.drift] == [("1", "supply", "po")]


async def test_given_a_full_parcel_when_one_more_is_expected_in_it_then_it_is_refused(
    ledger: Ledger, client: Redis
) -> None:
    ids = [f"po-{number}" for number in range(1_000)]
    await client.hset(ledger.keyspace.supply_skus, "\x001", msgspec.msgpack.encode(ids))
    assert (await refused(ledger, expect("more", "A", 1, sscc="1"))).outcome == "too_many_receipts"
    await expected(ledger, expect("more", "A", 1, sscc="2"))
    assert (await refused(ledger, expect("more", "A", 1, sscc="1"))).outcome == "too_many_receipts"


async def test_given_a_receipt_that_0_1_0_has_stored_when_it_changes_then_it_gets_its_parcel(
    ledger: Ledger, client: Redis
) -> None:
    keys = ledger.keyspace
    await expected(ledger, expect("po", "A", 10))
    await client.hset(keys.supply, "po", msgspec.msgpack.encode(["A", "main", 10, 4, "2030-01-01", "ref"]))
    await expected(ledger, expect("po", "A", 10, sscc="1"))
    assert [(each, receipt.received) for each, receipt in await read_parcel(client, keys, "1")] == [("po", 4)]
    await assert_clean(ledger, client)
