"""What the rest of the server knows of a connection: the client off the hot path, the servers, the durability."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal, NamedTuple

from redis.asyncio import Redis

Durability = Literal["durable", "fast", "replicated"]
"""What an acknowledgement is worth; see ``docs/configuration.md``."""

StoreClient = Redis
"""A client for everything off the hot path; the name by which the rest of the server knows it."""


class ConfirmingClient(Redis):
    """A client that knows how many replicas must confirm, and within what time; see :func:`commands.run_confirmed`."""

    replicas = 0
    confirm_s = 0.0


class Clients(NamedTuple):
    """A client for each kind of work off the hot path, with connections of its own: none waits behind another."""

    requests: ConfirmingClient
    """What requests read past the ledger: listings, reports, places in the journal."""
    publisher: ConfirmingClient
    """Leases, what channels and webhook endpoints have confirmed, and the journal as the publisher reads it."""
    maintenance: ConfirmingClient
    """Housekeeping, figures, audit, API keys, whether the store answers; and where the locations are, for orders."""


CONNECTIONS_MAX: Final[Mapping[str, int]] = {"requests": 8, "publisher": 16, "maintenance": 16}
"""For each kind of work, per store server.

What requests read is worked on in this process, too: the fewer answers come at once, the sooner the event loop gets to
orders and channels, and a store's one core is busy with eight. Commands of the publisher are short, also those of a
hundred partitions. Maintenance has a dozen chores and sweeps at a time.
"""

Nodes = Callable[[], Awaitable[list[Redis]]]
"""Returns a client of each server that keeps a part; raises StoreUnavailableError where none knows who they are."""
