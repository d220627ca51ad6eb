"""How large partitions are: what is counted at once, and about how much memory it takes."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from server.store.connection.commands import in_a_row
from server.store.connection.scans import SLICE_FIELDS
from server.store.keys import PARTITIONS, Keyspace

_SAMPLES: Final = 5
"""Fields of a hash that are looked at; the others are taken to be like them."""


class PartitionSize(msgspec.Struct, frozen=True):
    """A partition. ``memory_bytes``: about what all of its keys take in the store."""

    partition: str
    skus: int
    places: int
    live_reservations: int
    ended_reservations: int
    journal_entries: int
    keys: int
    memory_bytes: int


async def partition_names(client: Redis) -> list[str]:
    """Name every partition that has a key in the store, or is looked after; sorted.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found = {name.decode() for name in (await in_a_row(client, [("SMEMBERS", PARTITIONS)]))[0]}
    async for key in client.scan_iter(match="hf:{*}:*", count=SLICE_FIELDS):
        found.add(key.decode("utf-8", "backslashreplace").removeprefix("hf:{").partition("}")[0])
    return sorted(found)


async def keys_of(client: Redis, partition: str) -> list[bytes]:
    """Name every key of a partition; errors as for :func:`partition_names`."""
    return [key async for key in client.scan_iter(match=f"hf:{{{partition}}}:*", count=SLICE_FIELDS)]


async def size_of(client: Redis, partition: str) -> PartitionSize:
    """Count a partition; errors as for :func:`partition_names`."""
    keys, keyspace = await keys_of(client, partition), Keyspace(partition)
    counts = [
        ("HLEN", keyspace.skus),
        ("HLEN", keyspace.stock),
        ("HLEN", keyspace.reservations),
        ("HLEN", keyspace.ended),
        ("XLEN", keyspace.journal),
    ]
    skus, places, live, ended, entries = map(int, await in_a_row(client, counts))
    taken = await in_a_row(client, [("MEMORY", "USAGE", key, "SAMPLES", _SAMPLES) for key in keys])
    memory = sum(int(each or 0) for each in taken)
    return PartitionSize(partition, skus, places, live, ended, entries, len(keys), memory)
