"""One at a time, each name in its turn: whoever asks a hundred times does not make others wait a hundred times.

Operations wait for the store in other queues: ``server/store/ledger/turns.py`` weighs them and fills batches.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class OneAtATime:
    """Gives turns, one at a time. Names that wait are served one after the other, each first come, first served."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._taken = False

    async def enter(self, name: str) -> None:
        """Wait for a turn; it lasts until :meth:`leave`."""
        if not self._taken:
            self._taken = True
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # it was given just then
            raise

    def leave(self) -> None:
        """End the turn, and give the next one."""
        while self._waiting:
            name = next(iter(self._waiting))
            queue = self._waiting.pop(name)
            waiter = queue.popleft()
            if queue:
                self._waiting[name] = queue  # behind the others
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken = False

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Wait for a turn that ends with the block."""
        await self.enter(name)
        try:
            yield
        finally:
            self.leave()
