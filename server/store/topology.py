"""A store in any form: one server, a primary with sentinels, or a cluster."""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.crc import key_slot
from redis.exceptions import RedisError

from server.store.connection.clients import CONNECTIONS_MAX, Clients, Durability, Nodes
from server.store.connection.cluster import Cluster
from server.store.connection.connect import client, connection_pool, pool_beside
from server.store.connection.connect_errors import address, unavailable
from server.store.connection.multi_host_url import is_several, take_apart
from server.store.connection.required_settings import check_settings
from server.store.connection.sentinels import Sentinels
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.cluster_batcher import ClusterBatcher
from server.store.ledger.function_call import Submitter

REPLICAS: Final = 1
"""How many replicas must have a write before it is acknowledged in ``replicated`` mode."""
CONFIRM_S: Final = 1.0
"""Well below the life of a lease, which must be renewed in time."""


class Deployment(Protocol):
    """A store as the rest of the server uses it. ``name`` is its address, without user and password."""

    clients: Clients
    name: str
    nodes: Nodes | None
    """Returns a client of each server that keeps a part of the data; None: any of ``clients`` reaches all of it."""

    def batcher(self, **bounds: Any) -> Submitter:
        """Make the batcher, not started; ``bounds`` are those of :class:`Batcher`."""
        ...

    def connections(self, keyspace: Keyspace) -> Callable[[], AbstractConnection]:
        """Return a function that makes connections to the server of a partition."""
        ...

    async def check(self) -> None:
        """Refuse settings that do not fit the durability; raises as :func:`check_settings`."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def deployment(url: str, durability: Durability = "durable", *, confirm_s: float = CONFIRM_S) -> Deployment:
    """Open the store at a URL; nothing connects yet.

    ``confirm_s`` is how long replicas have in ``replicated`` mode to confirm what is written off the hot path.

    Raises
    ------
    StoreUrlError
        The URL cannot be used as it is written.

    """
    if is_several(url) and (given := take_apart(url)).kind == "cluster":
        opened: Deployment = _Clustered(Cluster(given), durability)
    else:
        opened = _Single(connection_pool(url), durability)
    if durability == "replicated":
        for each in opened.clients:
            each.replicas, each.confirm_s = REPLICAS, confirm_s
    return opened


class _Single:
    """One server to write to, which a failover can replace."""

    def __init__(self, pool: ConnectionPool, durability: Durability) -> None:
        self._pool = pool
        self._durability = durability
        self._beside = [pool_beside(pool, CONNECTIONS_MAX[purpose]) for purpose in Clients._fields[1:]]
        self.clients = Clients(*map(client, (pool, *self._beside)))
        self.name = address(pool)
        self.nodes: Nodes | None = None

    def batcher(self, **bounds: Any) -> Batcher:
        return Batcher(self._pool.make_connection, replicas=_replicas(self._durability), **bounds)

    def connections(self, keyspace: Keyspace) -> Callable[[], AbstractConnection]:  # noqa: ARG002  # all are in one place
        return self._pool.make_connection

    async def check(self) -> None:
        await check_settings(self.clients.maintenance, self._durability)

    async def close(self) -> None:
        finder = self._pool.connection_kwargs.get("finder")
        if isinstance(finder, Sentinels):
            await finder.close()
        for pool in (self._pool, *self._beside):
            await pool.aclose()


class _Clustered:
    """A cluster: each partition is on one of its primaries."""

    def __init__(self, cluster: Cluster, durability: Durability) -> None:
        self._cluster = cluster
        self._durability = durability
        self.clients = cluster.clients
        self.name = cluster.name
        self.nodes: Nodes | None = self._primaries

    def batcher(self, **bounds: Any) -> ClusterBatcher:
        return ClusterBatcher(self._cluster, replicas=_replicas(self._durability), **bounds)

    def connections(self, keyspace: Keyspace) -> Callable[[], AbstractConnection]:
        return partial(self._cluster.connection_to_slot, key_slot(keyspace.journal.encode()))

    async def check(self) -> None:
        for node in await self._primaries():
            await check_settings(node, self._durability, clustered=True)

    async def close(self) -> None:
        await self._cluster.close()

    async def _primaries(self) -> list[Redis]:
        try:
            return await self._cluster.primaries()
        except (RedisError, OSError) as error:
            raise unavailable(error, self.name) from error


def _replicas(durability: Durability) -> int:
    return REPLICAS if durability == "replicated" else 0
