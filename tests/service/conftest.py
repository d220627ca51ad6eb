"""A caller on a real store, as a command on this machine makes one: no HTTP anywhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from redis.asyncio import Redis

from server.service.caller import Caller, local_caller
from server.store.command_session import OpenStore
from server.store.connection import commands
from server.store.documents.documents import Documents
from server.store.documents.sqlite import SqliteDatabase
from server.store.ledger.batcher import Batcher
from server.store.lua_library import library
from server.store.repositories.order_privacy import customer_keys
from tests.conftest import RETENTION
from tests.support.stores import StoreProcess


@pytest.fixture
async def caller(store: StoreProcess, client: Redis, batcher: Batcher, partition: str) -> AsyncIterator[Caller]:
    """Open a caller without a key in this test's partition."""
    await commands.load(client, library())
    made = local_caller(OpenStore(store.url, client, batcher, RETENTION), partition)
    yield made
    await made.partition.locations.close()


@pytest.fixture
async def finder(caller: Caller, tmp_path: Path) -> AsyncIterator[Caller]:
    """Open a caller with a documents database, whose index and history are written when a test says so."""
    documents = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), customer_keys(caller.partition.client))
    yield Caller(caller.principal, msgspec.structs.replace(caller.partition, documents=documents))
    await documents.close()
