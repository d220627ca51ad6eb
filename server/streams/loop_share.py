"""The share of the event loop that all change streams of a process may take together.

Who encodes or writes for streams asks for a turn first, and does about a millisecond of work in it. Turns go round by
partition. Each is followed by a pause in proportion to what it cost, so that other requests get the rest of the time,
however many streams, partitions or changes there are. What streams then miss is made up: they get fewer rounds, with
more in each.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from server.streams.one_at_a_time import OneAtATime

BURST_S: Final = 0.004
"""What may be used without a pause after a quiet time: a few streams are written to at once."""
PAUSE_S_MAX: Final = 0.025
"""Also where others keep the loop busy, streams get a turn so often."""


class LoopShare:
    """Bounds what work in turns takes of the event loop.

    ``share``: of its time, more than 0 and at most 1.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._turns = OneAtATime()
        self._loop = asyncio.get_running_loop()
        self._credit_s = BURST_S
        self._settled_s = self._loop.time()

    @asynccontextmanager
    async def turn(self, partition: str) -> AsyncIterator[None]:
        """Wait for a turn. The block must not wait for anything, or all streams wait with it."""
        await self._turns.enter(partition)
        began_s = time.thread_time()
        try:
            yield
        finally:
            # What was written is sent when this round of the loop ends: the cost is known in the next one.
            self._loop.call_soon(self._settle, began_s)

    def _settle(self, began_s: float) -> None:
        cost_s, now_s = time.thread_time() - began_s, self._loop.time()
        earned_s = (now_s - self._settled_s) * self._share
        credit_s = min(BURST_S, self._credit_s + earned_s) - cost_s
        self._settled_s = now_s
        # A turn can cost no more than the longest pause earns: what ran beside it is not the streams' fault.
        self._credit_s = max(credit_s, -PAUSE_S_MAX * self._share)
        if self._credit_s >= 0:
            self._turns.leave()
        else:
            self._loop.call_later(-self._credit_s / self._share, self._turns.leave)
