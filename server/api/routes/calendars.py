"""The time zone of a partition: whose days its reports, receipts and promises are of."""

from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.calendars import TimeZoneBody, TimeZoneView, time_zone_view
from server.service import calendars


async def put(call: Call) -> TimeZoneView:
    """Set whose days they are from now on."""
    body: TimeZoneBody = call.body
    return time_zone_view(*await calendars.set_time_zone(call.caller, body.time_zone))


async def read(call: Call) -> TimeZoneView:
    """Read whose days they are."""
    return time_zone_view(*await calendars.today(call.caller))


ROUTES = [
    Route("GET", "/v1/time-zone", read, Scope.READ, "Read whose days they are", {200: TimeZoneView}),
    Route(
        "PUT", "/v1/time-zone", put, Scope.STOCK, "Set whose days they are from now on",
        {200: TimeZoneView}, TimeZoneBody,
    ),
]  # fmt: skip
