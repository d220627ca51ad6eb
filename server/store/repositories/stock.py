"""Reads the record of a (SKU, location) as the scripts store it (``lua/lib/stock.lua``)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from server.domain.stock import StockRecord
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace

decode_stock: Final = msgspec.msgpack.Decoder(StockRecord).decode
"""Read one record; raises ``msgspec.DecodeError`` for a damaged one."""
_PLACES_PER_READ: Final = 1_000


async def read_records(
    client: StoreClient, keyspace: Keyspace, places: Sequence[tuple[str, str]]
) -> list[StockRecord | None]:
    """Read the records of some (SKU, location), by the names under which they lie; None: there is none.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found: list[StockRecord | None] = []
    for first in range(0, len(places), _PLACES_PER_READ):
        fields = [f"{sku}\0{location}" for sku, location in places[first : first + _PLACES_PER_READ]]
        packed = await command(client, "HMGET", keyspace.stock, *fields)
        found += [None if each is None else decode_stock(each) for each in packed]
    return found


async def partition_seq(client: StoreClient, keyspace: Keyspace) -> int:
    """Read the last seq of a partition: what a record has with a greater one came later.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    return int(await command(client, "HGET", keyspace.meta, "seq") or 0)
