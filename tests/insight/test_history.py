"""The history has each change exactly once, whichever process is killed or follows beside, and says what it lacks."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.channels import Listing
from server.domain.history import Gap, HistoryRow, Moment, rows_of
from server.insight import journal_followers
from server.insight.followers import Followers
from server.insight.history import HistoryConsumer, HistoryUpkeep
from server.insight.journal_followers import JournalFollower, Write
from server.insight.pace import Pace
from server.insight.trim_floor import TIMES, TrimFloor, lowest_of
from server.store.documents import followed, history, history_search
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.documents.history_search import Found
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsError
from server.store.journal import journal
from server.store.journal.entries import parse_entry_id, text_of
from server.store.journal.feed import Entry
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.maintenance.activity import Activity
from server.store.repositories.channels import ChannelStore
from tests.conftest import ON_ONE_STORE, now_ms, wait_until
from tests.support.feeds import feed_of
from tests.support.following_process import no_key
from tests.support.http import ROOT
from tests.support.operations import cancel, order, receive, reserve
from tests.support.stores import StoreProcess

KILLS = [2, pytest.param(20, marks=pytest.mark.soak)]
DAY_MS: Final = 86_400_000


class Kept(msgspec.Struct):
    """A partition's history, its database, and how to follow into it."""

    client: Redis
    keyspace: Keyspace
    file: Path
    documents: Documents

    def follower(self, *consumers: journal_followers.Consumer) -> JournalFollower:
        feed, pace = feed_of(self.client, self.keyspace), Pace(cpu_s=lambda: 0.0)
        return JournalFollower(feed, self.documents, consumers or (HistoryConsumer(),), pace=pace)

    async def rows(self) -> list[HistoryRow]:
        """All of it, the oldest first."""
        found, page = list[HistoryRow](), await self._page(None)
        while page.following is not None:
            found += page.rows
            page = await self._page(page.following)
        return [*found, *page.rows][::-1]

    async def _page(self, before: Moment | None) -> Found:
        partition = self.keyspace.partition
        return await self.documents.look(
            lambda session: history_search.find(session, partition, {}, before=before, limit=500)
        )

    async def gaps(self) -> list[Gap]:
        partition = self.keyspace.partition
        return await self.documents.look(lambda session: history_search.gaps(session, partition, 0, 2**53))

    async def told(self) -> list[HistoryRow]:
        """What the journal says, decoded anew."""
        return [
            row
            async for entry_id, changes in journal.read(self.client, self.keyspace)
            for row in rows_of(parse_entry_id(entry_id), changes)
        ]

    async def lose_database(self) -> None:
        await self.documents.close()
        for file in self.file.parent.glob(f"{self.file.name}*"):
            file.unlink()


@pytest.fixture
async def kept(client: Redis, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Kept]:
    file = tmp_path / "documents.sqlite3"
    made = Kept(client, ledger.keyspace, file, Documents(SqliteDatabase(file), no_key, rest_s=0.0))
    yield made
    await made.documents.close()


async def sell(ledger: Ledger, chance: random.Random) -> None:
    sku = chance.choice("ABC")
    match chance.randrange(3):
        case 0:
            await ledger.run(receive(sku, 10))
        case 1:
            await ledger.run(order(f"o{chance.getrandbits(60):x}", (sku, 1)))
        case _:
            await ledger.run(reserve(f"r{chance.getrandbits(60):x}", (sku, 1), ("B", 1)))


class Pieces:
    """A consumer that notes how many rows of the history each piece makes."""

    name = "pieces"
    keeps_journal = False

    def __init__(self) -> None:
        self.rows: list[int] = []

    async def take(self, keyspace: Keyspace, entries: Sequence[Entry]) -> Write:  # noqa: ARG002  # it is the contract
        self.rows.append(sum(len(rows_of(each.position, each.changes)) for each in entries))
        return _nothing

    def miss(self, keyspace: Keyspace, gap: Gap) -> Write:  # noqa: ARG002  # it is the contract
        return _nothing


async def _nothing(_: Session) -> None:
    """Write nothing."""


async def test_many_listings_are_not_written_in_one_transaction(kept: Kept, client: Redis) -> None:
    store = ChannelStore(client, kept.keyspace)
    for first in range(0, 10_000, 500):
        await store.put_listings("shop", [Listing(f"S{n}", f"k{n}") for n in range(first, first + 500)], "ada")
    pieces = Pieces()

    await kept.follower(HistoryConsumer(), pieces).catch_up()

    assert sum(pieces.rows) == 10_000
    assert max(pieces.rows) <= journal_followers.LINES_MAX + 500
    assert len(await kept.rows()) == 10_000


