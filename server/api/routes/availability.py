"""What may still be promised: of one SKU, and of many at once."""

from typing import Final
from zlib import crc32

import msgspec
from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.principal import Scope
from server.domain.stock import LocationAvailability
from server.schemas.common import Channel, Group, Location
from server.schemas.stock import AvailabilityList, AvailabilityQueryBody, AvailabilityView, LocationAvailable
from server.service.checks import InvalidError, check_location, check_sku, check_text
from server.store.ledger.ledger import Ledger

_SKUS_AT_A_TIME: Final = 100


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At one location, at the open ones of a group, or at all; to a ``channel``, or without one to everybody."""

    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None


def view(
    sku: str, locations: list[LocationAvailability], as_of_ms: int, among: frozenset[str] | None = None
) -> AvailabilityView:
    """Sum up over the locations, all or those ``among`` the named; the seq is the newest of all."""
    counted = locations if among is None else [each for each in locations if each.location in among]
    return AvailabilityView(
        sku,
        sum(each.available for each in counted),
        max(each.seq for each in locations),
        [LocationAvailable(each.location, each.available) for each in counted],
        time_of(as_of_ms),
    )


async def among(call: Call, group: str | None, location: str | None) -> frozenset[str] | None:
    """Name the open locations of a group; None where no group was given.

    Raises
    ------
    InvalidError
        No location is in the group, or a location was named, too.

    """
    if group is None:
        return None
    check_text("group", group, limits.NAME_BYTES_MAX)
    if location is not None:
        raise InvalidError("group", "may not stand beside location")
    directory = await call.service.places(call.principal.partition).current()
    if group not in directory.groups:
        raise InvalidError("group", "no location is in this group")
    return directory.open_in(group)


async def views(
    ledger: Ledger, skus: list[str], location: str = "", among: frozenset[str] | None = None, channel: str = ""
) -> tuple[list[AvailabilityView], list[str]]:
    """Read many SKUs, some at a time so that others get their turn: what is known, and which are not."""
    known: list[AvailabilityView] = []
    unknown: list[str] = []
    for start in range(0, len(skus), _SKUS_AT_A_TIME):
        part = skus[start : start + _SKUS_AT_A_TIME]
        found = await ledger.availability(part, location, channel)
        for sku, locations in zip(part, found.skus, strict=True):
            if locations:
                known.append(view(sku, locations, found.as_of_ms, among))
            else:
                unknown.append(sku)
    return known, unknown


def _digest(names: frozenset[str] | None) -> str:
    """Tell apart answers over different locations: one opens or closes without any change of stock."""
    return "" if names is None else f"-{crc32(chr(0).join(sorted(names)).encode()):08x}"


async def read(call: Call) -> web.StreamResponse:
    """Read what may still be promised of one SKU; 304 if nothing changed since the caller's ETag."""
    request = call.request
    sku = check_sku("sku", request.match_info["sku"])
    location, channel, names = "", "", None
    if request.query_string:
        query: AvailabilityQuery = parse_query(request, AvailabilityQuery)
        location = check_location("location", query.location) if query.location is not None else ""
        if query.channel is not None:
            channel = check_text("channel", query.channel, limits.NAME_BYTES_MAX)
        names = await among(call, query.group, query.location)
    found = await call.ledger.availability([sku], location, channel)
    if not found.skus[0]:
        return problems.respond(problems.problem("unknown_sku"))
    answer = view(sku, found.skus[0], found.as_of_ms, names)
    # Weak: as_of differs from answer to answer while what it says stays the same.
    etag = f'W/"{answer.seq}-{len(answer.locations)}{_digest(names)}"'
    asked = request.headers.get("If-None-Match")
    if asked is not None and (asked == "*" or etag in [each.strip() for each in asked.split(",")]):
        return web.Response(status=304, headers={"ETag": etag})
    return respond(request, answer, headers={"ETag": etag, "Cache-Control": "no-cache"})


async def read_many(call: Call) -> web.StreamResponse:
    """Read what may still be promised of up to 1,000 SKUs."""
    body: AvailabilityQueryBody = call.body
    skus = [check_sku(f"skus[{i}]", sku) for i, sku in enumerate(body.skus)]
    location = check_location("location", body.location) if body.location is not None else ""
    channel = check_text("channel", body.channel, limits.NAME_BYTES_MAX) if body.channel is not None else ""
    names = await among(call, body.group, body.location)
    return respond(call.request, AvailabilityList(*await views(call.ledger, skus, location, names, channel)))


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}", read, Scope.READ, "What may still be promised of a SKU",
        {200: AvailabilityView, 304: None}, query=AvailabilityQuery, outcomes=("invalid", "unknown_sku"),
        headers=("If-None-Match",),
    ),
    Route(
        "POST", "/v1/availability/query", read_many, Scope.READ, "The same for up to 1,000 SKUs",
        {200: AvailabilityList}, AvailabilityQueryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
    ),
]  # fmt: skip
