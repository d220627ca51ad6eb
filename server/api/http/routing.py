"""One request's way: who asks, what is in the body, the handler, the answer, the metrics. All in :func:`answering`.

There is no middleware: on the hot path each would be one more coroutine for every request.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.hdrs import AUTHORIZATION
from multidict import istr

from server.api.http.answer import REPLAYED, Answer
from server.api.http.app_state import AppState
from server.api.http.key_shares import Share, within_share
from server.api.http.local_only import stranger, why_not_local
from server.api.http.tracing import Noting, traced
from server.api.http.wire import (
    BodyDecoder,
    Make,
    SentT,
    answer_as,
    check_utf_8,
    header_once,
    parse_query,
    problem_as,
    read_body,
    respond_problem,
    response_of,
)
from server.domain import limits
from server.domain.principal import LOCAL, Principal, Scope
from server.schemas.problems import Problem
from server.service.caller import Caller
from server.service.checks import STORED_NAMES, check_idempotency_key, enter
from server.service.problems import OPERATING_ERRORS, ProblemError, of_error, problem
from server.telemetry.request_tally import TALLY

BAD_BODY: Final = ("invalid", "too_large", "unsupported_media_type", "request_timeout")
"""What every route that takes a body can refuse."""

IDEMPOTENCY_KEY: Final = istr("Idempotency-Key")
_NAMED: Final = re.compile(r"{(\w+)}")
_ANY_NAME: Final = r"{\1:[^/]+}"
"""aiohttp by itself finds no path whose names hold a brace; a slash in a name comes percent-encoded."""

log = structlog.get_logger("holdfast.http")


class Call(msgspec.Struct):
    """One request as its handler sees it.

    ``reservation_id``: set by a handler once it is known, so that an operating error can name what to ask again for.
    """

    state: AppState
    request: web.Request
    caller: Caller
    body: Any
    reservation_id: str = ""

    def named(self, name: str) -> str:
        """Return a name that the path holds, unchecked.

        Raises
        ------
        InvalidError
            It is not UTF-8.

        """
        value = self.request.match_info[name]
        if "%" in value or not value.isascii():
            check_utf_8(name, self.request.rel_url.raw_path)
        return value

    def query(self, query_type: Any) -> Any:
        """Check the query string against its type."""
        return parse_query(self.request, query_type)


Handler = Callable[[Call], Awaitable[object]]
"""Returns an :class:`Answer`, a bare view, a :class:`Problem`, or (streams, 304) a response."""


Handle = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""As aiohttp calls it."""


@dataclass(frozen=True)
class Route:
    """One route: how it is reached, and what the documentation says of it.

    ``answers`` maps a status to the type of its body, the status of success first; ``outcomes`` are the refusals that
    the route can answer with beside those that every route can, and every one with a body. ``query`` is the type of the
    query string. ``operation``: the name by which its outcomes are counted; empty: they are not, or for each item.
    ``share``: of which kind of requests a key has only some running at once.
    ``decoder`` is made of ``body`` once, and reads each body. ``express``: it takes the express lane.
    """

    method: str
    path: str
    handler: Handler
    scope: Scope
    summary: str
    answers: dict[int, Any]
    body: Any = None
    query: Any = None
    body_bytes_max: int = limits.BODY_BYTES_MAX
    outcomes: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    operation: str = ""
    share: Share | None = None
    streams: bool = False
    decoder: Callable[[Any], BodyDecoder] = BodyDecoder
    express: bool = False

    @property
    def refusals(self) -> tuple[str, ...]:
        """Name what it can refuse, but what every route can."""
        return self.outcomes if self.body is None else (*BAD_BODY, *self.outcomes)


def endpoint(state: AppState, route: Route) -> Handle:
    """Make the aiohttp handler of a route."""
    return answering(state, route, response_of)


def answering(
    state: AppState, route: Route, make: Make[SentT]
) -> Callable[[web.Request], Awaitable[SentT | web.StreamResponse]]:
    """Make what answers the requests of a route. Here alone errors become problems and outcomes are counted."""
    loop_time = asyncio.get_running_loop().time
    decoder = route.decoder(route.body) if route.body is not None else None
    handler = within_share(route.handler, state, route.share)
    scope, name, operation = route.scope, (route.method, route.path), route.operation
    success, takes_key = next(iter(route.answers)), IDEMPOTENCY_KEY in route.headers

    async def handle(request: web.Request) -> SentT | web.StreamResponse:
        started_s = loop_time()
        call: Call | None = None
        response: SentT | web.StreamResponse
        try:
            principal = admit(state, request, scope)
            body, key = None, ""
            if decoder is not None:
                raw = await read_body(request, route.body_bytes_max, state.body_timeout_s)
                body = decoder.decode(request, raw)
            if takes_key:
                key = check_idempotency_key(header_once(request, IDEMPOTENCY_KEY))
            call = Call(state, request, Caller(principal, state.partition(principal.partition), key), body)
            answer = await handler(call)
            if type(answer) is Answer:
                outcome = answer.outcome
                headers = REPLAYED if outcome == "replayed" else answer.headers
                response = answer_as(make, request, answer.view, answer.status or success, headers)
            else:
                response, outcome = _without_outcome(make, request, answer, success)
        except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback reaches a caller
            response, outcome = _problem_of(make, error, route.path, call)
        if operation and outcome:
            TALLY.outcome(operation, outcome)
        if state.stopping:
            response.force_close()
        elapsed_s = loop_time() - started_s
        status = response.status
        if not route.streams:
            TALLY.request(name, status, elapsed_s)
            if 0 < state.slow_request_s < elapsed_s:
                log.warning("slow_request", route=route.path, status=status, seconds=round(elapsed_s, 3))
        return response

    return handle


