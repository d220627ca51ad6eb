"""What was booked of channels' orders is kept for 400 days after it was touched last; then it is deleted, in slices."""

import asyncio
from typing import Final

from redis.asyncio import Redis

from server.domain.booked_orders import KEPT_S
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.ledger.ledger import Retention
from server.store.repositories.booked_orders import purge_orders

OLD_ORDERS_INTERVAL_S: Final = 6 * 3600.0
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
    cursor = "0"
    while True:
        cursor = await purge_orders(client, keyspace, cursor, before_ms, posted_before_ms)
        if cursor == "0":
            return
        await asyncio.sleep(_PAUSE_S)
