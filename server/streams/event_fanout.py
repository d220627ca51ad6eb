"""Ready events of one partition, for all open streams of this process.

One task reads the journal feed, asks once for the newest values of the SKUs that changed, encodes each event once, and
hands the same bytes to every stream that keeps up. What is kept is the newest event of each SKU, in the order of
change. So a stream is no more than a position: a slow one is given what is newer than its position, and one that is
further behind than the kept events reach has the journal read for it.

All of that is done in turns of the :class:`LoopShare`, so that streams leave most of the event loop to others. The next
round is read when every stream that keeps up has the one before.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

import structlog

from server.domain.changes import Change
from server.store.connection.timeouts import in_time
from server.store.errors import StoreError
from server.store.journal import journal
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id
from server.store.repositories.locations import skus_at
from server.streams.event_rounds import Event, KeptEvents, Position, Round, chunk_of, entry_of
from server.streams.journal_pieces import Piece, changed_skus
from server.streams.loop_share import LoopShare
from server.streams.one_at_a_time import OneAtATime

log = structlog.get_logger("holdfast.http")

PIECE_SKUS: Final = 500
PIECE_SCANS: Final = 20
"""A location that was closed or opened is sent in pieces of about so many SKUs, or of what so many scans find."""
SKUS_AT_A_TIME: Final = 50
"""SKUs that are read and encoded in one turn: about a millisecond of the event loop, as is what follows."""
STREAMS_AT_A_TIME: Final = 10
"""To write to one takes some 15 µs: a reserve that comes meanwhile waits for these, and not for all."""
BYTES_AT_A_TIME: Final = 1024 * 1024
HEARTBEAT_S: Final = 15.0
"""A comment so often keeps proxies from closing a quiet stream."""
STILL_HERE: Final = chunk_of(b": still here\n\n")
STORE_IS_AWAY: Final = chunk_of(b": the store is away\n\n")
LOOK_AT_STREAMS_S: Final = 5.0
"""To ask the kernel what a caller has not received takes some microseconds."""
_LOOK_S: Final = 0.5
"""How often the store is asked while the feed is not connected."""
_RETRY_S: Final = 1.0
_ROUNDS: Final = ""
"""The fan-out itself among those who read the journal; no key has this name."""


class Follower(Protocol):
    """An open stream, as the fan-out sees it."""

    def offer(self) -> None:
        """Take the newest round, or begin to catch up. Called within a turn, and does not wait."""

    def say(self, comment: bytes) -> None:
        """Send a comment if nothing else is being sent."""

    def look(self, now_s: float) -> None:
        """End it where its caller takes nothing of what waits for it."""


class EventFanOut:
    """Follows one partition while there are streams.

    Parameters
    ----------
    read_events
        Reads the newest values of a few SKUs, then encodes them in a turn; unknown ones are left out.
    look_every_s
        How often each stream is looked at whether its caller reads.

    """

    def __init__(
        self,
        feed: JournalFeed,
        share: LoopShare,
        read_events: Callable[[list[str]], Awaitable[list[Event]]],
        *,
        look_every_s: float = LOOK_AT_STREAMS_S,
    ) -> None:
        self.users = 0
        """How many requests want it; whoever counts them may drop it."""
        self.store_is_away = False
        self.rewinds = 0
        """How often the store came back without entries that were read before: each stream then resets its caller."""
        self.kept = KeptEvents()
        self._feed = feed
        self._share = share
        self._read_events = read_events
        self._look_every_s = look_every_s
        self._looked_s = 0.0
        self._connections = 0
        self._feed_rewinds = 0
        self._streams: dict[Follower, None] = {}
        self._joined = 0
        self._task: asyncio.Task[None] | None = None
        self._reading = OneAtATime()
        self._alone: dict[Position, asyncio.Task[Round]] = {}
        self._delivered: tuple[int, Position] = (0, (0, 0))
        self._said_s = 0.0

    @asynccontextmanager
    async def joined(self, journal_end: EntryId, stream: Follower | None = None) -> AsyncIterator[None]:
        """Be a stream meanwhile. The first one starts the fan-out at the journal's end, the last one stops it."""
        self._joined += 1
        if self._task is None:
            self.kept.start_at(journal_end)
            self._delivered = (self.rewinds, self.position)
            self._feed_rewinds = self._feed.rewinds
            self._feed.start()
            self._said_s = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._run(), name=f"event-fan-out {self._feed.keyspace.journal}")
        if stream is not None:
            self._streams[stream] = None
        try:
            yield
        finally:
            self._joined -= 1
            if stream is not None:
                del self._streams[stream]
            if not self._joined:
                await self._stop()

    # -- for streams

    @property
    def position(self) -> Position:
        """Up to where events are ready."""
        return self.kept.position

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for a turn in which a stream may be written to."""
        return self._share.turn(self._feed.keyspace.partition)

    async def read_alone(self, position: Position, key: str = "") -> Round:
        """Read the next piece of the journal from the store, for streams that are far behind.

        One piece is read at a time, for each ``key`` in turn, and the fan-out's own rounds in between. So no value that
        was read before is sent after it. Streams at the same position share a reading.

        Raises
        ------
        DamagedEntryError
            The next entry cannot be decoded.
        StoreError
            The store did not answer.

        """
        reading = self._alone.get(position)
        if reading is None:
            reading = self._alone[position] = asyncio.create_task(self._read_for(position, key))
            reading.add_done_callback(partial(self._has_read, position))
        return await asyncio.shield(reading)

    def _has_read(self, position: Position, reading: asyncio.Task[Round]) -> None:
        if self._alone.get(position) is reading:
            del self._alone[position]
        if not reading.cancelled():
            reading.exception()  # whoever waited for it has left

    async def _read_for(self, position: Position, key: str) -> Round:
        feed = self._feed
        async with self._reading.turn(f"key {key}"):
            ready = self.position
            entries = journal.read(feed.client, feed.keyspace, format_entry_id(entry_of(position)))
            found = await self._read(entries, position)
        # At the journal's end it is no less far than the fan-out was, whose own rounds were read before.
        return found if found.more else found._replace(upto=max(found.upto, ready))

    # -- the task

    async def _run(self) -> None:
        while True:
            grown = await self._feed.grown(format_entry_id(entry_of(self.position)), _LOOK_S)
            if grown or self._must_look():
                await self._read_next()
            await self._deliver()
            await self._look()

    def _must_look(self) -> bool:
        """Whether there may be something that the feed does not tell: it has lost the store, or was connected anew."""
        feed = self._feed
        return self.store_is_away or not feed.is_connected or feed.connections != self._connections

    async def _read_next(self) -> None:
        was_away = self.store_is_away
        try:
            async with self._reading.turn(_ROUNDS):
                await self._advance()
            self.store_is_away = False
        except DamagedEntryError as damaged:
            # Each stream finds it by itself, and has its caller read everything anew.
            log.error("changes_skip_entry", entry=damaged.entry_id, reason=str(damaged))  # noqa: TRY400  # it names the entry
            self.kept.start_at(parse_entry_id(damaged.entry_id))
        except StoreError:
            self.store_is_away = True
            await self._say(STORE_IS_AWAY, at_once=not was_away)
            await asyncio.sleep(_RETRY_S)
        except Exception:
            log.exception("changes_failed", partition=self._feed.keyspace.partition)
            await asyncio.sleep(_RETRY_S)

    async def _advance(self) -> None:
        self._follow_back()
        end = parse_entry_id(self._feed.last_id)
        found = await self._read(self._feed.read(format_entry_id(entry_of(self.position))), self.position)
        if found.upto == self.position < end:
            found = Round(end, [])  # trimmed before it was read
        if found.upto > self.position:
            self.kept.publish(found)

    def _follow_back(self) -> None:
        """Start again at the journal's end where the store came back with less of it than was read."""
        if self._feed.connections != self._connections:
            self._connections = self._feed.connections
            end = parse_entry_id(self._feed.last_id)
            if end < self.position or self._feed_rewinds != self._feed.rewinds:
                self._feed_rewinds = self._feed.rewinds
                self.kept.start_at(end)
                self.rewinds += 1

    async def _read(self, entries: AsyncIterator[tuple[str, list[Change]]], position: Position) -> Round:
        piece = await in_time(changed_skus(entries, position))
        if piece.closings:
            return await self._read_closings(piece, position)
        return Round(piece.upto, await self._events_of(piece.skus), piece.more)

    async def _read_closings(self, piece: Piece, position: Position) -> Round:
        """Read the next SKUs of locations that were closed or opened, those without units first."""
        client, keyspace = self._feed.client, self._feed.keyspace
        number, place = position[2:] or (0, 0)
        skus: dict[str, None] = {}
        for _ in range(PIECE_SCANS):
            found, place = await in_time(skus_at(client, keyspace, piece.closings, place))
            skus.update(dict.fromkeys(found))
            if not place or len(skus) >= PIECE_SKUS:
                break
        events = await self._events_of(list(skus))
        upto = (*entry_of(position), number + 1, place) if place else piece.upto
        return Round(upto, sorted(events, key=lambda each: not each.is_out), more=True)

    async def _events_of(self, skus: list[str]) -> list[Event]:
        events: list[Event] = []
        for start in range(0, len(skus), SKUS_AT_A_TIME):
            events += await self._read_events(skus[start : start + SKUS_AT_A_TIME])
        return events

    # -- handing over

    async def _deliver(self) -> None:
        """Have every stream take what is new, some at a time; or say that nothing is."""
        newest = (self.rewinds, self.position)
        if newest != self._delivered:
            self._delivered = newest
            if self.kept.chunk:
                self._said_s = asyncio.get_running_loop().time()
            await self._each(len(self.kept.chunk), lambda stream: stream.offer())
        await self._say(STORE_IS_AWAY if self.store_is_away else STILL_HERE)

    async def _say(self, comment: bytes, *, at_once: bool = False) -> None:
        now_s = asyncio.get_running_loop().time()
        if at_once or now_s - self._said_s >= HEARTBEAT_S:
            self._said_s = now_s
            await self._each(len(comment), lambda stream: stream.say(comment))

    async def _look(self) -> None:
        now_s = asyncio.get_running_loop().time()
        if now_s - self._looked_s >= self._look_every_s:
            self._looked_s = now_s
            await self._each(0, lambda stream: stream.look(now_s))

    async def _each(self, bytes_of_each: int, do: Callable[[Follower], None]) -> None:
        at_a_time = max(1, min(STREAMS_AT_A_TIME, BYTES_AT_A_TIME // max(1, bytes_of_each)))
        streams = list(self._streams)
        for start in range(0, len(streams), at_a_time):
            async with self.turn():
                for stream in streams[start : start + at_a_time]:
                    do(stream)

    async def _stop(self) -> None:
        task, self._task = self._task, None
        self.kept.start_at((0, 0))
        ending: list[asyncio.Task[Any]] = [*self._alone.values(), *([task] if task is not None else [])]
        self._alone = {}  # a stream that joins meanwhile has the journal read for itself
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
