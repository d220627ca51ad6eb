"""Sourcing over HTTP: why an order would be taken from where."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.sourcing import ExplainBody, ExplainView
from server.service import explain as service


async def explain(call: Call) -> ExplainView:
    """Explain which locations an order would be taken from now. Nothing is held."""
    body: ExplainBody = call.body
    return await service.explain(call.caller, body)


ROUTES = [
    Route(
        "POST", "/v1/sourcing/explain", explain, Scope.READ,
        "Why an order would be taken from where, without holding", {200: ExplainView}, ExplainBody,
        outcomes=("unknown_channel", "unknown_barcode", "unknown_sku", "sourcing_incomplete"),
        share=Share.REPORTS,
    ),
]  # fmt: skip
