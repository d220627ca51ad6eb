"""The event fan-out on real stores: one reading for all streams, nothing lost, and no value that goes back."""

import asyncio
import itertools
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from random import Random, randrange

import msgspec
import pytest
from redis.asyncio import Redis

from server.api.routes.changes import _read_events
from server.domain.locations import Location
from server.domain.principal import LOCAL, Reach
from server.store.connection import connect
from server.store.connection.commands import command
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import START, DamagedEntryError, EntryId, bounds, parse_entry_id
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories import locations as locations_module
from server.store.repositories.locations import LocationStore
from server.streams import event_fanout, event_rounds, journal_pieces
from server.streams.event_fanout import EventFanOut
from server.streams.event_rounds import Event, Position, Round
from server.streams.event_stream import EventStream
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, StreamLimits
from tests.conftest import RETENTION, wait_until
from tests.support.feeds import feed_of
from tests.support.operations import count, moved
from tests.support.stores import StoreProcess

SOON_S = 10.0
_EVENT = re.compile(rb"(?:id: (\S+)\n)?event: availability\ndata: (.+)\n\n")


class Caller:
    """A caller that reads at its own pace, breaks off in the midst of what it is sent, and resumes from its last id.

    Within a connection a value that is older than the one before fails the test.
    """

    def __init__(
        self,
        position: EntryId,
        chance: Random,
        pause_s: float = 0.0,
        breaks_off: float = 0.2,
        *,
        skus: frozenset[str] = frozenset(),
        gather_s: float = 0.0,
    ) -> None:
        self.skus = skus
        self.gather_s = gather_s
        self.writes = 0
        self.shown: dict[str, int] = {}
        self.ids: list[EntryId] = [position]
        self._versions: dict[str, tuple[int, int]] = {}
        self._chance = chance
        self._pause_s = pause_s
        self._breaks_off = breaks_off
        self._unread = False
        self._leave: Callable[[], None] = lambda: None

    def is_full(self) -> bool:
        """Take a connection's place: one that was written to has to be read first, unless this caller is quick."""
        return self._unread

    def write(self, chunk: bytes) -> None:
        """Some writes are the last of their connection, and arrive in part."""
        self.writes += 1
        breaks_off = self._chance.random() < self._breaks_off
        events = _EVENT.findall(chunk)
        self.take(events[: self._chance.randrange(len(events) + 1)] if breaks_off else events)
        self._unread = self._pause_s > 0
        if breaks_off:
            self._leave()

    def waiting(self) -> tuple[int, int]:
        """It has what it is sent at once, however slowly it goes through it."""
        return 0, 0

    async def drained(self) -> None:
        """Read at its pace."""
        await asyncio.sleep(self._chance.random() * self._pause_s)
        self._unread = False

    def abort(self) -> None:
        """Nothing is to be closed."""

    def take(self, events: list[tuple[bytes, bytes]]) -> None:
        """Show what events contain."""
        for event_id, data in events:
            view = msgspec.json.decode(data)
            version = view["seq"], view.get("locations_version", 0)
            assert version >= self._versions.get(view["sku"], (0, 0)), "a value went back"
            self._versions[view["sku"]] = version
            self.shown[view["sku"]] = view["available"]
            if event_id:
                self.ids.append(parse_entry_id(event_id.decode()))

    async def connect(self, fan_out: EventFanOut, journal_end: EntryId) -> None:
        """Follow until it breaks off."""
        self._versions, self._unread = {}, False
        streams = OpenStreams(StreamLimits(1), lambda _: LOCAL)
        reach = Reach(0, skus=self.skus) if self.skus else None
        place = streams.take(msgspec.structs.replace(LOCAL, reach=reach), None)
        stream = EventStream(
            self, fan_out, self.ids[-1], place, streams, write_timeout_s=SOON_S, gather_s=self.gather_s
        )
        self._leave = stream.lost
        async with fan_out.joined(journal_end, stream):
            await stream.run()


def _shown(*bodies: bytes) -> tuple[dict[str, int], list[EntryId]]:
    """Read events: the newest value of each SKU, and the ids."""
    caller = Caller((0, 0), Random(0))
    for body in bodies:
        caller.take(_EVENT.findall(body))
    return caller.shown, caller.ids[1:]


