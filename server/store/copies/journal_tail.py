"""The journal's newest entries as rows of the history, decoded once for all who ask.

While a process serves many orders, the history rests and falls behind. Without this, each question about it would read
and decode the same thousands of entries, and leave the history even less time.
"""

import asyncio
from collections import deque
from typing import Final, NamedTuple

import msgspec

from server.domain.history import HistoryRow, rows_of
from server.store.connection.connect import StoreClient
from server.store.connection.timeouts import in_time
from server.store.errors import StoreUnavailableError
from server.store.journal import journal
from server.store.journal.entries import (
    Bounds,
    EntryId,
    before,
    decode_entry,
    format_entry_id,
    parse_entry_id,
    text_of,
)
from server.store.journal.feed import AT_A_TIME_BYTES
from server.store.keys import Keyspace

ENTRIES_MAX: Final = 5_000
"""Of the journal, that an answer reads beside the database: the newest."""
ROWS_MAX: Final = 20_000
"""And about so many rows: an entry has those of a whole batch, and an answer none of which is asked for keeps all."""
PAGE_ENTRIES: Final = 200
KEPT_S: Final = 10.0
"""After the last question."""


class TailEntry(NamedTuple):
    """An entry of the journal. ``rows``: in its order; None: it cannot be read."""

    position: EntryId
    rows: list[HistoryRow] | None


class Read(NamedTuple):
    """Entries, the oldest first. ``is_whole``: all that were asked for, not only the newest of them."""

    entries: list[TailEntry]
    is_whole: bool


class JournalTail:
    """The newest entries of one partition's journal."""

    def __init__(self) -> None:
        self.entries = deque[TailEntry]()
        """The oldest first."""
        self.after: EntryId = (0, 0)
        """None is missing behind it."""
        self._end: Bounds | None = None
        self._begun = self._read = self._failed = 0
        """Readings that were begun; the last one that was done, and the last one that failed."""
        self._rows = 0
        self._reading = asyncio.Lock()
        self._used_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    async def read(self, client: StoreClient, keyspace: Keyspace, start: EntryId) -> Bounds:
        """Read what has come, so that :attr:`entries` has all after ``start``, or the newest; return the journal's end.

        What :attr:`entries` has is right until the caller awaits something else. Those who ask while somebody reads
        wait, and then share one reading, or its failure.

        Raises
        ------
        StoreUnavailableError
            The store did not answer in time.

        """
        begun = self._begun
        async with self._reading:
            if self._failed > begun:
                raise StoreUnavailableError("The store did not answer; try again.")
            end = self._end
            if end is None or self._read <= begun or not self._reaches(start):
                end = await self._read_on(client, keyspace, start)
            while self.entries and self.entries[0].position <= start:  # the database has these by now
                self._drop_oldest()
            self._keep()
            return end

    async def _read_on(self, client: StoreClient, keyspace: Keyspace, start: EntryId) -> Bounds:
        self._begun += 1
        try:
            end = await in_time(journal.bounds(client, keyspace))
            if not self._reaches(start) or not await self._went_on(client, keyspace, end):
                self.forget()
                found = await read_back(client, keyspace, end.last_id, start)
                self.after = start if found.is_whole or not found.entries else before(found.entries[0].position)
                self._take(found.entries)
        except StoreUnavailableError:
            self._failed = self._begun
            raise
        self._end, self._read = end, self._begun
        return end

    def _reaches(self, start: EntryId) -> bool:
        """Whether all after an id is kept, or as much as may be."""
        return self.after <= start or len(self.entries) >= ENTRIES_MAX or self._rows >= ROWS_MAX

    async def _went_on(self, client: StoreClient, keyspace: Keyspace, end: Bounds) -> bool:
        """Add what is new; return False where what is kept is not how the journal goes any more, or too much came.

        The newest entry that is kept is read again: if it is gone or another one, the store came back without it.
        """
        if not self.entries:
            return False
        newest = self.entries[-1]
        if parse_entry_id(end.last_id) == newest.position:
            return True
        found = await read_back(client, keyspace, end.last_id, before(newest.position))
        if not found.is_whole or not found.entries or found.entries[0] != newest:
            return False
        self._take(found.entries[1:])
        return True

    def _take(self, entries: list[TailEntry]) -> None:
        self.entries.extend(entries)
        self._rows += sum(len(each.rows or ()) for each in entries)
        while len(self.entries) > ENTRIES_MAX or self._has_one_too_many():
            self._drop_oldest()

    def _has_one_too_many(self) -> bool:
        return len(self.entries) > 1 and self._rows - len(self.entries[0].rows or ()) >= ROWS_MAX

    def _drop_oldest(self) -> None:
        oldest = self.entries.popleft()
        self.after = oldest.position
        self._rows -= len(oldest.rows or ())

    def forget(self) -> None:
        """Keep nothing."""
        self.entries.clear()
        self._end, self._rows, self.after = None, 0, (0, 0)

    def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        self._used_s = loop.time()
        if self._timer is None and self.entries:
            self._timer = loop.call_later(KEPT_S, self._forget_unused)

    def _forget_unused(self) -> None:
        loop, self._timer = asyncio.get_running_loop(), None
        left_s = self._used_s + KEPT_S - loop.time()
        if left_s > 0 or self._reading.locked():  # who reads now adds to what is kept
            self._timer = loop.call_later(max(left_s, 1.0), self._forget_unused)
        else:
            self.forget()


async def read_back(client: StoreClient, keyspace: Keyspace, last: str, start: EntryId) -> Read:
    """Read from an end back to after an id: the newest :data:`ENTRIES_MAX` at most, and no more than enough rows.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    found, rows, read_bytes, after = list[TailEntry](), 0, 0, format_entry_id(start)
    while len(found) < ENTRIES_MAX:
        page = await in_time(journal.read_back(client, keyspace, last, after, PAGE_ENTRIES))
        for raw_id, fields in page:
            found.append(_decoded(text_of(raw_id), fields))
            rows += len(found[-1].rows or ())
            if rows >= ROWS_MAX:
                return Read(found[::-1], is_whole=False)
            read_bytes += sum(map(len, fields.values()))
            if read_bytes >= AT_A_TIME_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)  # orders have their turns
        if len(page) < PAGE_ENTRIES:
            return Read(found[::-1], is_whole=True)
        last = f"({text_of(page[-1][0])}"
    return Read(found[::-1], is_whole=False)


def _decoded(entry_id: str, fields: dict[bytes, bytes]) -> TailEntry:
    position = parse_entry_id(entry_id)
    try:
        return TailEntry(position, rows_of(position, decode_entry(fields)))
    except msgspec.DecodeError:
        return TailEntry(position, None)
