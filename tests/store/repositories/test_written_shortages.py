"""Shortages where the store has written down which places lack units: they are found without a look at all stock."""

import asyncio
import random
from collections.abc import Sequence
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.operations.stock import Bucket
from server.store.ledger.ledger import Ledger
from server.store.maintenance.lacking import recount_lacking
from server.store.repositories import known_holders, shortages
from server.store.repositories.reservations import holders
from server.store.repositories.shortages import HolderSearch, ShortagePage, find_shortages
from tests.conftest import RETENTION
from tests.support.operations import adjust, cancel, changed, count, fulfil, moved, order, stocked

MANY: Final = 2_000


async def found(ledger: Ledger, client: Redis, after: str = "", limit: int = 100) -> ShortagePage:
    return await find_shortages(client, ledger.keyspace, RETENTION.packed(), after, limit)


async def all_of(ledger: Ledger, client: Redis, limit: int) -> dict[str, int]:
    """Read page by page."""
    page = await found(ledger, client, limit=limit)
    met = {each.sku: each.short for each in page.shortages}
    while page.next:
        page = await found(ledger, client, page.next, limit)
        met |= {each.sku: each.short for each in page.shortages}
    return met


async def know(ledger: Ledger, client: Redis) -> None:
    """Have the store know that what it has written of shortages is complete, as maintenance does."""
    await recount_lacking(client, ledger.keyspace, RETENTION.packed())


async def scans(client: Redis) -> int:
    """Return how often a part of a hash was gone through, those of functions included."""
    return int((await client.info("commandstats")).get("cmdstat_hscan", {}).get("calls", 0))


async def test_given_much_stock_when_asked_what_is_short_then_all_of_it_need_not_be_looked_at(
    ledger: Ledger, client: Redis
) -> None:
    await asyncio.gather(*(moved(ledger, count(f"S{number}", 1)) for number in range(MANY)))
    await changed(ledger, order("o1", ("S7", 3), accept_shortage=True))
    await know(ledger, client)
    before = await scans(client)

    page = await found(ledger, client)

    assert [(each.sku, each.short, each.lines[0].lacks) for each in page.shortages] == [("S7", 2, 2)]
    assert page.next == ""
    assert await scans(client) - before < 10


async def test_given_a_store_that_knows_when_places_come_to_lack_units_or_no_longer_do_then_the_answer_follows(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1, B=1, C=5)
    await know(ledger, client)

    await changed(ledger, order("o1", ("A", 3), ("B", 2), accept_shortage=True))
    await moved(ledger, adjust("C", Bucket.SAFETY, 9))  # below zero, and nobody lacks it
    assert await all_of(ledger, client, 100) == {"A": 2, "B": 1}

    await moved(ledger, count("A", 9))
    assert await all_of(ledger, client, 100) == {"B": 1}


async def have_many_short(ledger: Ledger, client: Redis) -> None:
    """Have many places that lack a unit, and a store that knows it."""
    await asyncio.gather(*(moved(ledger, count(f"S{number}", 0)) for number in range(MANY)))
    for first in range(0, MANY, 100):
        lines = [(f"S{number}", 1) for number in range(first, first + 100)]
        await changed(ledger, order(f"o{first}", *lines, accept_shortage=True))
    await know(ledger, client)


async def test_given_many_places_that_lack_units_when_paged_through_then_each_is_met(
    ledger: Ledger, client: Redis
) -> None:
    await have_many_short(ledger, client)

    page = await found(ledger, client, limit=20)

    assert (20 <= len(page.shortages) < MANY, page.next != "") == (True, True)
    assert await all_of(ledger, client, 20) == {f"S{number}": 1 for number in range(MANY)}


async def test_given_skus_whose_names_contain_each_other_when_asked_who_holds_one_then_the_others_orders_are_left_out(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=9, AB=9, BA=9)
    for sku in ("A", "AB", "BA"):
        await changed(ledger, order(f"of-{sku}-A", (sku, 2)))

    held_by, is_cut = await holders(client, ledger.keyspace, RETENTION.packed(), "A")

    assert ([(each.reservation_id, each.committed) for each in held_by], is_cut) == ([("of-A-A", 2)], False)


async def test_given_places_whose_skus_contain_each_other_when_they_lack_units_then_each_has_its_own_orders(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1, AB=1, BA=1)
    for sku in ("A", "AB", "BA"):
        await changed(ledger, order(f"of-{sku}", (sku, 2), accept_shortage=True))
    await know(ledger, client)

    page = await found(ledger, client)

    assert {each.sku: [line.reservation_id for line in each.lines] for each in page.shortages} == {
        "A": ["of-A"], "AB": ["of-AB"], "BA": ["of-BA"],
    }  # fmt: skip


