"""Closes the connections of callers that do not read their answers: each pins memory, and a stop would wait for it.

A look at all connections every second asks their transports what is still unsent. So an answer that is taken costs
nothing, and it makes no difference what is being written: an answer, a stream, a hundred pipelined ones.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from server.telemetry import metrics
from server.telemetry.unsent_answers import PENDING

log = structlog.get_logger("holdfast.http")

LOOK_S: Final = 1.0
FAST_BYTES_PER_S: Final = 64 * 1024
"""A caller that reads at least so fast is not closed to make room for others."""


class _Seen(NamedTuple):
    unsent_bytes: int
    since_s: float
    """When it was first seen with so many bytes."""
    read_bytes_per_s: float


class UnreadAnswers:
    """Watches the connections of one server.

    Parameters
    ----------
    connections
        Returns those that are open.
    timeout_s
        How long a caller may take nothing of what is waiting for it.
    bytes_max
        What may wait for all slow callers together; beyond it the largest is closed.

    """

    def __init__(
        self, connections: Callable[[], Iterable[web.RequestHandler]], *, timeout_s: float, bytes_max: int
    ) -> None:
        self._connections = connections
        self._timeout_s = timeout_s
        self._bytes_max = bytes_max
        self._seen: dict[web.RequestHandler, _Seen] = {}
        self._looked_s = 0.0

    async def run(self) -> None:
        """Look again and again until cancelled."""
        interval_s = min(LOOK_S, self._timeout_s / 4)
        while True:
            await asyncio.sleep(interval_s)
            self.look()

    def look(self) -> None:
        """Look once, and close who is over a limit."""
        now_s = asyncio.get_running_loop().time()
        waiting = {each: self._look_at(each, now_s) for each in self._connections() if each.writing_paused}
        self._seen, self._looked_s = waiting, now_s
        for connection, seen in waiting.items():
            if now_s - seen.since_s >= self._timeout_s:
                _close(connection, seen, "timeout")
        slow = {each: seen for each, seen in waiting.items() if seen.read_bytes_per_s < FAST_BYTES_PER_S}
        total = sum(seen.unsent_bytes for seen in slow.values())
        for connection, seen in sorted(slow.items(), key=lambda pair: -pair[1].unsent_bytes):
            if total <= self._bytes_max:
                break
            total -= seen.unsent_bytes
            _close(connection, seen, "memory")

    def _look_at(self, connection: web.RequestHandler, now_s: float) -> _Seen:
        transport = connection.transport
        unsent = PENDING.of(connection) + (transport.get_write_buffer_size() if transport is not None else 0)
        before = self._seen.get(connection)
        if before is None:
            return _Seen(unsent, now_s, FAST_BYTES_PER_S)  # it gets until the next look
        if before.unsent_bytes == unsent:
            return before._replace(read_bytes_per_s=0.0)
        # A stream that grows is read, too: more was written only because something was taken.
        taken = abs(before.unsent_bytes - unsent)
        return _Seen(unsent, now_s, taken / max(now_s - self._looked_s, 0.001))


def _close(connection: web.RequestHandler, seen: _Seen, reason: str) -> None:
    transport = connection.transport
    if transport is None or transport.is_closing():
        return
    peer = connection.peername
    log.warning(
        "answer_not_read",
        peer=peer[0] if isinstance(peer, tuple) else str(peer),
        unsent_bytes=seen.unsent_bytes,
        reason=reason,
    )
    metrics.UNREAD_ANSWERS_CLOSED.labels(reason).inc()
    transport.abort()
