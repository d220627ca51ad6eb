"""Whoever changes a setting, the journal says who did it, from what and to what; earlier readers read it as before."""

import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.channels import ChannelRules, ChannelSettings, Listing
from server.domain.components import Component, known_by
from server.domain.history import rows_of
from server.domain.locations import Location
from server.domain.operations.expected_receipts import Expect, Forgo
from server.domain.principal import Scope
from server.domain.replenishment import Rule
from server.domain.safety_stock import SafetyRule
from server.domain.sources import PULL_NOW, Decided, SourceSettings
from server.store.journal import journal
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.barcodes import Pack, find_barcodes, put_barcodes
from server.store.repositories.calendars import set_time_zone
from server.store.repositories.channel_commands import commanded_keys, commanded_skus, left_keys
from server.store.repositories.channels import ChannelStore
from server.store.repositories.configuration import note_configuration
from server.store.repositories.locations import LocationStore
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import SafetyStore
from server.store.repositories.settings_changes import Changer, SettingChange, change_settings
from server.store.repositories.sources import SourceStore
from tests.conftest import RETENTION
from tests.support.operations import receive

ACTOR: Final = "k1"


async def changes_of(client: Redis, keyspace: Keyspace) -> list[Change]:
    return [change async for _, changes in journal.read(client, keyspace) for change in changes]


def values(change: Change) -> list[tuple[Any, Any]]:
    """Read what was and is, of each thing that a change is about."""
    rows = rows_of((1, 0), [change])
    return [tuple(_read(dict(row.detail.notes).get(name)) for name in ("was", "now")) for row in rows]


def _read(text: str | None) -> Any:
    try:
        return json.loads(text) if text else text
    except ValueError:
        return text


async def safety(client: Redis, keyspace: Keyspace, value: Any) -> None:
    rule = None if value is None else SafetyRule(units=value)
    await SafetyStore(client, keyspace).set_rules({("shoes", "main"): rule}, ACTOR)


async def replenishment(client: Redis, keyspace: Keyspace, value: Any) -> None:
    rule = None if value is None else Rule(reorder_point=value)
    await ReplenishmentStore(client, keyspace).set_rules({("A", "main"): rule}, ACTOR)


async def category(client: Redis, keyspace: Keyspace, value: Any) -> None:
    await SafetyStore(client, keyspace).set_categories({"A": "" if value is None else f"c{value}"}, ACTOR)


async def channel_rules(client: Redis, keyspace: Keyspace, value: Any) -> None:
    await ChannelStore(client, keyspace).set_rules("web", {} if value is None else {"buffer": value}, ACTOR)


SETTINGS: Final[Mapping[str, tuple[Callable[[Redis, Keyspace, Any], Awaitable[None]], Callable[[int], Any]]]] = {
    "safety_rules": (safety, lambda units: {"units": units, "percent": 0}),
    "replenishment_rules": (replenishment, lambda point: {"reorder_point": point}),
    "sku_categories": (category, lambda number: f"c{number}"),
    "channel_rules": (channel_rules, lambda buffer: {"buffer": buffer}),
}


@pytest.mark.parametrize("operation", SETTINGS)
async def test_a_setting_is_noted_with_what_it_was_and_is(client: Redis, ledger: Ledger, operation: str) -> None:
    put, shown = SETTINGS[operation]
    for value in (1, 2, 2, None):
        await put(client, ledger.keyspace, value)

    changes = await changes_of(client, ledger.keyspace)

    assert [each.operation for each in changes] == [operation] * 4
    assert {each.actor for each in changes} == {ACTOR}
    first, second, same, gone = (values(each)[0] for each in changes)
    assert (first[0], gone[1]) == ("", "")
    for found, number in ((first[1], 1), (second[0], 1), (second[1], 2), (gone[0], 2)):
        expected = shown(number)
        assert found == expected if isinstance(expected, str) else expected.items() <= found.items()
    assert same == (None, None)


