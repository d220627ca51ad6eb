"""Fixtures on a real store, for the tests of a kind that lives in another package.

Name it in that package's ``conftest.py``: ``pytest_plugins = ["adapters.testing.plugin"]``.
"""

from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Final

import pytest

from adapters.testing.engine import RETENTION
from adapters.testing.store_process import StoreProcess
from server.store.connection import connect
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher, close_quietly
from server.store.ledger.ledger import Ledger

_CLOSE_S: Final = 2.0
_numbers = count(1)


@pytest.fixture(scope="session")
def store() -> Iterator[StoreProcess]:
    """Share a running store."""
    with StoreProcess() as process:
        yield process


@pytest.fixture
def partition() -> str:
    """Name a partition that no other test uses."""
    return f"test-{next(_numbers)}"


@pytest.fixture
async def ledger(store: StoreProcess, partition: str) -> AsyncIterator[Ledger]:
    """Open the ledger of this test's partition."""
    pool = connect.connection_pool(store.url)
    batcher = Batcher(
        pool.make_connection,
        operations_max=128,
        lines_max=256,
        queue_max=2048,
        queue_timeout_s=10.0,
        reply_timeout_s=10.0,
    )
    batcher.start()
    yield Ledger(batcher, Keyspace(partition), RETENTION)
    await close_quietly(batcher, timeout_s=_CLOSE_S)
    await pool.aclose()
