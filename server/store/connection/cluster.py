"""Finds the node of each slot in a cluster, and sends every command off the hot path to the right one.

A partition's keys share a hash tag, so they are in one slot, and each command or transaction runs on one node.
A node refuses a command if another node has the slot (MOVED), the slot is moving (ASK, TRYAGAIN), or the cluster is
incomplete (CLUSTERDOWN). A refused command has not run: only such a command is sent again.

After ASK, wait rather than follow it. While a slot moves key by key, the keys that a script declares are partly on one
node and partly on the other, and some do not exist at all, so neither node would run it before the move is finished.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final, NamedTuple, Self

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection, SSLConnection
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    RedisError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from server.store.connection.address_discovery import WATCH_S, Address, FollowingConnection, FollowingSSLConnection
from server.store.connection.clients import CONNECTIONS_MAX, Clients
from server.store.connection.connect import ConfirmingClient, client, following_options
from server.store.connection.multi_host_url import SeveralHosts

log = structlog.get_logger("holdfast.store")

ASK_S: Final = 0.5
"""How long a node may take to return the topology; nodes that are down must not delay the answer of the others."""
PATIENCE_S: Final = 2.0
"""How long a command off the hot path waits for a slot that is moving."""
PAUSE_S: Final = 0.02
REDIRECTED: Final = (AskError, TryAgainError, ClusterDownError)  # MovedError is an AskError
_OUR_KEYS: Final = ("hf:", b"hf:")
_OWN: Final = "maintenance"
"""For what the cluster is asked about itself."""
_ALL_NODES: Final = frozenset({"FUNCTION LOAD", "FUNCTION DELETE"})


class _View(NamedTuple):
    """A node's view of the cluster; of two views the greater one is newer."""

    is_whole: bool
    epoch: int
    ranges: tuple[tuple[int, int, Address], ...]


