"""One request's way: who asks, what is in the body, the handler, the answer, the metrics. All in :func:`answering`.

There is no middleware: on the hot path each would be one more coroutine for every request.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec
import structlog
from aiohttp import web
from aiohttp.hdrs import METH_GET, METH_HEAD, METH_OPTIONS
from multidict import istr

from server.api.http.access_lines import Asked, RequestNotes
from server.api.http.admission import admit_browser, admit_key
from server.api.http.answer import REPLAYED, Answer
from server.api.http.app_state import AppState
from server.api.http.headers import header_once
from server.api.http.key_shares import Share, within_share
from server.api.http.nearest_path import Paths
from server.api.http.request_ids import REQUEST_ID, request_id_of
from server.api.http.sessions import admit_session
from server.api.http.tracing import Noting, traced
from server.api.http.wire import (
    PROBLEM,
    BodyDecoder,
    Make,
    Sendable,
    SentT,
    answer_as,
    check_utf_8,
    options_answer,
    parse_query,
    problem_as,
    read_body,
    respond_problem,
    response_of,
)
from server.domain import limits
from server.domain.principal import Needs, Principal, Scope
from server.schemas.problems import Problem
from server.service.caller import Caller, key_of
from server.service.checks import InvalidError, check_idempotency_key
from server.service.problems import OPERATING_ERRORS, ProblemError, of_error, problem
from server.service.text_faults import with_others
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
    request_id: str = ""

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
    ``takes_file``: its body is a file, which the handler reads. ``answers_file``: media type of a file that it
    sends.
    ``decoder`` is made of ``body`` once, and reads each body. ``express``: it takes the express lane.
    ``copied``: answers a query that allows an age from memory, without waiting; None from it: ``handler`` has to.
    ``browser``: a browser's token opens it, too; what it reads is then within the token's reach, see ``service.reach``.
    So does a key with the scope ``availability``.
    ``own``: a key with the scope ``reserve:own`` opens it, too; it works on reservations through the caller's ledger
    alone, which shows such a key those that it has made.
    ``bound``: a key that is bound to a channel opens it, too: its handler keeps to that channel. Those of ``browser``
    and ``own`` do so anyway.
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
    copied: Callable[[Call], Answer[Any] | None] | None = None
    browser: bool = False
    own: bool = False
    bound: bool = False
    takes_file: bool = False
    answers_file: str = ""

    @property
    def needs(self) -> Needs:
        """Who opens it: by its scope, or by a narrower one."""
        also = Scope.AVAILABILITY if self.browser else Scope.RESERVE_OWN if self.own else None
        return Needs(self.scope, also, bound=self.bound or also is not None)

    @property
    def scopes(self) -> tuple[Scope, ...]:
        """Each of them opens it."""
        return self.needs.scopes

    @property
    def has_items(self) -> bool:
        """Whether an answer has a result for each item of the body, of which some may be refused."""
        return any("results" in getattr(view, "__struct_fields__", ()) for view in self.answers.values())

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
    needs, name, operation, streams = route.needs, (route.method, route.path), route.operation, route.streams
    # How long a stream is open is up to its caller.
    slow_s = 0.0 if streams else state.slow_request_s
    notes = RequestNotes(state.access_log, *name, slow_s=slow_s, has_items=route.has_items)
    success, takes_key = next(iter(route.answers)), IDEMPOTENCY_KEY in route.headers
    let_in = admit_browser if route.browser else admit_key

    async def handle(request: web.Request) -> SentT | web.StreamResponse:
        started_s = loop_time()
        request_id = request_id_of(request.headers)
        principal: Principal | None = None
        call: Call | None = None
        answer: object
        sent: object = None
        response: SentT | web.StreamResponse
        try:
            principal = let_in(state, request, needs) or await admit_session(state, request, name[0], needs)
            if principal.limits is not None and principal.limits.requests_per_s:
                await state.rates.admit(principal)
            body = None
            if decoder is not None:
                raw = await read_body(request, route.body_bytes_max, state.body_timeout_s)
                body = decoder.decode(request, raw)
            key = _idempotency_key(request, principal) if takes_key and IDEMPOTENCY_KEY in request.headers else ""
            partition = state.partition(principal.partition)
            call = Call(state, request, Caller(principal, partition, key), body, "", request_id)
            answer = await handler(call)
            if type(answer) is Answer:
                outcome = answer.outcome
                more = REPLAYED if outcome == "replayed" else answer.headers
                response = answer_as(make, request, answer.view, answer.status or success, request_id, more=more)
            else:
                response, outcome = _without_outcome(make, request, request_id, answer, success)
                notes.note_items(request_id, principal, answer)
        except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback reaches a caller
            answer, sent = _problem_of(error, route.path, call, request_id), getattr(error, "sent", None)
            response, outcome = _problem_and_outcome(make, error, answer, request_id)
        if operation and outcome:
            TALLY.outcome(operation, outcome)
        if state.stopping or (
            principal is not None and principal.limits is not None and principal.limits.requests_per_s
        ):
            _finish(state, response, principal)
        elapsed_s = loop_time() - started_s
        status = response.status
        if not streams:
            TALLY.request(name, status, elapsed_s)
        if notes.wants(status, elapsed_s):
            body = call and call.body
            notes.note(Asked(request_id, principal, answer, (call, body, sent)), status, elapsed_s)
        return response

    return handle


def _finish(state: AppState, response: Sendable, principal: Principal | None) -> None:
    """Have an answer say what is left of its key's rate, and close its connection while the server stops."""
    if principal is not None and principal.limits is not None and principal.limits.requests_per_s:
        response.headers.update(state.rates.headers(principal))
    if state.stopping:
        response.force_close()


