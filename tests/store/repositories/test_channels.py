"""What the store keeps about channels: rules, listings and wishes; the publisher's lease, and writes that it fences."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.channels import (
    ChannelRules,
    ChannelStatus,
    DeadLetter,
    Listing,
    OpenTicket,
    RulesError,
    Shown,
    TicketItem,
    rules_in_force,
    understood,
)
from server.store.audit.audit import audit
from server.store.connection import connect
from server.store.connection.commands import command
from server.store.errors import FencedError, StoreUnavailableError
from server.store.journal.journal import START, read
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.channel_commands import commanded_keys, commanded_skus
from server.store.repositories.channels import CURSOR_LIFE_MS, ChannelStore, lowest_cursor
from server.store.repositories.publisher import ARGUMENTS_MAX, PublisherStore, Writes
from server.store.repositories.skus import SkuStore
from tests.conftest import RETENTION, StoreClient, now_ms, wait_past, wait_until
from tests.support.operations import HOUR_MS, SHORT_MS, ask, count, receive, reserve, stocked
from tests.support.stores import StoreProcess

CHANNEL = "trendyol"
MINUTE_MS = 60_000
pack = msgspec.msgpack.encode


@pytest.fixture
def keyspace(partition: str) -> Keyspace:
    return Keyspace(partition)


@pytest.fixture
def keys(keyspace: Keyspace) -> ChannelKeys:
    return ChannelKeys(keyspace, CHANNEL)


@pytest.fixture
def channels(client: Redis, keyspace: Keyspace) -> ChannelStore:
    return ChannelStore(client, keyspace)


@pytest.fixture
def publisher(client: Redis, keyspace: Keyspace) -> PublisherStore:
    return PublisherStore(client, keyspace)


async def changes(client: Redis, keyspace: Keyspace) -> list[Change]:
    return [change async for _, entry in read(client, keyspace, START) for change in entry]


def writes_of(key: str, fields: dict[str, bytes | str | None]) -> Writes:
    writes = Writes()
    for field, value in fields.items():
        writes.set(key, field, value)
    return writes


# -- rules, without a store


def test_given_rules_at_run_time_when_merged_then_only_the_fields_given_replace_the_configured() -> None:
    configured = ChannelRules(locations=["main"], buffer=2, cap=5)

    in_force = rules_in_force(configured, {"buffer": 0, "cap": None, "cadence_s": 60})

    assert in_force == ChannelRules(locations=["main"], buffer=0, cap=None, cadence_s=60.0)
    assert rules_in_force(configured, {}) == configured


def test_given_a_field_that_this_release_does_not_know_when_merged_then_it_is_passed_over() -> None:
    assert rules_in_force(ChannelRules(), {"by_weekday": [1], "percent": 50}) == ChannelRules(percent=50)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"percent": 101}, "percent"),
        ({"buffer": "2"}, "buffer"),
        ({"locations": ["a", "a"]}, "locations"),
        ({"locations": [""]}, "locations"),
        ({"cadence_s": float("nan")}, "cadence_s"),
        ({"cap": -1, "buffer": 1}, "cap"),
    ],
)
def test_given_a_value_that_cannot_be_when_merged_then_the_field_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(RulesError) as caught:
        rules_in_force(ChannelRules(), given)

    assert caught.value.field == field
    assert caught.value.rule
    assert understood(given) == {name: value for name, value in given.items() if name != field}


# -- what the API keeps


async def test_given_rules_when_set_then_they_are_kept_as_given_and_nothing_given_takes_them_back(
    channels: ChannelStore, client: Redis, keyspace: Keyspace
) -> None:
    await channels.set_rules(CHANNEL, {"percent": 50, "cap": None}, "ada")
    await channels.set_rules("shop", {"buffer": 1}, "ada")
    assert await channels.given_rules() == {CHANNEL: {"percent": 50, "cap": None}, "shop": {"buffer": 1}}

    await channels.set_rules(CHANNEL, {}, "bob")

    assert await channels.given_rules() == {"shop": {"buffer": 1}}
    found = [(change.operation, change.channel, change.actor) for change in await changes(client, keyspace)]
    assert found == [
        ("channel_rules", CHANNEL, "ada"),
        ("channel_rules", "shop", "ada"),
        ("channel_rules", CHANNEL, "bob"),
    ]


async def test_given_listings_when_put_then_each_is_read_back_in_the_order_asked(
    channels: ChannelStore, client: Redis, keyspace: Keyspace
) -> None:
    first = Listing(
        "Çay / 6'lı", "869", listed=False, price="1.50", list_price="2", currency="TRY", attributes={"a": "b"}
    )
    await channels.put_listings(CHANNEL, [first, Listing("B", "b")], "ada")
    await channels.put_listings(CHANNEL, [Listing("B", "new")], "ada")

    assert await channels.listings_of(CHANNEL, ["B", "nobody", first.sku]) == [Listing("B", "new"), None, first]
    assert await channels.listings_of(CHANNEL, []) == []
    assert len([each async for each in channels.listings(CHANNEL)]) == 2
    assert [each async for each in channels.listings("shop")] == []
    put, again = await changes(client, keyspace)
    assert (put.operation, commanded_skus(put), commanded_skus(again)) == ("channel_listings", [first.sku, "B"], ["B"])
    assert abs(put.at_ms - await now_ms(client)) < MINUTE_MS


async def test_given_skus_without_stock_when_looked_for_then_the_untracked_are_unknown_too(
    channels: ChannelStore, client: Redis, ledger: Ledger
) -> None:
    await stocked(ledger, S=1)
    await SkuStore(client, ledger.keyspace, RETENTION.packed()).track("GIFT", "tester", tracked=False)

    assert await channels.unknown_skus(["S", "GIFT", "NOBODY"]) == ["GIFT", "NOBODY"]


async def test_given_many_listings_when_gone_through_then_each_comes_once(channels: ChannelStore) -> None:
    everything = [Listing(f"S{number}", f"k{number}") for number in range(2_500)]
    for start in range(0, len(everything), 1_000):
        await channels.put_listings(CHANNEL, everything[start : start + 1_000], "ada")

    found = [each async for each in channels.listings(CHANNEL)]

    assert sorted(found, key=lambda each: int(each.sku[1:])) == everything


async def test_given_many_listings_when_paged_then_each_comes_and_no_page_is_much_longer_than_asked(
    channels: ChannelStore,
) -> None:
    everything = {f"S{number}" for number in range(1_000)}
    await channels.put_listings(CHANNEL, [Listing(sku, sku) for sku in everything], "ada")

    position, page = await channels.page_of_listings(CHANNEL, 0, 100)
    sizes, found = [len(page)], {each.sku for each in page}
    while position:
        position, page = await channels.page_of_listings(CHANNEL, position, 100)
        sizes.append(len(page))
        found |= {each.sku for each in page}

    assert found == everything
    assert max(sizes) <= 200


async def test_given_statuses_and_dead_letters_when_read_then_they_are_what_the_publisher_wrote(
    channels: ChannelStore, publisher: PublisherStore, keyspace: Keyspace, keys: ChannelKeys
) -> None:
    lease = await publisher.acquire("one", MINUTE_MS)
    status = ChannelStatus(publisher="one", written_ms=lease.now_ms, dirty=3, circuit="halted", lag_p50_s=0.5)
    letter = DeadLetter("A", "a", 3, "NO", "niçin değil", 1, 1, 2, 3)
    writes = writes_of(keyspace.channel_status, {CHANNEL: msgspec.json.encode(status)})
    writes.set(keys.dead_letters, "A", pack(letter))
    writes.set(keyspace.channel_cursors, CHANNEL, "7-1")
    await publisher.record(lease.token, writes)

    assert await channels.statuses() == {CHANNEL: status}
    assert [each async for each in channels.dead_letters(CHANNEL)] == [letter]
    assert [each async for each in channels.dead_letters("shop")] == []
    assert await channels.cursors() == {CHANNEL: "7-1"}


async def test_given_commands_among_sales_when_the_stock_is_audited_then_nothing_has_drifted(
    channels: ChannelStore, client: Redis, keyspace: Keyspace, ledger: Ledger
) -> None:
    await stocked(ledger, A=10)
    await channels.put_listings(CHANNEL, [Listing("A", "a")], "ada")
    await ask(ledger, reserve("r", ("A", 3)))
    await channels.send_command(CHANNEL, "channel_reconcile", [], "ada")
    await channels.send_command(CHANNEL, "channel_retry", ["A"], "ada")
    await ask(ledger, receive("A", 1))

    report = await audit(client, keyspace)

    assert (report.conclusive, report.drift) == (True, [])


async def test_given_very_many_keys_when_they_are_to_be_sent_again_then_no_entry_of_the_journal_names_all(
    channels: ChannelStore, client: Redis, keyspace: Keyspace
) -> None:
    keys = [f"k{number:04}" for number in range(1_201)]

    await channels.resend(CHANNEL, keys, lambda key: [f"sku of {key}"])

    found = await changes(client, keyspace)
    assert {each.operation for each in found} == {"channel_resend"}
    assert [len(commanded_keys(each)) for each in found] == [500, 500, 201]
    assert [key for each in found for key in commanded_keys(each)] == keys
    assert [sku for each in found for sku in commanded_skus(each)] == [f"sku of {key}" for key in keys]


async def test_given_a_full_store_when_listings_are_put_then_neither_they_nor_the_word_of_them_are_written(
    own_store: StoreProcess, keyspace: Keyspace
) -> None:
    async with StoreClient(own_store) as client:
        channels = ChannelStore(client, keyspace)
        own_store.command("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreUnavailableError):
            await channels.put_listings(CHANNEL, [Listing("A", "a")], "ada")
        assert [each async for each in channels.listings(CHANNEL)] == []
        assert await changes(client, keyspace) == []


# -- the lease


async def test_given_no_holder_when_the_lease_is_taken_then_it_is_one_s_own_for_its_time(
    publisher: PublisherStore, client: Redis
) -> None:
    lease = await publisher.acquire("one", MINUTE_MS)

    assert (lease.token > 0, lease.owner) == (True, "one")
    assert lease.until_ms == lease.now_ms + MINUTE_MS
    assert abs(lease.now_ms - await now_ms(client)) < MINUTE_MS


async def test_given_a_lease_when_its_holder_takes_it_again_then_it_lasts_longer_under_the_same_token(
    publisher: PublisherStore,
) -> None:
    first = await publisher.acquire("one", MINUTE_MS)
    second = await publisher.acquire("one", HOUR_MS)

    assert second.token == first.token
    assert second.until_ms >= first.until_ms + HOUR_MS - MINUTE_MS


async def test_given_a_lease_when_another_wants_it_then_they_learn_who_holds_it_and_how_long(
    publisher: PublisherStore,
) -> None:
    mine = await publisher.acquire("one", MINUTE_MS)

    theirs = await publisher.acquire("two", HOUR_MS)

    assert (theirs.token, theirs.owner, theirs.until_ms) == (0, "one", mine.until_ms)


@pytest.mark.parametrize("next_owner", ["one", "two"])
async def test_given_a_lease_that_ran_out_when_it_is_taken_then_the_token_is_greater_also_for_the_same_holder(
    publisher: PublisherStore, client: Redis, next_owner: str
) -> None:
    lease = await publisher.acquire("one", SHORT_MS)
    await wait_past(client, lease.until_ms)

    assert (await publisher.acquire(next_owner, MINUTE_MS)).token > lease.token


@pytest.mark.parametrize("next_owner", ["one", "two"])
async def test_given_a_lease_that_was_released_when_another_comes_then_they_need_not_wait(
    publisher: PublisherStore, next_owner: str
) -> None:
    first = await publisher.acquire("one", HOUR_MS)
    await publisher.release("one")

    assert (await publisher.acquire(next_owner, HOUR_MS)).token > first.token


async def test_given_a_lease_when_somebody_else_gives_it_back_then_it_stays_whose_it_is(
    publisher: PublisherStore,
) -> None:
    mine = await publisher.acquire("one", HOUR_MS)

    await publisher.release("two")

    assert (await publisher.acquire("two", HOUR_MS)).token == 0
    assert (await publisher.acquire("one", HOUR_MS)).token == mine.token


async def test_given_100_who_want_the_lease_when_they_come_at_once_then_exactly_one_gets_it(
    publisher: PublisherStore,
) -> None:
    leases = await asyncio.gather(*(publisher.acquire(f"owner-{number}", HOUR_MS) for number in range(100)))

    [winner] = [lease for lease in leases if lease.token]
    assert {lease.owner for lease in leases} == {winner.owner}


async def test_given_a_store_that_is_killed_when_it_is_back_then_tokens_go_on_growing(
    own_store: StoreProcess, keyspace: Keyspace
) -> None:
    async with StoreClient(own_store) as client:
        lease = await PublisherStore(client, keyspace).acquire("one", SHORT_MS)
        await wait_past(client, lease.until_ms)
    own_store.kill()
    own_store.start()
    async with StoreClient(own_store) as client:
        assert (await PublisherStore(client, keyspace).acquire("two", HOUR_MS)).token > lease.token


# -- fenced writes


async def test_given_a_lease_when_its_holder_writes_then_fields_are_set_and_deleted_and_hashes_dropped(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys
) -> None:
    token = (await publisher.acquire("one", MINUTE_MS)).token
    await publisher.record(token, writes_of(keys.shown, {"A": b"\x00\xff", "B": "b", "C": "c"}))
    await publisher.record(token, writes_of(keys.tickets, {"t": "t"}))

    writes = writes_of(keys.shown, {"A": None, "B": "new", "unknown": None})
    writes.dropped.append(keys.tickets)
    await publisher.record(token, writes)

    assert await command(client, "HGETALL", keys.shown) == {b"B": b"new", b"C": b"c"}
    assert await command(client, "EXISTS", keys.tickets) == 0


async def test_given_a_hash_when_it_is_dropped_and_written_at_once_then_it_holds_what_was_written(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys
) -> None:
    token = (await publisher.acquire("one", MINUTE_MS)).token
    await publisher.record(token, writes_of(keys.shown, {"old": "1"}))

    writes = writes_of(keys.shown, {"new": "2"})
    writes.dropped.append(keys.shown)
    await publisher.record(token, writes)

    assert await command(client, "HGETALL", keys.shown) == {b"new": b"2"}


def test_given_the_same_field_twice_when_gathered_then_the_later_value_counts() -> None:
    writes = Writes()
    assert not writes
    writes.set("key", "A", "1")
    writes.set("key", "A", None)
    assert writes
    assert writes.hashes == {"key": {"A": None}}


async def test_given_nothing_to_write_when_recorded_then_the_store_is_not_asked(publisher: PublisherStore) -> None:
    await publisher.record(999, Writes())


async def test_given_more_than_one_script_may_hold_when_written_then_all_arrives(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys, keyspace: Keyspace
) -> None:
    token = (await publisher.acquire("one", MINUTE_MS)).token
    fields = 3 * ARGUMENTS_MAX + 1
    await publisher.record(token, writes_of(keys.shown, {f"gone-{number}": "x" for number in range(fields)}))

    writes = Writes()
    for number in range(fields):
        writes.set(keys.shown, f"gone-{number}", None)
        writes.set(keys.shown, f"S{number}", str(number))
        writes.set(keys.dead_letters, f"S{number}", str(number))
    writes.set(keyspace.channel_cursors, CHANNEL, "5-0")
    await publisher.record(token, writes)

    expected = {f"S{number}".encode(): str(number).encode() for number in range(fields)}
    assert await command(client, "HGETALL", keys.shown) == expected
    assert await command(client, "HGETALL", keys.dead_letters) == expected
    assert await publisher.cursors() == {CHANNEL: "5-0"}


async def test_given_another_s_lease_when_the_old_publisher_wakes_and_writes_then_it_is_refused(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys
) -> None:
    old = await publisher.acquire("one", SHORT_MS)
    await wait_past(client, old.until_ms)
    new = await publisher.acquire("two", MINUTE_MS)
    await publisher.record(new.token, writes_of(keys.shown, {"A": "two's"}))

    with pytest.raises(FencedError):
        await publisher.record(old.token, writes_of(keys.shown, {"A": "one's"}))

    assert await command(client, "HGETALL", keys.shown) == {b"A": b"two's"}


async def test_given_a_lease_that_ran_out_and_that_no_other_took_when_its_holder_writes_then_it_may(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys
) -> None:
    lease = await publisher.acquire("one", SHORT_MS)
    await wait_past(client, lease.until_ms)

    await publisher.record(lease.token, writes_of(keys.shown, {"A": "1"}))

    assert await command(client, "HGET", keys.shown, "A") == b"1"


@pytest.mark.parametrize("token", [0, 1])
async def test_given_no_lease_when_somebody_writes_then_it_is_refused(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys, token: int
) -> None:
    with pytest.raises(FencedError):
        await publisher.record(token, writes_of(keys.shown, {"A": "1"}))
    assert await command(client, "EXISTS", keys.shown) == 0


async def test_given_a_lease_that_is_lost_between_two_scripts_when_written_then_the_cursor_has_not_moved(
    publisher: PublisherStore, client: Redis, keys: ChannelKeys, keyspace: Keyspace
) -> None:
    old = await publisher.acquire("one", SHORT_MS)
    writes = writes_of(keys.shown, {str(number): "1" for number in range(20 * ARGUMENTS_MAX)})
    writes.set(keyspace.channel_cursors, CHANNEL, "5-0")
    await wait_past(client, old.until_ms)

    async def some_is_written() -> bool:
        return bool(await command(client, "EXISTS", keys.shown))

    writing = asyncio.create_task(publisher.record(old.token, writes))
    await wait_until(some_is_written, "the first script has run")
    await publisher.acquire("two", MINUTE_MS)
    with pytest.raises(FencedError):
        await writing

    assert await publisher.cursors() == {}


async def test_given_a_full_store_when_the_publisher_writes_then_it_may_for_it_would_send_all_again_otherwise(
    own_store: StoreProcess, keyspace: Keyspace, keys: ChannelKeys
) -> None:
    async with StoreClient(own_store) as client:
        publisher = PublisherStore(client, keyspace)
        await publisher.acquire("one", MINUTE_MS)
        own_store.command("CONFIG", "SET", "maxmemory", "1")

        lease = await publisher.acquire("one", MINUTE_MS)
        await publisher.record(lease.token, writes_of(keys.shown, {"A": "1"}))

        assert await command(client, "HGET", keys.shown, "A") == b"1"


# -- what a publisher reads


async def test_given_records_when_read_back_then_they_are_as_they_were_written(
    publisher: PublisherStore, channels: ChannelStore, keys: ChannelKeys
) -> None:
    token = (await publisher.acquire("one", MINUTE_MS)).token
    shown = Shown("a", 3, "1.50", "", 7, 1_000)
    ticket = OpenTicket("t-1", 1, 2, [TicketItem("A", "a", 3, "", "", 7, 1)])
    letter = DeadLetter("B", "b", 0, "NO", "no", 8, 1, 2)
    writes = writes_of(keys.shown, {"Ç / 1": pack(shown)})
    writes.set(keys.tickets, "t-1", pack(ticket))
    writes.set(keys.dead_letters, "B", pack(letter))
    await publisher.record(token, writes)
    await channels.put_listings(CHANNEL, [Listing("A", "a")], "ada")

    assert [each async for each in publisher.shown(CHANNEL)] == [("Ç / 1", shown)]
    assert [each async for each in publisher.tickets(CHANNEL)] == [ticket]
    assert [each async for each in publisher.dead_letters(CHANNEL)] == [letter]
    assert [each async for each in publisher.listings(CHANNEL)] == [Listing("A", "a")]


async def test_given_stock_when_levels_are_read_then_they_are_what_the_ledger_says(
    publisher: PublisherStore, ledger: Ledger
) -> None:
    await stocked(ledger, A=10)
    await ask(ledger, count("A", 7, safety=2))
    await ask(ledger, receive("A", 5, "Kadıköy"))
    await ask(ledger, receive("B / ş", 1))
    await ask(ledger, reserve("r", ("A", 4)))
    expected = {
        (level.sku, level.location, level.available, level.seq, ())
        for sku in ("A", "B / ş")
        for level in (await ledger.stock(sku)).levels
    }

    assert {each async for each in publisher.levels()} == expected


async def test_given_cursors_when_asked_for_the_lowest_then_ids_compare_as_numbers(
    publisher: PublisherStore, client: Redis, keyspace: Keyspace
) -> None:
    assert await lowest_cursor(client, keyspace) is None
    token = (await publisher.acquire("one", MINUTE_MS)).token
    cursors: dict[str, bytes | str | None] = {"a": "100-2", "b": "99-10", "c": "99-9"}
    await publisher.record(token, writes_of(keyspace.channel_cursors, cursors))

    assert await lowest_cursor(client, keyspace) == "99-9"


async def test_given_a_channel_that_was_not_published_for_days_when_asked_then_its_cursor_counts_no_more(
    publisher: PublisherStore, client: Redis, keyspace: Keyspace
) -> None:
    token, now = (await publisher.acquire("one", MINUTE_MS)).token, await now_ms(client)
    statuses: dict[str, bytes | str | None] = {
        "gone": msgspec.json.encode(ChannelStatus(publisher="p", written_ms=now - CURSOR_LIFE_MS)),
        "here": msgspec.json.encode(ChannelStatus(publisher="p", written_ms=now)),
    }
    await publisher.record(token, writes_of(keyspace.channel_status, statuses))
    await publisher.record(token, writes_of(keyspace.channel_cursors, {"gone": "1-0", "here": "2-0"}))

    assert await lowest_cursor(client, keyspace) == "2-0"


ASKED: dict[str, Callable[[ChannelStore, PublisherStore], Awaitable[object]]] = {
    "rules": lambda channels, _: channels.given_rules(),
    "set_rules": lambda channels, _: channels.set_rules(CHANNEL, {}, "ada"),
    "page": lambda channels, _: channels.page_of_listings(CHANNEL, 0, 1),
    "send_command": lambda channels, _: channels.send_command(CHANNEL, "channel_retry", [], "ada"),
    "acquire": lambda _, publisher: publisher.acquire("one", 1),
    "record": lambda _, publisher: publisher.record(1, writes_of("key", {"A": "1"})),
    "cursors": lambda _, publisher: publisher.cursors(),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
async def test_given_a_store_that_is_gone_when_asked_then_it_is_unavailable(
    asked: Callable[[ChannelStore, PublisherStore], Awaitable[object]],
) -> None:
    pool = connect.connection_pool("unix:///nonexistent/store.sock")
    client, keyspace = connect.client(pool), Keyspace("default")
    try:
        with pytest.raises(StoreUnavailableError):
            await asked(ChannelStore(client, keyspace), PublisherStore(client, keyspace))
    finally:
        await pool.aclose()
