"""Connections to a store that moves: each asks where to go whenever it connects, and is cut when that changes.

A failover or a resharding changes who may be written to. What is connected stays with the old one until something
fails, and what is sent to one that stands still fails late. So whoever finds the place also watches it, and cuts what
is connected elsewhere: what was in flight there is then of unknown outcome at once, and the next try goes right.
"""

import asyncio
from typing import Any, Final, Protocol
from weakref import WeakSet

from redis.asyncio import BlockingConnectionPool
from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

Address = tuple[str, int]

WATCH_S: Final = 0.5
"""How often a watcher asks. It is what a failover takes longer than the sentinels need for it."""
_GREETING_S: Final = 2.0
"""How long a store that accepted may take to say what it is: one that stands still accepts as well."""


class Finder(Protocol):
    """Knows where to connect; ``name`` is for messages."""

    name: str
    asks_role: bool
    """Whether to ask a store, when connected, if it is a primary: the one who told may have been behind."""

    async def find(self) -> Address:
        """Say where to connect; raises ConnectionError of redis-py's where nobody knows."""
        ...


class FollowingConnection(Connection):
    """A connection that asks ``finder`` for its address each time it connects."""

    def __init__(self, *, finder: Finder, **options: Any) -> None:
        self._finder = finder
        super().__init__(**options)

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        """Find the address, connect there, and make sure that it may be written to."""
        if self.is_connected:
            return
        self.host, self.port = await self._finder.find()
        async with asyncio.timeout(_GREETING_S):
            await super().connect_check_health(check_health, retry_socket_connect)
            if self._finder.asks_role:
                await self._require_primary()

    @property
    def address(self) -> Address:
        """Where it is connected, or was last."""
        return self.host, self.port

    async def _require_primary(self) -> None:
        await self.send_command("ROLE")
        try:
            role = (await self.read_response(disable_decoding=True))[0]
        except NoPermissionError:
            return  # the store refuses writes by itself where it is a replica
        if role != b"master":
            await self.disconnect(nowait=True)
            raise RedisConnectionError(f"{self.host}:{self.port} is a replica; its primary is not known yet.")


class FollowingSSLConnection(FollowingConnection, SSLConnection):
    """The same over TLS."""


class FollowingPool(BlockingConnectionPool):
    """A pool of connections that follow one finder, which can cut those to another address."""

    def __init__(self, finder: Finder, *, tls: bool, **options: Any) -> None:
        self.finder = finder
        self._made: WeakSet[AbstractConnection] = WeakSet()
        connection_class = FollowingSSLConnection if tls else FollowingConnection
        super().__init__(connection_class=connection_class, finder=finder, **options)

    def make_connection(self) -> AbstractConnection:
        """Make an unconnected connection, of the pool or for whoever keeps one of his own."""
        made: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        self._made.add(made)
        return made

    async def cut_all_but(self, address: Address) -> None:
        """Cut what is connected elsewhere; whoever reads from it gets an error."""
        for connection in list(self._made):
            stays = not isinstance(connection, FollowingConnection) or connection.address == address
            if connection.is_connected and not stays:
                await connection.disconnect(nowait=True)
