"""A location that a channel fills: nobody else changes what lies there, by whatever operation, and nothing is lost."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal
from server.domain.operations.stock import Bucket
from server.store.ledger.ledger import Ledger
from server.store.repositories.mirrors import read_mirrored, set_mirrored
from tests.conftest import RETENTION, close_locations
from tests.support import operations as ops

HELD: Final = "market-hall"
CHANNEL: Final = "channel:market"
LIMITS: Final = RETENTION.packed()


@pytest.fixture
async def held(ledger: Ledger, client: Redis) -> Ledger:
    """Return the ledger, with 5 units of A at a location that the channel fills, and 9 at main."""
    await ops.moved(ledger, ops.receive("A", 9))
    await ops.moved(ledger, ops.receive("A", 5, HELD))
    await set_mirrored(client, ledger.keyspace, LIMITS, {HELD: CHANNEL})
    return ledger


def by(actor: str, operation: Any) -> Any:
    return msgspec.structs.replace(operation, actor=actor)


CHANGES: Final[dict[str, Callable[[], Any]]] = {
    "receive": lambda: ops.receive("A", 1, HELD),
    "receive of a new SKU": lambda: ops.receive("NEW", 1, HELD),
    "adjust": lambda: ops.adjust("A", Bucket.ON_HAND, 1, HELD),
    "safety stock": lambda: ops.adjust("A", Bucket.SAFETY, 1, HELD),
    "count": lambda: ops.count("A", 1, HELD),
    "move": lambda: ops.move("A", "available", "damaged", 1, HELD),
    "backorder": lambda: ops.backorder("A", 3, HELD),
    "ship from it": lambda: ops.ship("t1", HELD, "main", ("A", 1)),
    "ship to it": lambda: ops.ship("t1", "main", HELD, ("A", 1)),
    "expect": lambda: ops.expect("s1", "A", 1, location=HELD),
    "allocate": lambda: ops.allocate("A", "web", 1, location=HELD),
}


async def levels(ledger: Ledger) -> dict[str, tuple[int, int]]:
    found = (await ledger.stock("A")).levels
    return {each.location: (each.on_hand, each.available) for each in found}


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_by_others_is_refused_and_changes_nothing(held: Ledger, change: str) -> None:
    before = await levels(held)

    answer = await ops.refused(held, CHANGES[change]())

    assert answer.outcome == "location_mirrored"
    assert await levels(held) == before
    assert (await held.stock("NEW")).levels == []


async def test_its_own_channel_counts_there_and_another_channel_does_not(held: Ledger) -> None:
    counted = ops.count("A", 3, HELD)

    assert (await ops.refused(held, by("channel:other", counted))).outcome == "location_mirrored"
    assert (await ops.refused(held, by("market", counted))).outcome == "location_mirrored"
    assert (await ops.moved(held, by(CHANNEL, counted))).level.on_hand == 3


async def test_a_retry_of_what_took_effect_before_is_still_a_replay(ledger: Ledger, client: Redis) -> None:
    received = ops.receive("A", 5, HELD, key="k1")
    first = await ops.moved(ledger, received)
    await set_mirrored(client, ledger.keyspace, LIMITS, {HELD: CHANNEL})

    again = await ops.moved(ledger, received)

    assert (again.replayed, again.level) == (True, first.level)


async def test_what_comes_back_is_named_a_location_of_our_own(held: Ledger) -> None:
    await ops.changed(held, ops.order("o1", ("A", 2, "main")))
    await ops.changed(held, ops.fulfil("o1"))

    answer = await ops.refused(held, ops.take_back("o1", (1, 1, "restock", HELD)))

    assert (answer.outcome, answer.lines) == ("location_mirrored", [LineRefusal(1, "A", HELD, 1, 0)])
    await ops.changed(held, ops.take_back("o1", (1, 1, "restock", "main")))
    assert (await levels(held))["main"] == (8, 8)


@pytest.mark.parametrize("accept_shortage", [False, True])
async def test_a_closed_one_takes_no_order_not_even_one_that_is_sold(
    held: Ledger, client: Redis, accept_shortage: bool
) -> None:
    await close_locations(client, held, HELD)

    answer = await ops.refused(held, ops.order("o1", ("A", 1, HELD), accept_shortage=accept_shortage))

    assert (answer.outcome, answer.lines) == ("location_closed", [LineRefusal(1, "A", HELD, 1, 0)])
    assert (await levels(held))[HELD] == (5, 5)


async def test_a_closed_one_is_no_place_for_an_order_without_a_location(held: Ledger, client: Redis) -> None:
    await close_locations(client, held, HELD)

    answer = await ops.refused(held, ops.reserve("r1", ("A", 10, "")))
    await ops.changed(held, ops.order("o1", ("A", 10, ""), accept_shortage=True))

    assert answer.outcome == "out_of_stock"
    assert (await levels(held))["main"] == (9, -1)


async def test_a_sold_order_at_a_closed_location_of_our_own_is_booked_as_before(held: Ledger, client: Redis) -> None:
    await ops.moved(held, ops.receive("A", 1, "store"))
    await close_locations(client, held, HELD, "store")

    await ops.changed(held, ops.order("o1", ("A", 2, "store"), accept_shortage=True))

    assert {each.location: each.committed for each in (await held.stock("A")).levels}["store"] == 2


async def test_an_open_one_is_reserved_from_and_shipped_from(held: Ledger) -> None:
    await ops.changed(held, ops.order("o1", ("A", 2, HELD)))
    await ops.changed(held, ops.fulfil("o1"))

    assert (await levels(held))[HELD] == (3, 3)


async def test_units_that_are_on_their_way_there_already_arrive(ledger: Ledger, client: Redis) -> None:
    await ops.moved(ledger, ops.receive("A", 9))
    await ops.transferred(ledger, ops.ship("t1", "main", HELD, ("A", 2)))
    await set_mirrored(client, ledger.keyspace, LIMITS, {HELD: CHANNEL})

    await ops.transferred(ledger, ops.arrive("t1", everything=True))

    assert (await levels(ledger))[HELD] == (2, 2)


async def test_once_it_is_let_go_anybody_writes_there_again(held: Ledger, client: Redis) -> None:
    assert await read_mirrored(client, held.keyspace) == {HELD: CHANNEL}

    await set_mirrored(client, held.keyspace, LIMITS, {})

    assert await read_mirrored(client, held.keyspace) == {}
    assert (await ops.moved(held, ops.count("A", 1, HELD))).level.on_hand == 1


async def test_setting_the_same_again_changes_no_version(held: Ledger, client: Redis) -> None:
    version = await client.hget(held.keyspace.meta, "places")

    await set_mirrored(client, held.keyspace, LIMITS, {HELD: CHANNEL})
    assert await client.hget(held.keyspace.meta, "places") == version

    await set_mirrored(client, held.keyspace, LIMITS, {HELD: "source:other"})
    assert await client.hget(held.keyspace.meta, "places") != version
    assert await read_mirrored(client, held.keyspace) == {HELD: "source:other"}


# -- our own first


async def placed(ledger: Ledger, *lines: tuple[str, int, str], **fields: Any) -> list[tuple[str, int]]:
    """Order, and return from where how many units come."""
    made = await ops.changed(ledger, ops.order(f"o{len(lines)}-{lines}", *lines, **fields))
    return [(line.location, line.committed) for line in made.reservation.lines]


async def spread(ledger: Ledger, client: Redis, **units: int) -> None:
    """Give A so many units at each location, and have one of them filled from outside."""
    for location, quantity in units.items():
        await ops.moved(ledger, ops.receive("A", quantity, location))
    await set_mirrored(client, ledger.keyspace, LIMITS, {"supplier": "source:supplier"})


@pytest.mark.parametrize(
    ("units", "wanted", "taken"),
    [
        ({"izmir": 2, "supplier": 90}, 2, [("izmir", 2)]),
        ({"main": 1, "izmir": 2, "supplier": 90}, 3, [("izmir", 2), ("main", 1)]),
        ({"main": 1, "supplier": 90}, 3, [("supplier", 3)]),
        ({"main": 1, "izmir": 2, "supplier": 3}, 5, [("izmir", 2), ("main", 1), ("supplier", 2)]),
        ({"supplier": 3}, 3, [("supplier", 3)]),
        ({"main": 0, "supplier": 3}, 1, [("supplier", 1)]),
    ],
    ids=["one of ours", "several of ours", "one parcel", "ours and the rest", "theirs alone", "none of ours"],
)
async def test_an_order_takes_ours_first_and_theirs_where_ours_have_too_little(
    ledger: Ledger, client: Redis, units: dict[str, int], wanted: int, taken: list[tuple[str, int]]
) -> None:
    await spread(ledger, client, **units)

    assert await placed(ledger, ("A", wanted, "")) == taken


async def test_no_more_is_taken_than_there_is(ledger: Ledger, client: Redis) -> None:
    await spread(ledger, client, izmir=1, supplier=2)

    assert (await ops.refused(ledger, ops.order("o1", ("A", 4, "")))).outcome == "out_of_stock"
    assert await placed(ledger, ("A", 4, ""), accept_shortage=True)
    assert sum(each.committed for each in (await ledger.stock("A")).levels) == 4


async def test_lines_of_several_skus_come_from_ours_where_ours_have_all_of_them(ledger: Ledger, client: Redis) -> None:
    await spread(ledger, client, izmir=1, supplier=9)
    await ops.moved(ledger, ops.receive("B", 1, "ankara"))

    assert await placed(ledger, ("A", 1, ""), ("B", 1, "")) == [("izmir", 1), ("ankara", 1)]
