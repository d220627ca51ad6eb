"""Reads transfers: one of them, those that are on their way, and what of a SKU is between two locations."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.domain.transfer import Transfer
from server.store.connection.commands import command, run_on_keys, together
from server.store.connection.scans import scan
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.aliases import names_of

SCAN_COUNT: Final = 500
"""Transfers that one call looks at, about: a millisecond of the store's time."""

_decode = msgspec.msgpack.Decoder(Transfer).decode


class TransferPage(msgspec.Struct, frozen=True):
    """Some open transfers; ``next`` is where to continue, empty: there are no more.

    A page may hold a few more or fewer than asked, and one that changes meanwhile may come twice.
    """

    transfers: list[tuple[str, Transfer]]
    next: str


class InTransit(msgspec.Struct, frozen=True):
    """Units of a SKU that left one location and have not reached the other."""

    transfer_id: str
    source: str
    destination: str
    quantity: int
    shipped_ms: int


async def read_transfer(client: Redis, keyspace: Keyspace, transfer_id: str) -> Transfer | None:
    """Read one transfer, open or closed."""
    asked = [("HGET", key, transfer_id) for key in (keyspace.transfers, keyspace.transfers_closed)]
    found = await together(client, asked)
    packed = found[0] or found[1]
    return None if packed is None else _decode(packed)


async def open_transfers(client: Redis, keyspace: Keyspace, after: str, limit: int) -> TransferPage:
    """Read some open transfers, from the ``next`` of a page on (``""``: from the start)."""
    cursor, found = await command(client, "HSCAN", keyspace.transfers, after or "0", "COUNT", limit)
    transfers = [(raw_id.decode(), _decode(packed)) for raw_id, packed in found.items()]
    return TransferPage(transfers, "" if int(cursor) == 0 else str(int(cursor)))


async def all_open_transfers(client: Redis, keyspace: Keyspace) -> AsyncIterator[Transfer]:
    """Go through every open transfer, in no order."""
    async for _, packed in scan(client, keyspace.transfers):
        yield _decode(packed)


async def in_transit(client: Redis, keyspace: Keyspace, limits: bytes, sku: str) -> list[InTransit]:
    """Find the units of a SKU that are in transit, the oldest first."""
    if not int(await command(client, "HGET", keyspace.meta, "in_transit") or 0):
        return []
    found: dict[str, InTransit] = {}
    cursor, names = "0", await names_of(client, keyspace, sku)
    while True:
        request = msgspec.msgpack.encode([cursor, SCAN_COUNT, names])
        reply: list[Any] = await run_on_keys(
            client, library().function("list_transfers"), keyspace.moving, limits, request
        )
        _, following, *flat = reply
        for raw_id, packed in zip(flat[::2], flat[1::2], strict=True):
            transfer = _decode(packed)
            units = sum(line.in_transit for line in transfer.lines if line.sku in names)
            if units:
                transfer_id, route = raw_id.decode(), (transfer.source, transfer.destination)
                found[transfer_id] = InTransit(transfer_id, *route, units, transfer.shipped_ms)
        cursor = following.decode()
        if cursor == "0":
            return sorted(found.values(), key=lambda each: (each.shipped_ms, each.transfer_id))
