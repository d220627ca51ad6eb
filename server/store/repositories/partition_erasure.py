"""Erases a partition from the store for good: noted before it begins and when it is over, so that it can go on."""

import time
from collections.abc import Callable
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.keys import ERASURES, PARTITIONS, Keyspace
from server.store.repositories.partition_sizes import keys_of

_MS: Final = 1_000_000


class Erasure(msgspec.Struct, frozen=True):
    """That a partition was erased, or is being: by whom, and when in milliseconds since 1970; ``done_ms`` 0: not yet.

    ``keys`` of the store and ``rows`` of the documents: how many went.
    """

    by: str
    began_ms: int
    done_ms: int = 0
    keys: int = 0
    rows: int = 0


async def erasures(client: Redis) -> dict[str, Erasure]:
    """Read what was erased, by partition. Raises StoreUnavailableError if the store does not answer."""
    stored = await command(client, "HGETALL", ERASURES)
    return {name.decode(): msgspec.json.decode(value, type=Erasure) for name, value in stored.items()}


async def begin(client: Redis, partition: str, by: str) -> Erasure:
    """Note that a partition is being erased; one that was begun before goes on. Errors as above."""
    known = (await erasures(client)).get(partition)
    if known is not None and not known.done_ms:
        return known
    erasure = Erasure(by, time.time_ns() // _MS)
    await _note(client, partition, erasure)
    return erasure


async def erase_keys(client: Redis, partition: str, told: Callable[[int], None]) -> int:
    """Remove every key of a partition, one at a time; return how many. Errors as above."""
    count = 0
    while keys := await keys_of(client, partition):
        for key in keys:
            await command(client, "UNLINK", key)
            count += 1
            told(count)
    await command(client, "SREM", PARTITIONS, partition)
    return count


async def finish(client: Redis, partition: str, erasure: Erasure) -> Erasure:
    """Note that all of it is gone. Errors as above."""
    done = msgspec.structs.replace(erasure, done_ms=time.time_ns() // _MS)
    await _note(client, partition, done)
    return done


async def is_published(client: Redis, partition: str) -> bool:
    """Whether a server publishes from a partition, and would write to it again. Errors as above."""
    until_ms = await command(client, "HGET", Keyspace(partition).publisher, "until_ms")
    seconds, _ = await command(client, "TIME")
    return int(until_ms or 0) > int(seconds) * 1000


async def _note(client: Redis, partition: str, erasure: Erasure) -> None:
    await command(client, "HSET", ERASURES, partition, msgspec.json.encode(erasure))
