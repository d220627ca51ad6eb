"""The express lane: a whole request for a hot route on an idle connection is answered without aiohttp's machinery.

aiohttp starts a task for each request and builds a ``Request``, a ``Response`` and a writer, which together cost more
than our own work. Here its parser still reads what comes, and its rules stay. But where exactly one plain and whole
request has come, it is answered at once, with one write. Everything else takes the ordinary way: pipelined or split
requests, chunks, ``Expect``, upgrades, HTTP/1.0, a connection on which nothing was let in yet.

This rests on names of aiohttp that are not public. Without one of them, or with another minor version, the lane is off.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import aiohttp
import structlog
from aiohttp import web
from aiohttp.http import HttpRequestParser, RawRequestMessage
from aiohttp.streams import StreamReader

from server.api.http.app_state import AppState
from server.api.http.copied_answers import answering_copied
from server.api.http.express_requests import ExpressAnswer, Lane
from server.api.http.front_door import Connection
from server.api.http.large_answers import PIECE_BYTES
from server.api.http.routing import Route
from server.telemetry.metrics import HTTP_EXPRESS_LANE
from server.telemetry.request_tally import TALLY
from server.telemetry.unsent_answers import PENDING

AIOHTTP: Final = "3.14"
"""The minor version whose names these are."""
NAMES: Final[dict[type, tuple[str, ...]]] = {
    web.RequestHandler: (
        "_buffer_paused", "_close", "_drain_helper", "_force_close", "_handler_waiter", "_keepalive_handle",
        "_keepalive_timeout", "_loop", "_manager", "_messages", "_next_keepalive_close_time", "_parser",
        "_pause_reading_for_buffer", "_paused", "_process_keepalive", "_reading_paused", "_request_in_progress",
        "_resume_reading_for_buffer", "_upgraded", "_waiter",
    ),
    HttpRequestParser: ("message_consumed",),
    RawRequestMessage: ("chunked", "headers", "method", "path", "should_close", "upgrade", "url", "version"),
    StreamReader: ("is_eof", "read_nowait"),
}  # fmt: skip
"""What the lane uses of aiohttp."""

log = structlog.get_logger("holdfast.http")


def connections(state: AppState, routes: list[Route], *, wanted: bool) -> Callable[..., Connection]:
    """Return what makes the connections: with the lane, where it is wanted and aiohttp is as it rests on."""
    reason = _why_off()
    if wanted and reason:
        log.warning("express_lane_off", reason=reason, advice=f"install aiohttp {AIOHTTP}")
    # A traced request has a span around it, which is of the ordinary way.
    is_on = wanted and not reason and state.tracing is None
    HTTP_EXPRESS_LANE.set(is_on)
    return partial(ExpressConnection, lane=Lane(state, routes, answering_copied)) if is_on else Connection


def _why_off() -> str:
    """Return what the lane lacks; empty: nothing."""
    if not aiohttp.__version__.startswith(AIOHTTP + "."):
        return f"aiohttp is {aiohttp.__version__}"
    names = [(owner, name) for owner, names in NAMES.items() for name in names]
    lacking = ", ".join(f"{owner.__name__}.{name}" for owner, name in names if not hasattr(owner, name))
    return f"aiohttp has no {lacking}" if lacking else ""


class ExpressConnection(Connection):
    """A connection with the lane.

    While a request of the lane is answered, ``_is_express`` holds back what comes behind it: in ``_held``, and then in
    the kernel. aiohttp's own task waits all that time for a message, and finds the connection as it would be without.
    """

    __slots__ = ("_answering", "_held", "_is_express", "_lane")

    def __init__(self, *args: Any, lane: Lane, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lane = lane
        self._is_express = False
        self._held = b""
        self._answering: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what has come; answer it here if it is one plain request, else wake aiohttp's task."""
        if self._is_express:
            self._hold(data)
            return
        waiter = self._waiter
        if waiter is None or waiter.done() or not self.admitted or self._force_close or self._close:
            super().data_received(data)
            return
        self._waiter = None  # so that nobody is woken
        try:
            super().data_received(data)
        finally:
            self._waiter = waiter
        if self._messages and not self._took():
            waiter.set_result(None)

    def resume_reading(self, resume_parser: bool = True) -> None:  # aiohttp's signature
        """Go on reading, if it was paused. aiohttp asks for this with each body, and most are small."""
        if self._reading_paused or (resume_parser and not self._is_express):
            super().resume_reading(resume_parser)

    def _hold(self, data: bytes) -> None:
        """Keep what must wait for its turn, and read no more for now."""
        self._held += data
        if not self._buffer_paused:
            self._pause_reading_for_buffer()

    def _took(self) -> bool:
        """Take the request that has come, if the lane can."""
        if len(self._messages) > 1 or self._paused or self._reading_paused or self._buffer_paused or self._upgraded:
            return False
        message, content = self._messages[0]
        if not isinstance(message, RawRequestMessage) or not content.is_eof():
            return False
        answer = self._lane.take(message, content, self)
        if answer is None:
            return False
        self._messages.clear()
        if self._parser is not None:
            self._parser.message_consumed()
        if self._manager is not None:
            self._manager.requests_count += 1
        TALLY.express += 1
        if type(answer) is ExpressAnswer and len(answer.body) <= PIECE_BYTES and self.transport is not None:
            self.transport.write(answer.head() + answer.body)
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            return True
        self._is_express = self._request_in_progress = True
        task = _task(self._serve(answer), self._loop)
        if self._is_express:  # an eager task may be done
            self._answering = task
        return True

    async def _serve(self, answering: ExpressAnswer | Awaitable[ExpressAnswer]) -> None:
        closes = True
        try:
            answer = answering if isinstance(answering, ExpressAnswer) else await answering
            transport = self.transport
            if transport is None or transport.is_closing():
                return  # the caller has left
            if len(answer.body) <= PIECE_BYTES:
                transport.write(answer.head() + answer.body)
            else:
                await self._write_pieces(transport, answer)
            if self._paused:
                await self._drain_helper()  # nothing more is read until this was
            closes = answer.closes
        except ConnectionError:
            pass  # the caller has left
        except Exception:  # the last line of defence, as in handle_error
            log.exception("request_failed")
        finally:
            self._leave(closes=closes)

    async def _write_pieces(self, transport: asyncio.Transport, answer: ExpressAnswer) -> None:
        head, body = answer.head(), memoryview(answer.body)
        try:
            for start in range(0, len(body), PIECE_BYTES):
                PENDING.set(self, len(body) - start)
                transport.write(head + body[start : start + PIECE_BYTES])
                head = b""
                if self._paused:
                    await self._drain_helper()
                if transport.is_closing():
                    raise ConnectionResetError
        finally:
            PENDING.set(self, 0)

    def _leave(self, *, closes: bool) -> None:
        """Give the connection back: end it where it must, else go on with what was held back."""
        self._is_express = self._request_in_progress = False
        self._answering = None
        if self._handler_waiter is not None and not self._handler_waiter.done():
            self._handler_waiter.set_result(None)
        if self._force_close:  # who stops the server closes it
            return
        if closes or self._close:
            self.close()
            if self.transport is not None:
                self.transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._held:
            held, self._held = self._held, b""
            self._resume_reading_for_buffer()
            self.data_received(held)

    def _process_keepalive(self) -> None:
        """Close an idle connection; aiohttp takes one for idle whose request is answered here."""
        if self._is_express:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
            self._keepalive_handle = self._loop.call_at(self._next_keepalive_close_time, self._process_keepalive)
        else:
            super()._process_keepalive()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109  # aiohttp's signature
        """Wait for the answer, as aiohttp does for its own, and end it when the time is up."""
        await super().shutdown(timeout)
        if self._answering is not None:
            self._answering.cancel()


def _task(work: Any, loop: asyncio.AbstractEventLoop) -> "asyncio.Task[None]":
    """Begin at once where Python can: the operation joins the batch that is being gathered."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(work, loop=loop, eager_start=True)
    return loop.create_task(work)