async def test_a_barcode_is_noted_with_what_it_stood_for(client: Redis, ledger: Ledger) -> None:
    for packs in ([("869", Pack("A"))], [("869", Pack("B", 12)), ("870", Pack("Ç"))]):
        await put_barcodes(client, ledger.keyspace, packs, ACTOR)

    first, second = await changes_of(client, ledger.keyspace)

    assert values(first) == [("", ["A", 1])]
    assert values(second) == [(["A", 1], ["B", 12]), ("", ["Ç", 1])]
    assert [(row.key, row.sku) for row in rows_of((1, 0), [second])] == [("869", "B"), ("870", "Ç")]
    assert await find_barcodes(client, ledger.keyspace, ["869", "870"]) == {"869": Pack("B", 12), "870": Pack("Ç")}


async def test_what_somebody_else_wrote_damages_no_entry(client: Redis, ledger: Ledger) -> None:
    await client.hset(ledger.keyspace.barcodes, "869", b"\xc1")
    await client.hset(ledger.keyspace.categories, "A", b"\xff\xfe")

    await put_barcodes(client, ledger.keyspace, [("869", Pack("A"))], ACTOR)
    await SafetyStore(client, ledger.keyspace).set_categories({"A": "şık"}, ACTOR)

    assert [values(each) for each in await changes_of(client, ledger.keyspace)] == [[("?", ["A", 1])], [("?", "şık")]]


async def test_a_thousand_fields_are_changed_at_once_and_old_names_go(client: Redis, ledger: Ledger) -> None:
    key = ledger.keyspace.categories
    await client.hset(key, mapping={"old": "x"})
    changes = [SettingChange([("sku", str(number))], str(number), "c") for number in range(999)]
    moved = SettingChange([("sku", "new")], "new", "y", ["old"])

    changed = await change_settings(client, ledger.keyspace, key, Changer("test", ACTOR), [*changes, moved])

    assert changed == 1_000
    assert await client.hlen(key) == 1_000
    [change] = await changes_of(client, ledger.keyspace)
    assert values(change)[-1] == ("x", "y")


async def test_the_time_zone_is_noted_when_it_changes(client: Redis, ledger: Ledger) -> None:
    for _ in range(2):
        await set_time_zone(client, ledger.keyspace, "Europe/Istanbul", ACTOR)

    [change] = await changes_of(client, ledger.keyspace)

    assert (change.operation, change.actor, values(change)) == ("time_zone", ACTOR, [("UTC", "Europe/Istanbul")])


async def test_locations_are_noted_with_what_changed_of_them(client: Redis, ledger: Ledger) -> None:
    store = LocationStore(client, ledger.keyspace, RETENTION.packed())
    for location in (Location("shop"), Location("shop", priority=5), Location("shop", priority=5)):
        await store.put([location], ACTOR)

    first, second, same = await changes_of(client, ledger.keyspace)

    assert values(first) == [("", {"name": "shop"})]
    assert values(second) == [({"name": "shop"}, {"name": "shop", "priority": 5})]
    assert values(same) == [(None, None)]


async def test_listings_are_noted_and_a_publisher_of_an_earlier_release_reads_the_same(
    client: Redis, ledger: Ledger
) -> None:
    store, pack = ChannelStore(client, ledger.keyspace), Listing(known_by("P"), "P", components=[Component("A", 6)])
    await store.put_listings("web", [Listing("A", "K1", price="5"), pack], ACTOR)
    await store.put_listings("web", [Listing("A", "K2", price="5")], ACTOR)
    await store.put_listings("web", [Listing("A", "K2", price="5")], ACTOR)
    await store.delete_listing("web", "A", ACTOR)

    first, second, same, deleted = await changes_of(client, ledger.keyspace)

    assert values(first) == [("", {"key": "K1", "price": "5"}), ("", {"key": "P", "components": [["A", 6]]})]
    assert values(second) == [({"key": "K1", "price": "5"}, {"key": "K2", "price": "5"})]
    assert values(same) == [(None, None)]
    assert values(deleted) == [({"key": "K2", "price": "5"}, "")]
    assert (commanded_skus(first), commanded_keys(first)) == (["A"], ["P"])
    assert left_keys(second, lists_all=False) == {"K1": "A"}


