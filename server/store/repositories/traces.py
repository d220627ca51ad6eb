"""The trace of a change: stored beside the stock for some minutes, for the few requests that are sampled.

Scripts do not know of it. A change is identified by its ``seq``: the answer to its request has it, and the publisher
confirms by it. So the hot path and the journal are the same with and without traces.
"""

from typing import Final, NamedTuple

from redis.asyncio import Redis

from server.store.connection.commands import command, together
from server.store.keys import Keyspace

LIFE_S: Final = 900
"""A channel that confirms later than this gets no span: its lateness is a metric."""
PER_SKU_MAX: Final = 64


class Traced(NamedTuple):
    """A change that belongs to a trace; ``at_ms`` is when it was answered."""

    seq: int
    at_ms: int
    traceparent: str


async def remember(client: Redis, keyspace: Keyspace, sku: str, traced: Traced) -> None:
    """Store a change's trace.

    Raises
    ------
    StoreUnavailableError
        The store is unreachable.

    """
    key = keyspace.trace(sku)
    await together(
        client,
        [
            ("RPUSH", key, f"{traced.seq} {traced.at_ms} {traced.traceparent}"),
            ("LTRIM", key, -PER_SKU_MAX, -1),
            ("EXPIRE", key, LIFE_S),
        ],
    )


async def recall(client: Redis, keyspace: Keyspace, sku: str) -> list[Traced]:
    """Read the traced changes of a SKU, the oldest first.

    Raises
    ------
    StoreUnavailableError
        The store is unreachable.

    """
    found: list[bytes] = await command(client, "LRANGE", keyspace.trace(sku), 0, -1)
    parts = [each.decode().split(" ") for each in found]
    return [Traced(int(seq), int(at_ms), traceparent) for seq, at_ms, traceparent in parts]
