"""SKUs at thousands of places, written as the scripts store them: to receive units at each would take a minute."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.store.keys import Keyspace

PIECE: Final = 2_000
_pack = msgspec.msgpack.encode


def names_of(places: int, *, longest: bool = False) -> list[str]:
    """Return the names of so many stores; ``longest``: of 64 bytes."""
    return [f"store-{number:05d}".ljust(64 if longest else 0, "x") for number in range(places)]


async def stock_everywhere(
    client: Redis,
    keyspace: Keyspace,
    skus: Sequence[str],
    names: Sequence[str],
    *,
    on_hand: int = 3,
    allocations: Sequence[Any] = (),
) -> None:
    """Have each SKU known at each of the names, with the same units; seqs are those of so many movements."""
    seq = int(await client.hget(keyspace.meta, "seq") or 0)
    for sku in skus:
        records = {}
        for name in names:
            seq += 1
            tail = [list(allocations)] if allocations else []
            records[f"{sku}\0{name}"] = _pack([on_hand, 0, 0, 0, 0, 0, seq, *tail])
        fields = list(records.items())
        for first in range(0, len(fields), PIECE):
            await client.hset(keyspace.stock, mapping=dict(fields[first : first + PIECE]))
        await client.hset(keyspace.skus, sku, _pack(list(names)))
    await client.hset(keyspace.meta, "seq", seq)
