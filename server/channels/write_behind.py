"""What the channels have to remember, gathered and written a few times a second for all of them together.

Nobody waits for it: what a crash loses here is told to the channel once more, because a cursor moves only in the same
write as what it stands for, or in a later one.
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
_RETRY_S: Final = 0.5
_pack = msgspec.msgpack.Encoder().encode


class WriteBehind:
    """The writes of one publisher. ``cursors`` gives each channel's cursor at the moment of the call."""

    def __init__(
        self, store: PublisherStore, token: int, cursors: Callable[[], Mapping[str, EntryId]], known: Mapping[str, str]
    ) -> None:
        self._store = store
        self._token = token
        self._cursors = cursors
        self._written_cursors = dict(known)
        self._writes = Writes()
        self._flushing = asyncio.Lock()

    def channel(self, name: str) -> "ChannelRecords":
        """Give what one channel writes to."""
        return ChannelRecords(self, self._store.keyspace, name)

    def set(self, key: str, field: str, value: bytes | str | None) -> None:
        """Set a field of a hash, or delete it, with the next flush."""
        self._writes.set(key, field, value)

    async def flush(self) -> None:
        """Write all that was gathered.

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
                self._take_back(writes)
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

    def _take_back(self, writes: Writes) -> None:
        """Gather anew what could not be written, under what was gathered meanwhile. Cursors are asked for again."""
        newer, self._writes = self._writes, writes
        writes.hashes.pop(self._store.keyspace.channel_cursors, None)
        for key, fields in newer.hashes.items():
            for field, value in fields.items():
                writes.set(key, field, value)


class ChannelRecords:
    """What one channel writes down."""

    def __init__(self, records: WriteBehind, keyspace: Keyspace, channel: str) -> None:
        self._records = records
        self._channel = channel
        self._keys = ChannelKeys(keyspace, channel)
        self._status_key = keyspace.channel_status
        self.flush = records.flush

    def shown(self, sku: str, shown: Shown | None) -> None:
        """Note what the channel has confirmed; None: nobody knows what it shows."""
        self._records.set(self._keys.shown, sku, None if shown is None else _pack(shown))

    def dead_letter(self, sku: str, letter: DeadLetter | None) -> None:
        """Note a dead letter, or that it is one no more."""
        self._records.set(self._keys.dead_letters, sku, None if letter is None else _pack(letter))

    def ticket(self, ticket_id: str, ticket: OpenTicket | None) -> None:
        """Note an open ticket, or that it is closed."""
        self._records.set(self._keys.tickets, ticket_id, None if ticket is None else _pack(ticket))

    def status(self, status: ChannelStatus) -> None:
        """Note how the channel stands."""
        self._records.set(self._status_key, self._channel, msgspec.json.encode(status))
