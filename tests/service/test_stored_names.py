"""A name that was stored before the door would have changed or refused it stays reachable."""

from collections.abc import AsyncIterator

import pytest

from server.channels.inbound.desk import ServiceDesk
from server.domain.reservation import Changed
from server.domain.spelling import StoredNames
from server.schemas.reservations import CancelBody, CommitBody, FulfilBody, ListQuery, OrderBody, PartBody
from server.schemas.stock import CountBody
from server.service.caller import Caller
from server.service.checks import STORED_NAMES, InvalidError, check_sku, enter, heed
from server.service.movements import count_of
from server.service.old_names import heed_stored_names, heeded
from server.service.reservations import (
    cancel_operation,
    commit_operation,
    find,
    fulfil_operation,
    make,
    order_operation,
)
from server.service.stock import details
from server.store.repositories.old_names import read_old_names
from tests.support import channel_orders
from tests.support import operations as ops
from tests.support.lines import line_body

INVISIBLE = "T\u200b"
ROUNDED = "8,68001E+12"


@pytest.fixture
async def old(caller: Caller) -> AsyncIterator[Caller]:
    """Return a caller of a partition with names of an older release, which the door heeds."""
    for sku, location in (("S ", "main"), (INVISIBLE, " depo"), (ROUNDED, "main"), ("D ", "main"), ("D", "main")):
        await ops.moved(caller.ledger, ops.meant(ops.receive(sku, 5, location)))
    await heed_stored_names(caller.partition.client, caller.principal.partition)
    yield caller
    heed(caller.principal.partition, StoredNames())


async def ordered(caller: Caller, sku: str) -> tuple[str, str, int]:
    enter(caller.principal.partition)
    body = OrderBody(channel="web", lines=[line_body(sku, 1)])
    answer = await make(caller, body, order_operation(caller, body))
    assert isinstance(answer, Changed), answer
    [line] = answer.reservation.lines
    return line.sku, line.location, line.committed


@pytest.mark.parametrize(
    ("asked", "stored", "location"),
    [
        ("S", "S ", "main"),
        ("S ", "S ", "main"),
        (" S", "S ", "main"),
        ("T", INVISIBLE, " depo"),
        (INVISIBLE, INVISIBLE, " depo"),
        (ROUNDED, ROUNDED, "main"),
        ("D", "D", "main"),
        ("D ", "D", "main"),
    ],
)
async def test_given_an_old_name_when_ordered_by_it_or_by_what_is_meant_then_its_units_are_taken(
    old: Caller, asked: str, stored: str, location: str
) -> None:
    assert await ordered(old, asked) == (stored, location, 1)


@pytest.mark.parametrize(("told", "stored"), [("S", "S "), ("T", INVISIBLE), (ROUNDED, ROUNDED)])
async def test_given_an_old_name_when_a_channel_has_sold_it_then_its_units_are_taken(
    old: Caller, told: str, stored: str
) -> None:
    desk = ServiceDesk(old.principal.partition, old.partition)
    enter("of another merchant")
    order = channel_orders.told("1001", 10, channel_orders.line("l1", 2, sku=told))

    booked = await desk.book("market", order, fetched=True, whole=False, rules=channel_orders.RULES)

    assert (booked.state, booked.unmapped) == ("booked", ())
    made = (await old.ledger.reservation("market.1001")).reservation
    assert made is not None
    assert [(each.sku, each.committed) for each in made.lines] == [(stored, 2)]


async def test_given_an_old_name_when_counted_by_what_is_meant_then_no_second_one_is_made(old: Caller) -> None:
    enter(old.principal.partition)
    await ops.moved(old.ledger, count_of(old, "T", "depo", CountBody(9)))

    found = await details(old, "T")

    assert found is not None
    assert [(each.sku, each.location, each.on_hand) for each in found.stock.levels] == [(INVISIBLE, " depo", 9)]


async def test_given_old_names_when_a_new_one_of_their_kind_is_sent_then_it_is_refused(old: Caller) -> None:
    enter(old.principal.partition)
    assert check_sku("sku", " X ") == "X"
    for name in ("X\u200b", "7,68001E+12", "8680012345678.0"):
        with pytest.raises(InvalidError):
            check_sku("sku", name)


