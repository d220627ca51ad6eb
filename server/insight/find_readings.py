"""Reads from the store what the index for finding keeps: SKUs at locations, listings, and reservations."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from server.domain.channels import Listing
from server.domain.components import key_in
from server.domain.finding import customer_name
from server.domain.reservation import Reservation
from server.domain.stock import StockRecord
from server.store.connection.commands import command, in_a_row
from server.store.connection.connect import StoreClient
from server.store.documents.found import FoundBarcode, FoundHolder, FoundListing, FoundPlace, FoundReservation
from server.store.keys import Keyspace, split_field, stored_text
from server.store.repositories.barcodes import find_barcodes, page_of_barcodes
from server.store.repositories.channels import ChannelStore
from server.store.repositories.locations import read_closed
from server.store.repositories.skus import NOWHERE, SkuSlice, scan_skus
from server.store.repositories.stock import decode_stock

RecordT = TypeVar("RecordT")

SLICE: Final = 250
"""Records of one call: some tenths of a millisecond of the store's time."""
ORDER_REF: Final = "order_ref"
"""The note of a change by which a reservation got its order_ref after it was made."""
_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


class Places(NamedTuple):
    """SKUs at locations as the store has them now; ``gone``: those that it has not, by location and SKU."""

    there: list[FoundPlace]
    gone: list[tuple[str, str]]


async def read_places(client: StoreClient, keyspace: Keyspace, wanted: Sequence[tuple[str, str]]) -> Places:
    """Read SKUs at locations, by SKU and location.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    if not wanted:
        return Places([], [])
    closed = (await read_closed(client, keyspace)).names
    found = Places([], [])
    for first in range(0, len(wanted), SLICE):
        some = wanted[first : first + SLICE]
        packed = await command(client, "HMGET", keyspace.stock, *(f"{sku}\0{location}" for sku, location in some))
        for (sku, location), each in zip(some, packed, strict=True):
            if each is None:
                found.gone.append((location, sku))
            elif (record := _readable(decode_stock, each)) is not None:
                found.there.append(_place(sku, location, record, is_closed=location in closed))
    return found


def _readable(decode: Callable[[bytes], RecordT], packed: bytes) -> RecordT | None:
    """Return a record; None: it is damaged, which `holdfast verify` says, and is found by nobody."""
    try:
        return decode(packed)
    except msgspec.DecodeError:
        return None


def _place(sku: str, location: str, record: StockRecord, *, is_closed: bool) -> FoundPlace:
    return FoundPlace(location, sku, 0 if is_closed else record.left(), record.held, record.lacks, record.seq)


async def scan_places(client: StoreClient, keyspace: Keyspace, position: int) -> tuple[int, list[FoundPlace]]:
    """Read a slice of all stock, and the position to go on from: 0 at the beginning and at the end; errors as above."""
    closed = (await read_closed(client, keyspace)).names
    following, packed = await command(client, "HSCAN", keyspace.stock, position, "COUNT", SLICE)
    found = []
    for field, each in packed.items():
        sku, location = split_field(field)
        if (record := _readable(decode_stock, each)) is not None:
            found.append(_place(sku, location, record, is_closed=location in closed))
    return int(following), found


async def scan_untracked(client: StoreClient, keyspace: Keyspace, position: int) -> SkuSlice:
    """Read a slice of all SKUs; errors as above."""
    return await scan_skus(client, keyspace, position, SLICE)


async def untracked(client: StoreClient, keyspace: Keyspace, skus: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return which of some SKUs are untracked, and which are not; errors as above."""
    if not skus:
        return [], []
    lengths = await in_a_row(client, [("HSTRLEN", keyspace.skus, sku) for sku in skus])
    is_so = {sku: int(length) == len(NOWHERE) for sku, length in zip(skus, lengths, strict=True)}
    return [sku for sku in skus if is_so[sku]], [sku for sku in skus if not is_so[sku]]


# -- listings


