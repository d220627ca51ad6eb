"""Locations: what is known of each warehouse and store."""

from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.channels import written
from server.domain.locations import Location
from server.domain.principal import Scope
from server.schemas.locations import LocationBody, LocationList, LocationView, PositionView
from server.service.checks import InvalidError, check_location
from server.service.locations import TOO_MANY, location_of
from server.store.repositories.locations import TooManyLocationsError


def view(location: Location) -> LocationView:
    """Show what is known of a location."""
    position = location.position
    return LocationView(
        location.name,
        location.kind,
        PositionView(position.lat, position.lon) if position else None,
        location.priority,
        location.footfall,
        location.open,
        list(location.groups),
    )


async def put(call: Call) -> web.StreamResponse:
    """Describe a location anew. Closing one breaks no promise: those that exist go on; new ones are refused there."""
    location = location_of(call.request.match_info["name"], call.body)
    try:
        await written(call.service.places(call.principal.partition).put([location], call.principal.actor))
    except TooManyLocationsError:
        raise InvalidError("name", TOO_MANY) from None
    return respond(call.request, view(location))


async def read(call: Call) -> web.StreamResponse:
    """Read what is known of one location."""
    name = check_location("name", call.request.match_info["name"])
    directory = await call.service.places(call.principal.partition).current()
    location = directory.locations.get(name)
    if location is None:
        return problems.respond(problems.problem("unknown_location"))
    return respond(call.request, view(location))


async def read_many(call: Call) -> web.StreamResponse:
    """Read every location that was described, by name."""
    directory = await call.service.places(call.principal.partition).current()
    return respond(call.request, LocationList([view(each) for each in directory.locations.values()]))


_ONE = "/v1/locations/{name}"


ROUTES = [
    Route("GET", "/v1/locations", read_many, Scope.READ, "Every location that was described", {200: LocationList}),
    Route(
        "GET", _ONE, read, Scope.READ, "What is known of one location",
        {200: LocationView}, outcomes=("invalid", "unknown_location"),
    ),
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Describe a location: what it is, where, and whether it is open",
        {200: LocationView}, LocationBody,
    ),
]  # fmt: skip
