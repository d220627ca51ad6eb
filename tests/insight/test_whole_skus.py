"""Events of a SKU as a whole: it is new, it ran out at its last open location, it is back at one."""

import pytest
from redis.asyncio import Redis

from server.domain.alerts import SKU_ALERTS
from server.insight import daily_figures
from server.insight.daily_figures import DailyFigureCounter
from server.store.ledger.ledger import Ledger
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.replenishment import ReplenishmentStore
from tests.conftest import close_locations
from tests.support import operations as ops
from tests.support.feeds import feed_of

RETENTION_S = 3_600.0


@pytest.fixture
def figures(client: Redis, ledger: Ledger) -> FigureStore:
    return FigureStore(client, ledger.keyspace)


async def count(figures: FigureStore) -> None:
    """Count with a counter that knows nothing, as after a crash."""
    await DailyFigureCounter(feed_of(figures.client, figures.keyspace), retention_s=RETENTION_S).catch_up()


async def told(figures: FigureStore) -> list[tuple[str, str, int]]:
    events = await ReplenishmentStore(figures.client, figures.keyspace).events("0-0", 1_000)
    return [(each.alert, each.sku, each.available) for each in events if each.alert in SKU_ALERTS]


async def test_given_two_locations_when_one_runs_out_then_the_sku_is_out_only_with_the_last(
    ledger: Ledger, figures: FigureStore
) -> None:
    await ops.moved(ledger, ops.receive("A", 2, "main"))
    await ops.moved(ledger, ops.receive("A", 1, "store"))
    await count(figures)
    for reservation_id, place, units in (("x", "main", 2), ("y", "store", 1)):
        await ops.changed(ledger, ops.order(reservation_id, ("A", units, place)))
        await count(figures)
    await ops.changed(ledger, ops.cancel("y"))
    await count(figures)
    await ops.changed(ledger, ops.cancel("x"))
    await count(figures)

    assert await told(figures) == [("sku.new", "A", 2), ("sku.out", "A", 0), ("sku.back", "A", 1)]


async def test_given_changes_that_are_counted_together_when_the_end_is_as_before_then_nothing_is_raised(
    ledger: Ledger, figures: FigureStore
) -> None:
    await ops.moved(ledger, ops.receive("A", 1))
    await count(figures)
    await ops.changed(ledger, ops.order("x", ("A", 1)))
    await ops.changed(ledger, ops.cancel("x"))
    await count(figures)

    assert await told(figures) == [("sku.new", "A", 1)]


async def test_given_a_sku_that_is_new_without_units_when_some_come_then_it_is_back(
    ledger: Ledger, figures: FigureStore
) -> None:
    await ops.moved(ledger, ops.count("A", 0))
    await count(figures)
    await ops.moved(ledger, ops.receive("A", 5))
    await ops.moved(ledger, ops.receive("A", 5, "store"))
    await count(figures)

    assert await told(figures) == [("sku.new", "A", 0), ("sku.back", "A", 10)]


async def test_given_a_sku_at_a_second_location_then_it_is_not_new(ledger: Ledger, figures: FigureStore) -> None:
    await ops.moved(ledger, ops.receive("A", 5))
    await ops.moved(ledger, ops.receive("A", 5, "store"))
    await ops.transferred(ledger, ops.ship("t", "main", "third", ("A", 2)))
    await ops.transferred(ledger, ops.arrive("t", everything=True))
    await count(figures)

    assert await told(figures) == [("sku.new", "A", 5)]


async def test_given_a_sku_that_ran_out_before_there_were_such_events_when_it_comes_back_then_it_is_raised(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    await ops.moved(ledger, ops.receive("A", 1))
    await ops.changed(ledger, ops.order("x", ("A", 1)))
    await count(figures)
    await client.delete(ledger.keyspace.sold_out)
    await ops.moved(ledger, ops.receive("A", 4))
    await count(figures)
    await ops.moved(ledger, ops.receive("A", 4, "store"))
    await count(figures)

    assert [kind for kind, _, _ in await told(figures)].count("sku.back") == 1


async def test_given_the_last_open_location_when_it_closes_then_the_sku_is_out(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    await ops.moved(ledger, ops.receive("A", 3, "store"))
    await ops.moved(ledger, ops.receive("B", 3, "store"))
    await ops.moved(ledger, ops.receive("B", 3, "main"))
    await count(figures)
    await close_locations(client, ledger, "store")
    await count(figures)

    assert (await told(figures))[-1] == ("sku.out", "A", 0)
    assert [each for each in await told(figures) if each[1] == "B"] == [("sku.new", "B", 3)]


async def test_given_two_that_count_at_the_same_time_then_each_event_is_raised_once(
    ledger: Ledger, figures: FigureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daily_figures, "ROWS_MAX", 2)
    skus = [f"S{number}" for number in range(12)]
    for sku in skus:
        await ops.moved(ledger, ops.receive(sku, 1))
        await ops.changed(ledger, ops.order(f"o{sku}", (sku, 1)))
    await count(figures)
    await count(figures)

    found = await told(figures)
    assert sorted(sku for kind, sku, _ in found if kind == "sku.new") == sorted(skus)
    assert sorted(sku for kind, sku, _ in found if kind == "sku.out") == sorted(skus)
