"""What the store keeps so that buyers stay unknown: the key of their names, and the list of erased orders.

The list stands here and among the documents, so that a restored copy of either is erased anew from the other.
"""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final

from redis.asyncio import Redis

from server.store.connection.commands import command
from server.store.connection.scans import scan
from server.store.keys import Keyspace, stored_text

CUSTOMER_KEY: Final = "customer"
"""Field of the hash of secrets: the key with which buyers are named; made once, and shown nowhere."""
_KEY_BYTES: Final = 32


class OrderPrivacy:
    """The secrets of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self._client = client
        self._keys = keyspace
        self._customer_key = b""

    async def customer_key(self) -> bytes:
        """Return the key with which buyers are named; the first who asks makes it."""
        if not self._customer_key:
            made = secrets.token_bytes(_KEY_BYTES)
            await command(self._client, "HSETNX", self._keys.secrets, CUSTOMER_KEY, made)
            self._customer_key = await command(self._client, "HGET", self._keys.secrets, CUSTOMER_KEY)
        return self._customer_key

    async def note_erased(self, orders: Sequence[tuple[str, str]], now_ms: int) -> None:
        """Enter orders, by channel and number, into the list of those whose personal data is erased."""
        words = [word for channel, number in orders for word in (f"{channel}\0{number}", str(now_ms))]
        if words:
            await command(self._client, "HSET", self._keys.erased_orders, *words)

    async def erased(self) -> AsyncIterator[tuple[str, str, int]]:
        """Go through the list: channel, number, and when it was entered."""
        async for field, entered_ms in scan(self._client, self._keys.erased_orders):
            channel, _, number = stored_text(field).partition("\0")
            yield channel, number, int(entered_ms)

    async def drop_erased(self, orders: Sequence[tuple[str, str]]) -> None:
        """Take orders out of the list whose documents nobody can have any more."""
        if orders:
            await command(self._client, "HDEL", self._keys.erased_orders, *(f"{c}\0{n}" for c, n in orders))


def customer_keys(client: Redis) -> Callable[[str], Awaitable[bytes]]:
    """Return what reads the key of a partition's buyers, once."""
    known: dict[str, OrderPrivacy] = {}

    async def customer_key(partition: str) -> bytes:
        if partition not in known:
            known[partition] = OrderPrivacy(client, Keyspace(partition))
        return await known[partition].customer_key()

    return customer_key