def found_listings(listings: Iterable[Listing]) -> list[FoundListing]:
    """Return what listings are found by: each SKU that they are about."""
    return [FoundListing(part.sku, each.key, each.sku) for each in listings for part in each.made_of]


async def read_listings(
    client: StoreClient, keyspace: Keyspace, channel: str, listed_as: Sequence[str]
) -> list[FoundListing]:
    """Read listings of a channel by what they are known by; errors as above."""
    stored = await ChannelStore(client, keyspace).listings_of(channel, listed_as)
    return found_listings(each for each in stored if each is not None)


async def scan_listings(
    client: StoreClient, keyspace: Keyspace, channel: str, position: int, *, by_key: bool
) -> tuple[int, list[FoundListing]]:
    """Read a slice of a channel's listings, and the position to go on from; errors as above."""
    store = ChannelStore(client, keyspace)
    following, listings = await store.page_of_listings(channel, position, SLICE, by_key=by_key)
    return following, found_listings(each for each in listings if by_key or key_in(each.sku) is None)


# -- barcodes


async def read_barcodes(client: StoreClient, keyspace: Keyspace, barcodes: Sequence[str]) -> list[FoundBarcode]:
    """Read what barcodes stand for; those that are not registered are left out; errors as above."""
    found: list[FoundBarcode] = []
    for first in range(0, len(barcodes), SLICE):
        packs = await find_barcodes(client, keyspace, barcodes[first : first + SLICE])
        found += [FoundBarcode(pack.sku, barcode) for barcode, pack in packs.items()]
    return found


async def scan_barcodes(client: StoreClient, keyspace: Keyspace, position: int) -> tuple[int, list[FoundBarcode]]:
    """Read a slice of all barcodes, and the position to go on from; errors as above."""
    following, packs = await page_of_barcodes(client, keyspace, position, SLICE)
    return following, [FoundBarcode(pack.sku, barcode) for barcode, pack in packs]


# -- reservations


def found_reservation(name: str, record: Reservation, key: bytes) -> FoundReservation:
    """Return what a reservation is found by; ``key`` names its customer."""
    order_ref = dict(record.notes).get(ORDER_REF, record.order_ref)
    return FoundReservation(name, record.created_ms, record.channel, order_ref, customer_name(key, record.customer_ref))


async def scan_reservations(
    client: StoreClient, where: str, position: int, key: bytes
) -> tuple[int, list[FoundReservation]]:
    """Read a slice of the reservations in a hash, and the position to go on from; errors as above."""
    following, records = await _scan_records(client, where, position)
    return following, [
        found_reservation(name, record, key) for name, record in records.items() if not record.is_tombstone
    ]


async def scan_holders(client: StoreClient, keyspace: Keyspace, position: int) -> tuple[int, list[FoundHolder]]:
    """Read who has units among a slice of the live reservations, and the position to go on from; errors as above."""
    following, records = await _scan_records(client, keyspace.reservations, position)
    return following, [
        FoundHolder(line.sku, line.location, name)
        for name, record in records.items()
        for line in record.lines
        if line.held + line.committed
    ]


async def _scan_records(client: StoreClient, where: str, position: int) -> tuple[int, dict[str, Reservation]]:
    following, packed = await command(client, "HSCAN", where, position, "COUNT", SLICE)
    records = {stored_text(name): _readable(_decode_reservation, each) for name, each in packed.items()}
    return int(following), {name: record for name, record in records.items() if record is not None}


async def purged(client: StoreClient, keyspace: Keyspace, names: Sequence[str]) -> list[str]:
    """Return which of some reservations the store has no more; errors as above."""
    if not names:
        return []
    asked = [("HEXISTS", key, name) for key in (keyspace.reservations, keyspace.ended) for name in names]
    there = await in_a_row(client, asked)
    return [name for name, live, ended in zip(names, there[: len(names)], there[len(names) :], strict=True)
            if not live and not ended]  # fmt: skip
