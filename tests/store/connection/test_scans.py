"""Going through a hash of any length: the event loop and the store are others' as well."""

import asyncio
import contextlib

from redis.asyncio import Redis

from server.store.connection.scans import TURN_FIELDS, scan
from server.store.keys import Keyspace

MANY = 12 * TURN_FIELDS


async def test_given_many_fields_when_gone_through_then_each_comes_once_and_others_have_their_turns(
    client: Redis, partition: str
) -> None:
    key = Keyspace(partition).supply
    await client.hset(key, mapping={str(number): number for number in range(MANY)})
    seen, turns = list[bytes](), list[int]()

    async def others() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    async for field, value in scan(client, key):
        assert field == value
        seen.append(field)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert sorted(seen) == sorted(str(number).encode() for number in range(MANY))
    longest = max(later - earlier for earlier, later in zip(turns, [*turns[1:], MANY], strict=True))
    assert longest <= TURN_FIELDS
