"""What can be promised by day, with what is still to come."""

from datetime import UTC, date, datetime, timedelta
from typing import Final

import msgspec
from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.expected_receipts import outlook_of
from server.api.routes.reservation_answers import time_of
from server.domain.available_to_promise import DAYS_MAX, Dated, available_to_promise, late
from server.domain.principal import Scope
from server.schemas.common import Day, Location
from server.schemas.expected_receipts import AtpDayView, AtpView
from server.service.checks import InvalidError

_DAYS_DEFAULT: Final = 30


class AtpQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From today, if not said, for 30 days; at one location, or at all."""

    # Not None: in a query that would let the word null pass for a day.
    from_: Day | msgspec.UnsetType = msgspec.field(name="from", default=msgspec.UNSET)
    to: Day | msgspec.UnsetType = msgspec.UNSET
    location: Location | None = None


def _window(query: AtpQuery, today: date) -> tuple[date, date]:
    start = query.from_ or today
    if start < today:
        raise InvalidError("from", f"must not be before today, {today} in UTC")
    if start > date.max - timedelta(days=DAYS_MAX):
        raise InvalidError("from", "must leave room for the days after it")
    end = query.to or start + timedelta(days=_DAYS_DEFAULT - 1)
    if not start <= end < start + timedelta(days=DAYS_MAX):
        raise InvalidError("to", f"must be from or at most {DAYS_MAX - 1} days later")
    return start, end


async def read(call: Call) -> web.StreamResponse:
    """Tell by day what can be promised; the days are those of the store's clock in UTC."""
    query: AtpQuery = parse_query(call.request, AtpQuery)
    sku = call.request.match_info["sku"]
    found = await outlook_of(call, sku, query.location)
    today = datetime.fromtimestamp(found.as_of_ms / 1000, UTC).date()
    start, end = _window(query, today)
    if not found.levels and not found.supply:
        return problems.respond(problems.problem("unknown_sku"))
    available = sum(level.available for level in found.levels)
    supply = [Dated(each.expected_on, each.expected) for _, each in found.supply]
    # What is held or committed has left what is available. What is waited for has not, and takes what comes first.
    waiting = sum(level.waiting for level in found.levels)
    days = available_to_promise(available, supply, [Dated(today, waiting)], today=today, start=start, end=end)
    views = [AtpDayView(each.on, each.projected, each.promisable) for each in days]
    return respond(call.request, AtpView(sku, available, late(supply, today), views, time_of(found.as_of_ms), waiting))


ROUTES = [
    Route(
        "GET", "/v1/atp/{sku}", read, Scope.READ, "What can be promised by day, up to 180 days",
        {200: AtpView}, query=AtpQuery, outcomes=("invalid", "unknown_sku"),
    ),
]  # fmt: skip
