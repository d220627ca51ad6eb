"""A store for one command: at a URL, that of a running Holdfast, or an embedded one started for the command."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.domain.stock import StockLevel
from server.store.connection.clients import Durability, Nodes
from server.store.connection.connect import unavailable
from server.store.connection.scans import SLICE_FIELDS, scan
from server.store.embedded import EmbeddedStore, ProgramChoice
from server.store.embedded.files import DataDirectory
from server.store.embedded.probe import Presence, look
from server.store.errors import DataDirectoryError, DataDirectoryInUseError
from server.store.keys import PARTITIONS, Keyspace, split_field
from server.store.ledger.batcher import close_quietly
from server.store.ledger.function_call import Submitter
from server.store.ledger.ledger import Ledger, Retention
from server.store.repositories.restored import refuse_half_restored
from server.store.repositories.stock import decode_stock
from server.store.topology import deployment

OPERATIONS_MAX: Final = 128
"""In one batch: a command shares the store with servers, and must not occupy it for long."""
LINES_MAX: Final = 256
QUEUE_MAX: Final = 8_192
_QUEUE_TIMEOUT_S: Final = 10.0
_REPLY_TIMEOUT_S: Final = 10.0
_CLOSE_S: Final = 5.0
_ANSWER_S: Final = 10.0
"""How long a store that is just starting may take to answer."""
_LOOK_S: Final = 0.05


class OpenStore:
    """A store that can be used: ``client`` for reads off the hot path, :meth:`ledger` for operations."""

    def __init__(
        self, url: str, client: Redis, batcher: Submitter, retention: Retention, nodes: Nodes | None = None
    ) -> None:
        self.url = url
        self.client = client
        self.batcher = batcher
        self.retention = retention
        self._nodes = nodes

    async def servers(self) -> list[Redis]:
        """Return a client of each server that keeps a part of the store; one where it is no cluster."""
        return [self.client] if self._nodes is None else await self._nodes()

    def ledger(self, partition: str) -> Ledger:
        """Open the ledger of a partition."""
        return Ledger(self.batcher, Keyspace(partition), self.retention)

    async def register(self, partition: str) -> None:
        """Make a partition known to housekeeping, whether or not there is a key for it."""
        await self.client.sadd(PARTITIONS, partition)

    async def partitions(self) -> list[str]:
        """Every partition that has stock, in alphabetical order."""
        found = set()
        async for key in self.client.scan_iter(match="hf:{*}:stock", count=SLICE_FIELDS):
            found.add(key.decode().removeprefix("hf:{").removesuffix("}:stock"))
        return sorted(found)

    async def is_empty(self, partition: str) -> bool:
        """Whether nothing was ever counted or received in a partition."""
        return not await self.client.exists(Keyspace(partition).stock)

    async def levels(self, partition: str) -> AsyncIterator[StockLevel]:
        """Go through every (SKU, location) of a partition, in no order, while sales go on."""
        async for field, packed in scan(self.client, Keyspace(partition).stock):
            record = decode_stock(packed)
            yield StockLevel(*split_field(field), *record.buckets, record.seq, record.allocations, record.backorder)


@asynccontextmanager
async def open_store(
    *,
    store_url: str,
    data_dir: Path,
    durability: Durability,
    retention: Retention,
    program: ProgramChoice | None = None,
    check: bool = True,
    create: bool = False,
    to_restore: bool = False,
) -> AsyncIterator[OpenStore]:
    """Open the store at ``store_url``, or if that is empty the embedded store of ``data_dir``.

    If a Holdfast is running on ``data_dir``, its store is used and keeps running. Otherwise the store is started,
    and stopped at the end. ``check``: refuse a store at a URL whose settings break the guarantees.
    ``program``: which server program a store that is started runs. ``create``: accept a data directory that is still
    empty. ``to_restore``: the store is to be filled from a backup: no Holdfast may run on a data directory then, and a
    store that has a part of a backup is accepted.

    Raises
    ------
    StoreError
        It cannot be reached, started or used, now or later inside the block; the message has what to do.

    """
    async with AsyncExitStack() as opened:
        url = store_url or await _embedded(data_dir, durability, program, opened, create=create, alone=to_restore)
        store = deployment(url, durability)
        opened.push_async_callback(store.close)
        if check and store_url:
            await store.check()
        if not to_restore:
            await refuse_half_restored(store.clients.maintenance)
        batcher = store.batcher(
            operations_max=OPERATIONS_MAX,
            lines_max=LINES_MAX,
            queue_max=QUEUE_MAX,
            queue_timeout_s=_QUEUE_TIMEOUT_S,
            reply_timeout_s=_REPLY_TIMEOUT_S,
        )
        batcher.start()
        opened.push_async_callback(close_quietly, batcher, _CLOSE_S)
        try:
            yield OpenStore(url, store.clients.requests, batcher, retention, store.nodes)
        except RedisError as error:
            raise unavailable(error, store.name) from error


def is_made(store_url: str, data_dir: Path) -> bool:
    """Whether there is a store, so that opening it makes none."""
    return bool(store_url) or DataDirectory(data_dir).manifest.exists()


async def _embedded(
    data_dir: Path,
    durability: Durability,
    program: ProgramChoice | None,
    opened: AsyncExitStack,
    *,
    create: bool,
    alone: bool,
) -> str:
    store = EmbeddedStore(data_dir, durability=durability, program=program)
    if not create and not store.directory.manifest.exists():
        raise DataDirectoryError(
            f"There is no stock in {store.directory.path} yet. Name the store with --data-dir or --store-url,"
            " or import stock first: holdfast import FILE.csv"
        )
    opened.push_async_callback(store.stop)
    try:
        await store.start()
    except DataDirectoryInUseError as in_use:
        if alone:
            raise
        await _until_it_answers(store.directory.socket, in_use)
    return store.url


async def _until_it_answers(socket: Path, in_use: DataDirectoryInUseError) -> None:
    """Wait for the store of the Holdfast that has the directory; it may have been started a moment ago."""
    until_s = time.monotonic() + _ANSWER_S
    while (await look(socket)).presence is not Presence.READY:
        if time.monotonic() > until_s:
            raise in_use
        await asyncio.sleep(_LOOK_S)
