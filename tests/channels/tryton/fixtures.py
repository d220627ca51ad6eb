"""The real Tryton; a module that wants it sets ``pytest_plugins = ("tests.channels.tryton.fixtures",)``."""

from collections.abc import Iterator

import pytest

from tests.channels.tryton_server import TrytonServer, running


@pytest.fixture(scope="session")
def tryton() -> Iterator[TrytonServer]:
    """Share a running ERP; each test keeps to SKUs of its own."""
    with running() as server:
        yield server
