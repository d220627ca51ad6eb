"""Two thin transports over httpx: each carries out what the decisions say, and reports what came back."""

import asyncio
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from holdfast._version import __version__
from holdfast.calls import JSON, Call
from holdfast.connections import Connections
from holdfast.decisions import Plan, Policy, Send, steps
from holdfast.verdicts import Answer, Lost, Reply

T = TypeVar("T")

ANSWER_BYTES_MAX: Final = 64 << 20
"""What is longer is no answer of Holdfast's."""
_AGENT: Final = f"holdfast-python/{__version__}"
_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,  # it did not let us through to the server
    httpx.UnsupportedProtocol,
)


@dataclass(frozen=True)
class Try:
    """One try of a call, for logs and figures. ``status`` is 0 where no whole answer came, and ``why`` says why.

    ``seconds``: until the answer was whole or lost; of a stream, until it was open, or until it broke off.
    """

    call: Call[Any]
    status: int
    why: str
    seconds: float
    request_id: str
    replayed: bool


Observe = Callable[[Try], None]


def address(url: str) -> str:
    """Check where the server is, and return it without what stands around it in a file, and without a slash at its end.

    Raises
    ------
    ValueError
        It is no address of a server.

    """
    url = url.strip()
    if "@" in url:  # it is not shown, since there is a password in it
        raise ValueError("the url of a server has no user and no password: the key is given beside it")
    if not _is_address(url):
        raise ValueError(f"the url of a server is http:// or https://, a host and perhaps a path, not {url!r}")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts, _ = urlsplit(url), httpx.URL(url)
        parts.port  # noqa: B018  # it is read when it is asked for
    except (ValueError, httpx.InvalidURL):
        return False
    if " " in url:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)


def checked_key(key: str) -> str:
    """Return a key without what stands around it in a file.

    Raises
    ------
    ValueError
        No header can have it, so nobody has it.

    """
    key = key.strip()
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError("the key of a client is hf_… as it was shown when it was made, in ASCII and without spaces")
    return key


def headers_of(call: Call[Any], key: str) -> dict[str, str]:
    """Return the headers of a request."""
    headers = {"Accept": JSON, "Accept-Encoding": "identity", "User-Agent": _AGENT, **(call.headers or {})}
    if call.body is not None:
        headers["Content-Type"] = call.content_type
    return headers | ({"Authorization": f"Bearer {key}"} if key else {})


class _Transport:
    """What both transports have: where, with which key, how long, and who is told of each try."""

    def __init__(self, url: str, key: str, policy: Policy, observe: Observe | None) -> None:
        self.url = address(url)
        self.key = checked_key(key)
        self.policy = policy
        self.observe = observe

    def with_policy(self, **options: Any) -> Self:
        """Return a transport with other fields of its policy, and the same connections."""
        other = copy(self)
        other.policy = replace(self.policy, **options)
        return other

    def request(self, call: Call[Any]) -> dict[str, Any]:
        """Return what httpx takes."""
        return {
            "method": call.method,
            "url": self.url + call.path,
            "content": call.body,
            "headers": headers_of(call, self.key),
        }

    def note(self, call: Call[Any], reply: Reply, began_s: float) -> Reply:
        """Tell who observes, and pass the reply on."""
        if self.observe is not None:
            headers: Mapping[str, str] = reply.headers if isinstance(reply, Answer) else {}
            status, why = (reply.status, "") if isinstance(reply, Answer) else (0, reply.why)
            seconds = time.monotonic() - began_s
            replayed = headers.get("idempotent-replayed") == "true"
            self.observe(Try(call, status, why, seconds, headers.get("x-request-id", ""), replayed))
        return reply


def why_of(error: Exception) -> str:
    """Say what was wrong with a connection."""
    return f"{type(error).__name__} {error}".strip()


def _lost(error: Exception) -> Lost:
    return Lost(why_of(error), sent=not isinstance(error, _NOT_SENT))


