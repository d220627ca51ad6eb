"""Ready events of one partition, for all open streams of this process.

One task reads the journal feed, asks once for the newest values of the SKUs that changed, and encodes each event once.
What is kept is the newest event of each SKU, in the order of change. So a stream is no more than a position: one that
keeps up is given the bytes of the last round, a slow one what is newer than its position, and one that is further
behind than the kept events reach catches up by itself from the store.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

import structlog

from server.domain.changes import Change
from server.store.connection.timeouts import in_time
from server.store.errors import StoreError
from server.store.journal import journal
from server.store.journal.feed import JournalFeed
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id
from server.store.repositories.locations import closings, skus_at

log = structlog.get_logger("holdfast.http")

READ_ENTRIES: Final = 500
"""Journal entries looked at before the SKUs in them are sent."""
PIECE_SKUS: Final = 500
PIECE_SCANS: Final = 20
"""A location that was closed or opened is sent in pieces of about so many SKUs, or of what so many scans find."""
KEPT_EVENTS: Final = 10_000
KEPT_BYTES: Final = 4 * 1024 * 1024
PIECE_BYTES: Final = 64 * 1024
"""A slow stream is given about so much at a time: the events wait here, once, and not in each connection's buffer."""
PACE_S: Final = 0.000_05
"""The pause for each stream that a round goes to, about twice what a write costs: so other requests get most of the
time. A thousand streams get some ten rounds a second, in which a SKU comes once however often it changed."""
WOKEN_AT_A_TIME: Final = 50
"""About a millisecond of the event loop."""
_LOOK_S: Final = 0.5
"""How often the store is asked while the feed is not connected."""
_RETRY_S: Final = 1.0


class Event(NamedTuple):
    """The newest value of one SKU; ``body`` is the encoded event without an id."""

    sku: str
    version: tuple[int, int]
    """Its seq, and the version of the closed locations: the greater, the newer."""
    body: bytes
    is_out: bool = False
    """Nothing is available."""


Position = tuple[int, ...]
"""Up to where events are ready: a journal id. Between two entries also that of the first, how many pieces of the second
are ready, and where the next begins: see :func:`server.store.repositories.locations.skus_at`."""


def entry_of(position: Position) -> EntryId:
    """Return the journal id up to which all is ready at a position."""
    return position[0], position[1]


class Round(NamedTuple):
    """A piece of the journal as events: all that changed up to and with ``upto`` is in them, or in later ones.

    ``more``: the journal goes on.
    """

    upto: Position
    events: list[Event]
    more: bool = False

    @property
    def body(self) -> bytes:
        """The bytes to send. Only the last event has the id: a caller that leaves in the middle gets all again."""
        if not self.events:
            return b""
        *first, last = (event.body for event in self.events)
        return b"".join([*first, b"id: %b\n" % format_entry_id(entry_of(self.upto)).encode(), last])


class _Kept(NamedTuple):
    upto: Position
    event: Event


