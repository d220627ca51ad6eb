"""The real Tryton; a module that wants it sets ``pytest_plugins = ("tests.channels.tryton.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.tryton_server import TrytonServer, running


@pytest.fixture(scope="session")
def running_tryton() -> Iterator[TrytonServer]:
    """Start it once."""
    with running() as server:
        yield server


@pytest.fixture
def tryton(running_tryton: TrytonServer) -> Iterator[TrytonServer]:
    """Share a running ERP; each test keeps to SKUs of its own."""
    yield running_tryton
    # A test that kills it may have failed before it started it again.
    if not running_tryton.is_running:
        running_tryton.start()