def lowered(headers: httpx.Headers) -> dict[str, str]:
    """Return headers with their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def _timeout(step: Send) -> httpx.Timeout:
    """Give up connecting earlier than the try: that nothing was sent is then known."""
    return httpx.Timeout(step.within_s, connect=step.within_s / 2, pool=step.within_s / 2)


def too_late(within_s: float) -> Lost:
    """Return what came of an exchange that took too long."""
    return Lost(f"no whole answer within {within_s:.1f} s", sent=True)


class Pieces:
    """An answer as it comes."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.is_too_long = False

    def take(self, piece: bytes) -> None:
        """Add a piece."""
        self.body += piece
        self.is_too_long = len(self.body) > ANSWER_BYTES_MAX

    def whole(self, response: httpx.Response) -> Reply:
        """Return the answer, if it is one."""
        if self.is_too_long:
            return Lost(f"an answer of more than {ANSWER_BYTES_MAX >> 20} MiB", sent=True)
        return Answer(response.status_code, lowered(response.headers), bytes(self.body))


class SyncTransport(_Transport):
    """Carries calls out in the caller's thread."""

    def __init__(
        self, url: str, key: str, policy: Policy, observe: Observe | None, connections: Connections[httpx.Client]
    ) -> None:
        super().__init__(url, key, policy, observe)
        self.connections = connections

    def run(self, asked: Call[T] | Plan[T]) -> T:
        """Carry a call out, with its tries."""
        plan = steps(asked, self.policy, time.monotonic)
        reply: Reply | None = None
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Send):
                reply = self._exchange(step)
            else:
                time.sleep(step.seconds)
                reply = None

    def _exchange(self, step: Send) -> Reply:
        began_s = time.monotonic()
        try:
            reply: Reply = self._read(step, began_s + step.within_s)
        except httpx.RequestError as error:
            reply = _lost(error)
        return self.note(step.call, reply, began_s)

    def _read(self, step: Send, ends_at: float) -> Reply:
        """Read a whole answer. Each wait for a piece is limited, and between pieces the clock is looked at."""
        pieces = Pieces()
        http = self.connections.http()
        with http.stream(**self.request(step.call), timeout=_timeout(step), follow_redirects=False) as response:
            for piece in response.iter_bytes():
                pieces.take(piece)
                if time.monotonic() > ends_at:
                    return too_late(step.within_s)
                if pieces.is_too_long:
                    break
            return pieces.whole(response)


class AsyncTransport(_Transport):
    """Carries calls out in asyncio."""

    def __init__(
        self, url: str, key: str, policy: Policy, observe: Observe | None, connections: Connections[httpx.AsyncClient]
    ) -> None:
        super().__init__(url, key, policy, observe)
        self.connections = connections

    async def run(self, asked: Call[T] | Plan[T]) -> T:
        """Carry a call out, with its tries."""
        plan = steps(asked, self.policy, time.monotonic)
        reply: Reply | None = None
        while True:
            try:
                step = plan.send(reply)
            except StopIteration as done:
                result: T = done.value
                return result
            if isinstance(step, Send):
                reply = await self._exchange(step)
            else:
                await asyncio.sleep(step.seconds)
                reply = None

    async def _exchange(self, step: Send) -> Reply:
        began_s = time.monotonic()
        try:
            async with asyncio.timeout(step.within_s):
                reply: Reply = await self._read(step)
        except TimeoutError:
            reply = too_late(step.within_s)
        except httpx.RequestError as error:
            reply = _lost(error)
        return self.note(step.call, reply, began_s)

    async def _read(self, step: Send) -> Reply:
        pieces = Pieces()
        http = self.connections.http()
        request = self.request(step.call)
        async with http.stream(**request, timeout=_timeout(step), follow_redirects=False) as response:
            async for piece in response.aiter_bytes():
                pieces.take(piece)
                if pieces.is_too_long:
                    break
            return pieces.whole(response)
