"""A caller on a real store, as a command on this machine makes one: no HTTP anywhere."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from server.service.caller import Caller, local_caller
from server.store.command_session import OpenStore
from server.store.connection import commands
from server.store.ledger.batcher import Batcher
from server.store.lua_library import library
from tests.conftest import RETENTION
from tests.support.stores import StoreProcess


@pytest.fixture
async def caller(store: StoreProcess, client: Redis, batcher: Batcher, partition: str) -> AsyncIterator[Caller]:
    """Open a caller without a key in this test's partition."""
    await commands.load(client, library())
    made = local_caller(OpenStore(store.url, client, batcher, RETENTION), partition)
    yield made
    await made.partition.locations.close()
