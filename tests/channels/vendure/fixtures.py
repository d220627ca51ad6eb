"""The real Vendure; a module that wants it sets ``pytest_plugins = ("tests.channels.vendure.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.vendure_server import VendureServer, running


@pytest.fixture(scope="session")
def vendure() -> Iterator[VendureServer]:
    """Share a running shop; each test keeps to variants of its own."""
    with running() as server:
        yield server
