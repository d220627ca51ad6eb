"""One request's way: who asks, what is in the body, the handler, the metric. Every route goes through :func:`endpoint`.

There is no middleware: on the hot path each would be one more coroutine for every request.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiohttp import web

from server.api.http import problems
from server.api.http.app_state import Service
from server.api.http.tracing import traced
from server.api.http.wire import BodyDecoder, read_body
from server.domain import limits
from server.domain.principal import Principal, Scope
from server.service.checks import check_idempotency_key
from server.store.ledger.ledger import Ledger
from server.telemetry.request_tally import TALLY

BAD_BODY: Final = ("invalid", "too_large", "unsupported_media_type", "request_timeout")
"""What every route that takes a body can refuse."""

log = structlog.get_logger("holdfast.http")


@dataclass(slots=True)
class Call:
    """One request as its handler sees it. ``key``: the Idempotency-Key, empty where there is none."""

    service: Service
    request: web.Request
    principal: Principal
    ledger: Ledger
    body: Any
    key: str


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Route:
    """One route: how it is reached, and what the documentation says of it.

    ``answers`` maps a status to the type of its body; ``outcomes`` are the refusals that the route can give beside
    those that every route can, and every one with a body. ``query`` is the type of the query string.
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
    streams: bool = False

    @property
    def refusals(self) -> tuple[str, ...]:
        """Name what it can refuse, but what every route can."""
        return self.outcomes if self.body is None else (*BAD_BODY, *self.outcomes)


def endpoint(service: Service, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Make the aiohttp handler of a route."""
    loop_time = asyncio.get_running_loop().time
    decoder = BodyDecoder(route.body) if route.body is not None else None
    handler, scope, name = route.handler, route.scope, (route.method, route.path)

    async def handle(request: web.Request) -> web.StreamResponse:
        started_s = loop_time()
        try:
            principal = _admit(service, request, scope)
            body, key = None, ""
            if decoder is not None:
                raw = await read_body(request, route.body_bytes_max, service.body_timeout_s)
                body = decoder.decode(request, raw)
                key = check_idempotency_key(request.headers.get("Idempotency-Key"))
            response = await handler(Call(service, request, principal, service.ledger(principal.partition), body, key))
        except Exception as error:  # noqa: BLE001  # the last line of defence: no traceback reaches a caller
            response = _answer_error(error, route)
        elapsed_s = loop_time() - started_s
        status = response.status
        if not route.streams:
            TALLY.request(name, status, elapsed_s)
            if 0 < service.slow_request_s < elapsed_s:
                log.warning("slow_request", route=route.path, status=status, seconds=round(elapsed_s, 3))
        return response

    return handle


def _admit(service: Service, request: web.Request, scope: Scope) -> Principal:
    """Say who asks, if they may."""
    principal = service.authenticator.authenticate(request.headers.get("Authorization"))
    if principal is None:
        raise problems.ProblemError(problems.problem("unauthorized"))
    if not principal.allows(scope):
        raise problems.ProblemError(problems.problem("forbidden", f"This route needs a key with the scope {scope}."))
    return principal


def _answer_error(error: Exception, route: Route) -> web.Response:
    told = problems.of_error(error)
    if told is None:
        log.error("request_failed", route=route.path, exc_info=error)
        told = problems.problem("internal_error")
    return problems.respond(told, error.headers if isinstance(error, problems.ProblemError) else None)


def add_routes(app: web.Application, service: Service, routes: list[Route]) -> None:
    """Register routes, and what answers where no route matches."""
    for route in routes:
        handle = endpoint(service, route)
        if service.tracing is not None and not route.streams:
            handle = traced(handle, route.method, route.path, service, service.tracing)
        app.router.add_route(route.method, route.path, handle, expect_handler=_expect)


async def _expect(request: web.Request) -> None:
    """Say "go on" to a caller who waits for it. Any other expectation is ignored, as RFC 9110 allows."""
    if request.headers["Expect"].lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        # What counts as sent is the answer, not this.
        request.writer.output_size = 0


def add_fallback(app: web.Application) -> None:
    """Answer what no route takes: 404, or 405 with the methods that the path does take. Comes last."""

    async def fallback(request: web.Request) -> web.Response:
        allowed: set[str] = set()
        for resource in app.router.resources():
            if resource is not fallback_resource:
                allowed |= (await resource.resolve(request))[1]
        if allowed:
            told = problems.problem("method_not_allowed", f"This path takes {', '.join(sorted(allowed))}.")
            return problems.respond(told, {"Allow": ", ".join(sorted(allowed))})
        return problems.respond(problems.problem("not_found"))

    fallback_resource = app.router.add_resource("/{path:.*}")
    fallback_resource.add_route("*", fallback, expect_handler=_expect)
