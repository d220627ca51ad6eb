"""What web pages of other servers may do: call the API from a browser, if their origin is configured.

No answer ever allows credentials that a browser adds by itself, such as cookies: a page has to send a key or a token.
Each answer says that it depends on the origin, so that no cache hands one page's to another.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from aiohttp import web
from aiohttp.hdrs import (
    ACCESS_CONTROL_ALLOW_HEADERS,
    ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_METHOD,
    METH_OPTIONS,
    ORIGIN,
    VARY,
)
from multidict import CIMultiDictProxy

from server.schemas.problems import Problem
from server.service.problems import problem

ANY: Final = "*"
METHODS: Final = "GET, HEAD, POST, PUT, PATCH, DELETE"
SENT: Final = "Authorization, Content-Type, Idempotency-Key, If-None-Match, Last-Event-ID, X-Request-Id, traceparent"
"""Headers that a page may send, beside those that need no leave."""
READ: Final = (
    "ETag, Idempotent-Replayed, Retry-After, Allow, WWW-Authenticate, X-Request-Id, Content-Disposition,"
    " RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
)
"""Headers that a page may read, beside those that need no leave."""
MAX_AGE_S: Final = 600
"""How long a browser need not ask again whether it may."""
_UNKNOWN: Final = "Pages of this origin may not call this server. Add the origin to `HOLDFAST_CORS_ORIGINS`."
_NO_CONTENT: Final = 204

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MadeT = TypeVar("MadeT")
Make = Callable[[int, bytes, dict[str, str]], MadeT]
"""As ``wire`` has it, which rests on what knows this module."""


class Cors:
    """Answers browsers on behalf of pages.

    Parameters
    ----------
    origins
        The origins of pages that may call, such as ``https://shop.example``; ``*`` among them: those of all.
    refuse
        Makes the answer of a problem.

    """

    def __init__(self, origins: frozenset[str], refuse: Callable[[web.Request, Problem], web.Response]) -> None:
        self._origins = origins
        self._refuse = refuse
        self._any = ANY in origins
        everybody: dict[str, str] = {ACCESS_CONTROL_ALLOW_ORIGIN: ANY, ACCESS_CONTROL_EXPOSE_HEADERS: READ}
        self._always: dict[str, str] = everybody if self._any else {VARY: ORIGIN}

    def add_to(self, app: web.Application) -> None:
        """Have an application answer preflights, and say with all answers who may read them."""
        app.middlewares.append(self._preflights())
        app.on_response_prepare.append(self._prepare)

    def express(self, make: Make[MadeT]) -> Make[MadeT]:
        """Have answers of the express lane say the same; requests of pages do not take it."""

        def made(status: int, body: bytes, headers: dict[str, str]) -> MadeT:
            return make(status, body, headers | self._always)

        return made

    def _granted(self, headers: CIMultiDictProxy[str]) -> str:
        """Return the origin to allow, as it was sent; empty: none."""
        if self._any:
            return ANY
        origin = headers.get(ORIGIN, "")
        return origin if origin in self._origins and len(headers.getall(ORIGIN)) == 1 else ""

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers.update(self._always)
        origin = self._granted(request.headers)
        if origin:
            headers[ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            headers[ACCESS_CONTROL_EXPOSE_HEADERS] = READ

    def _preflights(self) -> Any:
        @web.middleware
        async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
            headers = request.headers
            if request.method != METH_OPTIONS or ORIGIN not in headers or ACCESS_CONTROL_REQUEST_METHOD not in headers:
                return await handler(request)
            if not self._granted(headers):
                return self._refuse(request, problem("forbidden", _UNKNOWN))
            allowed = {
                ACCESS_CONTROL_ALLOW_METHODS: METHODS,
                ACCESS_CONTROL_ALLOW_HEADERS: SENT,
                ACCESS_CONTROL_MAX_AGE: str(MAX_AGE_S),
            }
            return web.Response(status=_NO_CONTENT, headers=allowed)

        return answer
