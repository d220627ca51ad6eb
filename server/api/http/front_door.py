"""The connections of one process: how many there may be, who makes room for whom, and what non-HTTP is answered.

A connection is a newcomer until a request on it was let in. Newcomers cannot keep others out: each has a deadline, and
where the limit is met, the oldest of them makes room for the next. Only a house full of callers that were let in is
full.
"""

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Final, cast

import msgspec
import structlog
from aiohttp import web
from aiohttp.hdrs import METH_OPTIONS, SERVER
from aiohttp.http_exceptions import HttpProcessingError

from server.api.http.refusal_pace import RefusalPace
from server.api.http.request_ids import REQUEST_ID, new_request_id, request_id_of
from server.api.http.wire import (
    ANY_METHOD,
    PROBLEM_TYPE,
    RETRY_AFTER_S,
    SERVER_NAME,
    WHOLE_SERVER,
    json_encode,
    options_answer,
    respond_problem,
    unreadable,
)
from server.service.problems import problem
from server.telemetry.metrics import HTTP_CONNECTIONS, HTTP_CONNECTIONS_CLOSED

SWEEP_S: Final = 0.5
"""How late a newcomer may meet its deadline."""
LOG_EVERY_S: Final = 5.0
"""The limit is said at once when it is met, and then at most this often, with how many were turned away."""
LINGER_S: Final = 2.0
"""How long to go on reading a body that was refused, so that the caller gets to read the answer."""
_REFUSED: Final = range(400, 500)
"""The statuses of a request that its caller could have known better; a probe is told at once of a 503."""
_PREFIX_6: Final = 64
"""What one household or server has of IPv6: the addresses in it count as one."""

log = structlog.get_logger("holdfast.http")


class Connection(web.RequestHandler):
    """One connection. ``admitted``: a request on it was let in, so it is no newcomer any more.

    ``on_lost`` is called when the caller has left: whose answer has no end must not wait to notice.
    """

    __slots__ = ("_door", "_requests_seen", "address", "admitted", "on_lost", "since_s")

    def __init__(self, door: "FrontDoor", server: web.Server, **options: Any) -> None:
        super().__init__(server, **options)
        self._door = door
        self._requests_seen = 0
        self.admitted = False
        self.on_lost: Callable[[], None] | None = None
        self.address = ""
        self.since_s = 0.0

    def admit(self) -> None:
        """Note that a request was let in."""
        self.admitted = True
        self._door.admitted(self)

    def was_used(self) -> bool:
        """Whether a whole request came since this was last asked, or is being answered."""
        used = self._request_in_progress or self._request_count > self._requests_seen
        self._requests_seen = self._request_count
        return used

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let it in, or answer that the house is full."""
        stream = cast("asyncio.Transport", transport)
        peer = stream.get_extra_info("peername")
        self.address = _household(peer[0]) if peer else ""
        if self._door.enter(self):
            super().connection_made(transport)
            return
        self._force_close = True  # what it sends is not read
        stream.write(_full(self._door.connections_max))
        stream.close()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Free its place."""
        self._door.leave(self)
        super().connection_lost(exc)
        if self.on_lost is not None:
            self.on_lost()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002  # it shows the caller's bytes
    ) -> web.StreamResponse:
        """Answer what is no HTTP, or a handler's fault, with a problem that repeats nothing of the request."""
        if isinstance(exc, HttpProcessingError):
            sent = unreadable(exc)
            log.debug("malformed_request", reason=sent.detail)
        else:
            log.error("request_failed", status=status, exc_info=exc)
            sent = problem("internal_error")
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer was sent already")
        response = respond_problem(sent, request=request)
        response.force_close()
        return response

    def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> Coroutine[Any, Any, tuple[web.StreamResponse, bool]]:
        """Send an answer. Those that aiohttp makes itself, such as to CONNECT, become problems."""
        # First what costs little: to ask for a class of exceptions takes as long as ten other checks.
        if type(resp) is not web.Response and isinstance(resp, web.HTTPException):
            if request.method == METH_OPTIONS and request.raw_path == WHOLE_SERVER:
                resp = options_answer(ANY_METHOD)
            else:
                resp = respond_problem(problem("not_found"), request=request)
                resp.force_close()
        resp.headers[SERVER] = SERVER_NAME  # aiohttp would name its own version, and Python's
        if REQUEST_ID not in resp.headers:
            resp.headers[REQUEST_ID] = request_id_of(request.headers)
        if not self.admitted and resp.status in _REFUSED and (delay_s := self._door.pace.delay_s()):
            return self._finish_late(request, resp, start_time, delay_s)
        return super().finish_response(request, resp, start_time)

    async def _finish_late(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None, delay_s: float
    ) -> tuple[web.StreamResponse, bool]:
        await self._door.pace.wait(self, delay_s)
        return await super().finish_response(request, resp, start_time)


