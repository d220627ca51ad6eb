"""Fixtures for the console's tests: one server for each module, its documents, and the bad morning."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from server.store.documents.documents import Documents
from tests.console.morning import Morning, morning
from tests.console.pages import KEYS
from tests.support.http import Server
from tests.support.order_documents import documents_of


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Serve a module's tests; a module with a ``SERVED`` says what its server has beside the usual keys."""
    served: dict[str, Any] = {"keys": KEYS, **getattr(request.module, "SERVED", {})}
    with Server(**served) as started:
        yield started
        assert started.faults == []


@pytest.fixture
async def documents(server: Server) -> AsyncIterator[Documents]:
    """Open the documents of the server."""
    async with documents_of(server) as opened:
        yield opened


@pytest.fixture
async def bad() -> AsyncIterator[Morning]:
    """Serve a bad morning."""
    async with morning() as now:
        yield now
