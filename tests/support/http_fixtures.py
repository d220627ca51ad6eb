"""Fixtures of the HTTP tests; a module that wants them says ``pytest_plugins = ("tests.support.http_fixtures",)``."""

from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from typing import Any, Final

import pytest

from tests.support.http import READER, RESERVER, STOCKER, Api, Key, Server, opened

PARTITIONS: Final = 1_000
"""More than there are tests that ask for one."""
COUNTED_PARTITIONS: Final = 24
"""More than a module has tests that ask for one."""
_next_partition = count(1)
_next_counted = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Share a server; at the end of the run it must not have said a word of a fault."""
    keys = [Key(f"p{number}", f"p{number}") for number in range(PARTITIONS)]
    # The sweeper asks each partition; with this many it is slowed down, which no test here is about. Nothing is
    # counted: an alert in the journal would look like a change that a refused request made.
    with Server(keys=[*keys, READER, RESERVER, STOCKER], sweep_interval_s=10, figures_interval_s=0) as started:
        yield started
        assert started.faults == []
        assert started.stop() == 0


@pytest.fixture
def key() -> Key:
    """Take the administrator's key of a partition that no other test uses."""
    number = next(_next_partition)
    assert number < PARTITIONS, "more tests ask for a partition than there are: raise PARTITIONS"
    return Key(f"p{number}", f"p{number}")


@pytest.fixture
async def api(server: Server, key: Key) -> AsyncIterator[Api]:
    """Open a client of a partition that no other test uses."""
    async with opened(server, key) as client:
        yield client


@pytest.fixture(scope="module")
def counting_server() -> Iterator[Server]:
    """Share a server that counts figures all the time; for few partitions, or it would do nothing else."""
    keys = [Key(f"c{number}", f"c{number}") for number in range(COUNTED_PARTITIONS)]
    with Server(keys=keys, figures_interval_s=0.05) as started:
        yield started
        assert started.faults == []


@pytest.fixture
async def counted_api(counting_server: Server) -> AsyncIterator[Api]:
    """Open a client of one of its partitions that no other test of the module uses."""
    number = next(_next_counted) % COUNTED_PARTITIONS
    async with opened(counting_server, Key(f"c{number}", f"c{number}")) as client:
        yield client


@pytest.fixture
def start_server() -> Iterator[Callable[..., Server]]:
    """Return a function that starts servers of the test's own, which are ended after it."""
    started: list[Server] = []

    def start(**options: Any) -> Server:
        server = Server(**options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()
