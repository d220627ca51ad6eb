"""A SKU can be known at so many locations: a new one beyond is refused, and those that are there go on working."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.limits import PLACES_PER_SKU_MAX
from server.domain.operations.stock import BackorderMode, Count, Receive, SetBackorder
from server.domain.stock import StockChanged
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger
from tests.support.many_places import names_of, stock_everywhere

A_NEW_PLACE = "new"


@pytest.mark.parametrize(
    "operation",
    [
        Receive("", "", "", "A", A_NEW_PLACE, 1),
        Count("", "", "", "A", A_NEW_PLACE, 5, -1, -1),
        SetBackorder("", "", "", "A", A_NEW_PLACE, BackorderMode.BACKORDER, 5, ""),
    ],
)
@pytest.mark.parametrize("places", [PLACES_PER_SKU_MAX, PLACES_PER_SKU_MAX + 5])
async def test_given_a_sku_at_all_places_that_it_can_have_when_it_is_to_be_at_one_more_then_that_is_refused(
    client: Redis, ledger: Ledger, places: int, operation: Receive | Count | SetBackorder
) -> None:
    await stock_everywhere(client, ledger.keyspace, ["A"], names_of(places))

    answer = await ledger.run(operation)

    assert isinstance(answer, Refused)
    assert (answer.outcome, answer.lines[0].sku, answer.lines[0].location) == ("too_many_places", "A", A_NEW_PLACE)
    assert len((await slices.places(ledger, ["A"]))[0]) == places
    known = await ledger.run(msgspec.structs.replace(operation, location="store-00007"))
    other = await ledger.run(msgspec.structs.replace(operation, sku="B"))
    assert isinstance(known, StockChanged)
    assert isinstance(other, StockChanged)


async def test_given_room_for_three_places_when_ten_are_asked_for_at_once_then_three_are_made(
    client: Redis, ledger: Ledger
) -> None:
    await stock_everywhere(client, ledger.keyspace, ["A"], names_of(PLACES_PER_SKU_MAX - 3))
    await ledger.availability(["A"])  # connected, so that they share a call

    answers = await asyncio.gather(*(ledger.run(Receive("", "", "", "A", f"new-{n}", 1)) for n in range(10)))

    assert [isinstance(each, StockChanged) for each in answers] == [True] * 3 + [False] * 7
    assert (await slices.places(ledger, ["A"]))[0][-3:] == ["new-0", "new-1", "new-2"]