async def test_the_history_is_what_the_journal_says(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(order("o1", ("A", 3)))
    await ledger.run(cancel("o1", reason="changed my mind"))

    await kept.follower().catch_up()

    rows = await kept.rows()
    assert rows == await kept.told()
    assert [(row.operation, row.detail.before, row.available) for row in rows] == [
        ("receive", 0, 10), ("order", 10, 7), ("cancel", 7, 10),
    ]  # fmt: skip
    assert dict(rows[-1].detail.notes)["reason"] == "changed my mind"
    assert await kept.gaps() == []


async def test_nothing_is_written_twice_where_two_follow(kept: Kept, ledger: Ledger) -> None:
    chance = random.Random(1)
    for _ in range(100):
        await sell(ledger, chance)
    others = [kept.follower() for _ in range(3)]

    for _ in range(3):
        await asyncio.gather(*(each.catch_up() for each in others), *(sell(ledger, chance) for _ in range(50)))
    for each in others:
        await each.catch_up()

    assert await kept.rows() == await kept.told()


@ON_ONE_STORE
@pytest.mark.parametrize("kills", KILLS)
async def test_given_a_follower_that_is_killed_again_and_again_then_no_row_is_lost_or_doubled(
    kept: Kept, ledger: Ledger, store: StoreProcess, kills: int
) -> None:
    chance = random.Random(7)
    arguments = [store.url, kept.keyspace.partition, str(kept.file)]
    words = [sys.executable, "-m", "tests.support.following_process", *arguments]
    for _ in range(kills):
        with ExitStack() as running:
            process = running.enter_context(subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE))
            running.callback(process.kill)
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            before = len(await kept.rows())
            for _ in range(chance.randint(1, 60)):
                await sell(ledger, chance)

            async def has_written(before: int = before) -> bool:
                return len(await kept.rows()) > before

            await wait_until(has_written, "it has written something")
            selling = asyncio.gather(*(sell(ledger, chance) for _ in range(30)))
            for _ in range(chance.randint(0, 5)):
                await sell(ledger, chance)
            process.kill()  # in the midst of what it has to write
            await selling
            await asyncio.to_thread(process.wait)
    await kept.follower().catch_up()

    assert await kept.rows() == await kept.told()
    assert await kept.gaps() == []


async def test_a_database_that_was_lost_is_made_anew_as_far_as_the_journal_reaches(kept: Kept, ledger: Ledger) -> None:
    follower = kept.follower()
    for number in range(5):
        await ledger.run(receive("A", 1 + number))
    await follower.catch_up()
    [first, second] = [each async for each, _ in journal.read(kept.client, kept.keyspace)][:2]
    await kept.client.xtrim(kept.keyspace.journal, minid=second, approximate=False)
    await kept.lose_database()

    await ledger.run(receive("A", 9))
    await follower.catch_up()  # its database is another one: it begins anew
    await follower.catch_up()

    assert first < second
    rows = await kept.rows()
    assert rows == await kept.told()
    assert len(rows) == 5
    assert await kept.gaps() == [Gap(0, parse_entry_id(second)[0], "before")]


async def test_what_was_trimmed_before_it_was_read_is_a_gap(kept: Kept, ledger: Ledger) -> None:
    follower = kept.follower()
    await ledger.run(receive("A", 1))
    await follower.catch_up()
    for number in range(4):
        await ledger.run(receive("A", 2 + number))
    ids = [each async for each, _ in journal.read(kept.client, kept.keyspace)]
    await kept.client.xtrim(kept.keyspace.journal, minid=ids[3], approximate=False)

    with capture_logs() as logs:
        await follower.catch_up()

    assert [row.detail.deltas for row in await kept.rows()] == [[1], [4], [5]]
    assert await kept.gaps() == [Gap(parse_entry_id(ids[0])[0], parse_entry_id(ids[3])[0], "trimmed")]
    assert "journal_not_followed" in [each["event"] for each in logs]
    await kept.follower().catch_up()
    assert len(await kept.gaps()) == 1


async def test_what_a_store_has_lost_is_a_gap_and_what_comes_then_is_not_missed(kept: Kept, ledger: Ledger) -> None:
    follower = kept.follower()
    for number in range(4):
        await ledger.run(receive("A", 1 + number))
    await follower.catch_up()
    ids = [each async for each, _ in journal.read(kept.client, kept.keyspace)]
    await kept.client.xdel(kept.keyspace.journal, ids[2], ids[3])
    await ledger.run(receive("A", 9))

    await follower.catch_up()

    assert [row.detail.deltas for row in await kept.rows()] == [[1], [2], [3], [4], [9]]
    assert await kept.gaps() == [Gap(parse_entry_id(ids[1])[0], parse_entry_id(ids[3])[0], "went_back")]