async def test_expected_receipts_are_noted(client: Redis, ledger: Ledger) -> None:
    asked: dict[str, Any] = {"actor": ACTOR, "fingerprint": "", "key": "", "supply_id": "s1"}
    await ledger.run(receive("A", 1))
    for quantity in (5, 5, 8):
        await ledger.run(Expect(**asked, sku="A", location="main", quantity=quantity, expected_on=date(2026, 12, 1)))
    await ledger.run(Forgo(**asked))

    _, first, second, gone = await changes_of(client, ledger.keyspace)

    assert [each.operation for each in (first, second, gone)] == ["expect", "expect", "forgo"]
    assert {each.actor for each in (first, second, gone)} == {ACTOR}
    [(was, now)] = values(second)
    assert (was["quantity"], now["quantity"], now["expected_on"]) == (5, 8, "2026-12-01")
    assert (values(first)[0][0], values(gone)[0][1]) == ("", "")
    [row] = rows_of((1, 0), [gone])
    assert (row.sku, row.location) == ("A", "main")


async def test_api_keys_are_noted_in_the_partition_that_they_open(client: Redis, partition: str) -> None:
    keys = ApiKeyStore(client)
    token, key = await keys.create([Scope.READ], partition, "shop")
    for _ in range(2):
        await keys.revoke(key.id)

    made, revoked = await changes_of(client, Keyspace(partition))

    assert [each.operation for each in (made, revoked)] == ["api_key", "api_key"]
    assert values(made) == [("", {"name": "shop", "scopes": ["read"]})]
    assert values(revoked) == [({"name": "shop", "scopes": ["read"]}, "")]
    assert [row.key for row in rows_of((1, 0), [made])] == [key.id]
    entries: Any = await client.xrange(Keyspace(partition).journal)
    everything = b"".join([fields[b"e"] for _, fields in entries])
    assert token.rpartition("_")[2].encode() not in everything
    assert key.sha256.encode() not in everything


async def test_what_people_decide_about_a_source_and_a_forgotten_channel_are_noted(
    client: Redis, ledger: Ledger
) -> None:
    source = SourceStore(client, ledger.keyspace, "erp")
    await source.decide({("A", "main"): Decided("refused", 7, ACTOR), PULL_NOW: Decided("confirmed", 0, ACTOR)})
    await source.decide({})
    await ChannelStore(client, ledger.keyspace).forget("web", ACTOR)

    refused, pull, forgotten = await changes_of(client, ledger.keyspace)

    assert (refused.operation, dict(refused.notes)["decision"], dict(refused.notes)["number"]) == (
        "source_decision", "refused", "7",
    )  # fmt: skip
    assert dict(pull.notes)["decision"] == "pull"
    assert (forgotten.operation, forgotten.channel, forgotten.actor) == ("forget_channel", "web", ACTOR)


async def test_what_is_configured_otherwise_than_before_is_noted(client: Redis, ledger: Ledger) -> None:
    web, pos = ChannelSettings(name="web", kind="shopify"), ChannelSettings(name="pos", kind="webhook")
    dearer = ChannelSettings(name="web", kind="shopify", rules=ChannelRules(buffer=3))
    for configured in ([web, pos], [web, pos], [dearer]):
        given = {("channel", each.name): each for each in configured}
        await note_configuration(client, ledger.keyspace, given)

    first, second = await changes_of(client, ledger.keyspace)

    assert [(row.channel, row.operation) for row in rows_of((1, 0), [first])] == [
        ("pos", "configuration"), ("web", "configuration"),
    ]  # fmt: skip
    gone, changed = values(second)
    assert (gone[0]["kind"], gone[1]) == ("webhook", "")
    assert (changed[0]["rules"]["buffer"], changed[1]["rules"]["buffer"]) == (0, 3)


async def test_given_an_address_with_a_secret_when_it_is_configured_then_nothing_that_is_stored_has_it(
    client: Redis, ledger: Ledger
) -> None:
    url = "https://me:s3cret@feeds.example:8443/stock.csv?key=s3cret#s3cret"
    options: dict[str, Any] = {"url": url, "sku": "a?b", "words": {"?": 1}}
    feed = SourceSettings(name="supplier", kind="feed", options=options)
    await note_configuration(client, ledger.keyspace, {("source", feed.name): feed})

    [change] = await changes_of(client, ledger.keyspace)

    [(_, now)] = values(change)
    assert now["options"] == {**options, "url": "https://feeds.example:8443/stock.csv"}
    stored = await client.hvals(ledger.keyspace.configured)
    assert not any(b"s3cret" in each for each in stored)
    assert "s3cret" not in str(change)
    assert await note_configuration(client, ledger.keyspace, {("source", feed.name): feed}) == 0
