"""Barcodes: the SKU of each, and how many units one scan counts."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.connection.scans import scan
from server.store.keys import Keyspace
from server.store.repositories.aliases import current_names
from server.store.repositories.settings_changes import Changer, SettingChange, change_settings


class Pack(msgspec.Struct, array_like=True, frozen=True):
    """The pack of a barcode: ``factor`` units of a SKU. 1: a single piece; 12: a carton of twelve."""

    sku: str
    factor: int = 1


_decode = msgspec.msgpack.Decoder(Pack).decode


CHANGED: Final = "barcodes"
"""The journal's operation for barcodes that were registered or stand for something else."""


async def put_barcodes(
    client: Redis, keyspace: Keyspace, packs: Sequence[tuple[str, Pack]], actor: str, *, reason: str = ""
) -> None:
    """Set the packs of barcodes, some thousand at most; earlier packs are replaced. The journal has it, and why."""
    changes = [
        SettingChange(_notes(barcode, pack, reason), barcode, msgspec.msgpack.encode(pack)) for barcode, pack in packs
    ]
    await change_settings(client, keyspace, keyspace.barcodes, Changer(CHANGED, actor, is_packed=True), changes)


async def remove_barcodes(
    client: Redis, keyspace: Keyspace, packs: Sequence[tuple[str, Pack]], actor: str, *, reason: str = ""
) -> None:
    """Take barcodes away, some thousand at most; ``packs``: what they stood for. The journal has it, and why."""
    changes = [SettingChange(_notes(barcode, pack, reason), barcode, None) for barcode, pack in packs]
    await change_settings(client, keyspace, keyspace.barcodes, Changer(CHANGED, actor, is_packed=True), changes)


def _notes(barcode: str, pack: Pack, reason: str) -> list[tuple[str, str]]:
    return [("barcode", barcode), ("sku", pack.sku), *([("reason", reason)] if reason else [])]


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


async def page_of_barcodes(
    client: Redis, keyspace: Keyspace, position: int, count: int
) -> tuple[int, list[tuple[str, Pack]]]:
    """Read some barcodes, in no order, and the position to go on from, 0 at the end and at the beginning."""
    following, found = await command(client, "HSCAN", keyspace.barcodes, position, "COUNT", count)
    return int(following), [(raw.decode(), _decode(packed)) for raw, packed in found.items()]


async def restore_barcodes(client: Redis, keyspace: Keyspace, barcodes: Mapping[str, bytes | None], actor: str) -> None:
    """Set barcodes to what was stored of them, as it was stored; None: they were not registered. The journal has it."""
    changes = [
        SettingChange(
            [("barcode", barcode)] if packed is None else [("barcode", barcode), ("sku", _decode(packed).sku)],
            barcode, packed,
        )
        for barcode, packed in barcodes.items()
    ]  # fmt: skip
    await change_settings(client, keyspace, keyspace.barcodes, Changer(CHANGED, actor, is_packed=True), changes)