async def test_a_store_that_came_back_from_before_is_followed_from_its_end(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 1))
    dump: Any = await kept.client.dump(kept.keyspace.journal)
    await ledger.run(receive("A", 2))
    follower = kept.follower()
    await follower.catch_up()
    await kept.client.restore(kept.keyspace.journal, 0, dump, replace=True)

    await follower.catch_up()
    await ledger.run(receive("A", 3))
    await follower.catch_up()

    assert [row.detail.deltas for row in await kept.rows()] == [[1], [2], [3]]
    [gap] = await kept.gaps()
    assert gap.reason == "went_back"


async def test_a_damaged_entry_is_a_gap_and_holds_nothing_up(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 1))
    damaged = text_of(await kept.client.xadd(kept.keyspace.journal, {"e": b"\xc1"}))
    await ledger.run(receive("A", 2))

    with capture_logs():
        await kept.follower().catch_up()

    assert [row.detail.deltas for row in await kept.rows()] == [[1], [2]]
    ms = parse_entry_id(damaged)[0]
    assert await kept.gaps() == [Gap(ms, ms, "damaged")]


# -- several consumers


class Counter:
    """Counts entries in a table of its own; fails as long as it is told to."""

    name = "counter"
    keeps_journal = True

    def __init__(self) -> None:
        self.fails = False
        self.gaps: list[Gap] = []

    async def take(self, _keyspace: Keyspace, entries: Sequence[Entry]) -> Write:
        if self.fails:
            raise ZeroDivisionError
        ids = [each.entry_id for each in entries]

        async def write(session: Session) -> None:
            await session.execute("CREATE TABLE IF NOT EXISTS counter (id TEXT)")
            for each in ids:
                await session.execute("INSERT INTO counter VALUES (?)", each)

        return write

    def miss(self, _keyspace: Keyspace, gap: Gap) -> Write:
        async def write(_session: Session) -> None:
            self.gaps.append(gap)

        return write

    async def seen(self, kept: Kept) -> list[str]:
        rows = await kept.documents.look(lambda session: session.fetch("SELECT id FROM counter"))
        return [each for [each] in rows]


async def test_a_consumer_that_comes_later_reads_from_the_journals_beginning(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 1))
    await kept.follower().catch_up()
    await ledger.run(receive("A", 2))
    counter = Counter()

    follower = kept.follower(HistoryConsumer(), counter)
    await follower.catch_up()

    ids = [each async for each, _ in journal.read(kept.client, kept.keyspace)]
    assert await counter.seen(kept) == ids
    assert await kept.rows() == await kept.told()
    assert follower.read_to == ids[-1]


async def test_a_consumer_that_fails_holds_no_other_up_and_goes_on_where_it_was(
    kept: Kept, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_followers, "ASIDE_S", 0.0)
    counter = Counter()
    follower = kept.follower(HistoryConsumer(), counter)
    await ledger.run(receive("A", 1))
    await follower.catch_up()
    counter.fails = True
    await ledger.run(receive("A", 2))

    with pytest.raises(ZeroDivisionError):
        await follower.catch_up()
    with capture_logs() as logs:
        await follower.catch_up()

    ids = [each async for each, _ in journal.read(kept.client, kept.keyspace)]
    assert "follower_set_aside" in [each["event"] for each in logs]
    assert await kept.rows() == await kept.told()
    assert (await counter.seen(kept), follower.read_to) == (ids[:1], ids[0])
    counter.fails = False
    await follower.catch_up()
    assert (await counter.seen(kept), follower.read_to) == (ids, ids[-1])


async def test_a_database_that_is_away_is_tried_again(kept: Kept, ledger: Ledger, tmp_path: Path) -> None:
    away = Documents(SqliteDatabase(tmp_path / "missing" / "documents.sqlite3"), no_key, rest_s=0.0)
    follower = JournalFollower(feed_of(kept.client, kept.keyspace), away, [HistoryConsumer()])
    await ledger.run(receive("A", 1))

    with pytest.raises(DocumentsError):
        await follower.catch_up()
    (tmp_path / "missing").mkdir()
    await follower.catch_up()

    end = await journal.bounds(kept.client, kept.keyspace)
    assert follower.read_to == end.last_id
    await away.close()


async def test_all_partitions_are_followed(kept: Kept, ledger: Ledger, make_ledger: Callable[..., Ledger]) -> None:
    other = make_ledger(partition=f"{kept.keyspace.partition}-b")
    for each in (ledger, other):
        await each.run(receive("A", 1))
    names = {ledger.keyspace.partition, other.keyspace.partition}
    followers = Followers(
        kept.client, kept.documents, lambda name: feed_of(kept.client, Keyspace(name)), lambda: names,
        [HistoryConsumer()],
    )  # fmt: skip

    assert await followers.follow()

    for name in names:
        assert followers.read_to(name) == (await journal.bounds(kept.client, Keyspace(name))).last_id
        place = await kept.documents.look(lambda session, name=name: followed.positions(session, name))  # type: ignore[misc]
        assert place == {"history": followers.read_to(name)}
    assert followers.read_to("nobody's") is None