class EventFanOut:
    """Follows one partition while there are streams.

    Parameters
    ----------
    read_events
        Reads and encodes the newest values of SKUs; unknown ones are left out.

    """

    def __init__(self, feed: JournalFeed, read_events: Callable[[list[str]], Awaitable[list[Event]]]) -> None:
        self.store_is_away = False
        self.rewinds = 0
        """How often the store came back without entries that were read before: each stream then resets its caller."""
        self.read_at_s = 0.0
        """When the values of the newest round began to be read, on the loop's clock."""
        self._feed = feed
        self._read_events = read_events
        self._connections = 0
        self._feed_rewinds = 0
        self._streams = 0
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._woken_at: Position = (0, 0)
        self._start_at((0, 0))

    @asynccontextmanager
    async def joined(self, journal_end: EntryId) -> AsyncIterator[None]:
        """Count as a stream meanwhile. The first one starts the fan-out at the journal's end, the last one stops it."""
        self._streams += 1
        if self._task is None:
            self._start_at(journal_end)
            self._feed_rewinds = self._feed.rewinds
            self._feed.start()
            self._task = asyncio.create_task(self._run(), name=f"event-fan-out {self._feed.keyspace.journal}")
        try:
            yield
        finally:
            self._streams -= 1
            if not self._streams:
                await self._stop()

    # -- for streams

    @property
    def position(self) -> Position:
        """Up to where events are ready."""
        return self._newest.upto

    def reaches(self, position: Position) -> bool:
        """Whether all that changed after a position is among the kept events."""
        return position >= min(self._reaches_back_to, self._before_newest)

    async def grown(self, position: Position, timeout_s: float) -> bool:
        """Wait until there are rounds after a position; False: none came in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self.position <= position:
                    await self._moved()
        return self.position > position

    def after(self, position: Position, sent: Mapping[str, tuple[int, int]]) -> tuple[Position, bytes]:
        """Get what is newer than a position: the next position, and the bytes to send.

        ``sent``: the versions of newer values that the stream has sent itself; those events are left out.
        """
        if position == self._before_newest and not sent:
            return self.position, self._body
        upto, events = self._piece_after(position)
        newer = [event for event in events if event.version >= sent.get(event.sku, (0, 0))]
        return upto, Round(upto, newer).body

    async def read_alone(self, position: Position) -> Round:
        """Read the next piece of the journal from the store, for one stream that is far behind.

        Raises
        ------
        DamagedEntryError
            The next entry cannot be decoded.
        StoreError
            The store did not answer.

        """
        feed = self._feed
        return await self._read(journal.read(feed.client, feed.keyspace, format_entry_id(entry_of(position))), position)

    def _piece_after(self, position: Position) -> tuple[Position, list[Event]]:
        """Take events until they are enough to send at once. A round is not divided: its id stands for all of it."""
        if position >= self._before_newest:
            return self.position, self._newest.events
        newer: list[_Kept] = []
        for kept in reversed(self._kept.values()):
            if kept.upto <= position:
                break
            newer.append(kept)
        newer.reverse()
        size = 0
        for index, kept in enumerate(newer):
            if size >= PIECE_BYTES and kept.upto != newer[index - 1].upto:
                return newer[index - 1].upto, [each.event for each in newer[:index]]
            size += len(kept.event.body)
        return self.position, [each.event for each in newer]

    # -- the task

    async def _run(self) -> None:
        while True:
            await self._feed.grown(format_entry_id(entry_of(self.position)), _LOOK_S)
            try:
                await self._advance()
                self.store_is_away = False
            except DamagedEntryError as damaged:
                # Each stream finds it by itself, and has its caller read everything anew.
                log.error("changes_skip_entry", entry=damaged.entry_id, reason=str(damaged))  # noqa: TRY400  # it names the entry
                self._start_at(parse_entry_id(damaged.entry_id))
            except StoreError:
                self.store_is_away = True
                await asyncio.sleep(_RETRY_S)
            except Exception:
                log.exception("changes_failed", partition=self._feed.keyspace.partition)
                await asyncio.sleep(_RETRY_S)
            await self._wake()

    async def _advance(self) -> None:
        self._follow_back()
        began_s, end = asyncio.get_running_loop().time(), parse_entry_id(self._feed.last_id)
        found = await self._read(self._feed.read(format_entry_id(entry_of(self.position))), self.position)
        if found.upto == self.position < end:
            found = Round(end, [])  # trimmed before it was read
        if found.upto > self.position:
            self.read_at_s = began_s
            self._publish(found)

    def _follow_back(self) -> None:
        """Start again at the journal's end where the store came back with less of it than was read."""
        if self._feed.connections != self._connections:
            self._connections = self._feed.connections
            end = parse_entry_id(self._feed.last_id)
            if end < self.position or self._feed_rewinds != self._feed.rewinds:
                self._feed_rewinds = self._feed.rewinds
                self._start_at(end)
                self.rewinds += 1

    async def _read(self, entries: AsyncIterator[tuple[str, list[Change]]], position: Position) -> Round:
        piece = await in_time(_changed_skus(entries, position))
        if piece.closings:
            return await self._read_closings(piece, position)
        return Round(piece.upto, await self._read_events(piece.skus) if piece.skus else [], piece.more)

    async def _read_closings(self, piece: "_Piece", position: Position) -> Round:
        """Read the next SKUs of locations that were closed or opened, those without units first."""
        client, keyspace = self._feed.client, self._feed.keyspace
        number, place = position[2:] or (0, 0)
        skus: dict[str, None] = {}
        for _ in range(PIECE_SCANS):
            found, place = await in_time(skus_at(client, keyspace, piece.closings, place))
            skus.update(dict.fromkeys(found))
            if not place or len(skus) >= PIECE_SKUS:
                break
        events = await self._read_events(list(skus)) if skus else []
        upto = (*entry_of(position), number + 1, place) if place else piece.upto
        return Round(upto, sorted(events, key=lambda each: not each.is_out), more=True)

    def _publish(self, found: Round) -> None:
        for event in found.events:
            self._forget(event.sku)
            self._kept[event.sku] = _Kept(found.upto, event)
            self._kept_bytes += len(event.body)
        self._before_newest, self._newest, self._body = self.position, found, found.body
        while len(self._kept) > KEPT_EVENTS or self._kept_bytes > KEPT_BYTES:
            oldest = next(iter(self._kept))
            self._reaches_back_to = self._kept[oldest].upto
            self._forget(oldest)

    def _forget(self, sku: str) -> None:
        known = self._kept.pop(sku, None)
        if known is not None:
            self._kept_bytes -= len(known.event.body)

    def _start_at(self, position: Position) -> None:
        """Keep nothing, and go on from a position."""
        self._kept: dict[str, _Kept] = {}
        self._kept_bytes = 0
        self._reaches_back_to = self._before_newest = position
        self._newest, self._body = Round(position, []), b""

    async def _moved(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[waiter] = None
        try:
            await waiter
        finally:
            self._waiting.pop(waiter, None)

    async def _wake(self) -> None:
        """Have waiting streams take what is new, some at a time."""
        if self.position == self._woken_at:
            return
        self._woken_at, waiting = self.position, list(self._waiting)
        for start in range(0, len(waiting), WOKEN_AT_A_TIME):
            some = waiting[start : start + WOKEN_AT_A_TIME]
            for waiter in some:
                if not waiter.done():
                    waiter.set_result(None)
            await asyncio.sleep(len(some) * PACE_S)

    async def _stop(self) -> None:
        task, self._task = self._task, None
        self._start_at((0, 0))
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class _Piece(NamedTuple):
    """SKUs whose availability a piece of the journal touched, each once; its last id; whether the journal goes on.

    ``closings``: or else the locations that its only entry has closed and opened.
    """

    skus: list[str]
    upto: Position
    more: bool
    closings: frozenset[str] = frozenset()


async def _changed_skus(entries: AsyncIterator[tuple[str, list[Change]]], position: Position) -> _Piece:
    """Take a piece of the journal."""
    skus: dict[str, None] = {}
    upto, seen = position, 0
    try:
        async for entry_id, changes in entries:
            moved = frozenset[str]().union(*(each.names for change in changes if (each := closings(change))))
            if moved:  # is a piece of its own, or several
                return (
                    _Piece(list(skus), upto, more=True) if seen else _Piece([], parse_entry_id(entry_id), True, moved)
                )
            upto = parse_entry_id(entry_id)
            skus.update((line.sku, None) for change in changes for line in change.lines)
            seen += 1
            if seen == READ_ENTRIES:
                return _Piece(list(skus), upto, more=True)
    except DamagedEntryError:
        if not seen:
            raise
        return _Piece(list(skus), upto, more=True)  # what precedes it is sent first; the next piece begins with it
    return _Piece(list(skus), upto, more=False)
