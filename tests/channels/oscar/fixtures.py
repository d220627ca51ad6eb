"""The real Oscar; a module that wants it sets ``pytest_plugins = ("tests.channels.oscar.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.oscar_server import OscarServer, running


@pytest.fixture(scope="session")
def oscar() -> Iterator[OscarServer]:
    """Share a running shop; each test keeps to SKUs of its own."""
    with running() as server:
        yield server
