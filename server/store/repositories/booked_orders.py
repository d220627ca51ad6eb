"""What was booked of channels' orders, read past the ledger; it is written by the ledger's steps alone."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.booked_orders import BookedOrder, order_field
from server.store.connection.commands import command, together
from server.store.keys import Keyspace

_decode: Final = msgspec.msgpack.Decoder(BookedOrder).decode
_encode: Final = msgspec.msgpack.Encoder().encode


class FoundOrder(NamedTuple):
    """The record of an order, None where there is none, and the store's time."""

    record: BookedOrder | None
    now_ms: int


async def read_order(client: Redis, keyspace: Keyspace, channel: str, number: str) -> FoundOrder:
    """Read the record of an order.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    commands: Sequence[Sequence[str]] = [("HGET", keyspace.orders, order_field(channel, number)), ("TIME",)]
    packed, (seconds, microseconds) = await together(client, commands)
    record = None if packed is None else _decode(packed)
    return FoundOrder(record, int(seconds) * 1000 + int(microseconds) // 1000)


async def known_skus(client: Redis, keyspace: Keyspace, skus: Sequence[str]) -> set[str]:
    """Return those of some SKUs that have a stock record, or are known to need none."""
    if not skus:
        return set()
    found = await command(client, "HMGET", keyspace.skus, *skus)
    return {sku for sku, packed in zip(skus, found, strict=True) if packed is not None}


def packed(record: BookedOrder) -> bytes:
    """Pack a record as it is stored."""
    return _encode(record)


def unpacked(raw: bytes) -> BookedOrder:
    """Read a stored record.

    Raises
    ------
    msgspec.MsgspecError
        It is damaged.

    """
    return _decode(raw)
