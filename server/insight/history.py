"""The history: rows of what the journal says, kept in the documents database far longer than the journal is."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog

from server.domain.history import Gap, HistoryRow, rows_of
from server.insight.journal_followers import Write
from server.store.documents import history
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.errors import DocumentsError
from server.store.journal.feed import AT_A_TIME_BYTES, Entry
from server.store.keys import Keyspace
from server.telemetry.history_gauges import HISTORY_GAPS, HISTORY_ROWS

log = structlog.get_logger("holdfast.insight")

PURGE_EVERY_S: Final = 60.0
PAUSE_S: Final = 0.05
"""Between two slices, so that others come to write."""


class HistoryConsumer:
    """Writes the history of a partition, row by row as the journal has it."""

    name = history.FOLLOWER
    keeps_journal = True

    async def take(self, keyspace: Keyspace, entries: Sequence[Entry]) -> Write:
        """Make the rows of some entries."""
        rows, read_bytes = list[HistoryRow](), 0
        for entry in entries:
            rows += rows_of(entry.position, entry.changes)
            read_bytes += entry.size_bytes
            if read_bytes >= AT_A_TIME_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)

        async def write(session: Session) -> None:
            await history.add(session, keyspace.partition, rows)
            HISTORY_ROWS.inc(len(rows))

        return write

    def miss(self, keyspace: Keyspace, gap: Gap) -> Write:
        """Keep the gap, so that answers have it."""

        async def write(session: Session) -> None:
            await history.add_gap(session, keyspace.partition, gap)
            HISTORY_GAPS.labels(gap.reason).inc()

        return write


class HistoryUpkeep:
    """Removes rows that are older than the history is kept, a slice at a time."""

    def __init__(self, documents: Documents, *, retention_s: float) -> None:
        self._documents = documents
        self._retention_ms = int(1000 * retention_s)

    async def run(self) -> None:
        """Work for ever."""
        failing = False
        while True:
            try:
                await self.once()
                failing = False
            except DocumentsError as error:
                if not failing:
                    log.warning("history_not_purged", reason=str(error))
                failing = True
            await asyncio.sleep(PURGE_EVERY_S)

    async def once(self) -> int:
        """Remove all that is too old; return how many rows of one partition at most."""
        before_ms, gone = time.time_ns() // 1_000_000 - self._retention_ms, 0
        while True:
            some = await self._documents.follow(lambda session: history.purge(session, before_ms))
            gone += some
            if some < history.PURGED_AT_ONCE:
                return gone
            await asyncio.sleep(PAUSE_S)
