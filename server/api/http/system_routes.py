"""What operators and tools ask: is it alive, is it ready, what are the figures, how is it used."""

import asyncio
from typing import Final

from aiohttp import web

from server.api.http import console_page, metrics_route
from server.api.http.app_state import AppState
from server.api.http.console_page import ConsolePage
from server.api.http.docs_page import docs_page
from server.api.http.openapi import document
from server.api.http.routing import Route, leaving
from server.api.http.try_page import PAGE_PATH, VIEWER_PATH, TryPage
from server.api.http.wire import JSON, json_encode, respond_problem, response_of
from server.schemas.common import Health
from server.service.problems import problem
from server.store.repositories.restored import is_halted
from server.telemetry.metrics_page import MetricsPage

_READY_TIMEOUT_S: Final = 1.0
_HALTED: Final = (
    "The store was restored from a backup and is halted: nothing is published and no orders come in until"
    " `holdfast restore --release`."
)


def add_system_routes(
    app: web.Application, state: AppState, routes: list[Route], *, page: MetricsPage | None, version: str
) -> None:
    """Register the routes that need no key, and /metrics, which does; ``page`` None: that has a port of its own."""
    openapi = json_encode(document(routes, version))
    shown, shown_headers = docs_page(routes, version)
    tried = TryPage(version)

    async def livez(_request: web.Request) -> web.Response:
        return _json(json_encode(Health("ok")))

    async def readyz(request: web.Request) -> web.Response:
        if state.stopping:
            detail = "The server is stopping. Nothing happened."
            return respond_problem(problem("store_unavailable", detail), request=request)
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await state.maintenance_client.ping()
                halted = await is_halted(state.maintenance_client)
        except Exception as error:  # noqa: BLE001  # whatever it is, we are not ready
            detail = f"The store does not answer ({type(error).__name__}). Nothing happened."
            return respond_problem(problem("store_unavailable", detail), request=request)
        return _json(json_encode(Health("ok", _HALTED if halted else "")))

    async def openapi_json(_request: web.Request) -> web.Response:
        return _json(openapi)

    async def docs(_request: web.Request) -> web.Response:
        return response_of(200, shown, shown_headers)

    for path, handler in (
        ("/livez", livez),
        ("/readyz", readyz),
        ("/openapi.json", openapi_json),
        ("/docs", docs),
        (PAGE_PATH, tried.page),
        (VIEWER_PATH, tried.script),
    ):
        app.router.add_get(path, leaving(state, handler))
    if routes:
        console = ConsolePage(lambda: state.authenticator.open)
        app.router.add_get(console_page.PATH, leaving(state, console.page))
        app.router.add_get(console_page.ASSET_PATH, leaving(state, console.asset))
    if page is not None:
        app.router.add_get(metrics_route.PATH, leaving(state, metrics_route.with_key(state, page)))


def _json(body: bytes) -> web.Response:
    return response_of(200, body, {"Content-Type": JSON})
