"""Units available to promise by day, expected receipts included."""

from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.common import time_of
from server.schemas.expected_receipts import AtpDayView, AtpQuery, AtpView
from server.schemas.problems import Problem
from server.service.checks import check_sku
from server.service.expected_receipts import forecast
from server.service.problems import problem


async def read(call: Call) -> AtpView | Problem:
    """Compute the units available to promise by day; the days are those of the partition's time zone."""
    sku = check_sku("sku", call.named("sku"))
    found = await forecast(call.caller, sku, call.query(AtpQuery))
    if found is None:
        return problem("unknown_sku")
    days = [AtpDayView(each.on, each.projected, each.promisable) for each in found.days]
    return AtpView(sku, found.available, found.late, days, time_of(found.as_of_ms), found.waiting, found.time_zone)


ROUTES = [
    Route(
        "GET", "/v1/atp/{sku}", read, Scope.READ, "Units available to promise by day, up to 180 days",
        {200: AtpView}, query=AtpQuery, outcomes=("invalid", "unknown_sku"),
    ),
]  # fmt: skip
