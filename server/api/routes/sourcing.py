"""Sourcing over HTTP: why an order would be taken from where."""

from aiohttp import web

from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.domain.principal import Scope
from server.schemas.sourcing import ExplainBody, ExplainView
from server.service.explain import explain


async def explain_order(call: Call) -> web.StreamResponse:
    """Explain which locations an order would be taken from now. Nothing is held."""
    locations = call.service.places(call.principal.partition)
    return respond(call.request, await explain(call.ledger, locations, call.body))


ROUTES = [
    Route(
        "POST", "/v1/sourcing/explain", explain_order, Scope.READ,
        "Why an order would be taken from where, without holding", {200: ExplainView}, ExplainBody,
    ),
]  # fmt: skip
