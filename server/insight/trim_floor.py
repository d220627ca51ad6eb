"""Up to where the journal may be trimmed, for the sake of those who follow it into the documents database.

What they have not read is kept for :data:`TIMES` as long as the journal anyway, and no longer than it takes its share
of the memory: sales come before the history. What is trimmed unread they note as a gap.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.errors import StoreError
from server.store.journal.entries import START, format_entry_id, parse_entry_id
from server.store.keys import Keyspace

log = structlog.get_logger("holdfast.insight")

TIMES: Final = 7
_FULL: Final = 0.75
"""The part of the store's memory in use at which nothing is kept for followers any more."""
_SAMPLES: Final = 20
"""Nodes of a stream by which its size is told."""


class TrimFloor:
    """Decides for each partition. ``read_to`` returns how far it is followed, None where that is not known.

    ``memory_share``: what the journal of a partition may take of the store's memory for those who follow it.
    """

    def __init__(
        self,
        client: StoreClient,
        read_to: Callable[[str], str | None],
        *,
        retention_s: float,
        memory_share: float,
    ) -> None:
        self._client = client
        self._read_to = read_to
        self._retention_ms = int(1000 * retention_s)
        self._memory_share = memory_share
        self._let_go: set[str] = set()

    async def of(self, partition: str) -> str | None:
        """Return the id from which on entries are to stay; None: it is for others to say."""
        seconds, _ = await command(self._client, "TIME")
        now_ms = int(seconds) * 1000
        read_to = parse_entry_id(self._read_to(partition) or START)
        if read_to >= (now_ms - self._retention_ms, 0):
            self._let_go.discard(partition)
            return None  # the journal is kept for longer anyway
        if await self._is_too_large(partition):
            if partition not in self._let_go:
                log.warning("journal_not_kept_for_history", partition=partition, read_to=format_entry_id(read_to),
                          reason="it takes too much of the store's memory")  # fmt: skip
            self._let_go.add(partition)
            return None
        return format_entry_id(max(read_to, (now_ms - TIMES * self._retention_ms, 0)))

    async def _is_too_large(self, partition: str) -> bool:
        try:
            return await self._takes_too_much(partition)
        except StoreError:  # a store that does not tell its memory, or does not answer the next command either
            return False

    async def _takes_too_much(self, partition: str) -> bool:
        found = await command(self._client, "INFO", "memory")
        # A cluster answers for each node.
        nodes = [each for each in found.values() if isinstance(each, dict)] or [found]
        limit = min(int(node.get("maxmemory") or node.get("total_system_memory") or 0) for node in nodes)
        if not limit:
            return False
        if max(int(node["used_memory"]) for node in nodes) > _FULL * limit:
            return True
        size = await command(self._client, "MEMORY", "USAGE", Keyspace(partition).journal, "SAMPLES", _SAMPLES)
        return int(size or 0) > self._memory_share * limit


Lowest = Callable[[str], Awaitable[str | None]]


def lowest_of(*each: Lowest) -> Lowest:
    """Return what asks several and takes the lowest id."""

    async def lowest(partition: str) -> str | None:
        found = [entry_id for ask in each if (entry_id := await ask(partition)) is not None]
        return min(found, key=parse_entry_id, default=None)

    return lowest
