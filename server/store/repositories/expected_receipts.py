"""Reads expected receipts: one, or all of a SKU together with what is available now."""

from collections.abc import AsyncIterator

import msgspec
from redis.asyncio import Redis

from server.domain.expected_receipt import ExpectedReceipt
from server.domain.stock import Outlook
from server.store.connection.commands import command, run_on_keys
from server.store.keys import Keyspace
from server.store.lua_library import library
from server.store.repositories.channels import scan

_decode = msgspec.msgpack.Decoder(ExpectedReceipt).decode
_decode_outlook = msgspec.msgpack.Decoder(Outlook).decode


async def read_supply(client: Redis, keyspace: Keyspace, supply_id: str) -> ExpectedReceipt | None:
    """Read one expected receipt; fully received ones are stored until their retention ends."""
    packed = await command(client, "HGET", keyspace.supply, supply_id)
    return None if packed is None else _decode(packed)


async def read_outlook(client: Redis, keyspace: Keyspace, limits: bytes, sku: str, location: str = "") -> Outlook:
    """Read what is available of a SKU and what is still expected, the earliest first, at one location or at all.

    Both at one moment: a receipt between two reads would count twice.
    """
    question = msgspec.msgpack.encode([sku, location])
    reply = await run_on_keys(client, library().function("read_outlook"), keyspace.supplying, limits, question)
    found = _decode_outlook(reply)
    return msgspec.structs.replace(found, supply=sorted(found.supply, key=_by_day))


async def all_supply(client: Redis, keyspace: Keyspace) -> AsyncIterator[ExpectedReceipt]:
    """Go through every expected receipt, also fully received ones, in no order."""
    async for _, packed in scan(client, keyspace.supply):
        yield _decode(packed)


def _by_day(each: tuple[str, ExpectedReceipt]) -> tuple[str, str]:
    supply_id, supply = each
    return supply.expected_on.isoformat(), supply_id
