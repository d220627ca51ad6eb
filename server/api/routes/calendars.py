"""The time zone of a partition: by it reports, expected receipts and available to promise tell days."""

from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.calendars import TimeZoneBody, TimeZoneView, time_zone_view
from server.service import calendars


async def put(call: Call) -> TimeZoneView:
    """Set the time zone, by which days are told from now on."""
    body: TimeZoneBody = call.body
    return time_zone_view(*await calendars.set_time_zone(call.caller, body.time_zone))


async def read(call: Call) -> TimeZoneView:
    """Read the time zone, which day it is there, and its changes."""
    return time_zone_view(*await calendars.today(call.caller))


ROUTES = [
    Route("GET", "/v1/time-zone", read, Scope.READ, "Read the time zone, and the day it is there", {200: TimeZoneView}),
    Route(
        "PUT", "/v1/time-zone", put, Scope.STOCK, "Set the time zone, by which days are told from now on",
        {200: TimeZoneView}, TimeZoneBody,
    ),
]  # fmt: skip
