"""Who has units of a SKU: the database names them, so that not all live reservations are gone through."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from server.domain.history import rows_of
from server.insight.find_index import FindIndex
from server.insight.find_upkeep import FindUpkeep
from server.schemas.shortages import ShortageQuery
from server.schemas.stock import StockQuery
from server.service import holder_search as module
from server.service.caller import Caller
from server.service.documents import documents_of
from server.service.shortages import shortages
from server.service.stock import SkuDetails, details
from server.store.documents import history
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id
from server.store.maintenance.lacking import recount_lacking
from server.store.repositories import known_holders, named_holders
from server.store.repositories.renames import AliasStore
from tests.support import operations as ops

MANY = 600


async def follow(finder: Caller) -> None:
    """Write the history of all that the journal has."""
    parts, partition = finder.partition, finder.principal.partition
    async for entry_id, changes in journal.read(parts.client, parts.keyspace):
        rows = rows_of(parse_entry_id(entry_id), changes)
        await documents_of(finder).follow(lambda session, rows=rows: history.add(session, partition, rows))  # type: ignore[misc]


async def sold(finder: Caller) -> None:
    """Have hundreds of orders, a few of which are of A."""
    await ops.stocked(finder.ledger, A=9, B=MANY + 1)
    await asyncio.gather(*(ops.changed(finder.ledger, ops.order(f"b{n}", ("B", 1))) for n in range(MANY)))
    await ops.changed(finder.ledger, ops.reserve("held", ("A", 2)))
    await ops.changed(finder.ledger, ops.order("ordered", ("B", 1), ("A", 3), accept_shortage=True))
    await ops.changed(finder.ledger, ops.order("shipped", ("A", 1)))
    await ops.changed(finder.ledger, ops.fulfil("shipped"))


async def fill(finder: Caller) -> None:
    """Fill the index for finding from what the store has."""
    parts = finder.partition
    index = FindIndex(parts.client, documents_of(finder).customer_key)
    names = lambda: [finder.principal.partition]  # noqa: E731  # said once
    upkeep = FindUpkeep(parts.client, documents_of(finder), index, names, channels=lambda _: [])
    await upkeep.once()
    while upkeep._fills:
        await upkeep.once()


async def scans(client: Redis) -> int:
    """Return how often a part of a hash was gone through, those of functions included."""
    return int((await client.info("commandstats")).get("cmdstat_hscan", {}).get("calls", 0))


async def stock_of(finder: Caller, sku: str = "A", **query: Any) -> SkuDetails:
    found = await details(finder, sku, StockQuery(**query))
    assert found is not None
    return found


def names_in(found: SkuDetails) -> set[tuple[str, int, int]]:
    return {(each.reservation_id, each.held, each.committed) for each in found.holders}


async def test_given_a_history_when_asked_for_stock_then_its_holders_come_without_a_look_at_all(finder: Caller) -> None:
    await sold(finder)
    await follow(finder)
    before = await scans(finder.partition.client)

    found = await stock_of(finder)

    assert (names_in(found), found.truncated) == ({("held", 2, 0), ("ordered", 0, 3)}, False)
    assert await scans(finder.partition.client) == before


async def test_given_a_history_that_lacks_the_newest_when_asked_then_they_are_found_all_the_same(
    finder: Caller,
) -> None:
    await sold(finder)
    await follow(finder)
    await ops.changed(finder.ledger, ops.order("newest", ("A", 1)))

    found = await stock_of(finder)

    assert names_in(found) == {("held", 2, 0), ("ordered", 0, 3), ("newest", 0, 1)}
    assert not found.truncated


async def test_given_holders_older_than_the_history_when_asked_then_the_index_names_them(finder: Caller) -> None:
    parts = finder.partition
    await sold(finder)
    await fill(finder)
    await parts.client.delete(parts.keyspace.journal)
    await ops.changed(finder.ledger, ops.order("newest", ("A", 1)))
    await follow(finder)
    before = await scans(parts.client)

    found = await stock_of(finder)
    assert names_in(found) == {("held", 2, 0), ("ordered", 0, 3), ("newest", 0, 1)}
    assert await scans(parts.client) == before

    await ops.moved(finder.ledger, ops.count("A", 0))
    await recount_lacking(parts.client, parts.keyspace, parts.limits)
    known_holders._known.clear()
    before = await scans(parts.client)
    [short] = (await shortages(finder, ShortageQuery())).page.shortages
    assert {line.reservation_id for line in short.lines} == {"held", "ordered", "newest"}
    assert await scans(parts.client) - before < 5


async def test_given_an_old_holder_and_many_newer_orders_when_asked_then_both_are_read(finder: Caller) -> None:
    parts = finder.partition
    await ops.stocked(finder.ledger, A=MANY + 9)
    await ops.changed(finder.ledger, ops.order("old", ("A", 3)))
    await fill(finder)
    await parts.client.delete(parts.keyspace.journal)
    await asyncio.gather(*(ops.changed(finder.ledger, ops.order(f"s{n}", ("A", 1))) for n in range(MANY)))
    await asyncio.gather(*(ops.changed(finder.ledger, ops.fulfil(f"s{n}")) for n in range(MANY - 1)))
    await ops.changed(finder.ledger, ops.order("newest", ("A", 1)))
    await ops.changed(finder.ledger, ops.fulfil(f"s{MANY - 1}"))
    await follow(finder)
    before = await scans(parts.client)

    assert names_in(await stock_of(finder)) == {("old", 0, 3), ("newest", 0, 1)}
    assert await scans(parts.client) == before


async def test_given_a_sku_that_is_short_at_many_places_when_asked_then_each_place_has_its_own_names(
    finder: Caller,
) -> None:
    places = [f"shop {n}" for n in range(25)]
    await asyncio.gather(*(ops.moved(finder.ledger, ops.receive("A", 9, place)) for place in places))
    await asyncio.gather(*(ops.changed(finder.ledger, ops.order(f"o{place}", ("A", 4, place))) for place in places))
    await fill(finder)

    search = module.holder_search(finder)
    assert search is not None
    assert await search([("A", place) for place in places]) == {("A", place): [f"o{place}"] for place in places}
    assert set((await search([("A", "")]))["A", ""]) == {f"o{place}" for place in places}


async def test_given_nothing_reserved_when_asked_then_nobody_is_looked_for(finder: Caller) -> None:
    await sold(finder)
    await ops.moved(finder.ledger, ops.count("C", 4))
    before = await scans(finder.partition.client)

    found = await stock_of(finder, "C")

    assert (found.holders, found.truncated) == ([], False)
    assert await scans(finder.partition.client) == before


async def test_given_one_location_when_asked_then_those_of_others_do_not_count(finder: Caller) -> None:
    await ops.moved(finder.ledger, ops.receive("A", 5, "izmir"))
    await ops.moved(finder.ledger, ops.receive("A", 5, "main"))
    await ops.changed(finder.ledger, ops.order("there", ("A", 2, "izmir")))
    await ops.changed(finder.ledger, ops.order("here", ("A", 3, "main")))
    await follow(finder)
    before = await scans(finder.partition.client)

    assert names_in(await stock_of(finder, location="izmir")) == {("there", 0, 2)}
    assert names_in(await stock_of(finder)) == {("there", 0, 2), ("here", 0, 3)}
    assert await scans(finder.partition.client) == before


async def test_given_units_that_moved_meanwhile_when_asked_then_they_stand_for_nobody_elses(finder: Caller) -> None:
    parts = finder.partition
    for location in ("main", "izmir"):
        await ops.moved(finder.ledger, ops.receive("A", 5, location))
    await ops.changed(finder.ledger, ops.order("not named", ("A", 2, "main")))
    await ops.changed(finder.ledger, ops.order("moved", ("A", 2, "izmir")))

    found = await named_holders.named_holders(
        parts.client, parts.keyspace, ["A"], ["moved"], reserved=[("A", "main")], limit=10
    )

    assert found is None


@pytest.mark.parametrize("name_holders", [follow, fill], ids=["history", "index"])
async def test_given_a_renamed_sku_when_asked_then_holders_by_its_old_name_come_too(
    finder: Caller, name_holders: Callable[[Caller], Awaitable[None]]
) -> None:
    parts = finder.partition
    await ops.stocked(finder.ledger, A=9)
    await ops.changed(finder.ledger, ops.order("old", ("A", 2)))
    await AliasStore(parts.client, parts.keyspace, parts.limits).rename_sku("A", "NEW", "k", ())
    await ops.changed(finder.ledger, ops.order("new", ("NEW", 1)))
    await name_holders(finder)
    before = await scans(parts.client)

    assert names_in(await stock_of(finder, "NEW")) == {("old", 0, 2), ("new", 0, 1)}
    assert await scans(parts.client) == before


async def test_given_more_holders_than_are_listed_when_asked_then_it_says_so(
    finder: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.service.stock.HOLDERS_MAX", 10)
    monkeypatch.setattr(named_holders, "RECORDS_AT_ONCE", 20)
    await sold(finder)
    await follow(finder)
    before = await scans(finder.partition.client)

    found = await stock_of(finder, "B")

    assert (len(found.holders), found.truncated) == (10, True)
    assert await scans(finder.partition.client) == before


@pytest.mark.parametrize("rows_max", [20_000, 1])
async def test_given_a_history_when_asked_what_is_short_then_the_orders_are_named(
    finder: Caller, monkeypatch: pytest.MonkeyPatch, rows_max: int
) -> None:
    monkeypatch.setattr(module, "ROWS_MAX", rows_max)
    parts = finder.partition
    await sold(finder)
    await ops.moved(finder.ledger, ops.count("A", 0))
    await follow(finder)
    await recount_lacking(parts.client, parts.keyspace, parts.limits)
    known_holders._known.clear()
    before = await scans(parts.client)

    page = (await shortages(finder, ShortageQuery())).page

    [short] = page.shortages
    assert (short.sku, short.short, short.complete) == ("A", 5, True)
    assert {(line.reservation_id, line.lacks) for line in short.lines} == {("held", 2), ("ordered", 3)}
    assert (await scans(parts.client) - before < 5) == (rows_max > 1)


async def test_given_a_database_that_fails_when_asked_then_all_are_gone_through(finder: Caller) -> None:
    await sold(finder)
    await documents_of(finder).close()

    assert names_in(await stock_of(finder)) == {("held", 2, 0), ("ordered", 0, 3)}
