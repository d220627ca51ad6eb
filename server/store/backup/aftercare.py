"""What is changed in a store that was filled from a backup, because the world has gone on since it was taken.

- **What channels show is not known**: without a place in the journal each is sent everything once it is released.
- **Versions never go back**: what a channel saw before the loss must count as older than what it is told now.
- **What was to be said about orders may have been said**: it is looked for at the channel before it is sent. So is
  what a rule would say of orders from before the release.
"""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import msgspec
from msgspec.structs import replace
from redis.asyncio import Redis

from server.domain.intake import OutboxEntry
from server.store.connection.commands import command
from server.store.connection.scans import SLICE_FIELDS, scan
from server.store.keys import Keyspace
from server.store.repositories.restored import RELEASED, VERSIONS_FROM

_MICROSECONDS: Final = 1000
"""Of a millisecond: more changes than that nobody makes, so a version of today is above all of before."""
_UNSENT: Final = frozenset({"waiting", "sending"})
_decode = msgspec.msgpack.Decoder(OutboxEntry).decode
_pack = msgspec.msgpack.Encoder().encode


async def settle(client: Redis, partitions: Iterable[str], now_ms: int) -> None:
    """Change a store that was just filled; ``now_ms``: milliseconds since 1970."""
    for partition in partitions:
        keyspace = Keyspace(partition)
        await command(client, "DEL", keyspace.channel_cursors)
        await command(client, "HSET", keyspace.meta, VERSIONS_FROM, now_ms * _MICROSECONDS)
    async for key in _keys(client, "hf:{*}:channel:*:outbox"):
        async for field, packed in scan(client, key):
            try:
                entry = _decode(packed)
            except msgspec.MsgspecError:
                continue  # nobody sends it, either
            if entry.state in _UNSENT:
                await command(client, "HSET", key, field, _pack(replace(entry, state="unsure", due_ms=now_ms)))


async def mark_released(client: Redis, now_ms: int) -> None:
    """Note of each channel whose orders come in that orders from before now may have been answered."""
    async for key in _keys(client, "hf:{*}:channel:*:intake"):
        await command(client, "HSET", key, RELEASED, now_ms)


async def _keys(client: Redis, pattern: str) -> AsyncIterator[str]:
    async for key in client.scan_iter(match=pattern, count=SLICE_FIELDS):
        yield key.decode()