async def _end(client: Redis, ledger: Ledger) -> EntryId:
    return parse_entry_id((await bounds(client, ledger.keyspace)).last_id)


async def _is_ready(fan_out: EventFanOut, client: Redis, ledger: Ledger) -> bool:
    return fan_out.position == await _end(client, ledger)


def fan_out_of(feed: JournalFeed, ledger: Ledger) -> EventFanOut:
    share = LoopShare(0.9)
    return EventFanOut(feed, share, partial(_read_events, ledger, share))


async def ready_after(fan_out: EventFanOut, position: Position) -> None:
    await wait_until(lambda: fan_out.position > position, "a round is ready")


@pytest.fixture
async def fan_out(client: Redis, ledger: Ledger) -> AsyncIterator[EventFanOut]:
    feed = feed_of(client, ledger.keyspace)
    yield fan_out_of(feed, ledger)
    await feed.close()


async def test_given_two_streams_when_a_sku_changes_then_both_are_given_the_same_bytes_with_the_journal_s_id(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    start = await _end(client, ledger)
    async with fan_out.joined(start), fan_out.joined(start):
        await moved(ledger, count("A", 7))
        await ready_after(fan_out, start)
        (upto, first), (_, second) = fan_out.kept.after(start), fan_out.kept.after(start)

    assert first is second
    assert upto == await _end(client, ledger)
    assert _shown(first) == ({"A": 7}, [upto])


async def test_given_streams_of_every_pace_that_break_off_and_resume_then_each_ends_with_the_last_values(
    client: Redis, ledger: Ledger, fan_out: EventFanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: little is kept and little is given at a time, so that slow streams meet every limit
    monkeypatch.setattr(event_rounds, "KEPT_EVENTS", 12)
    monkeypatch.setattr(event_rounds, "PIECE_BYTES", 600)
    monkeypatch.setattr(journal_pieces, "READ_ENTRIES", 5)
    seed = randrange(1_000_000)
    chance = Random(seed)
    start = await _end(client, ledger)
    callers = [Caller(start, chance, pause_s) for pause_s in (0.0, 0.001, 0.01, 0.03, 0.06, 0.1)]
    few = [frozenset({"S1", "S2"}), frozenset({"S3"}), frozenset(f"S{number}" for number in range(10, 20))]
    callers += [Caller(start, chance, pause_s, skus=skus) for pause_s in (0.0, 0.01, 0.06) for skus in few]
    callers += [Caller(start, chance, pause_s, gather_s=0.02) for pause_s in (0.0, 0.03)]
    callers += [Caller(start, chance, skus=skus, gather_s=0.02) for skus in few]

    async def comes_and_goes(caller: Caller) -> None:
        while True:
            await caller.connect(fan_out, await _end(client, ledger))

    # When
    coming = [asyncio.create_task(comes_and_goes(caller)) for caller in callers]
    wanted: dict[str, int] = {}
    for number in range(400):
        sku = f"S{chance.randrange(30)}"
        wanted[sku] = number
        await moved(ledger, count(sku, number))

    # Then
    def is_shown(caller: Caller) -> bool:
        return caller.shown == {sku: value for sku, value in wanted.items() if not caller.skus or sku in caller.skus}

    await wait_until(lambda: all(map(is_shown, callers)), f"all is shown, seed {seed}")
    assert not any(each.done() for each in coming), f"no value went back, seed {seed}"
    assert all(caller.ids == sorted(caller.ids) for caller in callers), f"ids are monotone, seed {seed}"
    for each in coming:
        each.cancel()
    await asyncio.gather(*coming, return_exceptions=True)


async def test_given_streams_of_every_pace_when_locations_close_and_open_then_each_ends_with_the_last_values(
    client: Redis, ledger: Ledger, fan_out: EventFanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: little is kept and found at a time, so that a closing comes in many pieces
    monkeypatch.setattr(event_rounds, "KEPT_EVENTS", 100)
    monkeypatch.setattr(event_rounds, "PIECE_BYTES", 600)
    monkeypatch.setattr(journal_pieces, "READ_ENTRIES", 5)
    monkeypatch.setattr(event_fanout, "PIECE_SKUS", 20)
    monkeypatch.setattr(event_fanout, "PIECE_SCANS", 2)
    monkeypatch.setattr(locations_module, "SKUS_PER_SCAN", 10)
    seed = randrange(1_000_000)
    chance = Random(seed)
    places = LocationStore(client, ledger.keyspace, RETENTION.packed())
    stock = {(f"S{number}", place): 1 for number in range(200) for place in ("main", "store") if chance.random() < 0.8}
    await asyncio.gather(*(moved(ledger, count(sku, units, place)) for (sku, place), units in stock.items()))
    start = await _end(client, ledger)
    callers = [Caller(start, chance, pause_s, 0.05) for pause_s in (0.0, 0.001, 0.01, 0.03)]

    async def comes_and_goes(caller: Caller) -> None:
        while True:
            await caller.connect(fan_out, await _end(client, ledger))

    # When
    coming = [asyncio.create_task(comes_and_goes(caller)) for caller in callers]
    await places.put([Location("main", open=False)], "tester")
    for _ in range(6):
        await places.put([Location(chance.choice(("main", "store")), open=chance.random() < 0.5)], "tester")
        sku, place = chance.choice(list(stock))
        stock[sku, place] = chance.randrange(9)
        await moved(ledger, count(sku, stock[sku, place], place))
    await places.put([Location("store", open=False), Location("main", open=True)], "tester")

    # Then
    wanted = {sku: stock.get((sku, "main"), 0) for sku, _ in stock}
    await wait_until(lambda: all(caller.shown == wanted for caller in callers), f"all is shown, seed {seed}")
    assert not any(each.done() for each in coming), f"no value went back, seed {seed}"
    for each in coming:
        each.cancel()
    await asyncio.gather(*coming, return_exceptions=True)


async def test_given_a_stream_that_gathers_then_it_has_the_first_change_at_once_and_the_next_ones_together(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    start, chance = await _end(client, ledger), Random(0)
    at_once = Caller(start, chance, breaks_off=0)
    gathering = Caller(start, chance, breaks_off=0, gather_s=2.0)
    following = [asyncio.create_task(each.connect(fan_out, start)) for each in (at_once, gathering)]

    await moved(ledger, count("A", 1))
    await wait_until(lambda: gathering.shown == {"A": 1}, "the first change is there")
    for number in range(2, 6):
        await moved(ledger, count("A", number))
        await moved(ledger, count("B", number))
        await wait_until(lambda number=number: at_once.shown == {"A": number, "B": number}, "one has each change")  # type: ignore[misc]
    await wait_until(lambda: gathering.shown == {"A": 5, "B": 5}, "the others are there")

    assert gathering.writes < at_once.writes
    assert len(gathering.ids) == gathering.writes + 1
    for each in following:
        each.cancel()
    await asyncio.gather(*following, return_exceptions=True)


async def test_given_a_location_that_closes_when_its_events_come_then_falls_to_zero_are_first_and_the_id_is_last(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    for number in range(40):
        await moved(ledger, count(f"S{number}", 5, "store"))
        await moved(ledger, count(f"S{number}", number % 2, "main"))
    start = await _end(client, ledger)
    async with fan_out.joined(start):
        await LocationStore(client, ledger.keyspace, RETENTION.packed()).put([Location("store", open=False)], "tester")
        await ready_after(fan_out, start)
        upto, body = fan_out.kept.after(start)

    shown, ids = _shown(body)
    assert list(shown.values()) == [0] * 20 + [1] * 20
    assert ids == [upto] == [await _end(client, ledger)]


async def test_given_a_slow_stream_when_what_is_kept_goes_beyond_it_then_it_has_to_read_alone_and_gets_newest_values(
    client: Redis, ledger: Ledger, fan_out: EventFanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_rounds, "KEPT_EVENTS", 2)
    start = await _end(client, ledger)
    async with fan_out.joined(start):
        for number, sku in enumerate("ABCABC"):
            await moved(ledger, count(sku, number))
            await wait_until(partial(_is_ready, fan_out, client, ledger), "the change is ready")
        end = fan_out.position
        assert not fan_out.kept.reaches(start)
        alone = await fan_out.read_alone(start)
    assert alone.upto == end
    assert [event.sku for event in alone.events] == ["A", "B", "C"]
    assert _shown(alone.body) == ({"A": 3, "B": 4, "C": 5}, [end])


async def test_given_a_stream_several_rounds_behind_when_given_pieces_then_each_id_stands_for_all_before_it(
    client: Redis, ledger: Ledger, fan_out: EventFanOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: four rounds, of which the last one changes the first SKU again
    start = await _end(client, ledger)
    ids = []
    async with fan_out.joined(start):
        for number, sku in enumerate("ABCA"):
            await moved(ledger, count(sku, number))
            await wait_until(partial(_is_ready, fan_out, client, ledger), "the change is ready")
            ids.append(fan_out.position)

        # When
        monkeypatch.setattr(event_rounds, "PIECE_BYTES", 1)
        pieces: list[tuple[dict[str, int], list[EntryId]]] = []
        position: Position = start
        while position < fan_out.position:
            position, body = fan_out.kept.after(position)
            pieces.append(_shown(body))

    # Then: a caller that leaves with B's id gets C and A
    assert pieces == [({"B": 1}, [ids[1]]), ({"C": 2}, [ids[2]]), ({"A": 3}, [ids[3]])]


async def test_given_changes_while_streams_read_alone_then_one_reading_follows_the_other_and_no_value_goes_back(
    client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: a value that is read before another one must not be sent after it, so readings must not overlap
    monkeypatch.setattr(journal_pieces, "READ_ENTRIES", 3)
    feed, share, reading = feed_of(client, ledger.keyspace), LoopShare(0.9), asyncio.Lock()

    async def read_events(skus: list[str]) -> list[Event]:
        assert not reading.locked(), "two readings overlap"
        async with reading:
            await moved(ledger, count("A", next(numbers)))
            await asyncio.sleep(0.005)
            return await _read_events(ledger, share, skus)

    numbers = itertools.count(100)
    shared = EventFanOut(feed, share, read_events)
    for number in range(20):
        await moved(ledger, count(f"S{number % 7}", number))
    callers = [Caller((0, number), Random(number), breaks_off=0.0) for number in range(3)]

    # When
    end = await _end(client, ledger)
    following = [asyncio.create_task(caller.connect(shared, end)) for caller in callers]

    # Then
    wanted = {f"S{number % 7}": number for number in range(20)}
    await wait_until(
        lambda: any(each.done() for each in following) or all(wanted.items() <= each.shown.items() for each in callers),
        "all have everything",
    )
    assert not any(each.done() for each in following)
    for each in following:
        each.cancel()
    await asyncio.gather(*following, return_exceptions=True)
    await feed.close()


async def test_given_streams_at_one_position_when_they_read_alone_then_they_share_the_reading(
    client: Redis, ledger: Ledger
) -> None:
    feed, share, calls = feed_of(client, ledger.keyspace), LoopShare(0.9), []

    async def read_events(skus: list[str]) -> list[Event]:
        calls.append(skus)
        return await _read_events(ledger, share, skus)

    shared = EventFanOut(feed, share, read_events)
    await moved(ledger, count("A", 1))
    found = await asyncio.gather(*(shared.read_alone((0, 0), f"key{number}") for number in range(20)))
    assert calls == [["A"]]
    assert all(each is found[0] for each in found)
    await feed.close()


async def test_given_a_damaged_entry_when_reached_then_what_precedes_it_is_ready_and_what_follows_is_too(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    start = await _end(client, ledger)
    await moved(ledger, count("A", 1))
    damaged = parse_entry_id((await command(client, "XADD", ledger.keyspace.journal, "*", "x", "y")).decode())
    async with fan_out.joined(start):
        await moved(ledger, count("B", 2))
        await wait_until(lambda: fan_out.position > damaged, "the fan-out is past it")
        assert not fan_out.kept.reaches(start)
        before = await fan_out.read_alone(start)
        with pytest.raises(DamagedEntryError):
            await fan_out.read_alone(before.upto)
        _, after = fan_out.kept.after(damaged)
    assert _shown(before.body, after)[0] == {"A": 1, "B": 2}


async def test_given_a_journal_trimmed_to_nothing_when_followed_then_the_fan_out_moves_to_its_end(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    await moved(ledger, count("A", 1))
    await command(client, "XTRIM", ledger.keyspace.journal, "MAXLEN", 0)
    end = await _end(client, ledger)
    async with fan_out.joined(parse_entry_id(START)):
        await wait_until(lambda: fan_out.position == end, "it moved to the end")


async def test_given_the_last_stream_leaves_then_the_fan_out_stops_and_keeps_nothing(
    client: Redis, ledger: Ledger, fan_out: EventFanOut
) -> None:
    start = await _end(client, ledger)
    async with fan_out.joined(start):
        async with fan_out.joined(start):
            await moved(ledger, count("A", 1))
            await ready_after(fan_out, start)
        assert fan_out.position > start
    assert fan_out.position == (0, 0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("event-fan-out")]


async def test_given_a_store_that_dies_when_it_is_back_then_the_fan_out_says_so_and_goes_on(
    own_store: StoreProcess,
) -> None:
    pool = connect.connection_pool(own_store.url)
    feed = feed_of(connect.client(pool), Keyspace("default"))

    async def no_events(_skus: list[str]) -> list[Event]:
        return []

    fan_out = EventFanOut(feed, LoopShare(0.9), no_events)
    try:
        async with fan_out.joined((0, 0)):
            own_store.command("XADD", feed.keyspace.journal, "*", "e", "")
            await ready_after(fan_out, (0, 0))
            seen = fan_out.position
            own_store.kill()
            await wait_until(lambda: fan_out.store_is_away, "it is noticed")
            await asyncio.to_thread(own_store.start)
            own_store.command("XADD", feed.keyspace.journal, "*", "e", "")
            await ready_after(fan_out, seen)
            await wait_until(lambda: not fan_out.store_is_away, "the store is back")
    finally:
        await feed.close()
        await pool.aclose()


async def test_given_an_import_when_it_is_followed_then_it_is_read_in_small_steps_and_sent_in_small_rounds(
    client: Redis, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: one round of it all would take the event loop for a second, and as much memory for each stream
    monkeypatch.setattr(event_fanout, "SKUS_AT_A_TIME", 10)
    monkeypatch.setattr(journal_pieces, "READ_SKUS", 25)
    feed, share, steps = feed_of(client, ledger.keyspace), LoopShare(0.9), []

    async def read_events(skus: list[str]) -> list[Event]:
        steps.append(len(skus))
        return await _read_events(ledger, share, skus)

    shared, rounds = EventFanOut(feed, share, read_events), []
    publish = shared.kept.publish

    def noted(found: Round) -> None:
        rounds.append(len(found.events))
        publish(found)

    monkeypatch.setattr(shared.kept, "publish", noted)
    start = await _end(client, ledger)
    async with shared.joined(start):
        # When
        for number in range(300):
            await moved(ledger, count(f"S{number}", 1))
        await wait_until(partial(_is_ready, shared, client, ledger), "all is ready")

    # Then
    assert sum(rounds) >= 300
    assert max(rounds) <= 25
    assert max(steps) <= 10
    await feed.close()


async def test_given_many_streams_when_a_change_is_written_to_them_then_others_get_the_loop_in_between(
    client: Redis, ledger: Ledger
) -> None:
    feed, passes, written = feed_of(client, ledger.keyspace), 0, list[int]()

    class Stream:
        """Notes in which pass of the event loop it was written to."""

        def offer(self) -> None:
            written.append(passes)

        def say(self, comment: bytes) -> None:
            """Nothing is said so soon."""

        def look(self, now_s: float) -> None:
            """It reads."""

    async def other() -> None:
        nonlocal passes
        while True:
            passes += 1
            await asyncio.sleep(0)

    shared, start = fan_out_of(feed, ledger), await _end(client, ledger)
    going = asyncio.create_task(other())
    async with AsyncExitStack() as stack:
        for _ in range(50):
            await stack.enter_async_context(shared.joined(start, Stream()))
        await moved(ledger, count("S", 1))
        await wait_until(lambda: len(written) == 50, "all have it")

    going.cancel()
    assert max(Counter(written).values()) <= 10
    await feed.close()
