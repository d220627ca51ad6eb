"""A location that is renamed in what is counted, raised, kept back and reported."""

from redis.asyncio import Redis

from server.domain.locations import Location
from server.domain.operations.stock import Bucket
from server.domain.replenishment import Rule
from server.domain.reports import Span
from server.domain.safety_stock import SafetyRule
from server.insight.daily_figures import DailyFigureCounter
from server.insight.reorder_proposals import proposals
from server.insight.reports import Only, sales, velocities
from server.insight.safety_stock import SafetyStockRules
from server.store.ledger.ledger import Ledger
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.locations import LocationStore
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import SafetyStore
from tests.conftest import RETENTION, now_ms
from tests.support import operations as ops
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S, raised

LIMITS = RETENTION.packed()


def renames(client: Redis, ledger: Ledger) -> LocationRenames:
    return LocationRenames(client, ledger.keyspace, LIMITS, known_s=0)


def counter(client: Redis, ledger: Ledger) -> DailyFigureCounter:
    return DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)


async def test_given_sales_under_both_names_when_reported_then_they_are_those_of_one_location(
    client: Redis, ledger: Ledger
) -> None:
    figures, counting = FigureStore(client, ledger.keyspace), counter(client, ledger)
    await ops.moved(ledger, ops.receive("A", 9, location="depo"))
    await ops.changed(ledger, ops.order("a", ("A", 2, "depo")))
    await counting.catch_up()
    assert (await renames(client, ledger).rename("depo", "hub", "tester")).is_done
    await ops.changed(ledger, ops.order("b", ("A", 3, "hub")))
    await counting.catch_up()

    at_ms = await now_ms(client)
    days = range(at_ms // 86_400_000 - 1, at_ms // 86_400_000 + 2)
    for name in ("depo", "hub"):
        summed = await sales(figures, "location", days, Only(location=name))
        assert [(key, each.ordered) for key, each in summed.sums.items()] == [("hub", 5)]
        [velocity] = await velocities(figures, Span(at_ms, 0), Only(location=name))
        assert (velocity.on_hand, velocity.available) == (9, 4)


async def test_given_a_closed_location_when_renamed_then_no_event_is_raised_and_it_stays_closed(
    client: Redis, ledger: Ledger
) -> None:
    figures, counting = FigureStore(client, ledger.keyspace), counter(client, ledger)
    places = LocationStore(client, ledger.keyspace, LIMITS)
    await ops.moved(ledger, ops.receive("A", 9, location="depo"))
    await places.put([Location("depo", open=False)], "tester")
    await counting.catch_up()
    before = await raised(figures)

    job = renames(client, ledger)
    assert await job.begin("depo", "hub", "tester") == "renamed"
    await job.move("depo", "hub", "tester", ["A"])
    await counting.catch_up()
    assert (await job.rename("depo", "hub", "tester")).is_done
    await counting.catch_up()
    await ops.moved(ledger, ops.adjust("A", Bucket.ON_HAND, -9, "hub"))
    await ops.moved(ledger, ops.receive("A", 4, location="depo"))
    await counting.catch_up()

    assert await raised(figures) == before
    assert (await figures.mask()).closed.names == {"hub"}
    await places.put([Location("hub")], "tester")
    await counting.catch_up()
    assert [each[:3] for each in (await raised(figures))[len(before) :]] == [("stock.back", "A", "hub")]


async def test_given_rules_of_a_location_when_it_is_renamed_then_they_apply_at_every_moment(
    client: Redis, ledger: Ledger
) -> None:
    rules, reorder = SafetyStore(client, ledger.keyspace), ReplenishmentStore(client, ledger.keyspace)
    safeguarding = SafetyStockRules(feed_of(client, ledger.keyspace), LIMITS)
    figures, counting = FigureStore(client, ledger.keyspace), counter(client, ledger)
    for sku in ("A", "B"):
        await ops.moved(ledger, ops.receive(sku, 9, location="depo"))
    await rules.set_rules({("", "depo"): SafetyRule(units=4)}, "tester")
    await reorder.set_rules({("", "depo"): Rule(reorder_point=7), ("B", "depo"): Rule(reorder_point=2)}, "tester")
    await safeguarding.catch_up()
    await counting.catch_up()
    job = renames(client, ledger)

    async def safety() -> list[tuple[str, int]]:
        await safeguarding.catch_up()
        levels = [level for sku in ("A", "B") for level in (await ledger.stock(sku)).levels]
        return [(level.location, level.safety) for level in levels]

    assert await safety() == [("depo", 4), ("depo", 4)]
    assert await job.begin("depo", "hub", "tester") == "renamed"
    assert await safety() == [("depo", 4), ("depo", 4)]
    await job.move("depo", "hub", "tester", ["A"])
    assert await safety() == [("hub", 4), ("depo", 4)]
    assert (await job.rename("depo", "hub", "tester")).is_done
    assert await safety() == [("hub", 4), ("hub", 4)]
    assert await rules.rules() == {("", "hub"): SafetyRule(units=4)}
    assert set(await reorder.rules()) == {("", "hub"), ("B", "hub")}
    found = await proposals(figures, await reorder.rules(), Span(await now_ms(client), 0), Only())
    assert [(each.sku, each.location) for each in found] == [("A", "hub")]

    await rules.set_rules({("", "depo"): None}, "tester")

    assert await safety() == [("hub", 0), ("hub", 0)]
    assert await rules.rules() == {}
