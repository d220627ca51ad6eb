"""A location that is closed or opened in what is counted, raised and reported."""

import asyncio

import pytest
from redis.asyncio import Redis

from server.domain.locations import Location
from server.domain.replenishment import Rule
from server.domain.reports import Span
from server.insight import closed_locations
from server.insight.daily_figures import DailyFigureCounter
from server.insight.reorder_proposals import proposals
from server.insight.reports import Only, velocities
from server.store.ledger.ledger import Ledger
from server.store.repositories import locations as locations_module
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.locations import LocationStore
from tests.conftest import RETENTION, now_ms
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S, raised
from tests.support.operations import count, order


@pytest.fixture
def figures(client: Redis, ledger: Ledger) -> FigureStore:
    return FigureStore(client, ledger.keyspace)


@pytest.fixture
def places(client: Redis, ledger: Ledger) -> LocationStore:
    return LocationStore(client, ledger.keyspace, RETENTION.packed())


def counter(client: Redis, ledger: Ledger) -> DailyFigureCounter:
    return DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)


async def close(places: LocationStore, *names: str) -> None:
    await places.put([Location(name, open=False) for name in names], "tester")


async def reopen(places: LocationStore, *names: str) -> None:
    await places.put([Location(name) for name in names], "tester")


async def alerts(figures: FigureStore) -> list[tuple[str, str, str]]:
    return [(alert, sku, location) for alert, sku, location, _ in await raised(figures)]


async def test_given_units_at_a_store_when_it_closes_and_opens_then_they_are_out_and_back(
    client: Redis, ledger: Ledger, figures: FigureStore, places: LocationStore
) -> None:
    counting = counter(client, ledger)
    for sku, units in (("A", 5), ("B", 0)):
        await ledger.run(count(sku, units, "store"))
    await ledger.run(count("A", 3, "main"))
    await counting.catch_up()
    before = len(await alerts(figures))

    await close(places, "store")
    await counting.catch_up()
    await reopen(places, "store")
    await counting.catch_up()

    assert (await alerts(figures))[before:] == [("stock.out", "A", "store"), ("stock.back", "A", "store")]


async def test_given_changes_at_a_closed_store_when_counted_then_only_what_is_missing_for_orders_is_raised(
    client: Redis, ledger: Ledger, figures: FigureStore, places: LocationStore
) -> None:
    await ledger.run(count("A", 5, "store"))
    await close(places, "store")
    counting = counter(client, ledger)
    await counting.catch_up()
    before = len(await alerts(figures))

    await ledger.run(count("A", 0, "store"))
    await ledger.run(count("A", 4, "store"))
    await ledger.run(order("o1", ("A", 6, "store"), accept_shortage=True))
    await counting.catch_up()

    assert (await alerts(figures))[before:] == [("shortage.opened", "A", "store")]


async def test_given_a_sale_before_a_closing_when_both_are_counted_late_then_each_is_seen_as_it_was(
    client: Redis, ledger: Ledger, figures: FigureStore, places: LocationStore
) -> None:
    for sku in ("A", "B"):
        await ledger.run(count(sku, 2, "store"))
    await counter(client, ledger).catch_up()
    before = len(await alerts(figures))

    await ledger.run(order("o1", ("A", 2, "store")))
    await close(places, "store")
    await ledger.run(count("B", 9, "store"))
    await counter(client, ledger).catch_up()

    assert (await alerts(figures))[before:] == [("stock.out", "A", "store"), ("stock.out", "B", "store")]


async def test_given_counters_that_are_killed_in_the_middle_of_a_closing_when_the_next_goes_on_then_each_is_raised_once(
    client: Redis, ledger: Ledger, figures: FigureStore, places: LocationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_locations, "EVENTS_MAX", 7)
    monkeypatch.setattr(locations_module, "SKUS_PER_SCAN", 20)
    skus = [f"S{number:03}" for number in range(200)]
    await asyncio.gather(*(ledger.run(count(sku, 5, "store")) for sku in skus))
    await counter(client, ledger).catch_up()
    before = len(await alerts(figures))
    await close(places, "store")

    steps = 0
    while True:
        counting = counter(client, ledger)
        counting._counted = await counting._begin()  # one step, then it is gone
        if not await counting._count_some(counting._counted):
            break
        steps += 1

    assert steps > 20
    assert sorted((await alerts(figures))[before:]) == [("stock.out", sku, "store") for sku in skus]


async def test_given_a_closed_store_when_reported_then_its_units_lie_there_and_are_not_available(
    client: Redis, ledger: Ledger, figures: FigureStore, places: LocationStore
) -> None:
    await ledger.run(count("A", 5, "store"))
    await ledger.run(count("A", 2, "main"))
    span = Span(await now_ms(client), 0)
    rule = Rule(reorder_point=10, target=20)
    rules = {("A", "store"): rule, ("A", "main"): rule}
    assert len(await proposals(figures, rules, span, Only())) == 2

    await close(places, "store")

    [found] = await velocities(figures, span, Only())
    assert (found.on_hand, found.available) == (7, 2)
    assert [each.location for each in await proposals(figures, rules, span, Only())] == ["main"]
