"""Barcodes: the SKU of each, and how many units one scan counts."""

from collections.abc import AsyncIterator, Sequence

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.connection.scans import scan
from server.store.keys import Keyspace
from server.store.repositories.aliases import current_names


class Pack(msgspec.Struct, array_like=True, frozen=True):
    """The pack of a barcode: ``factor`` units of a SKU. 1: a single piece; 12: a carton of twelve."""

    sku: str
    factor: int = 1


_decode = msgspec.msgpack.Decoder(Pack).decode


async def put_barcodes(client: Redis, keyspace: Keyspace, packs: Sequence[tuple[str, Pack]]) -> None:
    """Set the packs of barcodes, some thousand at most; earlier packs are replaced."""
    pairs: list[str | bytes] = []
    for barcode, pack in packs:
        pairs += (barcode, msgspec.msgpack.encode(pack))
    await command(client, "HSET", keyspace.barcodes, *pairs)


async def find_barcodes(client: Redis, keyspace: Keyspace, barcodes: Sequence[str]) -> dict[str, Pack]:
    """Look up some thousand barcodes at most; unregistered ones are left out."""
    if not barcodes:
        return {}
    found = await command(client, "HMGET", keyspace.barcodes, *barcodes)
    packs = {barcode: _decode(packed) for barcode, packed in zip(barcodes, found, strict=True) if packed is not None}
    # A barcode keeps the name that its SKU had.
    names = await current_names(client, keyspace, [pack.sku for pack in packs.values()])
    return {barcode: msgspec.structs.replace(pack, sku=names[pack.sku]) for barcode, pack in packs.items()}


async def all_barcodes(client: Redis, keyspace: Keyspace) -> AsyncIterator[tuple[str, Pack]]:
    """Go through all barcodes, in no order."""
    async for raw, packed in scan(client, keyspace.barcodes):
        yield raw.decode(), _decode(packed)
