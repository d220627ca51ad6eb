"""What operators and tools ask: is it alive, is it ready, what are the figures, how is it used."""

import asyncio
from typing import Final

from aiohttp import web

from server.api.http import metrics_route
from server.api.http.app_state import AppState
from server.api.http.openapi import docs_page, document
from server.api.http.routing import Route, leaving
from server.api.http.wire import JSON, json_encode, respond_problem
from server.schemas.common import Health
from server.service.problems import problem
from server.telemetry.metrics_page import MetricsPage

_READY_TIMEOUT_S: Final = 1.0


def add_system_routes(
    app: web.Application, state: AppState, routes: list[Route], *, page: MetricsPage | None, version: str
) -> None:
    """Register the routes that need no key, and /metrics, which does; ``page`` None: that has a port of its own."""
    openapi = json_encode(document(routes, version))
    shown = docs_page(routes, version)

    async def livez(_request: web.Request) -> web.Response:
        return _json(json_encode(Health("ok")))

    async def readyz(_request: web.Request) -> web.Response:
        if state.stopping:
            return respond_problem(problem("store_unavailable", "The server is stopping. Nothing happened."))
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await state.maintenance_client.ping()
        except Exception as error:  # noqa: BLE001  # whatever it is, we are not ready
            detail = f"The store does not answer ({type(error).__name__}). Nothing happened."
            return respond_problem(problem("store_unavailable", detail))
        return _json(json_encode(Health("ok")))

    async def openapi_json(_request: web.Request) -> web.Response:
        return _json(openapi)

    async def docs(_request: web.Request) -> web.Response:
        return web.Response(body=shown, headers={"Content-Type": "text/html; charset=utf-8"})

    for path, handler in (
        ("/livez", livez),
        ("/readyz", readyz),
        ("/openapi.json", openapi_json),
        ("/docs", docs),
    ):
        app.router.add_get(path, leaving(state, handler))
    if page is not None:
        app.router.add_get(metrics_route.PATH, leaving(state, metrics_route.with_key(state, page)))


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": JSON})
