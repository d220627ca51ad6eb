"""Going through a hash of any length, a slice of it at a time, so that no call occupies the store for long."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final

from redis.asyncio import Redis

from server.store.connection.commands import command

SLICE_FIELDS: Final = 500
TURN_FIELDS: Final = 250
"""After so many, others have a turn of the event loop: to go through them takes about half a millisecond. Waiting for
an answer does not let others run where it has arrived already."""


async def slices(client: Redis, key: str, fields: int = SLICE_FIELDS) -> AsyncIterator[Mapping[bytes, bytes]]:
    """Go through a hash, about so many fields at a time; a field may come twice, and what is set meanwhile be missed.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    position, is_over = 0, False
    while not is_over:
        position, found = await command(client, "HSCAN", key, int(position), "COUNT", fields)
        is_over = not int(position)
        yield found


async def scan(client: Redis, key: str) -> AsyncIterator[tuple[bytes, bytes]]:
    """Go through a hash, each field once, and let others have their turn; what is set meanwhile may be missed.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    seen: set[bytes] = set()  # a hash that is being resized can show a field twice
    async for found in slices(client, key):
        for field, value in found.items():
            if field in seen:
                continue
            seen.add(field)
            yield field, value
            if not len(seen) % TURN_FIELDS:
                await asyncio.sleep(0)
