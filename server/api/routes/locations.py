"""Locations: what is known of each warehouse and store."""

from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.locations import LocationBody, LocationList, LocationView, location_view
from server.schemas.problems import Problem
from server.service.locations import all_locations, find_location, put_location
from server.service.problems import problem


async def put(call: Call) -> LocationView:
    """Describe a location anew. Closing one releases nothing: reservations there go on, new ones are refused."""
    body: LocationBody = call.body
    return location_view(await put_location(call.caller, call.named("name"), body))


async def read(call: Call) -> LocationView | Problem:
    """Read what is known of one location."""
    location = await find_location(call.caller, call.named("name"))
    return problem("unknown_location") if location is None else location_view(location)


async def read_many(call: Call) -> LocationList:
    """Read every location that was described, by name."""
    return LocationList([location_view(each) for each in (await all_locations(call.caller)).values()])


_ONE = "/v1/locations/{name}"


ROUTES = [
    Route("GET", "/v1/locations", read_many, Scope.READ, "Every location that was described", {200: LocationList}),
    Route(
        "GET", _ONE, read, Scope.READ, "What is known of one location",
        {200: LocationView}, outcomes=("invalid", "unknown_location"),
    ),
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Describe a location: what it is, where, and whether it is open",
        {200: LocationView}, LocationBody, outcomes=("similar_name",),
    ),
]  # fmt: skip
