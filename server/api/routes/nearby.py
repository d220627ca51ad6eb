"""Which locations have a SKU, the nearest first: for a shop's product page."""

from typing import Annotated, Final

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.availability import among
from server.api.routes.reservation_answers import time_of
from server.domain.locations import Position, distance_km
from server.domain.principal import Scope
from server.schemas.common import Group, Latitude, Longitude
from server.schemas.locations import NearbyLocation, NearbyView, PositionView
from server.service.checks import check_sku

NEARBY_MAX: Final = 500
_DECIMALS: Final = 3
"""Of a distance in kilometres: metres."""


class NearbyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Near which place, in which group, and how many at most."""

    lat: Latitude
    lon: Longitude
    group: Group | None = None
    limit: Annotated[int, Meta(ge=1, le=NEARBY_MAX)] = 20


async def read(call: Call) -> web.StreamResponse:
    """List the open locations that have units of a SKU, the nearest first; those without a position are left out."""
    sku = check_sku("sku", call.request.match_info["sku"])
    query: NearbyQuery = parse_query(call.request, NearbyQuery)
    names = await among(call, query.group, None)
    directory = await call.service.places(call.principal.partition).current()
    found = await call.ledger.availability([sku])
    if not found.skus[0]:
        return problems.respond(problems.problem("unknown_sku"))
    here, near = Position(query.lat, query.lon), []
    for each in found.skus[0]:
        location = directory.locations.get(each.location)
        if location is None or location.position is None or not location.open or each.available <= 0:
            continue
        if names is None or each.location in names:
            distance = round(distance_km(here, location.position), _DECIMALS)
            position = PositionView(location.position.lat, location.position.lon)
            near.append(NearbyLocation(location.name, location.kind, position, distance, each.available))
    near.sort(key=lambda one: (one.distance_km, one.location))
    return respond(call.request, NearbyView(sku, near[: query.limit], time_of(found.as_of_ms)))


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}/nearby", read, Scope.READ, "Which locations have a SKU, the nearest first",
        {200: NearbyView}, query=NearbyQuery, outcomes=("invalid", "unknown_sku"),
    ),
]  # fmt: skip
