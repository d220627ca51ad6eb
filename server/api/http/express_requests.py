"""Which requests take the express lane, as :func:`answering` sees them, and the bytes of their answers.

A route says itself that it takes the lane. It is answered by the same function as on the ordinary way, so the checks,
the operations, the counts and the log are the same. What differs is aiohttp's part: no router, no ``Request``, no
``Response``.
"""

import re
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple, cast

import msgspec
from aiohttp.hdrs import EXPECT, IF_NONE_MATCH, ORIGIN
from aiohttp.http import HttpVersion11, RawRequestMessage
from aiohttp.streams import StreamReader
from multidict import CIMultiDictProxy, MultiMapping
from yarl import URL

from server.api.http.app_state import AppState
from server.api.http.routing import Route, answering
from server.api.http.wire import SERVER_NAME, Make

_FIRST_LINES: Final = {each.value: f"HTTP/1.1 {each.value} {each.phrase}" for each in HTTPStatus}
_NAMED: Final = re.compile(r"{\w+}")
_ALLOWS_AGE: Final = "max_age_ms="
"""In the query string of what can be answered from memory."""
_LINE: Final = ": ".join
_TARGETS_KEPT: Final = 4_096
_TARGET_KEPT_MAX: Final = 128
"""Characters of a path whose route is kept; most name a SKU that is asked for again and again."""
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
        lines = "\r\n".join((_FIRST_LINES[self.status], *map(_LINE, self.headers.items())))
        end = "Connection: close\r\n\r\n" if self.closes else "\r\n"
        return (
            f"{lines}\r\nServer: {SERVER_NAME}\r\nContent-Length: {len(self.body)}\r\nDate: {_date.now()}\r\n{end}"
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
AnsweringCopied = Callable[[Any], ExpressAnswer | None]
MakesCopied = Callable[[AppState, Route, Make[ExpressAnswer]], AnsweringCopied | None]


class _Way(NamedTuple):
    """How a route is answered; ``copied``: from memory, if it can be. ``name``: of the part that its path names."""

    answers: Answering
    copied: AnsweringCopied | None
    name: str = ""


class Lane:
    """The routes that take the lane.

    Parameters
    ----------
    state
        What their handlers share.
    routes
        All routes: those that do not take the lane may stand where a name could.
    copied
        Makes what answers requests of a route from memory, or None.

    """

    def __init__(self, state: AppState, routes: list[Route], copied: MakesCopied) -> None:
        self._state = state
        self._copied = copied
        self._cors = state.cors is not None
        make = state.cors.express(ExpressAnswer) if state.cors is not None else ExpressAnswer
        self._plain: dict[tuple[str, str], _Way | None] = {}
        self._named: dict[str, _Way] = {}
        patterns: dict[str, list[str]] = {}
        for number, route in enumerate(routes):
            name = _NAMED.search(route.path)
            way = self._way(route, make, name[0][1:-1] if name else "") if route.express else None
            if name is None:
                self._plain[route.method, route.path] = way
            elif way is not None:
                group = f"r{number}"
                self._named[group] = way
                before, after = route.path[: name.start()], route.path[name.end() :]
                pattern = f"{re.escape(before)}(?P<{group}>[^/]+){re.escape(after)}"
                patterns.setdefault(route.method, []).append(pattern)
        self._find_kept = lru_cache(maxsize=_TARGETS_KEPT)(self._find)
        self._patterns = {method: re.compile("|".join(each)) for method, each in patterns.items()}

    def take(
        self, message: RawRequestMessage, content: StreamReader, connection: object
    ) -> ExpressAnswer | Awaitable[Any] | None:
        """Return the answer to a whole request, or what to await for it; None: it takes the ordinary way."""
        if message.should_close or message.upgrade or message.chunked or message.version != HttpVersion11:
            return None
        headers = message.headers
        if EXPECT in headers or IF_NONE_MATCH in headers or self._state.stopping or (self._cors and ORIGIN in headers):
            return None
        path, _, query = message.path.partition("?")
        if "%" in path or "#" in message.path:
            path = message.url.path_safe  # what aiohttp's router looks at; without these it is the same
        found = (self._find_kept if len(path) <= _TARGET_KEPT_MAX else self._find)(message.method, path)
        if found is None or not message.path.isascii():
            return None
        way, names = found
        request = ExpressRequest(headers, content, connection, message.url, names)
        if way.copied is not None and _ALLOWS_AGE in query and (answer := way.copied(request)) is not None:
            return answer
        return way.answers(request)

    def _find(self, method: str, path: str) -> tuple[_Way, Mapping[str, str]] | None:
        """Find the route of a path, and the name that the path holds."""
        if (method, path) in self._plain:
            plain = self._plain[method, path]
            return None if plain is None else (plain, _NO_NAMES)
        pattern = self._patterns.get(method)
        if pattern is None:
            return None
        found = pattern.fullmatch(path)
        if found is None or found.lastgroup is None:
            return None
        way = self._named[found.lastgroup]
        # A slash and a percent sign are what ``path_safe`` leaves encoded.
        return way, {way.name: found[found.lastgroup].replace("%2F", "/").replace("%25", "%")}

    def _way(self, route: Route, make: Make[ExpressAnswer], name: str) -> _Way:
        answers = cast("Answering", answering(self._state, route, make))
        return _Way(answers, self._copied(self._state, route, make), name)
