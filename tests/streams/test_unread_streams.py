"""Streams whose callers do not read, and how they end; connections stand in that hold as much as a test says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from server.domain.principal import LOCAL
from server.store.journal.journal import bounds, parse_entry_id
from server.store.ledger.ledger import Ledger
from server.streams.endings import NOT_READ
from server.streams.event_fanout import STILL_HERE, EventFanOut
from server.streams.event_rounds import Event
from server.streams.event_stream import EventStream
from server.streams.loop_share import LoopShare
from server.streams.open_streams import OpenStreams, Place, StreamLimits
from tests.support.feeds import feed_of

TIMEOUT_S = 0.2


class Connection:
    """Holds what is written, until its caller reads; full from so many bytes on."""

    def __init__(self, full_bytes: int) -> None:
        self.held = self.taken = 0
        self.is_aborted = False
        self._full_bytes = full_bytes
        self._read = asyncio.Event()

    def is_full(self) -> bool:
        return self.held >= self._full_bytes

    def write(self, chunk: bytes) -> None:
        self.held += len(chunk)

    def waiting(self) -> tuple[int, int]:
        return self.held, self.taken

    def read(self, size: int) -> None:
        self.held, self.taken = self.held - size, self.taken + size
        self._read.set()

    async def drained(self) -> None:
        self._read.clear()
        await self._read.wait()

    def abort(self) -> None:
        self.is_aborted = True


@asynccontextmanager
async def following(client: Redis, ledger: Ledger, connection: Connection) -> AsyncIterator[tuple[EventStream, Place]]:
    """A stream that keeps up; at the end of the block it has ended."""

    async def no_events(_skus: list[str]) -> list[Event]:
        return []

    feed = feed_of(client, ledger.keyspace)
    fan_out = EventFanOut(feed, LoopShare(0.9), no_events)
    end = parse_entry_id((await bounds(client, ledger.keyspace)).last_id)
    streams = OpenStreams(StreamLimits(1), lambda _: LOCAL)
    place = streams.take(LOCAL, None)
    async with fan_out.joined(end):
        stream = EventStream(connection, fan_out, end, place, streams, write_timeout_s=TIMEOUT_S)
        running = asyncio.create_task(stream.run())
        await asyncio.sleep(0)
        yield stream, place
        async with asyncio.timeout(5):
            await running
    await feed.close()


async def test_given_a_heartbeat_that_fills_a_connection_when_it_is_not_read_then_it_ends_as_unread(
    client: Redis, ledger: Ledger
) -> None:
    connection = Connection(full_bytes=len(STILL_HERE) * 2)
    async with following(client, ledger, connection) as (stream, place):
        stream.say(STILL_HERE)
        assert not connection.is_full()
        stream.say(STILL_HERE)
        assert connection.is_full()
    assert place.ending is NOT_READ
    assert connection.is_aborted


async def test_given_a_connection_that_was_looked_at_when_its_caller_takes_nothing_for_the_timeout_then_it_ends(
    client: Redis, ledger: Ledger
) -> None:
    connection, endings = Connection(full_bytes=1_000), []
    async with following(client, ledger, connection) as (stream, place):
        stream.look(100.0)
        stream.look(200.0)  # nothing waits: it is idle
        stream.say(STILL_HERE)
        stream.look(200.1)
        stream.look(200.1 + TIMEOUT_S / 2)
        connection.read(1)
        stream.look(200.1 + TIMEOUT_S)  # a part was taken, so its time begins anew
        stream.look(200.1 + TIMEOUT_S * 1.9)
        endings.append(place.ending)
        connection.read(connection.held)
        stream.look(300.0)
        stream.say(STILL_HERE)
        stream.look(400.0)  # it may have been written a moment ago
        endings.append(place.ending)
        stream.look(400.0 + TIMEOUT_S * 1.01)
        endings.append(place.ending)
    assert endings == [None, None, NOT_READ]
    assert connection.is_aborted


async def test_given_many_that_fill_at_once_when_their_time_is_over_then_they_end_one_by_one(
    client: Redis, ledger: Ledger
) -> None:
    async def no_events(_skus: list[str]) -> list[Event]:
        return []

    feed = feed_of(client, ledger.keyspace)
    fan_out = EventFanOut(feed, LoopShare(0.9), no_events)
    end = parse_entry_id((await bounds(client, ledger.keyspace)).last_id)
    streams = OpenStreams(StreamLimits(50), lambda _: LOCAL)
    connections = [Connection(full_bytes=0) for _ in range(50)]
    async with fan_out.joined(end):
        running = [
            asyncio.create_task(
                EventStream(each, fan_out, end, streams.take(LOCAL, None), streams, write_timeout_s=TIMEOUT_S).run()
            )
            for each in connections
        ]
        ended, most_at_once = 0, 0
        async with asyncio.timeout(5):
            while ended < len(connections):
                await asyncio.sleep(0)  # one round of the loop, in which others would be answered
                now = sum(each.is_aborted for each in connections)
                ended, most_at_once = now, max(most_at_once, now - ended)
            await asyncio.gather(*running)
    await feed.close()
    assert most_at_once <= 2
