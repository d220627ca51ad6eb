"""How fast strangers are refused: some at once, then so many a second. So one that comes again and again has to wait.

To let a connection in, read its request and refuse it takes a fraction of a millisecond of the event loop. Hundreds
that come back the moment they are refused would take all of it, and who comes new would wait behind them.
"""

import asyncio
import random
from typing import Final

import structlog

AT_ONCE: Final = 20
PER_S: Final = 100.0
LATEST_S: Final = 5.0
"""Nobody waits longer for an answer. Those that would are spread over the second half of this time."""
_AT_ONCE_S: Final = 0.001
"""What is nearer is now."""
_LOG_EVERY_S: Final = 5.0

log = structlog.get_logger("holdfast.http")


class RefusalPace:
    """Says when a refusal may be sent, and waits for it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._next_s = 0.0
        self._said_s = -_LOG_EVERY_S
        self._hurries = False
        self._waiting: dict[object, asyncio.Future[None]] = {}

    def delay_s(self) -> float:
        """Take the next moment at which a refusal may be sent; return how far away it is, 0: it is now."""
        now_s = self._loop.time()
        self._next_s = min(max(self._next_s, now_s - AT_ONCE / PER_S) + 1 / PER_S, now_s + LATEST_S)
        delay_s = self._next_s - now_s
        if delay_s < _AT_ONCE_S or self._hurries:
            return 0.0
        if now_s - self._said_s >= _LOG_EVERY_S:
            self._said_s = now_s
            log.warning("refusals_slowed", waiting=len(self._waiting) + 1, a_second=PER_S)
        return delay_s if delay_s < LATEST_S else random.uniform(LATEST_S / 2, LATEST_S)  # noqa: S311  # no secret

    async def wait(self, connection: object, delay_s: float) -> None:
        """Wait for so long, or until :meth:`release`."""
        turn = self._waiting[connection] = self._loop.create_future()
        timer = self._loop.call_later(delay_s, _end, turn)
        try:
            await turn
        finally:
            timer.cancel()
            self._waiting.pop(connection, None)

    def release(self, connection: object) -> None:
        """End the waiting of a connection that is gone."""
        waiting = self._waiting.get(connection)
        if waiting is not None:
            _end(waiting)

    def hurry(self) -> None:
        """Refuse at once from now on: the server stops."""
        self._hurries = True
        for waiting in self._waiting.values():
            _end(waiting)


def _end(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