async def test_given_places_whose_orders_are_known_when_asked_again_then_all_orders_need_not_be_looked_at(
    ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, A=1, B=1_000)
    await asyncio.gather(*(changed(ledger, order(f"b{number}", ("B", 1))) for number in range(600)))
    await changed(ledger, order("a1", ("A", 3), accept_shortage=True))
    await know(ledger, client)
    first = await found(ledger, client)
    before = await scans(client)

    again = await found(ledger, client)

    assert again == first
    assert [line.reservation_id for line in again.shortages[0].lines] == ["a1"]
    assert await scans(client) - before < 10


@pytest.mark.parametrize("seed", range(4))
async def test_given_places_whose_orders_are_known_when_anything_happens_then_the_answer_is_as_if_they_were_not(
    ledger: Ledger, client: Redis, seed: int
) -> None:
    draw, orders = random.Random(seed), list[str]()
    await stocked(ledger, A=2, B=3, C=4)
    await know(ledger, client)
    for step in range(40):
        sku, kind = draw.choice("ABC"), draw.random()
        if kind < 0.4 or not orders:
            orders.append(f"o{step}")
            await changed(ledger, order(orders[-1], (sku, draw.randint(1, 3)), accept_shortage=True))
        elif kind < 0.6:
            await moved(ledger, count(sku, draw.randint(0, 6)))
        else:
            gone = orders.pop(draw.randrange(len(orders)))
            await changed(ledger, cancel(gone) if kind < 0.8 else fulfil(gone))

        known = await found(ledger, client)
        known_holders._known.clear()

        assert known == await found(ledger, client)


# -- what somebody names


Named = dict[tuple[str, str], list[str]]


def naming(named: Named, asked: list[tuple[str, str]]) -> HolderSearch:
    """Return a search that names these, and notes what it was asked."""

    async def search(places: Sequence[tuple[str, str]]) -> Named:
        asked.extend(places)
        return {place: named[place] for place in places if place in named}

    return search


async def found_with(ledger: Ledger, client: Redis, search: HolderSearch) -> ShortagePage:
    known_holders._known.clear()
    return await find_shortages(client, ledger.keyspace, RETENTION.packed(), "", 100, search=search)


async def two_that_are_short(ledger: Ledger) -> None:
    """Have two orders lack units of A, and hundreds have theirs."""
    await stocked(ledger, A=1, B=1_000)
    await asyncio.gather(*(changed(ledger, order(f"b{number}", ("B", 1))) for number in range(600)))
    for name in ("a1", "a2", "gone"):
        await changed(ledger, order(name, ("A", 2), accept_shortage=True))
    await changed(ledger, cancel("gone"))


async def test_given_a_search_that_names_all_when_asked_what_is_short_then_all_orders_need_not_be_looked_at(
    ledger: Ledger, client: Redis
) -> None:
    await two_that_are_short(ledger)
    await know(ledger, client)
    expected, asked = await found(ledger, client), list[tuple[str, str]]()
    search = naming({("A", "main"): ["gone", "a2", "never-was", "b7", "a1"]}, asked)
    before = await scans(client)

    page = await found_with(ledger, client, search)

    assert page == expected
    assert {line.reservation_id for line in page.shortages[0].lines} == {"a1", "a2"}
    assert await scans(client) - before < 5
    assert asked == [("A", "main")]
    assert await found(ledger, client) == expected, "and this process knows them now"
    assert await scans(client) - before < 10


@pytest.mark.parametrize("named", [{}, {("A", "main"): []}, {("A", "main"): ["a1", "gone"]}])
async def test_given_a_search_that_misses_some_when_asked_what_is_short_then_all_orders_are_looked_at(
    ledger: Ledger, client: Redis, named: Named
) -> None:
    await two_that_are_short(ledger)
    await know(ledger, client)
    expected = await found(ledger, client)

    assert await found_with(ledger, client, naming(named, [])) == expected


async def test_given_more_names_than_one_moment_reads_when_asked_what_is_short_then_places_are_read_one_by_one(
    ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shortages, "RECORDS_AT_ONCE", 2)
    await stocked(ledger, A=0, B=0, C=0)
    named: Named = {}
    for sku in "ABC":
        named[sku, "main"] = [f"{sku}{number}" for number in range(3)]
        for name in named[sku, "main"]:
            await changed(ledger, order(name, (sku, 1), accept_shortage=True))
    await know(ledger, client)
    expected = await found(ledger, client)
    before = await scans(client)

    page = await found_with(ledger, client, naming(named, []))

    assert page == expected
    assert [len(each.lines) for each in page.shortages] == [3, 3, 3]
    assert await scans(client) - before < 5


async def test_given_a_page_when_many_places_lack_units_then_it_has_little_more_than_was_asked_for(
    ledger: Ledger, client: Redis
) -> None:
    await have_many_short(ledger, client)

    page = await found(ledger, client, limit=60)

    assert 60 <= len(page.shortages) < 150
