"""The index for finding has what the store has, whatever happens, and whoever is killed meanwhile."""

import asyncio
import random
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.channels import Listing
from server.domain.components import Component
from server.domain.finding import customer_name
from server.domain.locations import Location
from server.domain.operations.stock import Bucket
from server.domain.reservation import Reservation
from server.insight import find_readings as readings
from server.insight import find_upkeep
from server.insight.find_index import FindIndex
from server.insight.find_upkeep import FindUpkeep
from server.insight.journal_followers import JournalFollower
from server.insight.pace import Pace
from server.store.connection.commands import command
from server.store.documents import found_state
from server.store.documents.documents import Documents
from server.store.documents.schema import MIGRATIONS
from server.store.documents.sqlite import SqliteDatabase
from server.store.errors import DocumentsError
from server.store.journal.journal import bounds
from server.store.ledger.ledger import Ledger
from server.store.repositories.barcodes import Pack, put_barcodes, remove_barcodes
from server.store.repositories.channels import ChannelStore
from server.store.repositories.locations import LocationStore, read_closed
from server.store.repositories.order_privacy import customer_keys
from server.store.repositories.skus import SkuStore
from server.store.repositories.stock import decode_stock
from tests.conftest import RETENTION, close_locations
from tests.support.feeds import feed_of
from tests.support.operations import adjust, cancel, commit, count, fulfil, order, receive, release, reserve

SKUS = [f"TS-{n}" for n in range(12)]
PLACES = ["main", "izmir", "depo"]
HOLDER = "sku, location, id"


