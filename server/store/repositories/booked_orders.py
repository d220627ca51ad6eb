"""What was booked of channels' orders, read past the ledger; it is written by the ledger's steps alone."""

from collections.abc import Container, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.booked_orders import BookedOrder, order_field
from server.store.connection.commands import command, in_a_row, together
from server.store.keys import Keyspace, stored_text

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
    packed, (seconds, microseconds) = await in_a_row(client, commands)
    record = None if packed is None else _decode(packed)
    return FoundOrder(record, int(seconds) * 1000 + int(microseconds) // 1000)


async def booked_before(
    client: Redis, keyspace: Keyspace, number: str, configured: Container[str]
) -> Mapping[str, BookedOrder]:
    """Return what is booked of a number by channels that took orders and are not configured any more, by their names.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    known = await command(client, "HKEYS", keyspace.order_channels)
    names = [name for name in map(stored_text, known) if name not in configured]
    if not names:
        return {}
    found = await command(client, "HMGET", keyspace.orders, *(order_field(name, number) for name in names))
    return {name: _decode(packed) for name, packed in zip(names, found, strict=True) if packed is not None}


async def known_names(
    client: Redis, keyspace: Keyspace, skus: Sequence[str]
) -> tuple[Mapping[str, str], frozenset[str]]:
    """Return what SKUs are called now, and which of these names have a stock record, or are known to need none."""
    if not skus:
        return {}, frozenset()
    renamed, records = await together(client, [("HMGET", keyspace.aliases, *skus), ("HMGET", keyspace.skus, *skus)])
    names = {sku: sku if name is None else name.decode() for sku, name in zip(skus, renamed, strict=True)}
    known = {sku for sku, record in zip(skus, records, strict=True) if record is not None}
    others = sorted(set(names.values()) - set(skus))
    if others:
        found = await command(client, "HMGET", keyspace.skus, *others)
        known |= {sku for sku, record in zip(others, found, strict=True) if record is not None}
    return names, frozenset(known & set(names.values()))


def packed(record: BookedOrder) -> bytes:
    """Pack a record as it is stored."""
    return _encode(record)
