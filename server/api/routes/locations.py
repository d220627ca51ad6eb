"""Locations: what is known of each warehouse and store."""

from typing import Any

from msgspec.structs import replace

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.locations import Location
from server.domain.principal import Scope
from server.schemas.locations import LocationBody, LocationList, LocationsQuery, LocationView, location_view
from server.schemas.problems import Problem
from server.schemas.renames import LocationDeleted, LocationRenamed, RenameBody
from server.service.checks import check_reason
from server.service.likeness import is_allowed
from server.service.location_renames import delete_location, rename_location
from server.service.locations import all_locations, find_location, namings, put_location, unregistered
from server.service.problems import problem


async def put(call: Call) -> LocationView:
    """Register a location anew. Closing one releases nothing: reservations there go on, new ones are refused."""
    body: LocationBody = call.body
    return await _view(call, await put_location(call.caller, call.named("name"), body))


async def read(call: Call) -> LocationView | Problem:
    """Read what is known of one location."""
    location = await find_location(call.caller, call.named("name"))
    return problem("unknown_location") if location is None else await _view(call, location)


async def read_many(call: Call) -> LocationList:
    """Read every location that was registered, by name."""
    query = call.query(LocationsQuery)
    found = list((await all_locations(call.caller)).values())
    others = {each.name: each for each in await unregistered(call.caller)} if query.unregistered else {}
    every = sorted([*found, *others.values()], key=lambda each: each.name)
    views = [location_view(*each) for each in await _named(call, every)]
    return LocationList([replace(each, registered=False) if each.location in others else each for each in views])


async def _named(call: Call, found: list[Location]) -> list[tuple[Any, ...]]:
    """Put their old names behind locations, and who fills them."""
    return [(each, *naming) for each, naming in zip(found, await namings(call.caller, found), strict=True)]


async def rename(call: Call) -> LocationRenamed:
    """Give a location another name. Both mean it from now on; its SKUs move one after the other."""
    body: RenameBody = call.body
    names = call.named("name"), body.to
    reason = check_reason(body.reason)
    return LocationRenamed(*await rename_location(call.caller, *names, allow_similar=is_allowed(body), reason=reason))


async def delete(call: Call) -> LocationDeleted:
    """Delete a location that is empty."""
    return LocationDeleted(await delete_location(call.caller, call.named("name")))


async def _view(call: Call, location: Location) -> LocationView:
    [naming] = await namings(call.caller, [location])
    return location_view(location, *naming)


_ONE = "/v1/locations/{name}"


ROUTES = [
    Route(
        "GET", "/v1/locations", read_many, Scope.READ, "Every location that was registered", {200: LocationList},
        query=LocationsQuery, outcomes=("invalid", "documents_missing", "documents_unavailable"),
    ),
    Route(
        "GET", _ONE, read, Scope.READ, "What is known of one location",
        {200: LocationView}, outcomes=("invalid", "unknown_location"),
    ),
    Route(
        "PUT", _ONE, put, Scope.STOCK, "Register a location: what it is, where, and whether it is open",
        {200: LocationView}, LocationBody, outcomes=("similar_name", "location_mirrored"),
    ),
    Route(
        "POST", _ONE + "/rename", rename, Scope.ADMIN, "Give a location another name; the old one still works",
        {200: LocationRenamed}, RenameBody, share=Share.BULK,
        outcomes=(
            "unknown_location", "name_taken", "name_cycle", "renamed_before", "rename_unfinished", "too_many_names",
            "names_unread", "similar_name", "location_mirrored",
        ),
    ),
    Route(
        "DELETE", _ONE, delete, Scope.ADMIN, "Delete a location at which nothing lies and nothing is promised",
        {200: LocationDeleted}, share=Share.BULK,
        outcomes=("invalid", "unknown_location", "location_in_use", "rename_unfinished", "location_mirrored"),
    ),
]  # fmt: skip
