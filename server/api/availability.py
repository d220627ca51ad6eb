"""What may still be promised: of one SKU, and of many at once."""

from typing import Final

import msgspec
from aiohttp import web

from server.api import problems
from server.api.answers import AvailabilityList, AvailabilityView, LocationAvailable
from server.api.bodies import AvailabilityQueryBody, Channel, Location
from server.api.reservations import parse_query
from server.api.routing import Call, Route
from server.api.rules import check_location, check_sku, check_text
from server.api.views import time_of
from server.api.wire import respond
from server.domain import limits
from server.domain.outcomes import LocationAvailability
from server.domain.principal import Scope
from server.store.ledger import Ledger

_SKUS_AT_A_TIME: Final = 100


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At one location, or at all. ``channel`` is noted for the day when channels see different pools."""

    channel: Channel | None = None
    location: Location | None = None


def view(sku: str, locations: list[LocationAvailability], as_of_ms: int) -> AvailabilityView:
    """Sum up over the locations; the seq is the newest of theirs."""
    return AvailabilityView(
        sku,
        sum(each.available for each in locations),
        max(each.seq for each in locations),
        [LocationAvailable(each.location, each.available) for each in locations],
        time_of(as_of_ms),
    )


async def views(ledger: Ledger, skus: list[str], location: str = "") -> tuple[list[AvailabilityView], list[str]]:
    """Read many SKUs, some at a time so that others get their turn: what is known, and which are not."""
    known: list[AvailabilityView] = []
    unknown: list[str] = []
    for start in range(0, len(skus), _SKUS_AT_A_TIME):
        part = skus[start : start + _SKUS_AT_A_TIME]
        found = await ledger.availability(part, location)
        for sku, locations in zip(part, found.skus, strict=True):
            if locations:
                known.append(view(sku, locations, found.as_of_ms))
            else:
                unknown.append(sku)
    return known, unknown


async def read(call: Call) -> web.StreamResponse:
    """Read what may still be promised of one SKU; 304 if nothing changed since the caller's ETag."""
    request = call.request
    sku = check_sku("sku", request.match_info["sku"])
    location = ""
    if request.query_string:
        query: AvailabilityQuery = parse_query(request, AvailabilityQuery)
        location = check_location("location", query.location) if query.location is not None else ""
        if query.channel is not None:
            check_text("channel", query.channel, limits.NAME_BYTES_MAX)
    found = await call.ledger.availability([sku], location)
    if not found.skus[0]:
        return problems.respond(problems.problem("unknown_sku"))
    answer = view(sku, found.skus[0], found.as_of_ms)
    # Weak: as_of differs from answer to answer while what it says stays the same.
    etag = f'W/"{answer.seq}-{len(answer.locations)}"'
    asked = request.headers.get("If-None-Match")
    if asked is not None and (asked == "*" or etag in [each.strip() for each in asked.split(",")]):
        return web.Response(status=304, headers={"ETag": etag})
    return respond(request, answer, headers={"ETag": etag, "Cache-Control": "no-cache"})


async def read_many(call: Call) -> web.StreamResponse:
    """Read what may still be promised of up to 1,000 SKUs."""
    body: AvailabilityQueryBody = call.body
    skus = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus)]
    location = check_location("location", body.location) if body.location is not None else ""
    if body.channel is not None:
        check_text("channel", body.channel, limits.NAME_BYTES_MAX)
    return respond(call.request, AvailabilityList(*await views(call.ledger, skus, location)))


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}", read, Scope.READ, "What may still be promised of a SKU",
        {200: AvailabilityView, 304: None}, query=AvailabilityQuery, outcomes=("invalid", "unknown_sku"),
        headers=("If-None-Match",),
    ),
    Route(
        "POST", "/v1/availability/query", read_many, Scope.READ, "The same for up to 1,000 SKUs",
        {200: AvailabilityList}, AvailabilityQueryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("invalid", "too_large", "unsupported_media_type", "request_timeout"),
    ),
]  # fmt: skip