def admit(state: AppState, request: web.Request, scope: Scope) -> Principal:
    """Return who asks, if they may.

    Raises
    ------
    ProblemError
        They have no key, come from elsewhere to a server without keys, or lack the scope.
    InvalidError
        They sent several keys.

    """
    principal = state.authenticator.authenticate(header_once(request, AUTHORIZATION))
    if principal is None:
        raise ProblemError(problem("unauthorized"))
    if principal is LOCAL and (reason := why_not_local(request.headers)):
        raise ProblemError(stranger(reason))
    if not principal.allows(scope):
        raise ProblemError(problem("forbidden", f"This route needs a key with the scope {scope}."))
    if STORED_NAMES:
        enter(principal.partition)
    connection: Any = request.protocol  # as note_admitted does, without one more call for every request
    if not connection.admitted:
        connection.admit()
    return principal


def note_admitted(request: web.Request) -> None:
    """Note that a request was let in: its connection is no newcomer any more."""
    connection: Any = request.protocol
    if not connection.admitted:
        connection.admit()


def _without_outcome(
    make: Make[SentT], request: web.Request, answer: object, success: int
) -> tuple[SentT | web.StreamResponse, str]:
    """Send what is not an :class:`Answer`; a problem alone has an outcome to count."""
    if isinstance(answer, Problem):
        return problem_as(make, answer), answer.outcome
    if isinstance(answer, web.StreamResponse):
        return answer, ""
    return answer_as(make, request, answer, success), ""


def answer_error(error: Exception, path: str) -> web.Response:
    """Send the problem of an error that no operation was part of."""
    return _problem_of(response_of, error, path, None)[0]


def _problem_of(make: Make[SentT], error: Exception, path: str, call: Call | None) -> tuple[SentT, str]:
    """Send the problem of an error; the outcome to count is there for operating errors only."""
    sent = of_error(error, "" if call is None else call.reservation_id)
    if sent is None:
        log.error("request_failed", route=path, exc_info=error)
        sent = problem("internal_error")
    headers = error.headers if isinstance(error, ProblemError) else None
    return problem_as(make, sent, headers), sent.outcome if isinstance(error, OPERATING_ERRORS) else ""


def add_routes(app: web.Application, state: AppState, routes: list[Route]) -> None:
    """Register routes, and what answers where no route matches."""
    for route in routes:
        handle = endpoint(state, route)
        if state.tracing is not None and not route.streams:
            noting = Noting(state.authenticator, state.client)
            handle = traced(handle, route.method, route.path, state.tracing, noting)
        app.router.add_route(route.method, _NAMED.sub(_ANY_NAME, route.path), handle, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """Answer 100 Continue to a caller that waits for it. Any other expectation is ignored, as RFC 9110 allows."""
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What counts as sent is the answer, not this.
        request.writer.output_size = 0


def leaving(state: AppState, handler: Handle) -> Handle:
    """Have the answers of a handler close their connection while the server stops, as :func:`endpoint` does."""

    async def handle(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        if state.stopping:
            response.force_close()
        return response

    return handle


def add_fallback(app: web.Application, state: AppState | None = None) -> None:
    """Answer what no route takes: 404, or 405 with the methods that the path does take. Comes last."""

    async def fallback(request: web.Request) -> web.Response:
        allowed: set[str] = set()
        for resource in app.router.resources():
            if resource is not fallback_resource:
                allowed |= (await resource.resolve(request))[1]
        if allowed:
            sent = problem("method_not_allowed", f"This path takes {', '.join(sorted(allowed))}.")
            return respond_problem(sent, {"Allow": ", ".join(sorted(allowed))})
        return respond_problem(problem("not_found"))

    fallback_resource = app.router.add_resource("/{path:.*}")
    fallback_resource.add_route("*", fallback if state is None else leaving(state, fallback), expect_handler=_expect)
