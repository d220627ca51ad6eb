"""The journal of one partition, read once for all who follow it in this process.

One connection waits at the journal's end and receives each entry once. The newest entries stay in a bounded buffer,
from which any number of followers read without a command to the store. A follower that is further behind than the
buffer reaches, and anyone while the feed is not connected, reads from the store.
"""

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from itertools import islice
from operator import attrgetter
from typing import ClassVar, Final, NamedTuple

import msgspec
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from server.domain.changes import Change
from server.store.connection.connect import StoreClient
from server.store.journal import journal
from server.store.journal.journal import DamagedEntryError, EntryId, format_entry_id, parse_entry_id, text_of
from server.store.keys import Keyspace

log = structlog.get_logger("holdfast.journal")

_BLOCK_S: Final = 5.0
_BLOCK_GRACE_S: Final = 3.0
"""So much later than asked an empty answer may come before the connection counts as dead."""
WATCHED_BLOCK_S: Final = 0.025
"""The same while somebody has to know how current the feed is: forty short answers a second where nothing changes."""
WATCHED_AT_ONCE: Final = 8
"""Feeds of a process that are watched and look so often; more of them look the less often, and together no oftener."""
_READ_ENTRIES: Final = 256
_RECONNECT_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0)

BUFFER_ENTRIES: Final = 8_192
BUFFER_BYTES: Final = 4 * 1024 * 1024
"""As the entries stand in the store; decoded ones take about five times as much."""
BUFFER_MS: Final = 5_000
"""Followers are milliseconds behind, daily figures a second; a process with many partitions keeps no more of each."""
AT_A_TIME_BYTES: Final = 32 * 1024
"""Of entries that are decoded and looked at before others on the event loop get their turn: about a millisecond."""
_ENTRY_BYTES: Final = 200
"""What an entry takes beside its fields."""


class Seen(NamedTuple):
    """Up to when the journal is known whole: on the store's clock, and no later on this process's (seconds)."""

    as_of_ms: int
    at_s: float


class Entry:
    """One journal entry; its changes are decoded when first asked for, and at most once."""

    __slots__ = ("_changes", "_journal", "entry_id", "fields", "position")

    def __init__(self, journal_key: str, raw_id: bytes, fields: dict[bytes, bytes]) -> None:
        self.entry_id = text_of(raw_id)
        self.position = parse_entry_id(self.entry_id)
        self.fields = fields
        self._journal = journal_key
        self._changes: list[Change] | None = None

    @property
    def changes(self) -> list[Change]:
        """The changes in the order in which they were made; shared between followers, so not to be modified.

        Raises
        ------
        DamagedEntryError
            The entry cannot be decoded.

        """
        if self._changes is None:
            try:
                self._changes = journal.decode_entry(self.fields)
            except msgspec.DecodeError as error:
                raise DamagedEntryError(self._journal, self.entry_id) from error
        return self._changes

    @property
    def size_bytes(self) -> int:
        """About what the undecoded entry takes in memory."""
        return _ENTRY_BYTES + sum(len(name) + len(value) for name, value in self.fields.items())