class Cluster:
    """The nodes of a cluster and their slots: read when needed, and refreshed as long as it is open."""

    def __init__(self, given: SeveralHosts) -> None:
        self.name = given.name
        self.clients = Clients(*(_Client(self, purpose) for purpose in Clients._fields))
        self.changed: list[Callable[[], None]] = []
        """Called, each of them, when slots have moved."""
        self._options = following_options(given)
        self._tls = given.tls
        self._seeds = list(given.hosts)
        self._owners: dict[int, Address] = {}
        self._stores: dict[tuple[Address, str], Redis] = {}
        self._asking: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None

    def owner(self, slot: int) -> Address:
        """Return the node of a slot, as far as is known; a wrong node answers with the right one."""
        return self._owners.get(slot) or next(iter(self._owners.values()), self._seeds[0])

    def store(self, address: Address, purpose: str = _OWN) -> Redis:
        """Return the client of one node for one kind of work, a field of :class:`Clients`."""
        known = self._stores.get((address, purpose))
        if known is None:
            host, port = address
            options = {**self._options, "host": host, "port": port, "max_connections": CONNECTIONS_MAX[purpose]}
            if self._tls:
                options["connection_class"] = SSLConnection
            known = self._stores[address, purpose] = client(BlockingConnectionPool(**options))
        return known

    def connection_to(self, address: Address) -> AbstractConnection:
        """Make a connection to one node, not connected yet."""
        made: AbstractConnection = self.store(address).connection_pool.make_connection()  # type: ignore[no-untyped-call]
        return made

    async def primaries(self, purpose: str = _OWN) -> list[Redis]:
        """Return a client of each node that has slots, for one kind of work."""
        await self.known()
        return [self.store(address, purpose) for address in sorted(set(self._owners.values()))]

    def connection_to_slot(self, slot: int) -> AbstractConnection:
        """Make a connection that goes to the node which has the slot when it connects."""
        options = {name: value for name, value in self._options.items() if name not in ("max_connections", "timeout")}
        connection_class = FollowingSSLConnection if self._tls else FollowingConnection
        return connection_class(finder=_SlotFinder(self, slot), **options)

    def follow(self) -> None:
        """Follow the topology from now on; needs a running event loop."""
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch(), name="cluster-watch")

    async def known(self) -> None:
        """Wait until the topology is known, and follow it from then on."""
        self.follow()
        if not self._owners:
            await self.refresh()

    async def refresh(self) -> None:
        """Read the topology from all nodes; concurrent callers share one answer.

        Raises
        ------
        ConnectionError
            No node answered.

        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask_all(), name="cluster-topology")
        await asyncio.shield(self._asking)

    def learn(self, error: Exception, asked: Address) -> None:
        """Update the node of a slot, if the error is that it has moved."""
        if isinstance(error, MovedError):
            new = (error.host or asked[0], error.port)
            if self._owners.get(error.slot_id) != new:
                self._owners[error.slot_id] = new
                log.info("slot_moved", slot=error.slot_id, now=f"{new[0]}:{new[1]}")
                self._notify()

    async def close(self) -> None:
        """Stop following, and close all connections."""
        tasks = [task for task in (self._watcher, self._asking) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for store in self._stores.values():
            await store.connection_pool.aclose()

    async def _watch(self) -> None:
        while True:
            with suppress(RedisError, OSError):
                await self.refresh()
            await asyncio.sleep(WATCH_S)

    async def _ask_all(self) -> None:
        addresses = dict.fromkeys([*self._owners.values(), *self._seeds])
        answers = await asyncio.gather(*map(self._ask, addresses))
        views = [answer for answer in answers if isinstance(answer, _View)]
        if not views:
            raise _explained(next(answer for answer in answers if isinstance(answer, Exception)))
        view = max(views)
        owners = {slot: address for first, last, address in view.ranges for slot in range(first, last + 1)}
        if not owners:
            raise RedisConnectionError(
                "It runs in cluster mode, and no node has any slot. Run: redis-cli --cluster fix"
            )
        if owners != self._owners:
            self._owners = owners
            self._notify()

    def _notify(self) -> None:
        for each in self.changed:
            each()

    async def _ask(self, address: Address) -> _View | Exception:
        try:
            async with asyncio.timeout(ASK_S), self.store(address).pipeline(transaction=False) as pipeline:
                pipeline.execute_command("CLUSTER INFO")
                pipeline.execute_command("CLUSTER NODES")
                info, nodes = await pipeline.execute()
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            return error if str(error) else TimeoutError("No node answered in time.")
        return _View(info["cluster_state"] == "ok", int(info["cluster_current_epoch"]), _ranges(nodes, address))


class _SlotFinder:
    """Finds the node that has a slot."""

    asks_role = False

    def __init__(self, cluster: Cluster, slot: int) -> None:
        self.name = cluster.name
        self._cluster = cluster
        self._slot = slot

    async def find(self) -> Address:
        await self._cluster.known()
        return self._cluster.owner(self._slot)


def _explained(error: Exception) -> Exception:
    if "cluster support disabled" in str(error):
        return RedisConnectionError("It does not run in cluster mode; write the URL as redis://host:port/0")
    return error


def _ranges(nodes: dict[str, dict[str, Any]], asked: Address) -> tuple[tuple[int, int, Address], ...]:
    """Read the slots of each primary from CLUSTER NODES as redis-py parses it."""
    found = []
    for where, facts in nodes.items():
        host, _, port = where.rpartition(":")
        address = host.strip("[]") or asked[0], int(port)
        found += [(int(slots[0]), int(slots[-1]), address) for slots in facts["slots"]]
    return tuple(sorted(found))


class _Client(ConfirmingClient):
    """A client of the whole cluster with the few methods that the rest of the server uses."""

    def __init__(self, cluster: Cluster, purpose: str) -> None:
        # For messages, and for code that reads the pool's options; nothing is ever sent through it.
        super().__init__(connection_pool=BlockingConnectionPool(finder=cluster))
        self._cluster = cluster
        self._purpose = purpose

    async def execute_command(self, *words: Any, **options: Any) -> Any:
        """Send a command to the node that has its key; one without a key to any node, or to all."""
        if words[0] in _ALL_NODES:
            answers = [await _send(node, words, options) for node in await self._cluster.primaries(self._purpose)]
            return answers[0]
        return await self._on_node(slot_of(words), lambda store: _send(store, words, options))

    def pipeline(self, transaction: bool = True, shard_hint: object = None) -> Any:  # noqa: ARG002  # the library's
        """Gather commands on one partition, which are sent together."""
        return _Pipeline(self._on_node, transaction=transaction)

    async def scan_iter(  # type: ignore[override]  # the library's is typed for its blocking client
        self, match: Any = None, count: Any = None, _type: Any = None, **options: Any
    ) -> AsyncIterator[Any]:
        """Go through the keys of every node; one that moves during the scan may come twice."""
        for node in await self._cluster.primaries(self._purpose):
            async for key in node.scan_iter(match=match, count=count, _type=_type, **options):
                yield key

    async def _on_node(self, slot: int, work: Callable[[Redis], Any]) -> Any:
        loop = asyncio.get_running_loop()
        until_s = loop.time() + PATIENCE_S
        await self._cluster.known()
        while True:
            address = self._cluster.owner(slot)
            try:
                return await work(self._cluster.store(address, self._purpose))
            except REDIRECTED as error:
                if loop.time() > until_s:
                    raise
                self._cluster.learn(error, address)
                if not isinstance(error, MovedError):
                    await asyncio.sleep(PAUSE_S)


async def _send(store: Redis, words: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return await store.execute_command(*words, **options)  # type: ignore[no-untyped-call]


class _Pipeline:
    """Commands on keys of one slot."""

    def __init__(self, on_node: Callable[[int, Callable[[Redis], Any]], Any], *, transaction: bool) -> None:
        self._on_node = on_node
        self._transaction = transaction
        self._commands: list[tuple[Any, ...]] = []

    def execute_command(self, *words: Any) -> Self:
        self._commands.append(words)
        return self

    async def execute(self) -> list[Any]:
        async def send(store: Redis) -> Any:
            async with store.pipeline(transaction=self._transaction) as pipeline:
                for words in self._commands:
                    pipeline.execute_command(*words)
                return await pipeline.execute()

        if not self._commands:
            return []
        answers: list[Any] = await self._on_node(slot_of(self._commands[0]), send)
        return answers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._commands.clear()


def slot_of(words: tuple[Any, ...]) -> int:
    """Return the slot of a command's first key: the first word with the prefix of our keys; 0 if there is none."""
    key = next((word for word in words if isinstance(word, (str, bytes)) and word[:3] in _OUR_KEYS), "")
    return key_slot(key.encode() if isinstance(key, str) else key)