async def test_given_a_consumer_set_aside_when_nothing_happens_then_not_all_is_followed_until_it_goes_on(
    kept: Kept, ledger: Ledger
) -> None:
    keyspace, counter = kept.keyspace, Counter()
    activity = Activity(kept.client, lambda: [keyspace])
    followers = Followers(
        kept.client, kept.documents, lambda name: feed_of(kept.client, Keyspace(name)), lambda: [keyspace.partition],
        [HistoryConsumer(), counter],
    )  # fmt: skip

    async def follow() -> bool:
        await activity.look()
        return await followers.follow(activity)

    await ledger.run(receive("A", 1))
    counter.fails = True
    with capture_logs():
        results = [await follow() for _ in range(3)]
    assert (results, len(await kept.rows())) == ([False, False, False], 1)

    counter.fails = False
    await ledger.run(receive("A", 2))
    assert not await follow(), "it is aside for a minute still"
    followers._followers[keyspace.partition]._aside_until_s.clear()
    assert await follow(), "nothing has happened since"
    assert len(await counter.seen(kept)) == 2


async def test_given_a_database_that_was_away_when_a_partition_is_empty_then_that_is_forgotten(
    kept: Kept, tmp_path: Path
) -> None:
    away = Documents(SqliteDatabase(tmp_path / "missing" / "documents.sqlite3"), no_key, rest_s=0.0)
    activity = Activity(kept.client, lambda: [kept.keyspace])
    followers = Followers(
        kept.client, away, lambda name: feed_of(kept.client, Keyspace(name)), lambda: [kept.keyspace.partition],
        [HistoryConsumer()],
    )  # fmt: skip
    with capture_logs():
        assert not await followers.follow(activity), "nobody has looked at it yet"
    (tmp_path / "missing").mkdir()
    await activity.look()

    assert await followers.follow(activity)
    await away.close()


async def test_a_partition_with_much_to_follow_lets_the_others_have_their_turn(
    kept: Kept, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_followers, "PAGE_ENTRIES", 2)
    for number in range(7):
        await ledger.run(receive("A", 1 + number))
    follower = kept.follower()

    assert not await follower.catch_up(2)
    assert len(await kept.rows()) == 4
    assert await follower.catch_up(9)
    assert await kept.rows() == await kept.told()


# -- how long things are kept


def floor(kept: Kept, read_to: str | None, memory_share: float = 0.5) -> TrimFloor:
    return TrimFloor(kept.client, lambda _: read_to, retention_s=DAY_MS / 1000, memory_share=memory_share)


async def test_the_journal_is_kept_for_the_history_and_not_for_ever(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 1))
    partition, now = kept.keyspace.partition, await now_ms(kept.client)

    assert await floor(kept, f"{now}-0").of(partition) is None  # it is kept for longer anyway
    assert await floor(kept, f"{now - 2 * DAY_MS}-5").of(partition) == f"{now - 2 * DAY_MS}-5"
    for unread in (f"{now - 30 * DAY_MS}-0", None):
        found = await floor(kept, unread).of(partition)
        assert found is not None
        assert abs(parse_entry_id(found)[0] - (now - TIMES * DAY_MS)) < DAY_MS / 24


async def test_a_journal_that_takes_too_much_memory_is_not_kept_for_the_history(kept: Kept, ledger: Ledger) -> None:
    await ledger.run(receive("A", 1))
    now = await now_ms(kept.client)

    with capture_logs() as logs:
        assert await floor(kept, f"{now - 2 * DAY_MS}-0", memory_share=0.0).of(kept.keyspace.partition) is None

    assert [each["event"] for each in logs] == ["journal_not_kept_for_history"]


async def test_the_lowest_of_several_is_taken() -> None:
    async def none(_: str) -> str | None:
        return None

    async def nine(_: str) -> str | None:
        return "9-0"

    async def ten(_: str) -> str | None:
        return "10-0"

    assert await lowest_of(ten, none, nine)("p") == "9-0"
    assert await lowest_of(none)("p") is None


async def test_rows_that_are_too_old_go_in_slices(kept: Kept, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "PURGED_AT_ONCE", 3)
    for number in range(8):
        await ledger.run(receive("A", 1 + number))
    await kept.follower().catch_up()
    gap = Gap(0, 5, "before")
    await kept.documents.follow(lambda session: history.add_gap(session, kept.keyspace.partition, gap))

    assert await HistoryUpkeep(kept.documents, retention_s=3_600).once() == 0
    assert len(await kept.rows()) == 8
    assert await kept.gaps() == []
    assert await HistoryUpkeep(kept.documents, retention_s=-3_600).once() == 8
    assert await kept.rows() == []