class Finding:
    """An index over one partition of a real store, on a file of SQLite."""

    def __init__(self, client: Redis, ledger: Ledger, path: Path) -> None:
        self.client, self.ledger, self.path = client, ledger, path
        self.partition = ledger.keyspace.partition
        self.begin_anew()

    def begin_anew(self) -> None:
        """Start as another process would."""
        self.documents = Documents(SqliteDatabase(self.path), customer_keys(self.client))
        self.index = FindIndex(self.client, self.documents.customer_key)
        feed = feed_of(self.client, self.ledger.keyspace)
        pace = Pace(cpu_s=lambda: 0.0)
        self.follower = JournalFollower(feed, self.documents, [self.index], pace=pace)
        self.upkeep = FindUpkeep(
            self.client, self.documents, self.index, lambda: [self.partition], channels=lambda _: ["web"],
            pace=pace,
        )  # fmt: skip

    async def settle(self) -> None:
        """Follow to the end, fill, and look through everything once."""
        await self.follower.catch_up()
        await self.upkeep.once()
        while self.upkeep._fills:
            await self.upkeep.once()
        for _ in range(3):
            await self.upkeep.once()

    def rows(self, columns: str, table: str) -> set[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {table} WHERE partition = ?"  # noqa: S608  # of the test's own words
        with sqlite3.connect(self.path) as opened:
            return set(opened.execute(statement, (self.partition,)))

    async def check(self) -> None:
        """Compare the index with the store."""
        keys, closed = self.ledger.keyspace, (await read_closed(self.client, self.ledger.keyspace)).names
        places, skus = set(), dict[str, list[int]]()
        stock: dict[bytes, bytes] = await command(self.client, "HGETALL", keys.stock)
        for field, packed in stock.items():
            sku, _, location = field.decode().partition("\0")
            record = decode_stock(packed)
            available = 0 if location in closed else record.left()
            places.add((location, sku, available, record.held, record.lacks))
            sums = skus.setdefault(sku, [0, 0, 0])
            for n, units in enumerate((available, record.held, record.lacks)):
                sums[n] += units
        known: dict[bytes, bytes] = await command(self.client, "HGETALL", keys.skus)
        untracked = {sku.decode() for sku, names in known.items() if names == b"\x90"}
        assert self.rows("location, sku, available, held, short", "found_places") == places
        wanted = {(sku, *sums, 0) for sku, sums in skus.items()} | {(sku, 0, 0, 0, 1) for sku in untracked}
        assert self.rows("sku, available, held, short, untracked", "found_skus") == wanted
        assert {sku for (sku,) in self.rows("sku", "found_words")} == {each[0] for each in wanted}
        names = set[str]()
        for where in (keys.reservations, keys.ended):
            names |= {name.decode() for name in await command(self.client, "HKEYS", where)}
        assert {name for (name,) in self.rows("id", "found_reservations")} == names
        assert {name for (name,) in self.rows("id", "found_holders")} <= names

    async def holders(self) -> set[tuple[str, str, str]]:
        """Return what live reservations have units of, by SKU, location and reservation, as the store has it."""
        records: dict[bytes, bytes] = await command(self.client, "HGETALL", self.ledger.keyspace.reservations)
        return {
            (line.sku, line.location, name.decode())
            for name, packed in records.items()
            for line in msgspec.msgpack.decode(packed, type=Reservation).lines
            if line.held + line.committed
        }


@pytest.fixture
async def finding(client: Redis, ledger: Ledger, tmp_path: Path) -> AsyncIterator[Finding]:
    made = Finding(client, ledger, tmp_path / "documents.sqlite3")
    yield made
    await made.documents.close()


class Shop:
    """Does things at random."""

    def __init__(self, ledger: Ledger, seed: int) -> None:
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._made = 0
        self._ids: list[str] = []

    async def trade(self, steps: int) -> None:
        for _ in range(steps):
            await self._ledger.run(self._next())

    def _next(self) -> Any:
        chance = self._chance
        sku, place = chance.choice(SKUS), chance.choice(PLACES)
        what = chance.randrange(9)
        if what < 3 or not self._ids:
            self._made += 1
            self._ids.append(f"r{self._made}")
            line = sku, chance.randrange(1, 4), place
            return reserve(self._ids[-1], line, order_ref=f"o{self._made}") if what else order(self._ids[-1], line)
        name = chance.choice(self._ids)
        return (
            count(sku, chance.randrange(9), place), receive(sku, 3, place), commit(name, order_ref="late"),
            release(name), cancel(name), fulfil(name),
        )[what - 3]  # fmt: skip


async def test_given_trade_at_random_when_followed_in_pieces_then_the_index_has_what_the_store_has(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    shop = Shop(ledger, 3)
    for sku in SKUS:
        await ledger.run(receive(sku, 9))
    for round_ in range(6):
        await shop.trade(40)
        if round_ == 2:
            await close_locations(client, ledger, "izmir")
            await SkuStore(client, ledger.keyspace, RETENTION.packed()).track("SERVICE", "tester", tracked=False)
        if round_ == 4:
            store = LocationStore(client, ledger.keyspace, RETENTION.packed())
            await store.put([Location("izmir", open=True)], "tester")
        await finding.settle()
        await finding.check()


async def test_given_an_index_that_begins_late_or_whose_database_is_lost_then_it_is_filled_from_the_store(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    await Shop(ledger, 4).trade(120)
    await client.xtrim(ledger.keyspace.journal, maxlen=5, approximate=False)
    await finding.settle()
    await finding.check()
    await finding.documents.close()
    for each in finding.path.parent.glob("documents.sqlite3*"):
        each.unlink()
    finding.begin_anew()
    await finding.settle()
    await finding.check()
    assert (await finding.documents.look(lambda session: found_state.state(session, finding.partition))).is_filled


async def test_given_many_rows_when_they_change_while_they_wait_to_be_written_in_order_then_the_newer_ones_stand(
    finding: Finding, ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find_upkeep, "IN_ORDER", 300)
    monkeypatch.setattr(find_upkeep, "SLICES_MAX", 1)
    for number in range(900):  # more than a hash gives at once
        await ledger.run(receive(f"M-{number:03}", number + 1))
    await client.xtrim(ledger.keyspace.journal, maxlen=1, approximate=False)
    await finding.follower.catch_up()
    await finding.upkeep.once()
    assert finding.upkeep._fills, "it has read more than it has written"
    for number in range(0, 900, 7):
        await ledger.run(receive(f"M-{number:03}", 1))
    await finding.settle()
    await finding.check()


async def test_given_entries_that_were_trimmed_unread_then_all_is_read_again(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    shop = Shop(ledger, 5)
    await shop.trade(60)
    await finding.settle()
    await shop.trade(60)
    await client.xtrim(ledger.keyspace.journal, maxlen=3, approximate=False)
    await finding.settle()
    await finding.check()


async def test_given_a_store_that_comes_back_from_a_backup_then_the_index_has_what_it_has(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    shop = Shop(ledger, 12)
    await shop.trade(60)
    await finding.settle()
    keys = [key async for key in client.scan_iter(match=f"hf:{{{finding.partition}}}:*")]
    backup = {key: await client.dump(key) for key in keys}
    await shop.trade(90)
    await finding.settle()
    for key in [key async for key in client.scan_iter(match=f"hf:{{{finding.partition}}}:*")]:
        await client.delete(key)
    for key, packed in backup.items():
        await client.restore(key, 0, packed or b"")
    await shop.trade(5)
    await finding.settle()
    await finding.check()


async def test_given_a_process_that_dies_anywhere_when_another_goes_on_then_nothing_is_lost(
    finding: Finding, ledger: Ledger
) -> None:
    shop, chance = Shop(ledger, 6), random.Random(7)
    for _ in range(25):
        await shop.trade(12)
        work = asyncio.create_task(finding.settle())
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
            if work.done():
                break
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await finding.documents.close()
        finding.begin_anew()
    await finding.settle()
    await finding.check()


async def test_given_two_processes_that_follow_at_once_then_the_index_is_right(
    finding: Finding, client: Redis, ledger: Ledger
) -> None:
    other = Finding(client, ledger, finding.path)
    shop = Shop(ledger, 8)
    for _ in range(6):
        await asyncio.gather(shop.trade(30), finding.settle(), other.settle())
    await finding.settle()
    await other.documents.close()
    await finding.check()


async def test_given_what_the_store_purges_then_it_is_found_no_more(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    await Shop(ledger, 9).trade(60)
    await finding.settle()
    for where in (ledger.keyspace.ended, ledger.keyspace.reservations):
        for name in (await client.hkeys(where))[::2]:
            await client.hdel(where, name)
    await finding.settle()
    await finding.check()


async def test_given_listings_when_they_are_put_and_change_then_their_keys_find_them(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    store = ChannelStore(client, ledger.keyspace)
    bundle = Listing("\0set", "set", components=[Component("A", 1), Component("B", 2)])
    await store.put_listings("web", [Listing("A", "k1"), Listing("B", "k2"), bundle], "tester")
    await finding.settle()
    columns = "channel, sku, key"
    assert finding.rows(columns, "found_listings") == {
        ("web", "A", "k1"), ("web", "B", "k2"), ("web", "A", "set"), ("web", "B", "set"),
    }  # fmt: skip
    await store.put_listings("web", [Listing("A", "k9")], "tester")
    await store.delete_listing("web", "\0set", "tester")
    await finding.settle()
    assert finding.rows(columns, "found_listings") == {("web", "A", "k9"), ("web", "B", "k2")}
    other = Finding(client, ledger, finding.path.with_name("other.sqlite3"))
    await other.settle()
    assert other.rows(columns, "found_listings") == {("web", "A", "k9"), ("web", "B", "k2")}
    await other.documents.close()


async def test_given_barcodes_when_they_are_put_and_change_then_their_skus_find_them(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    packs = [("869-1", Pack("A")), ("869-2", Pack("A", 12)), ("869-3", Pack("B"))]
    await put_barcodes(client, ledger.keyspace, packs, "tester")
    await finding.settle()
    assert finding.rows("sku, barcode", "found_barcodes") == {("A", "869-1"), ("A", "869-2"), ("B", "869-3")}

    await put_barcodes(client, ledger.keyspace, [("869-2", Pack("B", 6))], "tester")
    await remove_barcodes(client, ledger.keyspace, [("869-1", Pack("A"))], "tester")
    await finding.settle()

    assert finding.rows("sku, barcode", "found_barcodes") == {("B", "869-2"), ("B", "869-3")}
    other = Finding(client, ledger, finding.path.with_name("other.sqlite3"))
    await other.settle()
    assert other.rows("sku, barcode", "found_barcodes") == {("B", "869-2"), ("B", "869-3")}
    await other.documents.close()


async def test_given_reservations_from_before_then_the_index_knows_whose_units_they_are_until_they_are_purged(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    for sku in ("A", "B", "C"):
        await ledger.run(receive(sku, 50))
    for number in range(20):
        await ledger.run(order(f"o{number}", ("A", 1), ("B", 2), ("A", 1)))
    await ledger.run(order("a part of it", ("A", 1), ("C", 1)))
    await ledger.run(fulfil("a part of it", (2, 1)))
    await ledger.run(order("all of it", ("C", 1)))
    await ledger.run(fulfil("all of it"))
    before = await finding.holders()
    assert len(before) == 41

    await finding.settle()
    assert finding.rows(HOLDER, "found_holders") == before

    # the history has who comes later
    await ledger.run(order("later", ("TS-1", 1), accept_shortage=True))
    await finding.settle()
    assert finding.rows(HOLDER, "found_holders") == before

    purged = sorted({name for *_, name in before})[::2]
    await client.hdel(ledger.keyspace.reservations, *purged)
    await finding.settle()
    assert finding.rows(HOLDER, "found_holders") == {each for each in before if each[2] not in purged}


async def test_given_a_reservation_that_is_purged_while_the_index_is_filled_then_no_row_of_it_stays(
    finding: Finding, ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.run(receive("A", 5))
    for name in ("stays", "goes"):
        await ledger.run(order(name, ("A", 1)))
    other, scan, is_first = Finding(client, ledger, finding.path), readings.scan_holders, True

    async def scan_and_purge(*asked: Any) -> Any:
        nonlocal is_first
        answer = await scan(*asked)
        if is_first:
            is_first = False
            await other.settle()
            await client.hdel(ledger.keyspace.reservations, "goes")
            await other.settle()
        return answer

    monkeypatch.setattr(readings, "scan_holders", scan_and_purge)
    await finding.settle()
    await other.documents.close()

    assert finding.rows("id", "found_holders") == {("stays",)}


async def test_given_an_index_that_another_process_has_filled_then_this_one_does_not_go_on_with_it(
    finding: Finding, ledger: Ledger, client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await Shop(ledger, 10).trade(80)
    other = Finding(client, ledger, finding.path)
    with monkeypatch.context() as patched:
        patched.setattr(find_upkeep, "SLICES_MAX", 1)
        await finding.upkeep.once()
    assert finding.upkeep._fills
    await other.settle()
    await other.documents.close()

    finding.upkeep._learned_s = -find_upkeep.LEARN_S  # it is time to ask what others have done
    await finding.upkeep.once()

    assert not finding.upkeep._fills
    await finding.check()


@pytest.mark.parametrize("table", ["found_barcodes", "found_holders"])
async def test_given_an_index_from_before_something_it_has_now_when_it_is_opened_then_it_is_filled_anew(
    finding: Finding, ledger: Ledger, client: Redis, table: str
) -> None:
    await put_barcodes(client, ledger.keyspace, [("869-1", Pack("A"))], "tester")
    await ledger.run(receive("A", 5))
    await ledger.run(order("o1", ("A", 2)))
    await finding.settle()
    with_it = next(n for n, added in enumerate(MIGRATIONS, 1) if any(table in each for each in added))
    with sqlite3.connect(finding.path) as opened:
        for statement in (each for added in MIGRATIONS[with_it - 1 :] for each in added):
            what, name = re.match(r"\s*(?:CREATE )?(\w+) (\w+)", statement).groups()  # type: ignore[union-attr]
            if what != "UPDATE":
                opened.execute(f"DROP {what} IF EXISTS {name}")  # an index goes with its table
        opened.execute("DELETE FROM schema_version WHERE version >= ?", (with_it,))
    await finding.documents.close()

    finding.begin_anew()
    assert await finding.documents.look(found_state.filled) == set()
    await finding.settle()

    await finding.check()
    assert finding.rows("sku, barcode", "found_barcodes") == {("A", "869-1")}
    assert finding.rows(HOLDER, "found_holders") == {("A", "main", "o1")}


async def test_given_orders_when_they_are_made_or_named_later_then_their_numbers_find_them(
    finding: Finding, ledger: Ledger, client: Redis
) -> None:
    await ledger.run(receive("A", 50))
    await finding.settle()
    await ledger.run(reserve("r1", ("A", 1), order_ref="1001", customer_ref="ayse"))
    await ledger.run(reserve("r2", ("A", 1)))
    await finding.settle()
    await ledger.run(commit("r2", order_ref="1002"))
    await ledger.run(adjust("A", Bucket.DAMAGED, 1))
    await finding.settle()
    key = await finding.documents.customer_key(finding.partition)
    rows = {("r1", "1001", customer_name(key, "ayse")), ("r2", "1002", "")}
    assert finding.rows("id, order_ref, customer", "found_reservations") == rows
    assert b"ayse" not in finding.path.read_bytes()
    assert (
        await bounds(client, ledger.keyspace)
    ).last_id == finding.follower.read_to or finding.follower.read_to is None


async def test_given_a_database_that_fails_when_it_is_back_then_it_goes_on(
    finding: Finding, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = Shop(ledger, 10)
    await shop.trade(30)
    fails: Callable[..., Any] = _failing
    monkeypatch.setattr(finding.documents, "follow", fails)
    with pytest.raises(DocumentsError):
        await finding.settle()
    monkeypatch.undo()
    await shop.trade(30)
    await finding.settle()
    await finding.check()


async def _failing(*_: object) -> None:
    raise DocumentsError("it is away")


async def test_given_a_partition_that_was_erased_when_it_is_used_again_then_its_index_is_filled_again(
    finding: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    await finding.ledger.run(count("OLD", 3))
    await finding.settle()
    await finding.documents.erase_partition(finding.partition)
    await finding.client.unlink(*finding.ledger.keyspace.transferring)
    await finding.ledger.run(count("NEW", 3))

    monkeypatch.setattr(find_upkeep, "LEARN_S", 0.0)
    await finding.settle()

    found = await finding.documents.look(lambda session: found_state.state(session, finding.partition))
    assert found.is_filled
    await finding.check()
