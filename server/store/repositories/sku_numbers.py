"""Reads the stock records of many SKUs in a few commands: for lists, past the ledger."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.stock import StockRecord
from server.store.connection.commands import command, in_a_row
from server.store.keys import Keyspace
from server.store.repositories.locations import read_closed
from server.store.repositories.skus import NOWHERE
from server.store.repositories.stock import read_records

_BYTES_AT_ONCE: Final = 256 * 1024
"""Of the names of locations that one command reads: a SKU of a chain has some 60 KB of them."""
_unpack_names: Final = msgspec.msgpack.Decoder(list[str]).decode


class SkuNumbers(NamedTuple):
    """The stock records of a SKU by location. ``closed``: which of these are closed."""

    records: dict[str, StockRecord]
    closed: frozenset[str]
    is_untracked: bool = False

    @property
    def available(self) -> int:
        """The units that a channel without an allocation can reserve at open locations."""
        return sum(record.left() for location, record in self.records.items() if location not in self.closed)


class Numbers(NamedTuple):
    """SKUs that are known, in the order in which they were asked for; ``reached``: how many of those were read."""

    found: dict[str, SkuNumbers]
    reached: int


async def read_numbers(
    client: Redis, keyspace: Keyspace, skus: Sequence[str], locations: Sequence[str], places_max: int
) -> Numbers:
    """Read SKUs at some locations (all names of one) or at all, until about ``places_max`` were read.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    closed = (await read_closed(client, keyspace)).names
    if locations:
        places, reached = {sku: list(locations) for sku in skus}, len(skus)
    else:
        places, reached = await _places(client, keyspace, skus, places_max)
    fields = [(sku, location) for sku, names in places.items() for location in names]
    found: dict[str, dict[str, StockRecord]] = {sku: {} for sku in places}
    for (sku, location), record in zip(fields, await read_records(client, keyspace, fields), strict=True):
        if record is not None:
            found[sku][location] = record
    numbers = {
        sku: SkuNumbers(records, closed.intersection(records), is_untracked=not places[sku])
        for sku, records in found.items()
        if records or not places[sku]
    }
    return Numbers(numbers, reached)


async def _places(
    client: Redis, keyspace: Keyspace, skus: Sequence[str], places_max: int
) -> tuple[dict[str, list[str]], int]:
    """Read where SKUs are known; an untracked one has no location, an unknown one is left out."""
    lengths = await in_a_row(client, [("HSTRLEN", keyspace.skus, sku) for sku in skus]) if skus else []
    found: dict[str, list[str]] = {}
    some, size, places = list[str](), 0, 0
    for number, (sku, length) in enumerate(zip(skus, map(int, lengths), strict=True), 1):
        if length:
            some.append(sku)
            size += length
        if some and (size >= _BYTES_AT_ONCE or number == len(skus)):
            for name, packed in zip(some, await command(client, "HMGET", keyspace.skus, *some), strict=True):
                if packed is not None:
                    found[name] = [] if packed == NOWHERE else _unpack_names(packed)
                    places += len(found[name])
            some, size = [], 0
            if places >= places_max:
                return found, number
    return found, len(skus)
