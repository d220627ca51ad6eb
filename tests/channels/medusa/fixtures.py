"""The real Medusa; a module that wants it sets ``pytest_plugins = ("tests.channels.medusa.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.medusa_server import MedusaServer, running


@pytest.fixture(scope="session")
def medusa() -> Iterator[MedusaServer]:
    """Share a running shop; each test keeps to SKUs of its own."""
    with running() as server:
        yield server
