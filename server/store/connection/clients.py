"""What the rest of the server knows of a connection: the client off the hot path, the servers, the durability."""

from collections.abc import Awaitable, Callable
from typing import Literal

from redis.asyncio import Redis

Durability = Literal["durable", "fast", "replicated"]
"""What an acknowledgement is worth; see ``docs/configuration.md``."""

StoreClient = Redis
"""A client for everything off the hot path; the name by which the rest of the server knows it."""


class ConfirmingClient(Redis):
    """A client that knows how many replicas must confirm, and within what time; see :func:`commands.run_confirmed`."""

    replicas = 0
    confirm_s = 0.0


Nodes = Callable[[], Awaitable[list[Redis]]]
"""Returns a client of each server that keeps a part; raises StoreUnavailableError where none knows who they are."""
