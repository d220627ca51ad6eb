"""How the last audit of a partition ended: kept for those who ask whether the books agree."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.keys import Keyspace

_AUDITED: Final = "audited"
"""The field of ``meta`` that has it."""


class Books(msgspec.Struct, array_like=True, frozen=True):
    """When the last audit ended, on the store's clock, and by how many units the books differed; 0: they agree."""

    at_ms: int
    drift_units: int


async def note_audit(client: Redis, keyspace: Keyspace, drift_units: int, *, conclusive: bool) -> None:
    """Keep how an audit ended, unless it found out nothing."""
    if conclusive or drift_units:
        seconds, microseconds = await command(client, "TIME")
        books = Books(int(seconds) * 1000 + int(microseconds) // 1000, drift_units)
        await command(client, "HSET", keyspace.meta, _AUDITED, msgspec.msgpack.encode(books))


async def read_books(client: Redis, keyspace: Keyspace) -> Books | None:
    """Read how the last audit ended; None: there was none yet."""
    packed = await command(client, "HGET", keyspace.meta, _AUDITED)
    return None if packed is None else msgspec.msgpack.decode(packed, type=Books)