class FrontDoor:
    """Makes the connections of a server, and keeps their number within bounds.

    ``connections_max`` and ``per_address_max`` (0: none) count open connections. ``first_request_s`` is how long a
    newcomer may take until its first request is let in, in seconds. ``connection`` makes one: :class:`Connection`, or
    one with more. ``options`` are those of aiohttp's ``RequestHandler``.
    """

    def __init__(
        self,
        server: web.Server,
        *,
        connections_max: int,
        per_address_max: int,
        first_request_s: float,
        connection: Callable[..., Connection] = Connection,
        **options: Any,
    ) -> None:
        self._server = server
        self._connection = connection
        self.connections_max = connections_max
        self._per_address_max = per_address_max
        self._first_request_s = first_request_s
        self._loop = asyncio.get_running_loop()
        self._options = {"loop": self._loop, "lingering_time": LINGER_S, **options}
        self._newcomers: dict[Connection, None] = {}
        self._open: set[Connection] = set()
        self._by_address: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()
        self._said_s = -LOG_EVERY_S
        self.pace = RefusalPace()

    def __call__(self) -> Connection:
        """Make the protocol of a new connection."""
        return self._connection(self, self._server, **self._options)

    def enter(self, connection: Connection) -> bool:
        """Give a connection a place; where there is none, the oldest newcomer loses its own."""
        if 0 < self._per_address_max <= self._by_address[connection.address]:
            self._turn_away("address")
            return False
        if len(self._open) >= self.connections_max:
            oldest = next(iter(self._newcomers), None)
            self._turn_away("full" if oldest is None else "newcomer")
            if oldest is None:
                return False
            self._close(oldest)
        connection.since_s = self._loop.time()
        self._open.add(connection)
        HTTP_CONNECTIONS.inc()
        self._newcomers[connection] = None
        self._by_address[connection.address] += 1
        return True

    def admitted(self, connection: Connection) -> None:
        """Note that a connection is no newcomer any more."""
        self._newcomers.pop(connection, None)

    def leave(self, connection: Connection) -> None:
        """Free a connection's place, if it has one."""
        if connection not in self._open:
            return
        self._open.remove(connection)
        HTTP_CONNECTIONS.dec()
        self._newcomers.pop(connection, None)
        self.pace.release(connection)
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]

    async def run(self) -> None:
        """Close newcomers at their deadline, and report, for ever."""
        while True:
            await asyncio.sleep(SWEEP_S)
            self._sweep(self._loop.time())
            self._report()

    def _sweep(self, now_s: float) -> None:
        for connection in list(self._newcomers):
            if now_s - connection.since_s < self._first_request_s:
                return  # those after it came later
            if connection.was_used():
                # It asked what needs no key, such as /livez: its time begins anew.
                connection.since_s = now_s
                self._newcomers[connection] = self._newcomers.pop(connection)
            else:
                HTTP_CONNECTIONS_CLOSED.labels("deadline").inc()
                self._close(connection)

    def _close(self, connection: Connection) -> None:
        self.leave(connection)
        connection.force_close()

    def _turn_away(self, reason: str) -> None:
        HTTP_CONNECTIONS_CLOSED.labels(reason).inc()
        self._turned_away[reason] += 1
        self._report()

    def _report(self) -> None:
        if self._turned_away and self._loop.time() - self._said_s >= LOG_EVERY_S:
            self._said_s = self._loop.time()
            log.warning(
                "connections_limit_met",
                connections_max=self.connections_max,
                per_address_max=self._per_address_max,
                without_a_request=len(self._newcomers),
                turned_away=dict(self._turned_away),
            )
            self._turned_away.clear()


def _full(connections_max: int) -> bytes:
    """Write the whole answer to a connection for which there is no place."""
    detail = (
        f"The server has all of its {connections_max:,} connections, or you have all that one address may have."
        " Close those that you do not use, and try again."
    )
    request_id = new_request_id()
    body = json_encode(msgspec.structs.replace(problem("overloaded", detail), request_id=request_id))
    head = (
        f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: {PROBLEM_TYPE}\r\n{REQUEST_ID}: {request_id}\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"Retry-After: {RETRY_AFTER_S}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


@lru_cache(maxsize=4096)
def _household(address: str) -> str:
    """Return what counts as one caller: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    mapped = found.ipv4_mapped
    return str(mapped or ipaddress.ip_network((int(found), _PREFIX_6), strict=False))