def _idempotency_key(request: web.Request, principal: Principal) -> str:
    """Return the key of a request as it is kept; empty: it has none."""
    key = check_idempotency_key(header_once(request, IDEMPOTENCY_KEY))
    return key_of(principal, key) if key and principal.limits is not None else key


def _without_outcome(
    make: Make[SentT], request: web.Request, request_id: str, answer: object, success: int
) -> tuple[SentT | web.StreamResponse, str]:
    """Send what is not an :class:`Answer`; a problem alone has an outcome to count."""
    if isinstance(answer, Problem):
        return problem_as(make, answer, request_id), answer.outcome
    if isinstance(answer, web.StreamResponse):
        answer.headers[REQUEST_ID] = request_id
        return answer, ""
    return answer_as(make, request, answer, success, request_id), ""


def answer_error(error: Exception, path: str, request: web.Request) -> web.Response:
    """Send the problem of an error that no operation was part of."""
    request_id = request_id_of(request.headers)
    return _problem_and_outcome(response_of, error, _problem_of(error, path, None, request_id), request_id)[0]


def _problem_and_outcome(make: Make[SentT], error: Exception, sent: Problem, request_id: str) -> tuple[SentT, str]:
    """Send the problem of an error; the outcome to count is there for operating errors only."""
    headers = error.headers if isinstance(error, ProblemError) else None
    return problem_as(make, sent, request_id, headers), sent.outcome if isinstance(error, OPERATING_ERRORS) else ""


def _problem_of(error: Exception, path: str, call: Call | None, request_id: str) -> Problem:
    """Make the problem of an error. Where a text of the body is wrong, its other texts are looked at, too."""
    if call is not None and isinstance(error, InvalidError):
        error = with_others(error, call.body)
    sent = of_error(error, "" if call is None else call.reservation_id)
    if sent is None:
        log.error("request_failed", route=path, request_id=request_id, exc_info=error)
        sent = problem("internal_error")
    return sent


def add_routes(app: web.Application, state: AppState, routes: list[Route]) -> None:
    """Register routes, and what answers where no route matches."""
    for route in routes:
        for each in (route, _head_of(route)) if route.method == METH_GET else (route,):
            handle = endpoint(state, each)
            if state.tracing is not None and not each.streams:
                noting = Noting(state.authenticator, state.client)
                handle = traced(handle, each.method, each.path, state.tracing, noting)
            path = _NAMED.sub(_ANY_NAME, each.path)
            app.router.add_route(each.method, path, handle, expect_handler=continue_where_asked)


def _head_of(route: Route) -> Route:
    """Make the route that answers HEAD: as GET does, without the body. What has no end is not begun for it."""

    async def stream_head(call: Call) -> web.StreamResponse:
        call.query(route.query)
        return web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})

    return replace(route, method=METH_HEAD, handler=stream_head if route.streams else route.handler, streams=False)


async def continue_where_asked(request: web.Request) -> None:
    """Answer 100 Continue to a caller that waits for it. Any other expectation is ignored, as RFC 9110 allows."""
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What counts as sent is the answer, not this.
        request.writer.output_size = 0


def leaving(state: AppState, handler: Handle) -> Handle:
    """Have the answers of a handler close their connection while the server stops, as :func:`endpoint` does."""
    loop_time = asyncio.get_running_loop().time

    async def handle(request: web.Request) -> web.StreamResponse:
        started_s = loop_time()
        response = await handler(request)
        if state.stopping:
            response.force_close()
        resource = request.match_info.route.resource
        notes = RequestNotes(state.access_log, request.method, "" if resource is None else resource.canonical)
        elapsed_s = loop_time() - started_s
        if notes.wants(response.status, elapsed_s):
            request_id = response.headers.setdefault(REQUEST_ID, request_id_of(request.headers))
            notes.note(Asked(request_id, None, response.get(PROBLEM)), response.status, elapsed_s)
        return response

    return handle


def add_fallback(app: web.Application, state: AppState | None = None) -> None:
    """Answer what no route takes: OPTIONS, 404, or 405 with the methods that the path does take. Comes last."""
    paths = Paths([resource.canonical for resource in app.router.resources()])

    async def fallback(request: web.Request) -> web.Response:
        allowed: set[str] = set()
        for resource in app.router.resources():
            if resource is not fallback_resource:
                allowed |= (await resource.resolve(request))[1]
        if not allowed:
            meant = paths.nearest(request.path)
            detail = f"Did you mean {meant}? /docs lists every route." if meant else ""
            return respond_problem(problem("not_found", detail), request=request)
        methods = ", ".join(sorted({*allowed, METH_OPTIONS}))
        if request.method == METH_OPTIONS:
            return options_answer(methods)
        sent = problem("method_not_allowed", f"This path takes {methods}.")
        return respond_problem(sent, {"Allow": methods}, request=request)

    fallback_resource = app.router.add_resource("/{path:.*}")
    handle = fallback if state is None else leaving(state, fallback)
    fallback_resource.add_route("*", handle, expect_handler=continue_where_asked)
