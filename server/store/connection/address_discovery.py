"""Connections to a store that moves: each finds its address when it connects, and is cut when the address changes.

A failover or a resharding changes the server that accepts writes. A connection stays with the old server until a
command fails, and a command to a server that hangs fails late. So the finder also watches the address, and cuts
connections to another one. Commands in flight there have an unknown outcome at once, and the next try goes right.
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
"""How often a watcher checks. A failover takes up to this much longer than the sentinels need."""
_GREETING_S: Final = 2.0
"""How long a store may take to answer after it accepted: one that hangs accepts as well."""


class Finder(Protocol):
    """Finds the address to connect to; ``name`` is for messages."""

    name: str
    asks_role: bool
    """Whether to check after connecting that the store is a primary: the address may be outdated."""

    async def find(self) -> Address:
        """Return the address; raises ConnectionError of redis-py if it is not known."""
        ...


class FollowingConnection(Connection):
    """A connection that gets its address from ``finder`` each time it connects."""

    def __init__(self, *, finder: Finder, **options: Any) -> None:
        self._finder = finder
        super().__init__(**options)

    async def connect_check_health(self, check_health: bool = True, retry_socket_connect: bool = True) -> None:
        """Find the address, connect there, and check that it accepts writes."""
        if self.is_connected:
            return
        self.host, self.port = await self._finder.find()
        async with asyncio.timeout(_GREETING_S):
            await super().connect_check_health(check_health, retry_socket_connect)
            if self._finder.asks_role:
                await self._require_primary()

    @property
    def address(self) -> Address:
        """The address of this connection, or of the last one."""
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
    """A pool of connections that follow one finder, and that can be cut when the address changes."""

    def __init__(self, finder: Finder, *, tls: bool, **options: Any) -> None:
        self.finder = finder
        self.tls = tls
        self._made: WeakSet[AbstractConnection] = WeakSet()
        connection_class = FollowingSSLConnection if tls else FollowingConnection
        super().__init__(connection_class=connection_class, finder=finder, **options)

    def make_connection(self) -> AbstractConnection:
        """Make an unconnected connection, for the pool or for a caller with a connection of its own."""
        made: AbstractConnection = super().make_connection()  # type: ignore[no-untyped-call]
        self._made.add(made)
        return made

    async def cut_all_but(self, address: Address) -> None:
        """Cut connections to other addresses; a reader of one gets an error."""
        for connection in list(self._made):
            stays = not isinstance(connection, FollowingConnection) or connection.address == address
            if connection.is_connected and not stays:
                await connection.disconnect(nowait=True)
