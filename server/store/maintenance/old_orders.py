"""What was booked of channels' orders is kept for 400 days after it was touched last; then it is deleted, in slices."""

import asyncio
from typing import Final

from redis.asyncio import Redis

from server.domain.booked_orders import KEPT_S
from server.store.connection.commands import command, run_on_keys
from server.store.keys import Keyspace
from server.store.ledger.ledger import Retention
from server.store.lua_library import library

OLD_ORDERS_INTERVAL_S: Final = 6 * 3600.0
COUNT: Final = 200
"""Records that one script looks at, about: less than a millisecond of the store's time."""
_PAUSE_S: Final = 0.01
"""Between two slices, so that the hot path gets through."""


async def forget_orders(client: Redis, retention: Retention, keyspace: Keyspace) -> None:
    """Look through a partition's records once and delete the old ones.

    What only names reservations, since intake has not met the order, goes when those are forgotten.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. What is left goes the next time.

    """
    seconds, _ = await command(client, "TIME")
    before_ms = 1000 * (int(seconds) - KEPT_S)
    posted_before_ms = 1000 * (int(seconds) - max(retention.fulfilled_s, retention.ended_s))
    cursor, function = b"0", library().function("purge_orders")
    while True:
        keys = [keyspace.orders]
        cursor, _ = await run_on_keys(client, function, keys, cursor, COUNT, before_ms, posted_before_ms)
        if int(cursor) == 0:
            return
        await asyncio.sleep(_PAUSE_S)
