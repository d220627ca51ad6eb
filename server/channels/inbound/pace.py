"""When the tasks of one channel's intake work: not while the store is away, after a stop, or against its circuit."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from server.channels.connection.client import ChannelClient
from server.channels.connection.clock import Clock
from server.store.errors import FencedError, OutcomeUnknownError, OverloadedError, StoreError

log = structlog.get_logger("holdfast.intake")

WAIT_S_MAX: Final = 1.0
"""A wait that ends by itself: what is due may have changed meanwhile."""
AGAIN_S: Final = 1.0
"""After the store was away."""
HALTED_S: Final = 300.0
"""After an answer by which retries are useless, such as for wrong credentials: an operator may have corrected it."""


class Pace:
    """The pace of one channel's intake."""

    def __init__(self, channel: str, client: ChannelClient, clock: Clock) -> None:
        self._channel = channel
        self._client = client
        self._clock = clock
        self._halted_s: float | None = None
        self._stopping = False
        self._busy = 0
        self._idle = asyncio.Event()

    def wait_s(self, group: str) -> float:
        """Return how long nothing can be asked; what was refused for good is tried again now and then."""
        wait_s = self._client.wait_s(group)
        if wait_s < float("inf"):
            self._halted_s = None
            return wait_s
        now_s = self._clock.now_s()
        self._halted_s = self._halted_s if self._halted_s is not None else now_s
        if now_s - self._halted_s < HALTED_S:
            return WAIT_S_MAX
        self._halted_s = None
        self._client.revive()
        return 0.0

    async def forever(self, work: Callable[[], Awaitable[float]], wake: asyncio.Event) -> None:
        """Do work again and again; it returns how long to wait then, if nothing wakes it before."""
        while True:
            wake.clear()
            pause_s = await self.guarded(work)
            pause_s = AGAIN_S if pause_s is None else min(pause_s, WAIT_S_MAX)
            if pause_s > 0:
                await waited(wake, pause_s)
            else:
                await asyncio.sleep(
                    0
                )  # work that waits for nothing by itself, such as a long file, leaves others a turn

    async def guarded(self, work: Callable[[], Awaitable[float]]) -> float | None:
        """Do a piece of work; None: the store was away, and it is to be done again."""
        if self._stopping:
            await asyncio.Event().wait()  # until it is cancelled
        self._busy += 1
        try:
            return await work()
        except FencedError:
            raise
        except (StoreError, OverloadedError, OutcomeUnknownError) as error:
            log.info("intake_waits", channel=self._channel, reason=str(error) or type(error).__name__)
            return None
        finally:
            self._busy -= 1
            self._idle.set()

    async def finish(self) -> None:
        """Begin nothing new, and wait until what is on its way is answered and written."""
        self._stopping = True
        while self._busy:
            self._idle.clear()
            await self._idle.wait()


async def waited(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, so many seconds at most."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
