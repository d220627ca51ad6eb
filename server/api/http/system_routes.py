"""What operators and tools ask: is it alive, is it ready, what are the figures, how is it used."""

import asyncio
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from server.api.http.app_state import AppState
from server.api.http.openapi import docs_page, document
from server.api.http.routing import Route
from server.api.http.wire import JSON, json_encode, respond_problem
from server.schemas.common import Health
from server.service.problems import problem
from server.telemetry.request_tally import TALLY

_READY_TIMEOUT_S: Final = 1.0


def add_system_routes(
    app: web.Application, state: AppState, routes: list[Route], *, multiprocess: bool, version: str
) -> None:
    """Register the routes that need no key."""
    openapi = json_encode(document(routes, version))
    page = docs_page(routes, version)

    async def livez(_request: web.Request) -> web.Response:
        return _json(json_encode(Health("ok")))

    async def readyz(_request: web.Request) -> web.Response:
        if state.draining:
            return respond_problem(problem("store_unavailable", "The server is stopping. Nothing happened."))
        try:
            async with asyncio.timeout(_READY_TIMEOUT_S):
                await state.client.ping()
        except Exception as error:  # noqa: BLE001  # whatever it is, we are not ready
            detail = f"The store does not answer ({type(error).__name__}). Nothing happened."
            return respond_problem(problem("store_unavailable", detail))
        return _json(json_encode(Health("ok")))

    async def metrics(_request: web.Request) -> web.Response:
        TALLY.hand_over()
        registry = REGISTRY
        if multiprocess:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def openapi_json(_request: web.Request) -> web.Response:
        return _json(openapi)

    async def docs(_request: web.Request) -> web.Response:
        return web.Response(body=page, headers={"Content-Type": "text/html; charset=utf-8"})

    for path, handler in (
        ("/livez", livez),
        ("/readyz", readyz),
        ("/metrics", metrics),
        ("/openapi.json", openapi_json),
        ("/docs", docs),
    ):
        app.router.add_get(path, handler)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": JSON})
