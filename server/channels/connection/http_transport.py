"""Sends one channel's requests: one connection pool, guarded addresses, and an exact result of each request.

Nothing is ever sent twice from here, no redirect is followed, no cookie kept, no proxy taken from the environment.
Errors show the host and the reason alone: paths, queries and headers may hold credentials.
"""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Final, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from adapters.contract.errors import ChannelError, NotSentError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Exchange, Request
from server import __version__
from server.channels.connection.address_guard import canonical_host, canonical_hosts, public_socket
from server.channels.connection.dns import SystemDns

T = TypeVar("T")

TIMEOUT_S: Final = 15.0
"""For a request and its whole answer: room for a slow bulk answer, and far below the minute after which a request
without an answer counts as over."""
CONNECT_TIMEOUT_S: Final = 5.0
"""For the name, the connection and TLS; a host that takes longer counts as unreachable."""
ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
"""Decompressed. The longest proper answer seen, a page of a hundred products, has a sixteenth of that."""
HEADERS: Final = {"User-Agent": f"holdfast/{__version__}", "Accept-Encoding": "gzip, deflate"}
"""Unless the adapter sets its own."""


class _LostError(aiohttp.ClientError):
    """The connection ended during a request."""


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (aiohttp.ClientConnectorDNSError, "the name cannot be resolved"),
    (aiohttp.ClientSSLError, "TLS failed"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ConnectionTimeoutError, "no connection in time"),
    (TimeoutError, "no whole answer in time"),
    (_LostError, "the connection ended before an answer came"),
    (aiohttp.ClientPayloadError, "the answer broke off or cannot be decompressed"),
    (aiohttp.ClientResponseError, "the answer is not HTTP"),
    (aiohttp.InvalidURL, "the URL's host is written neither as a name nor as an address"),
)
"""The first that fits is taken; an error's own text may quote the URL."""


@dataclass
class _Progress:
    """How far a request came. ``sent``: some of it may have left this machine."""

    sent: bool = False


class Transport:
    """One channel's HTTP transport. ``allow_private`` names hosts that may be private and may do without TLS.

    ``timeout_s`` is for a request and its whole answer, ``answer_bytes_max`` for the answer's body, decompressed,
    unless the request itself says how long that may be.
    ``resolver`` is by default the system's. Belongs to the event loop that first sends.
    """

    def __init__(
        self,
        *,
        allow_private: Collection[str] = (),
        timeout_s: float = TIMEOUT_S,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._named = canonical_hosts(allow_private)
        self._timeout_s = timeout_s
        self._answer_bytes_max = answer_bytes_max
        self._resolver = resolver or SystemDns()
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._is_closed = False

    async def send(self, request: Request) -> Answer:
        """Send a request once and return the answer, whatever its status.

        Raises
        ------
        NotSentError
            Nothing left this machine: no such name, no connection, no TLS, or a URL or address that is not allowed.
        UnknownResultError
            Some of the request may have arrived, and no whole answer came.
        UnavailableError
            An answer came and is longer than allowed.

        """
        if self._is_closed:
            raise RuntimeError("the transport is closed")
        url, is_named = self._checked(request)
        progress = _Progress()
        try:
            async with self._session(is_named).request(
                request.method,
                url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                trace_request_ctx=progress,
            ) as response:
                body = await self._body(response, request.answer_bytes_max or self._answer_bytes_max)
                return Answer(response.status, _headers(response), body)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:  # uvloop has RuntimeError for a closed socket
            reason = f"{url.host}: {_reason(error)}"
            # Without its cause, which may quote the URL.
            raise (UnknownResultError(reason) if progress.sent else NotSentError(reason)) from None

    async def close(self) -> None:
        """Close all connections; requests in flight fail."""
        self._is_closed = True
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        await self._resolver.close()

    def _checked(self, request: Request) -> tuple[URL, bool]:
        try:
            url = URL(request.url)
            host = url.host
        except (ValueError, IndexError):  # yarl raises both for what it cannot parse
            raise NotSentError("the URL cannot be read") from None
        if url.scheme not in {"http", "https"} or not host:
            raise NotSentError("the URL is none of http or https with a host")
        if url.user is not None or url.password is not None:
            raise NotSentError(f"{host}: the URL holds a user or password; configure it as a credential")
        if any(character in text for pair in request.headers.items() for text in pair for character in "\r\n\0"):
            raise NotSentError(f"{host}: a header holds a line break; look at the end of the credentials")
        is_named = not self._named.isdisjoint({canonical_host(host), canonical_host(url.raw_host or "")})
        if url.scheme == "http" and not is_named:
            raise NotSentError(f"{host}: http is readable on its way; use https, or name it in allow_private")
        return url, is_named

    def _session(self, is_named: bool) -> aiohttp.ClientSession:
        """Return the pool for hosts that were named, or the one that connects to public addresses alone."""
        if is_named not in self._sessions:
            self._sessions[is_named] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # the engine counts what is in flight
                    resolver=self._resolver,
                    socket_factory=None if is_named else public_socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                headers=HEADERS,
                timeout=aiohttp.ClientTimeout(
                    total=self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s), ceil_threshold=60.0
                ),
                trace_configs=[_sent_marker()],
                middlewares=(_once,),
            )
        return self._sessions[is_named]

    async def _body(self, response: aiohttp.ClientResponse, bytes_max: int) -> bytes:
        """Read the body as far as it may go; aiohttp decompresses no further than what is read here."""
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > bytes_max:
                response.close()
                raise UnavailableError(f"HTTP {response.status} with a body of more than {bytes_max} bytes")
        return bytes(body)


async def converse(exchange: Exchange[T], send: Callable[[Request], Awaitable[Answer]]) -> T:
    """Run an adapter's exchange to its end and return its result.

    A :class:`ChannelError` of ``send`` is raised inside the exchange, which may handle it; what leaves the exchange is
    raised here.
    """
    try:
        request = next(exchange)
        while True:
            try:
                answer = await send(request)
            except ChannelError as error:
                request = exchange.throw(error)
            else:
                request = exchange.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result
    finally:
        exchange.close()


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending GET, PUT and DELETE again by itself when a kept connection ends during the request.

    It does so for these two errors; raised as another class they end the request.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _LostError from error


def _sent_marker() -> aiohttp.TraceConfig:
    """Note that a request is sent just before its first byte is written; what fails earlier has left nothing."""

    async def note_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
        context.trace_request_ctx.sent = True

    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(note_sent)
    return config


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    names = {name.lower() for name in response.headers}
    return {name: ", ".join(response.headers.getall(name)) for name in names}


def _reason(error: BaseException) -> str:
    """Return a failure in words that hold no part of the request."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"TLS failed: {error.certificate_error}"
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), type(error).__name__)
    if not isinstance(error, aiohttp.ClientConnectorError):
        return words
    return f"{words}: {error.os_error.strerror or error.os_error}"
