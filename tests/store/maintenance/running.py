"""A housekeeper at work, for as long as a test needs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from server.store.maintenance.housekeeping import Housekeeper


@asynccontextmanager
async def running(housekeeper: Housekeeper) -> AsyncIterator[None]:
    task = asyncio.create_task(housekeeper.run())
    try:
        yield
        assert not task.done(), "housekeeping ended by itself"
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
