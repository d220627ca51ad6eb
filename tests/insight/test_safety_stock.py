"""Safety stock by rule: what is kept back follows rules, categories and stock, and never takes back a reservation."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.operations.stock import Bucket
from server.domain.safety_stock import SafetyRule
from server.insight.safety_stock import SafetyStockRules
from server.store.audit.audit import audit
from server.store.ledger.ledger import Ledger
from server.store.repositories.safety_stock import SafetyStore
from tests.conftest import RETENTION
from tests.support.feeds import feed_of
from tests.support.operations import adjust, count, fulfil, order, receive, release, reserve

Rules = dict[tuple[str, str], SafetyRule | None]


@pytest.fixture
def rules(client: Redis, ledger: Ledger) -> SafetyStore:
    return SafetyStore(client, ledger.keyspace)


@pytest.fixture
def safeguarding(client: Redis, ledger: Ledger) -> SafetyStockRules:
    return SafetyStockRules(feed_of(client, ledger.keyspace), RETENTION.packed())


async def kept(ledger: Ledger, sku: str) -> dict[str, tuple[int, int]]:
    """Read (safety, available) by location."""
    return {level.location: (level.safety, level.available) for level in (await ledger.stock(sku)).levels}


@pytest.fixture
async def exact(client: Redis, ledger: Ledger) -> AsyncIterator[None]:
    """Compare every counter with the journal afterwards."""
    yield
    report = await audit(client, ledger.keyspace)
    assert (report.drift, report.conclusive) == ([], True)


pytestmark = pytest.mark.usefixtures("exact")


async def test_given_a_rule_for_all_when_it_is_set_then_every_location_keeps_its_units(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(receive("A", 3, "shop"))
    await rules.set_rules({("", ""): SafetyRule(units=4)}, "tester")

    await safeguarding.catch_up()

    assert await kept(ledger, "A") == {"main": (4, 6), "shop": (3, 0)}


async def test_given_a_percentage_when_units_come_and_go_then_it_follows_what_lies_there(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await rules.set_rules({("", ""): SafetyRule(units=1, percent=20)}, "tester")
    await ledger.run(receive("A", 11))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (3, 8)}, "20 % of 11, rounded up"

    await ledger.run(receive("A", 20))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (7, 24)}

    await ledger.run(order("o1", ("A", 24)))
    await ledger.run(fulfil("o1"))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (2, 5)}


async def test_given_units_that_are_reserved_when_a_rule_wants_them_then_it_waits_until_they_are_free(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(reserve("r1", ("A", 8)))
    await rules.set_rules({("", ""): SafetyRule(units=5)}, "tester")

    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (2, 0)}
    found = await ledger.reservation("r1")
    assert found.reservation is not None
    assert found.reservation.state == "held"

    await ledger.run(release("r1", (1, 2)))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (4, 0)}
    await ledger.run(release("r1"))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (5, 5)}


async def test_given_safety_stock_of_a_rule_when_fewer_units_are_found_then_it_gives_way_to_reservations(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 10))
    await rules.set_rules({("", ""): SafetyRule(units=5)}, "tester")
    await safeguarding.catch_up()
    await ledger.run(order("o1", ("A", 5)))

    await ledger.run(count("A", 7))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (2, 0)}

    await ledger.run(count("A", 4))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (0, -1)}, "what is short now is short of goods"


async def test_given_a_value_set_by_hand_then_it_stays_whatever_the_rules_say_until_it_is_set_to_none(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(count("A", 10, safety=7))
    await rules.set_rules({("", ""): SafetyRule(units=2)}, "tester")
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (7, 3)}

    await ledger.run(count("A", 10, safety=0))
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (2, 8)}

    await ledger.run(adjust("A", Bucket.SAFETY, 1))
    await rules.set_rules({("", ""): SafetyRule(units=5)}, "tester")
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (3, 7)}


async def test_given_rules_of_several_kinds_then_the_one_that_is_most_about_a_location_counts(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    for sku in ("tee", "mug"):
        for location in ("main", "shop"):
            await ledger.run(receive(sku, 100, location))
    await rules.set_categories({"tee": "Tişört"}, "tester")
    await rules.set_rules(
        {
            ("Tişört", "shop"): SafetyRule(units=4),
            ("Tişört", ""): SafetyRule(units=3),
            ("", "shop"): SafetyRule(units=2),
            ("", ""): SafetyRule(units=1),
        },
        "tester",
    )

    await safeguarding.catch_up()

    assert {place: units for place, (units, _) in (await kept(ledger, "tee")).items()} == {"main": 3, "shop": 4}
    assert {place: units for place, (units, _) in (await kept(ledger, "mug")).items()} == {"main": 1, "shop": 2}


async def test_given_a_sku_that_changes_its_category_then_the_other_rule_counts(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 100))
    await rules.set_rules({("x", ""): SafetyRule(units=4), ("y", ""): SafetyRule(percent=9)}, "tester")
    await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (0, 100)}

    for category, units in (("x", 4), ("y", 9), ("", 0)):
        await rules.set_categories({"A": category}, "tester")
        await safeguarding.catch_up()
        assert await kept(ledger, "A") == {"main": (units, 100 - units)}


async def test_given_a_rule_that_is_taken_away_then_nothing_is_kept_back_and_what_was_set_by_hand_stays(
    client: Redis, ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(count("B", 10, safety=3))
    await rules.set_rules({("", ""): SafetyRule(units=4)}, "tester")
    await safeguarding.catch_up()

    await rules.set_rules({("", ""): None}, "tester")
    await SafetyStockRules(feed_of(client, ledger.keyspace), RETENTION.packed()).catch_up()

    assert await kept(ledger, "A") == {"main": (0, 10)}
    assert await kept(ledger, "B") == {"main": (3, 7)}
    assert not await rules.in_use()


async def test_given_a_journal_that_went_back_when_rules_are_applied_then_all_is_looked_at_anew(
    ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 5))
    await rules.set_rules({("", ""): SafetyRule(units=2)}, "tester")
    await safeguarding.catch_up()
    await rules.set_rules({("", ""): SafetyRule(units=3)}, "tester")
    safeguarding._cursor = "9999999999999-0"  # it has read what the journal has lost
    with capture_logs() as logs:
        await safeguarding.catch_up()
    assert await kept(ledger, "A") == {"main": (3, 2)}
    assert [entry["event"] for entry in logs] == ["safety_stock_looks_again"]


async def test_given_two_that_apply_the_rules_then_nothing_is_changed_twice(
    client: Redis, ledger: Ledger, rules: SafetyStore, safeguarding: SafetyStockRules
) -> None:
    await ledger.run(receive("A", 10))
    await rules.set_rules({("", ""): SafetyRule(units=4)}, "tester")
    other = SafetyStockRules(feed_of(client, ledger.keyspace), RETENTION.packed())

    for each in (safeguarding, other, safeguarding, other):
        await each.catch_up()

    [level] = (await ledger.stock("A")).levels
    assert (level.safety, level.seq) == (4, 2)
