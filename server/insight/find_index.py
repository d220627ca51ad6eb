"""Keeps the index for finding up to date: what the journal names is read from the store as it is now, and written.

So it does no harm if a piece of the journal is taken twice, or if an entry is older than what was read of its SKU.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from server.domain.aliases import NAMES_ONLY
from server.domain.changes import Change
from server.domain.components import known_by
from server.domain.history import Gap
from server.insight import find_readings as readings
from server.insight.journal_followers import Write
from server.store.connection.connect import StoreClient
from server.store.documents import found, found_state
from server.store.documents.database import Session
from server.store.documents.found import FoundListing, FoundReservation
from server.store.journal.entries import new_reservations
from server.store.journal.feed import AT_A_TIME_BYTES, Entry
from server.store.keys import Keyspace
from server.store.repositories.barcodes import CHANGED as BARCODES_CHANGED
from server.store.repositories.channel_commands import commanded_keys, commanded_skus
from server.store.repositories.locations import closings
from server.store.repositories.reservation_records import read_reservations

_TRACK: Final = "track"
_LISTINGS: Final = "channel_listings"


class _Touched:
    """What a piece of the journal is about."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, str], None] = {}
        self.skus: dict[str, None] = {}
        self.listings: dict[str, dict[str, None]] = {}
        """Channel -> what the listings are known by."""
        self.barcodes: dict[str, None] = {}
        self.moved: dict[str, None] = {}
        """Locations that were closed or opened."""
        self.referred: dict[str, None] = {}
        """Reservations that got their order_ref after they were made."""
        self.seq = 0
        self.at_ms = 0

    def take(self, change: Change) -> None:
        self.at_ms = max(self.at_ms, change.at_ms)
        for line in change.lines:
            self.places[line.sku, line.location] = None
            self.seq = max(self.seq, line.seq)
        if change.reservation_id:
            if any(name == readings.ORDER_REF for name, _ in change.notes):
                self.referred[change.reservation_id] = None
        elif change.operation == _LISTINGS:
            names = [*commanded_skus(change), *map(known_by, commanded_keys(change))]
            self.listings.setdefault(change.channel, {}).update(dict.fromkeys(names))
        elif change.operation == BARCODES_CHANGED:
            self.barcodes |= {value: None for name, value in change.notes if name == "barcode"}
        elif change.operation in (_TRACK, *NAMES_ONLY):
            self.skus |= {value: None for name, value in change.notes if name in ("sku", "to")}
        changed = closings(change)
        if changed is not None:
            self.moved |= dict.fromkeys(changed.names)


class FindIndex:
    """The index of all partitions, as one who makes something of the journal.

    ``customer_key`` returns a partition's key for names of customers.
    """

    name = found_state.FOLLOWER
    keeps_journal = False

    def __init__(self, client: StoreClient, customer_key: Callable[[str], Awaitable[bytes]]) -> None:
        self._client = client
        self._customer_key = customer_key
        self.seen: dict[str, None] = {}
        """Partitions in which something has happened."""
        self.moved: set[str] = set()
        """Partitions in which a location was closed or opened."""
        self.stale: set[str] = set()
        """Partitions of which not all changes are known, so that all has to be read again."""

    async def take(self, keyspace: Keyspace, entries: Sequence[Entry]) -> Write:
        """Take a piece of the journal and return what writes it.

        Raises
        ------
        StoreUnavailableError
            The store did not answer.

        """
        partition = keyspace.partition
        self.seen[partition] = None
        touched, made = _Touched(), dict[str, FoundReservation]()
        key = await self._customer_key(partition)
        read_bytes = 0
        for entry in entries:
            for change in entry.changes:
                touched.take(change)
            for name, record in new_reservations(entry.fields):
                made[name] = readings.found_reservation(name, record, key)
            read_bytes += entry.size_bytes
            if read_bytes >= AT_A_TIME_BYTES:
                read_bytes = 0
                await asyncio.sleep(0)
        late = [name for name in touched.referred if name not in made or not made[name].order_ref]
        for name, record in (await read_reservations(self._client, keyspace, late)).items():
            if not record.is_tombstone:
                made[name] = readings.found_reservation(name, record, key)
        places = await readings.read_places(self._client, keyspace, list(touched.places))
        untracked, tracked = await readings.untracked(self._client, keyspace, list(touched.skus))
        listings = await self._listings(keyspace, touched)
        barcodes = await readings.read_barcodes(self._client, keyspace, list(touched.barcodes))

        async def write(session: Session) -> None:
            await found.put_places(session, partition, places.there, places.gone, touched.at_ms)
            await found.put_untracked(session, partition, untracked)
            await found.drop_untracked(session, partition, tracked)
            for channel, rows in listings.items():
                await found.put_listings(session, partition, channel, rows, touched.listings[channel])
            await found.put_barcodes(session, partition, barcodes, touched.barcodes)
            await found.put_reservations(session, partition, list(made.values()))
            if touched.moved:
                self.moved.add(partition)
                await found_state.put_moved(session, partition, touched.moved)
            await found_state.put_seq(session, partition, touched.seq)

        return write

    async def _listings(self, keyspace: Keyspace, touched: _Touched) -> dict[str, list[FoundListing]]:
        return {
            channel: await readings.read_listings(self._client, keyspace, channel, list(names))
            for channel, names in touched.listings.items()
        }

    def miss(self, keyspace: Keyspace, _gap: Gap) -> Write:
        """Return what writes that a part of the journal is not known: all has to be read again."""
        partition = keyspace.partition

        async def write(session: Session) -> None:
            self.stale.add(partition)
            await found_state.put_unfilled(session, partition)

        return write
