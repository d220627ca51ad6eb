"""Which locations have a SKU, the nearest first: for a shop's product page."""

from typing import Final

from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.common import time_of
from server.schemas.locations import NearbyLocation, NearbyQuery, NearbyView, PositionView
from server.schemas.problems import Problem
from server.service.availability import Near, nearby
from server.service.checks import check_sku
from server.service.problems import problem

_DECIMALS: Final = 3
"""Of a distance in kilometres: metres."""


async def read(call: Call) -> NearbyView | Problem:
    """List the open locations that have units of a SKU, the nearest first; those without a position are left out."""
    sku = check_sku("sku", call.named("sku"))
    query: NearbyQuery = call.query(NearbyQuery)
    found, near = await nearby(call.caller, sku, query, decimals=_DECIMALS)
    if not found.is_known:
        return problem("unknown_sku")
    return NearbyView(sku, [_view(each) for each in near], time_of(found.as_of_ms))


def _view(near: Near) -> NearbyLocation:
    location, position = near.location, PositionView(near.position.lat, near.position.lon)
    return NearbyLocation(location.name, location.kind, position, near.distance_km, near.available)


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}/nearby", read, Scope.READ, "Which locations have a SKU, the nearest first",
        {200: NearbyView}, query=NearbyQuery, browser=True,
        outcomes=("invalid", "unknown_channel", "answer_too_large", "unknown_sku"),
    ),
]  # fmt: skip
