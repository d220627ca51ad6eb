"""``GET /metrics``: on the port of the API for a key, or on a port of its own for whoever can reach that."""

from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from server.api.http.admission import admit, note_admitted
from server.api.http.app_state import AppState
from server.api.http.local_only import why_not_local
from server.api.http.routing import Handle, add_fallback, answer_error
from server.api.http.wire import respond_problem
from server.domain.principal import Needs, Scope
from server.service.problems import ProblemError, problem
from server.telemetry.metrics_page import MetricsPage

PATH: Final = "/metrics"
_NEEDS: Final = Needs(Scope.METRICS)
_WAY_OUT: Final = (
    "It tells of all partitions: send a key of `holdfast keys new --scope metrics`,"
    " or set HOLDFAST_METRICS_PORT to give it a port of its own, without a key."
)


def with_key(state: AppState, page: MetricsPage) -> Handle:
    """Make the handler for the port of the API: the page tells of all partitions, so it has a scope of its own."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        try:
            admit(state, request, _NEEDS)
            return await _answer(page)
        except ProblemError as error:
            outcome = error.problem.outcome
            named = problem(outcome, _WAY_OUT) if outcome in ("unauthorized", "forbidden") else error.problem
            return respond_problem(named, request=request)
        except Exception as error:  # noqa: BLE001  # as for every route: no traceback reaches a caller
            return answer_error(error, PATH, request)

    return metrics


def application(page: MetricsPage, *, for_this_machine: bool) -> web.Application:
    """Build what is served on a port of its own. Who reaches it needs no key; a web page is refused nevertheless."""

    async def metrics(request: web.Request) -> web.StreamResponse:
        reason = why_not_local(request.headers, request.protocol) if for_this_machine else ""
        if reason:
            sent = problem("local_only", f"{reason} HOLDFAST_METRICS_HOST serves others than this machine.")
            return respond_problem(sent, request=request)
        note_admitted(request)
        return await _answer(page)

    app = web.Application()
    app.router.add_get(PATH, metrics)
    add_fallback(app)
    return app


async def _answer(page: MetricsPage) -> web.Response:
    return web.Response(body=await page.current(), headers={"Content-Type": CONTENT_TYPE_LATEST})