class JournalFeed:
    """Follows one partition's journal for a whole process. Until it is started, it reads from the store.

    ``watched``: how many feeds of the process somebody watches.

    Parameters
    ----------
    client
        For entries that are not in the buffer.
    connect
        Makes an unconnected connection of redis-py's; the feed keeps one of its own, blocked most of the time.
    buffer_entries, buffer_bytes
        The buffer ends at whichever is reached first.

    """

    watched: ClassVar[int] = 0

    def __init__(
        self,
        client: StoreClient,
        keyspace: Keyspace,
        connect: Callable[[], AbstractConnection],
        *,
        buffer_entries: int = BUFFER_ENTRIES,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        self.client = client
        self.keyspace = keyspace
        self.connections = 0
        """How often it has connected: after each but the first, the store may have lost its newest entries."""
        self.rewinds = 0
        """How often it then had: the last entry that was read is not there."""
        self.seen: Seen | None = None
        """Up to when every entry is known; kept up only while somebody watches, None where it is not known."""
        self._watchers = 0
        self._connect = connect
        self._buffer_entries = buffer_entries
        self._buffer_bytes = buffer_bytes
        self._buffer: deque[Entry] = deque()
        self._bytes = 0
        self._reaches_back_to: EntryId = (0, 0)
        """The buffer holds every entry after this one, up to and with the last."""
        self._last: EntryId = (0, 0)
        self._rested_s = 0.0
        self._connected = False
        self._grown = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def last_id(self) -> str:
        """The newest entry that the feed knows of; ``0-0`` until it first reached the store."""
        return format_entry_id(self._last)

    @property
    def end(self) -> EntryId:
        """The same as an id that can be compared."""
        return self._last

    @property
    def is_connected(self) -> bool:
        """Whether it waits at the journal's end, so that it learns of every entry by itself."""
        return self._connected

    def start(self) -> None:
        """Begin to follow, unless it has begun."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"journal-feed {self.keyspace.journal}")

    def watch(self) -> None:
        """Keep up :attr:`seen` from the next answer of the store on, until :meth:`unwatch` is called as often."""
        self._watchers += 1
        if self._watchers == 1:
            JournalFeed.watched += 1

    def unwatch(self) -> None:
        """End what :meth:`watch` began."""
        self._watchers -= 1
        if not self._watchers:
            JournalFeed.watched -= 1

    @property
    def look_s(self) -> float:
        """How long a look at the journal waits for an entry."""
        if not self._watchers:
            return _BLOCK_S
        return min(_BLOCK_S, WATCHED_BLOCK_S * max(1.0, JournalFeed.watched / WATCHED_AT_ONCE))

    async def close(self) -> None:
        """Stop following; waiting followers run into their timeout."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    # -- for followers

    def has_kept(self, after: EntryId) -> bool:
        """Return whether all entries after an id can be read without a command to the store."""
        return self._connected and after >= self._reaches_back_to

    async def grown(self, after_id: str, timeout_s: float) -> bool:
        """Wait until there is an entry after ``after_id``; False: none came in time."""
        after = parse_entry_id(after_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._last <= after:
                    # Looked up each time: each move of the end leaves a new event for later waiters.
                    await self._grown.wait()
        return self._last > after

    async def read_page(self, after_id: str, count: int, client: StoreClient | None = None) -> list[Entry]:
        """Read at most ``count`` entries after an id; fewer: these were the last.

        ``client`` reads what is not in the buffer, where the feed's own is for the work of others.

        Raises
        ------
        StoreUnavailableError
            They are not in the buffer, and the store did not answer.

        """
        after = parse_entry_id(after_id)
        if self.has_kept(after):
            first = bisect_right(self._buffer, after, key=attrgetter("position"))
            return list(islice(self._buffer, first, first + count))
        page = await journal.read_page(client or self.client, self.keyspace, after_id, count)
        return self._entries(page)

    async def read(
        self, after_id: str, count: int = journal.PAGE_ENTRIES, client: StoreClient | None = None
    ) -> AsyncIterator[tuple[str, list[Change]]]:
        """Yield the entries after an id up to the newest; ``count`` to a round trip where the store is read.

        ``client``: as for :meth:`read_page`.

        Raises
        ------
        DamagedEntryError
            An entry cannot be decoded.
        StoreUnavailableError
            The store had to be read and did not answer.

        """
        while True:
            page = await self.read_page(after_id, count, client)
            read_bytes = 0
            for entry in page:
                yield entry.entry_id, entry.changes
                read_bytes += entry.size_bytes
                if read_bytes >= AT_A_TIME_BYTES:
                    read_bytes = 0
                    await asyncio.sleep(0)
            if len(page) < count:
                return
            after_id = page[-1].entry_id

    # -- following the store

    async def _run(self) -> None:
        attempt = 0
        while True:
            connection = self._connect()
            try:
                await connection.connect()  # type: ignore[no-untyped-call]
                # Asked anew at each connection: a store that lost its newest entries in a crash is behind us.
                newest, first = await self._ends(connection)
                if await self._is_gone(connection, newest, first):
                    self.rewinds += 1
                    log.warning("journal_went_back", journal=self.keyspace.journal, read=self.last_id,
                                end=format_entry_id(newest))  # fmt: skip
                self._begin(newest)
                attempt = 0
                while True:
                    await self._go_on(connection)
            except (RedisError, OSError, ValueError) as error:  # TimeoutError is an OSError
                if attempt == 0:
                    log.warning("journal_feed_interrupted", reason=str(error) or type(error).__name__)
            finally:
                self._connected, self.seen = False, None
                await connection.disconnect(nowait=True)
            await asyncio.sleep(_RECONNECT_S[min(attempt, len(_RECONNECT_S) - 1)])
            attempt += 1

    async def _ends(self, connection: AbstractConnection) -> tuple[EntryId, EntryId]:
        """Ask for the newest id and the oldest that is kept."""
        await connection.send_command("XINFO", "STREAM", self.keyspace.journal)
        try:
            async with asyncio.timeout(_BLOCK_GRACE_S):
                answer = await connection.read_response(disable_decoding=True)
        except ResponseError as error:
            if "no such key" in str(error):
                return (0, 0), (0, 0)
            raise
        info = dict(zip(answer[::2], answer[1::2], strict=True))
        return (
            parse_entry_id(text_of(info[b"last-generated-id"])),
            parse_entry_id(text_of(info[b"recorded-first-entry-id"])),
        )

    async def _is_gone(self, connection: AbstractConnection, newest: EntryId, first: EntryId) -> bool:
        """Whether the last entry that was read is missing, and not because it was trimmed."""
        last = self._last
        if last >= newest or last == (0, 0):
            return last > newest
        if last < first:
            return False
        await connection.send_command("XRANGE", self.keyspace.journal, self.last_id, self.last_id)
        async with asyncio.timeout(_BLOCK_GRACE_S):
            return not await connection.read_response(disable_decoding=True)

    async def _go_on(self, connection: AbstractConnection) -> None:
        """Wait once for entries after the newest known, and take them."""
        is_watched, sent_s = self._watchers > 0, asyncio.get_running_loop().time()
        block_s = self.look_s
        key = self.keyspace.journal
        read = ("XREAD", "COUNT", _READ_ENTRIES, "BLOCK", int(1000 * block_s), "STREAMS", key, self.last_id)
        # The clock is asked in front: what the journal has then is in the answer behind it.
        commands = [("TIME",), read] if is_watched else [read]
        await connection.send_packed_command(connection.pack_commands(commands))
        async with asyncio.timeout(block_s + _BLOCK_GRACE_S):
            clock = await connection.read_response() if is_watched else None
            answer = await connection.read_response(disable_decoding=True)
        found = answer[0][1] if answer else []
        self._take(self._entries((raw_id, dict(zip(flat[::2], flat[1::2], strict=True))) for raw_id, flat in found))
        if clock is not None and len(found) < _READ_ENTRIES:
            now_ms = 1000 * int(clock[0]) + int(clock[1]) // 1000
            self.seen = Seen(max(now_ms, self._last[0]) if found else now_ms, sent_s)

    def _entries(self, found: Iterable[tuple[bytes, dict[bytes, bytes]]]) -> list[Entry]:
        return [Entry(self.keyspace.journal, raw_id, fields) for raw_id, fields in found]

    # -- the buffer

    def _begin(self, newest: EntryId) -> None:
        """Follow from the journal's end. What was buffered is dropped: the store may have lost it."""
        self._empty(newest)
        self._connected = True
        self.connections += 1
        self._move_to(newest)

    def _take(self, entries: list[Entry]) -> None:
        if not entries:
            self._rest()
            return
        self._rested_s = asyncio.get_running_loop().time()
        self._buffer.extend(entries)
        self._bytes += sum(entry.size_bytes for entry in entries)
        self._trim(entries[-1].position[0] - BUFFER_MS)
        self._move_to(entries[-1].position)

    def _rest(self) -> None:
        """Nothing came: let go of what nobody can be behind with any more."""
        if self._buffer and asyncio.get_running_loop().time() - self._rested_s >= _BLOCK_S:
            self._empty(self._last)

    def _trim(self, oldest_ms: int) -> None:
        buffer = self._buffer
        while buffer and (
            len(buffer) > self._buffer_entries or self._bytes > self._buffer_bytes or buffer[0].position[0] < oldest_ms
        ):
            dropped = buffer.popleft()
            self._bytes -= dropped.size_bytes
            self._reaches_back_to = dropped.position

    def _empty(self, position: EntryId) -> None:
        self._buffer.clear()
        self._bytes = 0
        self._reaches_back_to = position

    def _move_to(self, last: EntryId) -> None:
        if last != self._last:
            self._last = last
            self._grown.set()
            self._grown = asyncio.Event()
