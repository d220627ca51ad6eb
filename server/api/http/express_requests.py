"""Which requests take the express lane, as :func:`answering` sees them, and the bytes of their answers.

A route says itself that it takes the lane. It is answered by the same function as on the ordinary way, so the checks,
the operations, the counts and the log are the same. What differs is aiohttp's part: no router, no ``Request``, no
``Response``.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, Final, cast

import msgspec
from aiohttp.hdrs import EXPECT, IF_NONE_MATCH
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy, MultiMapping
from yarl import URL

from server.api.http.app_state import AppState
from server.api.http.routing import Route, answering
from server.api.http.wire import SERVER_NAME

_PHRASES: Final = {each.value: each.phrase for each in HTTPStatus}
_NAMED: Final = re.compile(r"{\w+}")
_NO_NAMES: Final[Mapping[str, str]] = {}


class ExpressRequest(msgspec.Struct):
    """As much of aiohttp's ``Request`` as a route of the lane asks for."""

    headers: CIMultiDictProxy[str]
    content: StreamReader
    protocol: object
    rel_url: URL
    match_info: Mapping[str, str]

    @property
    def query_string(self) -> str:
        """As aiohttp has it."""
        return self.rel_url.query_string

    @property
    def query(self) -> MultiMapping[str]:
        """As aiohttp has it."""
        return self.rel_url.query


class ExpressAnswer(msgspec.Struct):
    """An answer of the lane. ``closes``: its connection ends with it."""

    status: int
    body: bytes
    headers: dict[str, str]
    closes: bool = False

    def force_close(self) -> None:
        """Have it close its connection."""
        self.closes = True

    def head(self) -> bytes:
        """Write what stands before the body: the headers that aiohttp would write, in its order."""
        lines = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        end = "Connection: close\r\n\r\n" if self.closes else "\r\n"
        return (
            f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\n{lines}Server: {SERVER_NAME}\r\n"
            f"Content-Length: {len(self.body)}\r\nDate: {_date.now()}\r\n{end}"
        ).encode()


class _Date:
    """The header ``Date``, written once a second."""

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def now(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second, self._text = second, formatdate(second, usegmt=True)
        return self._text


_date: Final = _Date()

Answering = Callable[[Any], Awaitable[ExpressAnswer]]


class Lane:
    """The routes that take the lane.

    Parameters
    ----------
    state
        What their handlers share.
    routes
        All routes: those that do not take the lane may stand where a name could.

    """

    def __init__(self, state: AppState, routes: list[Route]) -> None:
        self._state = state
        self._plain: dict[tuple[str, str], Answering | None] = {}
        self._named: dict[str, tuple[str, Answering]] = {}
        patterns: dict[str, list[str]] = {}
        for number, route in enumerate(routes):
            answers = cast("Answering", answering(state, route, ExpressAnswer)) if route.express else None
            name = _NAMED.search(route.path)
            if name is None:
                self._plain[route.method, route.path] = answers
            elif answers is not None:
                group = f"r{number}"
                self._named[group] = (name[0][1:-1], answers)
                before, after = route.path[: name.start()], route.path[name.end() :]
                pattern = f"{re.escape(before)}(?P<{group}>[^/]+){re.escape(after)}"
                patterns.setdefault(route.method, []).append(pattern)
        self._patterns = {method: re.compile("|".join(each)) for method, each in patterns.items()}

    def take(self, message: RawRequestMessage, content: StreamReader, connection: object) -> Awaitable[Any] | None:
        """Return the answer to a whole request, to be awaited; None: it takes the ordinary way."""
        if message.should_close or message.upgrade or message.chunked or message.version != HttpVersion11:
            return None
        headers = message.headers
        if EXPECT in headers or IF_NONE_MATCH in headers or self._state.stopping:
            return None
        path = message.path
        if "%" in path or "?" in path or "#" in path:
            path = message.url.path_safe  # what aiohttp's router looks at; without these it is the same
        answers, names = self._plain.get((message.method, path)), _NO_NAMES
        if answers is None:
            found = self._find(message.method, path) if message.path.isascii() else None
            if found is None:
                return None
            answers, names = found
        return answers(ExpressRequest(headers, content, connection, message.url, names))

    def _find(self, method: str, path: str) -> tuple[Answering, Mapping[str, str]] | None:
        """Find the route of a path with a name in it."""
        pattern = self._patterns.get(method)
        if pattern is None or (method, path) in self._plain:
            return None
        found = pattern.fullmatch(path)
        if found is None or found.lastgroup is None:
            return None
        name, answers = self._named[found.lastgroup]
        # A slash and a percent sign are what ``path_safe`` leaves encoded.
        return answers, {name: found[found.lastgroup].replace("%2F", "/").replace("%25", "%")}