async def test_given_old_names_of_one_partition_when_another_asks_then_they_are_none_of_its(old: Caller) -> None:
    assert STORED_NAMES

    enter("another")

    assert check_sku("sku", "S ") == "S"
    with pytest.raises(InvalidError):
        check_sku("sku", INVISIBLE)
    enter(old.principal.partition)
    assert check_sku("sku", INVISIBLE) == INVISIBLE


async def test_given_names_that_were_not_looked_at_when_asked_then_each_stays_as_it_is_sent(caller: Caller) -> None:
    await ops.moved(caller.ledger, ops.receive("S ", 5))
    reader = await heeded(caller.partition.client, lambda: [caller.principal.partition], looks=False)
    enter(caller.principal.partition)
    try:
        assert check_sku("sku", "S ") == "S "
        assert check_sku("sku", INVISIBLE) == INVISIBLE

        finder = await heeded(caller.partition.client, lambda: [caller.principal.partition], looks=True)
        enter(caller.principal.partition)

        assert (await read_old_names(caller.partition.client, caller.partition.keyspace))[1]
        assert check_sku("sku", "S") == "S "
        with pytest.raises(InvalidError):
            check_sku("sku", INVISIBLE)
    finally:
        reader.close()
        finder.close()
        heed(caller.principal.partition, StoredNames())


async def test_given_a_partition_without_anything_when_begun_then_names_are_made_whole_at_once(caller: Caller) -> None:
    reader = await heeded(caller.partition.client, lambda: [caller.principal.partition], looks=False)

    assert caller.principal.partition not in STORED_NAMES
    reader.close()


@pytest.mark.parametrize("channel", [" web ", "web\u00a0", "S\u0327ube", "w\u200beb", "=shop"])
async def test_given_a_channel_of_an_older_release_when_its_orders_go_on_then_each_step_finds_them(
    caller: Caller, channel: str
) -> None:
    ledger = caller.ledger
    await ops.moved(ledger, ops.receive("A", 9))
    await ops.moved(ledger, ops.allocate("A", channel, 6))
    await ops.changed(ledger, ops.reserve("basket", ("A", 4), channel=channel))

    found = await find(caller, ListQuery())
    await ops.changed(ledger, ops.extend("basket", ops.HOUR_MS))
    await ops.changed(ledger, commit_operation(caller, "basket", CommitBody()))
    await ops.changed(ledger, ops.edit("basket", (1, 3)))
    await ops.changed(ledger, cancel_operation(caller, "basket", CancelBody(lines=[PartBody(quantity=1, line=1)])))
    shipped = await ops.changed(ledger, fulfil_operation(caller, "basket", FulfilBody()))

    assert [(name, record.channel) for name, record in found.reservations] == [("basket", channel)]
    assert (shipped.reservation.state, shipped.reservation.channel) == ("fulfilled", channel)
    [level] = (await ledger.stock("A")).levels
    assert (level.on_hand, level.held, level.committed) == (7, 0, 0)
    assert [(each.channel, each.used) for each in level.allocated] == [(channel, 0)]


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        (" web ", " web "),
        (" web ", "web"),
        ("web\u00a0", "web"),
        ("S\u0327ube", "S\u0327ube"),
        ("S\u0327ube", "\u015eube"),
        ("w\u200beb", "web"),
        ('="007"', "007"),
        ("123.0", "123"),
        ("=shop", "=shop"),
    ],
)
async def test_given_a_channel_of_an_older_release_when_its_reservations_are_asked_for_then_no_others_are_found(
    caller: Caller, stored: str, asked: str
) -> None:
    await ops.moved(caller.ledger, ops.receive("A", 99))
    await ops.changed(caller.ledger, ops.reserve("held", ("A", 1), channel=stored))
    await ops.changed(caller.ledger, ops.reserve("gone", ("A", 1), channel=stored))
    await ops.changed(caller.ledger, ops.release("gone"))
    for number, other in enumerate(("web2", "we b", " web x", "mağaza", "Şubeler", "7", "shop")):
        await ops.changed(caller.ledger, ops.reserve(f"other-{number}", ("A", 1), channel=other))

    page = await find(caller, ListQuery(channel=asked))

    assert [(name, record.channel) for name, record in page.reservations] == [("held", stored), ("gone", stored)]
    assert [name for name, _ in (await find(caller, ListQuery(channel=asked, state="held"))).reservations] == ["held"]
