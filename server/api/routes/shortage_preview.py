"""Shortages that a count would make, before it is sent."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.shortage_views import shortage_view
from server.domain.principal import Scope
from server.schemas.problems import Problem
from server.schemas.shortages import ShortagePreview, ShortagePreviewQuery
from server.service.problems import problem
from server.service.shortages import would_lack


async def read(call: Call) -> ShortagePreview | Problem:
    """Read which lines would lack units if so many fewer were on hand. Nothing changes."""
    found = await would_lack(call.caller, call.query(ShortagePreviewQuery))
    if found is None:
        return problem("unknown_sku")
    return ShortagePreview([shortage_view(each, found.elsewhere) for each in found.page.shortages])


ROUTES = [
    Route(
        "GET", "/v1/shortages/preview", read, Scope.READ, "Read who would lack units if fewer were on hand",
        {200: ShortagePreview}, query=ShortagePreviewQuery, outcomes=("invalid", "unknown_sku"), share=Share.REPORTS,
    ),
]  # fmt: skip
