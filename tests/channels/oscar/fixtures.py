"""The real Oscar; a module that wants it sets ``pytest_plugins = ("tests.channels.oscar.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.oscar_server import OscarServer, running


@pytest.fixture(scope="session")
def running_oscar() -> Iterator[OscarServer]:
    """Start it once."""
    with running() as server:
        yield server


@pytest.fixture
def oscar(running_oscar: OscarServer) -> Iterator[OscarServer]:
    """Share a running shop; each test keeps to SKUs of its own."""
    yield running_oscar
    # A test that kills it may have failed before it started it again.
    if not running_oscar.is_running:
        running_oscar.start()
