"""Collects what channels store, and writes it a few times a second for all of them together.

No push waits for it. What a crash loses here is published to the channel once more, because a cursor moves only in the
same write as what it stands for, or in a later one.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
import structlog

from server.domain.channels import ChannelStatus, DeadLetter, OpenTicket, Shown
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import EntryId, format_entry_id
from server.store.keys import ChannelKeys, Keyspace
from server.store.repositories.publisher import PublisherStore, Writes

log = structlog.get_logger("holdfast.publisher")

FLUSH_S: Final = 0.05
"""20 writes a second: few for the store, and a crash repeats no more than 50 ms of confirmed pushes."""
_RETRY_S: Final = 0.5
"""Pause after a failed write, so that a store that comes back is not met by a burst."""
_pack = msgspec.msgpack.Encoder().encode


class WriteBehind:
    """The writes of one publisher. ``cursors`` returns each channel's cursor at the moment of the call.

    ``known`` are the cursors that are stored already.
    """

    def __init__(
        self, store: PublisherStore, token: int, cursors: Callable[[], Mapping[str, EntryId]], known: Mapping[str, str]
    ) -> None:
        self._store = store
        self._token = token
        self._cursors = cursors
        self._written_cursors = dict(known)
        self._writes = Writes()
        self._flushing = asyncio.Lock()

    def channel(self, name: str) -> "ChannelWriteBehind":
        """Return what one channel writes to."""
        return ChannelWriteBehind(self, self._store.keyspace, name)

    def set(self, key: str, field: str, value: bytes | str | None) -> None:
        """Set a field of a hash, or delete it, with the next flush."""
        self._writes.set(key, field, value)

    async def flush(self) -> None:
        """Write all that was collected.

        Raises
        ------
        FencedError
            Another publisher has taken over.
        StoreUnavailableError
            The store is away; nothing is lost, the next flush tries again.

        """
        async with self._flushing:
            # Taken without a pause in between: a cursor never stands for something that is written later.
            writes, self._writes = self._writes, Writes()
            cursors = {name: format_entry_id(entry_id) for name, entry_id in self._cursors().items()}
            moved = {name: cursor for name, cursor in cursors.items() if self._written_cursors.get(name) != cursor}
            for name, cursor in moved.items():
                writes.set(self._store.keyspace.channel_cursors, name, cursor)
            if not writes:
                return
            try:
                await self._store.record(self._token, writes)
            except StoreUnavailableError:
                self._collect_again(writes)
                raise
            self._written_cursors |= moved

    async def flush_regularly(self, every_s: float) -> None:
        """Flush for ever."""
        away = False
        while True:
            await asyncio.sleep(_RETRY_S if away else every_s)
            try:
                await self.flush()
            except StoreUnavailableError as error:
                if not away:
                    log.warning("publisher_cannot_write", reason=str(error))
                away = True
            else:
                away = False

    def _collect_again(self, writes: Writes) -> None:
        """Collect again what could not be written; newer values replace it. Cursors are asked for again."""
        newer, self._writes = self._writes, writes
        writes.hashes.pop(self._store.keyspace.channel_cursors, None)
        for key, fields in newer.hashes.items():
            for field, value in fields.items():
                writes.set(key, field, value)


class ChannelWriteBehind:
    """What one channel stores; ``channel`` is its name."""

    def __init__(self, write_behind: WriteBehind, keyspace: Keyspace, channel: str) -> None:
        self.channel = channel
        self._write_behind = write_behind
        self._keys = ChannelKeys(keyspace, channel)
        self._status_key = keyspace.channel_status
        self.flush = write_behind.flush

    def shown(self, key: str, shown: Shown | None) -> None:
        """Store what the channel has confirmed of a key; None: what it shows is unknown."""
        self._write_behind.set(self._keys.shown, key, None if shown is None else _pack(shown))

    def dead_letter(self, sku: str, letter: DeadLetter | None) -> None:
        """Store a dead letter; None: remove it."""
        self._write_behind.set(self._keys.dead_letters, sku, None if letter is None else _pack(letter))

    def ticket(self, ticket_id: str, ticket: OpenTicket | None) -> None:
        """Store an open ticket; None: remove it."""
        self._write_behind.set(self._keys.tickets, ticket_id, None if ticket is None else _pack(ticket))

    def status(self, status: ChannelStatus) -> None:
        """Store the channel's status."""
        self._write_behind.set(self._status_key, self.channel, msgspec.json.encode(status))
