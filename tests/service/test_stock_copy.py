"""The copy that answers those who allow an age: it is the store's stock of a moment ago, or it says nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.copied_stock import FoundLevels
from server.schemas.allocations import AllocationBody
from server.schemas.availability import AvailabilityQuery, AvailabilityQueryBody
from server.schemas.locations import LocationBody
from server.schemas.stock import CountBody
from server.service.allocations import allocate_operation, check_target, drop_operation
from server.service.availability import of_sku, of_skus
from server.service.caller import Caller
from server.service.location_renames import rename_location
from server.service.locations import put_location
from server.service.movements import count_of
from server.service.renames import delete_sku, rename_sku
from server.service.sku_availability import SkuAvailability
from server.store.connection.commands import command
from server.store.copies import stock_copy
from server.store.copies.copy_room import CopyRoom
from server.store.copies.stock_copy import StockCopy
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import bounds
from server.store.ledger.ledger import Ledger
from server.telemetry.request_tally import TALLY
from tests.conftest import wait_until
from tests.support.feeds import feed_of
from tests.support.many_places import names_of, stock_everywhere

AGE_MS = 60_000
ROOM = 10_000


class Remembering:
    """A caller with a copy, and what it is asked for."""

    def __init__(self, caller: Caller, feed: JournalFeed, copy: StockCopy) -> None:
        self.caller = caller
        self.feed = feed
        self.copy = copy

    async def ask(self, sku: str = "A", age_ms: int = AGE_MS, **query: Any) -> tuple[SkuAvailability, bool]:
        """Ask for a SKU; also whether the copy has answered."""
        before = TALLY.copied
        found = await of_sku(self.caller, sku, AvailabilityQuery(max_age_ms=age_ms, **query))
        return found, TALLY.copied > before

    async def from_copy(self, sku: str = "A", **query: Any) -> SkuAvailability:
        """Ask until the copy answers, which is as new as the journal then."""
        answers: list[SkuAvailability] = []

        async def answered() -> bool:
            found, is_copied = await self.ask(sku, **query)
            answers.append(found)
            return is_copied

        await wait_until(answered, f"the copy has {sku}")
        return answers[-1]

    async def same(self, sku: str = "A", **query: Any) -> SkuAvailability:
        """Wait until the copy says what the store says, and return that."""
        found: list[SkuAvailability] = []

        async def is_same() -> bool:
            copied = await self.from_copy(sku, **query)
            stored, _ = await self.ask(sku, age_ms=0, **query)
            found.append(stored)
            return copied._replace(as_of_ms=0) == stored._replace(as_of_ms=0)

        await wait_until(is_same, f"copy and store agree about {sku}")
        return found[-1]


async def stock(caller: Caller, on_hand: int, location: str = "main", sku: str = "A") -> None:
    await caller.ledger.run(count_of(caller, sku, location, CountBody(on_hand)))


@asynccontextmanager
async def copied(
    client: Redis, caller: Caller, *, places_max: int = ROOM, ledger: Ledger | None = None
) -> AsyncIterator[Remembering]:
    feed = feed_of(client, caller.partition.keyspace)
    copy = StockCopy(feed, ledger or caller.partition.ledger, CopyRoom(places_max))
    parts = msgspec.structs.replace(caller.partition, stock_copy=copy)
    try:
        yield Remembering(Caller(caller.principal, parts), feed, copy)
    finally:
        await copy.close()
        await feed.close()


@pytest.fixture
async def memory(client: Redis, caller: Caller) -> AsyncIterator[Remembering]:
    async with copied(client, caller) as made:
        yield made


async def test_given_no_age_when_asked_then_the_store_answers_and_nobody_follows_the_journal(
    memory: Remembering,
) -> None:
    await stock(memory.caller, 5)
    found, is_copied = await memory.ask(age_ms=0)
    assert (found.available, is_copied, memory.feed.connections) == (5, False, 0)


async def test_given_an_age_when_stock_moves_then_the_copy_says_it_with_seq_and_time(memory: Remembering) -> None:
    await stock(memory.caller, 5)
    first = await memory.from_copy()
    await stock(memory.caller, 3)
    second = await memory.same()
    again = await memory.from_copy()
    assert (first.available, first.seq, second.available, second.seq) == (5, 1, 3, 2)
    assert first.as_of_ms <= second.as_of_ms <= again.as_of_ms + 60_000
    assert again.as_of_ms > first.as_of_ms


@pytest.mark.parametrize("query", [{}, {"channel": "shop"}, {"channel": "kiosk"}, {"location": "store"}])
@pytest.mark.parametrize("is_listed", [True, False])
async def test_given_allocations_and_closed_places_when_they_change_then_the_copy_says_what_the_store_says(
    memory: Remembering, query: dict[str, Any], is_listed: bool
) -> None:
    caller, seen = memory.caller, []

    async def see() -> None:
        seen.append((await memory.same(locations=is_listed, **query)).available)

    await stock(caller, 10)
    await stock(caller, 4, "store")
    await see()
    for channel, body in (("shop", AllocationBody(units=4)), ("kiosk", AllocationBody(units=3, kind="cap"))):
        await caller.ledger.run(allocate_operation(caller, check_target("A", "main", channel), body))
    await see()
    await stock(caller, 2)
    await see()
    await put_location(caller, "store", LocationBody(open=False))
    await see()
    await caller.ledger.run(drop_operation(caller, check_target("A", "main", "shop")))
    await put_location(caller, "store", LocationBody())
    await see()
    assert seen == {
        "": [14, 10, 4, 0, 6], "shop": [14, 14, 6, 2, 6], "kiosk": [14, 7, 4, 0, 6], "store": [4, 4, 4, 0, 4],
    }[next(iter(query.values()), "")]  # fmt: skip


async def test_given_a_group_when_asked_then_its_members_alone_count(memory: Remembering) -> None:
    await stock(memory.caller, 5)
    await stock(memory.caller, 4, "store")
    await put_location(memory.caller, "store", LocationBody(groups=["g"]))
    assert (await memory.same(group="g")).available == 4


async def test_given_unknown_skus_when_they_become_known_then_the_copy_knows_them(memory: Remembering) -> None:
    assert not (await memory.from_copy("new")).is_known
    await stock(memory.caller, 2, sku="new")
    assert (await memory.same("new")).available == 2
    await stock(memory.caller, 0, sku="new")
    await delete_sku(memory.caller, "new")
    assert not (await memory.same("new")).is_known


async def test_given_a_sku_that_is_renamed_when_asked_by_both_names_then_both_are_right(memory: Remembering) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    await rename_sku(memory.caller, "A", "B")
    assert (await memory.same("B")).available == 5
    await stock(memory.caller, 3, sku="A")
    assert (await memory.same("B")).available == 3
    found, is_copied = await memory.ask("A")
    assert (found.available, is_copied) == (3, False), "an old name is asked in the store"


async def test_given_a_location_that_is_renamed_when_asked_by_both_names_then_both_are_right(
    memory: Remembering,
) -> None:
    await stock(memory.caller, 5, "depo")
    await memory.from_copy(location="depo")
    await rename_location(memory.caller, "depo", "hub")
    assert (await memory.same(location="hub")).available == 5
    await stock(memory.caller, 3, "depo")
    assert (await memory.same(location="hub")).available == 3
    found, is_copied = await memory.ask(location="depo")
    assert (found.available, is_copied) == (3, False), "an old name is asked in the store"


async def test_given_a_rename_under_way_when_asked_then_the_store_answers(memory: Remembering, client: Redis) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    meta, emptied = memory.caller.partition.keyspace.meta, memory.copy._emptied
    await client.hset(meta, "renames", msgspec.msgpack.encode({"new": ["old", 0]}))
    await put_location(memory.caller, "store", LocationBody(open=False))
    await wait_until(lambda: memory.copy._emptied > emptied, "what was kept is dropped")
    tried = memory.copy._reads
    await memory.ask()
    await wait_until(lambda: memory.copy._reads > tried, "it was read")
    found, is_copied = await memory.ask()
    assert (found.available, is_copied, memory.copy.places) == (5, False, 0)
    await client.hdel(meta, "renames")
    assert (await memory.from_copy()).available == 5


class Slow:
    """A ledger whose answers for the copy are late: something happens meanwhile."""

    def __init__(self, ledger: Ledger) -> None:
        self.meanwhile: list[Callable[[], Awaitable[None]]] = []
        self._ledger = ledger

    async def levels(self, skus: list[str], *, weight: int = 0) -> FoundLevels:
        found = await self._ledger.levels(skus, weight=weight)
        for each in self.meanwhile:
            await each()
        self.meanwhile.clear()
        return found


@pytest.mark.parametrize("where", ["main", "elsewhere"])
async def test_given_a_sale_while_a_sku_is_read_when_the_journal_was_faster_then_it_is_not_missed(
    client: Redis, caller: Caller, where: str
) -> None:
    slow: Any = Slow(caller.partition.ledger)
    await stock(caller, 5)
    async with copied(client, caller, ledger=slow) as memory:
        await memory.from_copy("other")

        async def sell() -> None:
            await stock(caller, 3, where)
            end = (await bounds(client, caller.partition.keyspace)).last_id
            await wait_until(lambda: memory.feed.last_id == end, "the feed has it")
            await wait_until(lambda: memory.copy._position == memory.feed.end, "the copy has it")

        slow.meanwhile.append(sell)
        assert (await memory.from_copy()).available == (3 if where == "main" else 8)


@pytest.mark.parametrize("change", ["close", "rename"])
async def test_given_a_change_of_places_while_a_sku_is_read_when_the_journal_was_faster_then_it_is_read_anew(
    client: Redis, caller: Caller, change: str
) -> None:
    slow: Any = Slow(caller.partition.ledger)
    await stock(caller, 5, "store")
    async with copied(client, caller, ledger=slow) as memory:
        await memory.from_copy("other")

        async def happen() -> None:
            if change == "close":
                await put_location(caller, "store", LocationBody(open=False))
            else:
                await rename_sku(caller, "A", "B")
            emptied = memory.copy._emptied
            await wait_until(lambda: memory.copy._emptied > emptied or not memory.copy._skus, "it was heard")

        slow.meanwhile.append(happen)
        assert (await memory.same("A" if change == "close" else "B")).available == (0 if change == "close" else 5)


async def test_given_a_feed_that_is_cut_off_when_asked_then_the_store_answers_until_it_follows_again(
    memory: Remembering, client: Redis
) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    for each in await client.client_list():
        if each["cmd"] == "xread":
            await client.client_kill_filter(_id=each["id"])
    await wait_until(lambda: not memory.feed.is_connected, "the feed has noticed")
    await stock(memory.caller, 3)
    found, is_copied = await memory.ask()
    assert (found.available, is_copied) == (3, False)
    assert (await memory.from_copy()).available == 3
    assert memory.feed.connections == 2


async def test_given_a_copy_that_is_older_than_allowed_when_asked_then_the_store_answers(memory: Remembering) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    task = memory.feed._task
    assert task is not None
    task.cancel()  # nothing is heard any more
    await asyncio.gather(task, return_exceptions=True)
    memory.feed._connected, memory.feed.seen = True, memory.copy._seen
    await stock(memory.caller, 3)
    seen = memory.copy._seen
    assert seen is not None
    await wait_until(lambda: asyncio.get_running_loop().time() - seen.at_s > 0.05, "it is 50 ms old")
    assert [(found.available, is_copied) for found, is_copied in (await memory.ask(age_ms=50), await memory.ask())] == [
        (3, False), (5, True),
    ]  # fmt: skip


async def test_given_a_damaged_entry_when_followed_then_what_it_may_have_changed_is_read_anew(
    memory: Remembering, client: Redis
) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    kept = memory.copy._emptied
    await command(client, "XADD", memory.caller.partition.keyspace.journal, "*", "x", "y")
    await wait_until(lambda: memory.copy._emptied > kept, "it was met")
    await stock(memory.caller, 3)
    assert (await memory.same()).available == 3


async def test_given_more_than_there_is_room_for_when_asked_then_the_oldest_are_dropped_and_all_are_right(
    client: Redis, caller: Caller
) -> None:
    skus = [f"S{number}" for number in range(50)]
    for number, sku in enumerate(skus):
        await stock(caller, number, sku=sku)
    async with copied(client, caller, places_max=20) as memory:
        for number, sku in enumerate(skus):
            assert (await memory.from_copy(sku)).available == number
        assert memory.copy.places <= 20
        found = await of_skus(memory.caller, AvailabilityQueryBody(skus, max_age_ms=AGE_MS))
        assert [each.available for each in found] == list(range(50))


async def test_given_a_sku_at_more_places_than_one_call_reads_when_asked_then_the_store_answers(
    memory: Remembering, client: Redis
) -> None:
    await stock_everywhere(client, memory.caller.partition.keyspace, ["wide"], names_of(501), on_hand=1)
    await stock(memory.caller, 2, sku="A")
    await memory.from_copy("A")
    for _ in range(3):
        found, is_copied = await memory.ask("wide")
        assert (found.available, is_copied) == (501, False)
        await memory.from_copy("A")


async def test_given_a_copy_that_nobody_asks_when_time_passes_then_it_is_dropped_and_comes_back(
    memory: Remembering, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stock(memory.caller, 5)
    await memory.from_copy()
    monkeypatch.setattr(stock_copy, "IDLE_S", 0.0)
    monkeypatch.setattr(stock_copy, "LOOK_S", 0.01)
    await wait_until(lambda: memory.copy._following is None, "it was dropped")
    assert (memory.copy.places, memory.feed._watchers) == (0, 0)
    monkeypatch.undo()
    await stock(memory.caller, 3)
    assert (await memory.from_copy()).available == 3
