"""The journal feed on real stores: read once, handed to any number of followers, honest after a reconnect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis
from redis.asyncio import Redis

from server.domain.changes import Change
from server.store.connection import connect
from server.store.connection.commands import command
from server.store.journal import feed as feed_module
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import START, DamagedEntryError, bounds, read
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from tests.conftest import now_ms, wait_until
from tests.support.feeds import feed_of
from tests.support.operations import stocked
from tests.support.stores import StoreProcess

SOON_S = 10.0
SMALL = 4
"""Entries in the buffer of a feed that is to overflow."""

Entries = list[tuple[str, list[Change]]]


@pytest.fixture
async def feed(client: Redis, ledger: Ledger) -> AsyncIterator[JournalFeed]:
    async with _started(feed_of(client, ledger.keyspace, buffer_entries=SMALL)) as started:
        yield started


@pytest.fixture
async def own_feed(own_store: StoreProcess) -> AsyncIterator[JournalFeed]:
    """Follow a store that the test may kill."""
    pool = connect.connection_pool(own_store.url)
    async with _started(feed_of(connect.client(pool), Keyspace("default"))) as started:
        yield started
    await pool.aclose()


@asynccontextmanager
async def _started(feed: JournalFeed) -> AsyncIterator[JournalFeed]:
    feed.start()
    await wait_until(lambda: feed.connections == 1, "the feed has connected")
    try:
        yield feed
    finally:
        await feed.close()


async def _all(feed: JournalFeed, after: str = START, count: int = 3) -> Entries:
    return [entry async for entry in feed.read(after, count)]


async def _in_store(client: Redis, ledger: Ledger, after: str = START) -> Entries:
    return [entry async for entry in read(client, ledger.keyspace, after)]


async def _arrived(client: Redis, ledger: Ledger, feed: JournalFeed) -> None:
    """Wait until the feed has received what the store has."""
    newest = (await bounds(client, ledger.keyspace)).last_id
    await wait_until(lambda: feed.last_id == newest, "the feed is at the journal's end")


async def _reads(client: Redis) -> int:
    """How many range reads the store has carried out."""
    stats = await client.info("commandstats")
    return int(stats.get("cmdstat_xrange", {"calls": 0})["calls"])


async def test_given_many_waiters_when_the_journal_grows_then_all_wake(ledger: Ledger, feed: JournalFeed) -> None:
    waiters = [asyncio.create_task(feed.grown(START, SOON_S)) for _ in range(20)]
    await stocked(ledger, cap=1)
    assert await asyncio.gather(*waiters) == [True] * 20


async def test_given_a_waiter_at_the_end_when_nothing_comes_then_it_is_notified(
    ledger: Ledger, feed: JournalFeed
) -> None:
    await stocked(ledger, cap=1)
    await feed.grown(START, SOON_S)
    assert await feed.grown(feed.last_id, 0.01) is False


async def test_given_a_feed_that_was_not_started_when_read_then_the_entries_come_from_the_store(
    client: Redis, ledger: Ledger
) -> None:
    for units in range(7):
        await stocked(ledger, cap=units)
    assert await _all(feed_of(client, ledger.keyspace)) == await _in_store(client, ledger)


async def test_given_entries_from_before_when_the_feed_starts_then_it_knows_the_end_and_reads_them_from_the_store(
    client: Redis, ledger: Ledger
) -> None:
    await stocked(ledger, cap=1)
    async with _started(feed_of(client, ledger.keyspace)) as feed:
        assert feed.last_id == (await bounds(client, ledger.keyspace)).last_id
        assert await _all(feed) == await _in_store(client, ledger)


async def test_given_many_followers_that_keep_up_when_the_journal_grows_then_each_gets_all_and_the_store_is_not_asked(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    for units in range(SMALL):
        await stocked(ledger, cap=units)
    await _arrived(client, ledger, feed)
    expected, before = await _in_store(client, ledger), await _reads(client)

    got = await asyncio.gather(*(_all(feed, START) for _ in range(20)))

    assert got == [expected] * 20
    assert await _reads(client) == before


async def test_given_several_followers_when_they_read_an_entry_then_it_is_decoded_once(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    await stocked(ledger, cap=1)
    await _arrived(client, ledger, feed)
    [first], [second] = await feed.read_page(START, 10), await feed.read_page(START, 10)
    assert first.changes is second.changes


async def test_given_more_entries_than_the_buffer_holds_when_a_follower_is_behind_then_it_catches_up_from_the_store(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    # Given: the buffer has wrapped around several times
    for units in range(3 * SMALL):
        await stocked(ledger, cap=units)
    await _arrived(client, ledger, feed)
    expected, before = await _in_store(client, ledger), await _reads(client)

    # When
    all_of_it, newest = await _all(feed), await _all(feed, expected[-3][0])

    # Then: the one far behind gets everything in order, the one that is near needs nothing of the store
    assert all_of_it == expected
    assert newest == expected[-2:]
    # Three entries to a page: the last page begins where the buffer reaches.
    assert await _reads(client) - before == 3


async def test_given_entries_larger_than_the_buffer_when_read_then_they_come_from_the_store(
    client: Redis, ledger: Ledger
) -> None:
    async with _started(feed_of(client, ledger.keyspace, buffer_bytes=1)) as feed:
        for units in range(3):
            await stocked(ledger, cap=units)
        await _arrived(client, ledger, feed)
        assert await _all(feed) == await _in_store(client, ledger)


async def test_given_a_quiet_journal_when_time_passes_then_the_buffer_is_let_go(
    client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "_BLOCK_S", 0.01)
    async with _started(feed_of(client, ledger.keyspace)) as feed:
        await stocked(ledger, cap=1)
        await _arrived(client, ledger, feed)
        await wait_until(lambda: not feed._buffer, "the buffer is empty")
        assert await _all(feed) == await _in_store(client, ledger)


async def test_given_somebody_who_watches_when_nothing_changes_then_the_feed_knows_that_it_knows_all(
    client: Redis, ledger: Ledger
) -> None:
    feed = feed_of(client, ledger.keyspace)
    feed.watch()
    async with _started(feed):
        await stocked(ledger, cap=1)
        await _arrived(client, ledger, feed)
        before_ms, before_s = await now_ms(client), asyncio.get_running_loop().time()
        await wait_until(lambda: feed.seen is not None and feed.seen.at_s > before_s, "it has looked again")
        assert feed.seen is not None
        assert before_ms <= feed.seen.as_of_ms <= await now_ms(client)
        assert [entry.entry_id for entry in await feed.read_page(START, 10)] == [feed.last_id], "the buffer is kept"
    assert feed.seen is None, "a feed that has ended knows nothing"


async def test_given_many_feeds_that_are_watched_when_nothing_changes_then_together_they_look_no_oftener(
    client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JournalFeed, "watched", 0)
    feeds = [feed_of(client, Keyspace(f"p{number}")) for number in range(1_000)]
    looks = list[float]()
    for each in feeds:
        each.watch()
        looks.append(JournalFeed.watched / each.look_s)
    try:
        assert looks[0] == 1 / feed_module.WATCHED_BLOCK_S
        assert max(looks) == pytest.approx(feed_module.WATCHED_AT_ONCE / feed_module.WATCHED_BLOCK_S)
    finally:
        for each in feeds:
            each.unwatch()
    assert JournalFeed.watched == 0
    assert feeds[0].look_s > 1


async def test_given_nobody_who_watches_when_followed_then_the_clock_is_not_asked(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    await stocked(ledger, cap=1)
    await _arrived(client, ledger, feed)
    assert feed.seen is None


async def test_given_a_damaged_entry_when_followed_then_it_is_named_and_what_follows_can_be_read(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    await stocked(ledger, cap=1)
    damaged = (await command(client, "XADD", ledger.keyspace.journal, "*", "x", "y")).decode()
    await stocked(ledger, cap=2)
    await _arrived(client, ledger, feed)
    with pytest.raises(DamagedEntryError, match=damaged):
        await _all(feed)
    assert await _all(feed, damaged) == await _in_store(client, ledger, damaged)


async def test_given_a_store_that_is_killed_when_it_is_back_then_the_feed_goes_on(
    own_store: StoreProcess, own_feed: JournalFeed
) -> None:
    # Given: a feed that has seen one entry of a store that crashes and comes back
    journal = own_feed.keyspace.journal
    own_store.command("XADD", journal, "*", "e", "")
    assert await own_feed.grown(START, SOON_S)
    seen = own_feed.last_id
    own_store.kill()
    await asyncio.to_thread(own_store.start)

    # When
    own_store.command("XADD", journal, "*", "e", "")

    # Then
    assert await own_feed.grown(seen, SOON_S)
    assert [entry.entry_id for entry in await own_feed.read_page(START, 10)] == [seen, own_feed.last_id]


async def test_given_a_store_that_lost_its_newest_entries_when_it_is_back_then_what_it_lost_is_not_handed_out(
    own_store: StoreProcess, own_feed: JournalFeed
) -> None:
    # Given: the feed holds an entry
    journal = own_feed.keyspace.journal
    own_store.command("XADD", journal, "99-0", "e", "")
    assert await own_feed.grown("98-0", SOON_S)

    # When: the store comes back with an older end
    own_store.command("DEL", journal)
    own_store.command("XADD", journal, "50-0", "e", "")
    own_store.command("CLIENT", "KILL", "TYPE", "normal")
    await wait_until(lambda: own_feed.last_id == "50-0", "the feed stands at the store's end")

    # Then
    assert (own_feed.connections, own_feed.rewinds) == (2, 1)
    assert [entry.entry_id for entry in await own_feed.read_page(START, 10)] == ["50-0"]


@pytest.mark.parametrize(
    ("kept", "rewinds"), [(["40-0", "99-0"], 0), (["40-0", "120-0"], 1), (["99-0", "120-0"], 0), (["120-0"], 0)]
)
async def test_given_entries_that_came_meanwhile_when_connected_again_then_only_a_lost_one_counts_as_gone_back(
    own_store: StoreProcess, own_feed: JournalFeed, kept: list[str], rewinds: int
) -> None:
    """The last case is a journal that was trimmed."""
    journal = own_feed.keyspace.journal
    own_store.command("XADD", journal, "99-0", "e", "")
    assert await own_feed.grown("98-0", SOON_S)
    with redis.Redis(unix_socket_path=str(own_store.socket)) as store, store.pipeline(transaction=True) as at_once:
        at_once.delete(journal)
        for entry_id in kept:
            at_once.execute_command("XADD", journal, entry_id, "e", "")
        at_once.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        at_once.execute()
    await wait_until(lambda: own_feed.last_id == kept[-1] and own_feed.connections == 2, "it is connected again")
    assert own_feed.rewinds == rewinds


async def test_given_no_journal_yet_when_its_first_entry_comes_then_followers_get_it(
    client: Redis, ledger: Ledger, feed: JournalFeed
) -> None:
    assert await _all(feed) == []
    await stocked(ledger, cap=1)
    assert await feed.grown(START, SOON_S)
    assert await _all(feed) == await _in_store(client, ledger)
