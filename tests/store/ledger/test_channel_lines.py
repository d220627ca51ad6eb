"""Pieces by the channel's key: each comes off with all of its units, wherever they are and whatever they are called."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.exchange import ExchangeRefused
from server.domain.operations.reservations import Cancel, Order, Return
from server.domain.reservation import Changed, ChannelLine, ChannelPart, Reservation
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from server.store.repositories.renames import AliasStore
from tests.conftest import RETENTION
from tests.support import operations as ops


@pytest.fixture(autouse=True)
async def stocked(ledger: Ledger) -> None:
    """Have some of A at two places."""
    for place in ("main", "depo"):
        await ops.moved(ledger, ops.receive("A", 5, place))


def written(order: Order, *parts: int, key: str = "K", pieces: int = 2) -> Order:
    """Return an order that a channel wrote as pieces of a key, of one unit of each of these lines."""
    line = ChannelLine(key, pieces, [ChannelPart(number, 1) for number in parts], len(order.lines))
    return msgspec.structs.replace(order, channel_lines=[*order.channel_lines, line])


async def available(ledger: Ledger, sku: str) -> dict[str, int]:
    [found] = (await ledger.availability([sku])).skus
    return {each.location: each.available for each in found}


async def found(ledger: Ledger, reservation_id: str) -> Reservation:
    reservation = (await ledger.reservation(reservation_id)).reservation
    assert reservation is not None
    return reservation


async def test_given_pieces_moved_after_a_rename_when_they_are_named_by_their_key_then_all_are_found(
    client: Redis, ledger: Ledger
) -> None:
    both = ("cancelled", "returned")
    for reservation_id in both:
        await ops.changed(ledger, written(ops.order(reservation_id, ("A", 2)), 1))
    await AliasStore(client, ledger.keyspace, RETENTION.packed()).rename_sku("A", "B", "tester", ())
    for reservation_id in both:
        await ops.changed(ledger, ops.relocate(reservation_id, (1, 1, "depo")))
        assert [each.sku for each in (await found(ledger, reservation_id)).lines] == ["A", "B"]
    await ops.changed(ledger, ops.fulfil("returned"))

    await ops.changed(ledger, ops.cancel("cancelled", ("K", 2)))
    await ops.changed(ledger, ops.take_back("returned", ("K", 2)))

    assert await available(ledger, "B") == {"main": 5, "depo": 5}
    assert (await audit(client, ledger.keyspace)).drift == []


async def mapped_to_one(ledger: Ledger) -> None:
    """Order two pieces of X and Y, which are both mapped to A, and move a unit of each to one further line."""
    unknown = ops.order("o", ("X", 2), ("Y", 2), accept_shortage=True)
    await ops.changed(ledger, written(unknown, 1, 2))
    await ops.changed(ledger, ops.map_lines("o", (1, "A", "main"), (2, "A", "main")))
    await ops.changed(ledger, ops.relocate("o", (1, 1, "depo"), (2, 1, "depo")))
    assert [each.committed for each in (await found(ledger, "o")).lines] == [1, 1, 2]


@pytest.mark.parametrize("operation", ["cancel", "return"])
async def test_given_components_of_one_sku_when_units_are_missing_then_no_piece_is_counted_without_its_units(
    client: Redis, ledger: Ledger, operation: str
) -> None:
    await mapped_to_one(ledger)
    await ops.changed(ledger, ops.cancel("o", (3, 1)))
    if operation == "return":
        await ops.changed(ledger, ops.fulfil("o"))

    def by_key(pieces: int) -> Cancel | Return:
        return ops.cancel("o", ("K", pieces)) if operation == "cancel" else ops.take_back("o", ("K", pieces))

    refused = await ledger.run(by_key(2))
    assert isinstance(refused, Refused)
    assert refused.lines == [LineRefusal(0, "K", "", 2, 1)]
    await ops.changed(ledger, by_key(1))

    after = await found(ledger, "o")
    assert [each.cancelled + each.returned for each in after.channel_lines] == [1]
    assert sum(each.committed + each.fulfilled - each.returned for each in after.lines) == 1
    assert (await audit(client, ledger.keyspace)).drift == []


async def test_given_components_of_one_sku_when_all_units_are_there_then_all_pieces_come_off(ledger: Ledger) -> None:
    await mapped_to_one(ledger)

    await ops.changed(ledger, ops.cancel("o", ("K", 2)))

    assert await available(ledger, "A") == {"main": 5, "depo": 5}


async def test_given_a_key_in_two_lines_when_one_has_fewer_pieces_than_asked_then_the_other_gives_the_rest(
    ledger: Ledger,
) -> None:
    order = written(written(ops.order("o", ("A", 2), ("A", 2)), 1), 2)
    await ops.changed(ledger, order)
    await ops.changed(ledger, ops.cancel("o", (1, 1)))

    await ops.changed(ledger, ops.cancel("o", ("K", 3)))

    assert [each.cancelled for each in (await found(ledger, "o")).channel_lines] == [1, 2]
    assert await available(ledger, "A") == {"main": 5, "depo": 5}


async def test_given_an_exchange_by_key_that_is_refused_when_others_come_back_in_the_same_call_then_no_piece_is_lost(
    client: Redis, ledger: Ledger
) -> None:
    await ops.changed(ledger, written(ops.order("o", ("A", 2)), 1))
    await ops.changed(ledger, ops.fulfil("o"))
    refused = ops.exchange(ops.take_back("o", ("K", 2, "restock", "depo")), ops.order("new", ("A", 99)))

    undone, made = await asyncio.gather(ledger.run(refused), ledger.run(ops.take_back("o", ("K", 1))))

    assert isinstance(undone, ExchangeRefused)
    assert (undone.half, undone.refused.outcome) == ("promise", "out_of_stock")
    assert isinstance(made, Changed)
    assert [each.returned for each in (await found(ledger, "o")).channel_lines] == [1]
    await ops.changed(ledger, ops.take_back("o", ("K", 1)))
    assert await available(ledger, "A") == {"main": 5, "depo": 5}
    assert (await audit(client, ledger.keyspace)).drift == []
