"""Orders without locations in chains of thousands of stores: more places than one call of the store looks at."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.answers import LineRefusal, Refused
from server.domain.limits import PLACES_PER_ORDER_MAX, PLACES_PER_SKU_MAX, RECORD_LINES_MAX
from server.domain.locations import Location
from server.domain.reservation import Changed
from server.domain.sourcing import wanted_of
from server.domain.stock import PlacesOfSku
from server.store.audit.audit import audit
from server.store.ledger import slices
from server.store.ledger.ledger import Ledger
from server.store.ledger.wide_orders import NAMED_MAX, among_places, named_places
from server.store.repositories.locations import LocationStore
from tests.support.many_places import names_of, stock_everywhere
from tests.support.operations import (
    allocate,
    backorder,
    changed,
    count,
    exchange,
    exchanged,
    fulfil,
    moved,
    order,
    receive,
    refused,
    reserve,
    take_back,
)

CHAIN: Final = 5_000
SEED: Final = random.randrange(1 << 32)


def taken(made: Changed) -> list[tuple[str, int]]:
    return [(line.location, line.held + line.committed) for line in made.reservation.lines]


async def chain(client: Redis, ledger: Ledger, *skus: str, on_hand: int = 0, **more: Any) -> None:
    """Have SKUs known at `main` and at all stores of a chain."""
    await stock_everywhere(client, ledger.keyspace, skus, ["main", *names_of(CHAIN)], on_hand=on_hand, **more)


async def test_given_a_chain_of_5000_stores_without_stock_at_main_when_ordered_then_units_come_from_the_stores(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", "B")
    await moved(ledger, count("A", 4, "store-04000"))
    await moved(ledger, count("A", 9, "store-04321"))
    await moved(ledger, count("B", 2, "store-04000"))

    assert taken(await changed(ledger, order("o", ("A", 2, "")))) == [("store-04321", 2)]
    assert taken(await changed(ledger, reserve("r", ("A", 1, ""), ("B", 1, "")))) == [("store-04000", 1)] * 2
    assert taken(await changed(ledger, order("p", ("A", 9, "")))) == [("store-04321", 7), ("store-04000", 2)]
    refusal = await refused(ledger, order("q", ("A", 2, "")))
    assert (refusal.outcome, refusal.lines) == ("out_of_stock", [LineRefusal(1, "A", "", 2, 1)])
    assert (await audit(client, ledger.keyspace, journal=False)).drift == []


async def test_given_a_chain_of_5000_stores_when_units_are_at_every_one_then_the_lowest_and_the_largest_order_are_made(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A", on_hand=1)

    assert taken(await changed(ledger, order("o", ("A", 2, ""))))[0] == ("main", 1)
    assert len(taken(await changed(ledger, order("p", ("A", 200, ""))))) == 200
    assert (await refused(ledger, order("q", ("A", 201, "")))).outcome == "too_many_splits"
    refusal = await refused(ledger, order("s", ("A", 5_000, "")))
    assert (refusal.outcome, refusal.lines) == ("out_of_stock", [LineRefusal(1, "A", "", 5_000, 4_799)])
    part = await changed(ledger, reserve("r", ("A", 300, ""), partial=True))
    assert sum(line.held for line in part.reservation.lines) == 200


async def test_given_a_request_that_is_repeated_when_its_answer_was_lost_then_it_is_the_first_answer(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A")
    await moved(ledger, count("A", 4, "store-04000"))
    await moved(ledger, count("A", 3, "store-02000"))

    first, again = [await changed(ledger, order("o", ("A", 4, ""))) for _ in range(2)]

    assert (first.replayed, again.replayed) == (False, True)
    assert taken(again) == taken(first) == [("store-04000", 4)]


async def test_given_closed_stores_and_a_channels_own_when_ordered_then_only_what_it_may_have_counts(
    client: Redis, ledger: Ledger, limits_with: Callable[..., bytes]
) -> None:
    await chain(client, ledger, "A", "B")
    for store, units in (("store-00001", 9), ("store-00002", 8), ("store-00003", 7), ("store-00004", 6)):
        await moved(ledger, count("A", units, store))
    await moved(ledger, allocate("A", "other", 7, location="store-00002"))
    locations = LocationStore(client, ledger.keyspace, limits_with())
    await locations.limit_channels({"limited": ["store-00001", "store-00004", *names_of(CHAIN)[10:]]})
    await close(locations, "store-00001")

    assert taken(await changed(ledger, order("o", ("A", 1, "")))) == [("store-00003", 1)]
    assert taken(await changed(ledger, order("p", ("A", 1, ""), channel="other"))) == [("store-00002", 1)]
    assert taken(await changed(ledger, order("q", ("A", 1, ""), channel="limited"))) == [("store-00004", 1)]
    assert (await refused(ledger, order("r", ("B", 1, "")))).outcome == "out_of_stock"
    assert (await refused(ledger, order("s", ("A", 1, ""), ("nobody", 1, "")))).outcome == "unknown_sku"


async def close(locations: LocationStore, name: str) -> None:
    await locations.put([Location(name, open=False)], "tester")


async def test_given_a_shortage_at_one_store_when_ordered_then_it_is_subtracted(client: Redis, ledger: Ledger) -> None:
    await chain(client, ledger, "A")
    await moved(ledger, count("A", 5, "store-04000"))
    await changed(ledger, order("sold", ("A", 3, "store-00007"), accept_shortage=True))

    refusal = await refused(ledger, order("o", ("A", 3, "")))

    assert (refusal.outcome, refusal.lines) == ("out_of_stock", [LineRefusal(1, "A", "", 3, 2)])
    assert taken(await changed(ledger, order("p", ("A", 2, "")))) == [("store-04000", 2)]


async def test_given_a_store_that_permits_it_when_units_are_missing_then_they_wait_there(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A")
    await moved(ledger, count("A", 2, "store-04000"))
    await moved(ledger, backorder("A", 10, location="store-03000"))

    made = await changed(ledger, order("o", ("A", 5, ""), backorder=True))

    assert [(line.location, line.committed, line.owed) for line in made.reservation.lines] == [
        ("store-04000", 2, 0),
        ("store-03000", 0, 3),
    ]


async def test_given_an_exchange_in_a_chain_when_units_come_back_then_the_replacement_may_have_them(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A")
    await moved(ledger, count("A", 2, "store-04000"))
    await changed(ledger, order("old", ("A", 2, "")))
    await changed(ledger, fulfil("old"))

    answer = await exchanged(ledger, exchange(take_back("old", (1, 2), key="k"), order("new", ("A", 2, ""))))

    assert taken(answer.promised) == [("store-04000", 2)]


async def test_given_buyers_who_race_when_each_store_has_one_unit_then_nobody_gets_what_another_has(
    client: Redis, ledger: Ledger
) -> None:
    await chain(client, ledger, "A")
    stores = names_of(CHAIN)[4_000:4_012]
    await asyncio.gather(*(moved(ledger, receive("A", 1, name)) for name in stores))

    answers = await asyncio.gather(*(ledger.run(order(f"o{number}", ("A", 1, ""))) for number in range(16)))

    made = [taken(each)[0] for each in answers if isinstance(each, Changed)]
    assert sorted(made) == [(name, 1) for name in stores]
    assert {each.outcome for each in answers if isinstance(each, Refused)} == {"out_of_stock"}


async def test_given_places_with_many_allocations_when_ordered_then_long_records_are_read_in_slices_as_well(
    client: Redis, ledger: Ledger
) -> None:
    lists = [(f"channel-{number:02d}", "own", 0, 0) for number in range(32)]
    await stock_everywhere(client, ledger.keyspace, ["A"], ["main", *names_of(1_500)], on_hand=0, allocations=lists)
    await moved(ledger, count("A", 3, "store-01499"))

    assert taken(await changed(ledger, order("o", ("A", 3, "")))) == [("store-01499", 3)]


async def test_given_one_or_two_units_at_each_store_when_what_is_sold_is_booked_then_those_with_two_come_first(
    client: Redis, ledger: Ledger
) -> None:
    # The first stores have sold their second unit: a pivot in the middle of such places was the worst one each time.
    names = names_of(CHAIN)
    units = {name: (1 if n % 3 else 2 * (n >= 1_000)) for n, name in enumerate(names)}
    for on_hand in (1, 2, 0):
        await stock_everywhere(
            client, ledger.keyspace, ["A"], [n for n in names if units[n] == on_hand], on_hand=on_hand
        )
    await client.hset(ledger.keyspace.skus, "A", msgspec.msgpack.encode(names))
    made = await changed(ledger, order("o", ("A", 6_000, ""), accept_shortage=True))
    assert [held for _, held in taken(made)[1:]] == [2] * (RECORD_LINES_MAX - 1)


async def test_given_more_places_than_an_order_looks_at_when_ordered_then_it_is_refused_for_good(
    client: Redis, ledger: Ledger
) -> None:
    names = ["main", *names_of(PLACES_PER_SKU_MAX - 1)]
    skus = [f"S{number}" for number in range(PLACES_PER_ORDER_MAX // PLACES_PER_SKU_MAX + 1)]
    await stock_everywhere(client, ledger.keyspace, skus[:1], names, on_hand=0)
    packed = await client.hget(ledger.keyspace.skus, skus[0])
    known: Any = dict.fromkeys(skus, packed)
    await client.hset(ledger.keyspace.skus, mapping=known)
    lines = [(sku, 1, "") for sku in skus]

    assert (await refused(ledger, order("o", *lines))).outcome == "sourcing_incomplete"
    assert not await client.exists(ledger.keyspace.reservations)


@pytest.mark.parametrize("round_", range(6))
async def test_given_any_units_when_places_are_named_then_the_order_gets_what_it_gets_without(
    client: Redis, ledger: Ledger, round_: int
) -> None:
    chance = random.Random(SEED + round_)  # a test
    skus, stores = ["A", "B", "C"], ["main", *names_of(300)]
    for sku in skus:
        await stock_everywhere(client, ledger.keyspace, [sku], stores, on_hand=0)
        for name in chance.sample(stores, 60):
            await moved(ledger, count(sku, chance.randrange(6), name))
    for number, name in enumerate(chance.sample(stores, 3)):
        await changed(ledger, order(f"short{number}", ("A", chance.randrange(1, 9), name), accept_shortage=True))
    for _ in range(8):
        lines = [(sku, chance.randrange(1, 12), "") for sku in chance.sample(skus, chance.randrange(1, 4))]
        wanted = reserve("r", *lines, channel="web")
        found = await slices.stocked(ledger, list(wanted_of(wanted)), "web")
        among = among_places(wanted, wanted_of(wanted), found)
        plain, named = await ledger.explain_places(wanted, 900), await ledger.explain_places(among, 900)
        assert (named.outcome, named.parts) == (plain.outcome, plain.parts), f"seed {SEED}"


def test_given_many_skus_when_places_are_named_then_they_are_few_in_all() -> None:
    wanted = Counter({f"S{number}": 50 for number in range(100)})
    stocked = [(name, 1, 5) for name in names_of(CHAIN)]
    found = {sku: PlacesOfSku(CHAIN, ["a", "b"], ["a", "b"], stocked) for sku in wanted}

    named = named_places(found, wanted)

    assert sum(map(len, named.values())) <= 2 * NAMED_MAX[0]
