"""An order reads the lists of places of its SKUs only as far as one call has room, however long they are."""

import asyncio

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.reservation import Changed
from server.store.ledger.ledger import Ledger
from tests.support.many_places import names_of, stock_everywhere
from tests.support.operations import order, receive, reserve

PLACES = 10_000
MANY = [f"A{number}" for number in range(100)]


async def know_everywhere(client: Redis, ledger: Ledger, skus: list[str], *, longest: bool = False) -> None:
    """Have the store know SKUs at as many places as they can be at; without stock there."""
    packed = msgspec.msgpack.encode(names_of(PLACES, longest=longest))
    await client.hset(ledger.keyspace.skus, mapping=dict.fromkeys(skus, packed))


def anywhere(skus: list[str]) -> list[tuple[str, int, str]]:
    return [(sku, 1, "") for sku in skus]


@pytest.mark.parametrize("longest", [False, True])
async def test_given_a_hundred_skus_at_ten_thousand_places_when_reserved_then_it_is_refused_and_nothing_is_held(
    client: Redis, ledger: Ledger, *, longest: bool
) -> None:
    await know_everywhere(client, ledger, MANY, longest=longest)

    answer = await ledger.run(reserve("r", *anywhere(MANY)))

    assert isinstance(answer, Refused)
    assert answer.outcome == "sourcing_incomplete"
    assert not await client.exists(ledger.keyspace.reservations)


async def test_given_lists_too_long_for_a_call_when_ordered_then_they_are_read_in_slices_and_what_is_sold_is_booked(
    client: Redis, ledger: Ledger
) -> None:
    sold = MANY[:3]
    await stock_everywhere(client, ledger.keyspace, sold, names_of(PLACES, longest=True), on_hand=1)

    held = await ledger.run(reserve("r", *anywhere(sold)))
    booked = await ledger.run(order("o", *anywhere(sold), accept_shortage=True))

    assert isinstance(held, Changed)
    assert isinstance(booked, Changed)
    assert [line.committed for line in booked.reservation.lines] == [1, 1, 1]


async def test_given_orders_that_have_room_alone_when_they_share_a_call_then_each_is_answered_as_if_alone(
    client: Redis, ledger: Ledger
) -> None:
    await know_everywhere(client, ledger, MANY[:6], longest=True)
    for sku in MANY[:6]:
        await ledger.run(receive(sku, 1, "elsewhere"))
    pairs = [MANY[:2], MANY[2:4], MANY[4:6]]

    alone = [await ledger.run(reserve(f"a{n}", *anywhere(pair))) for n, pair in enumerate(pairs)]
    together = await asyncio.gather(*(ledger.run(reserve(f"t{n}", *anywhere(pair))) for n, pair in enumerate(pairs)))

    assert [type(each) for each in together] == [type(each) for each in alone]
    assert [each.outcome for each in together if isinstance(each, Refused)] == [
        each.outcome for each in alone if isinstance(each, Refused)
    ]
