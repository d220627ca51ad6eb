"""Shortages: where more is reserved than there is, and which orders will not get all of their units."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.shortage_views import order_shortages, shortage_view
from server.domain.principal import Scope
from server.domain.reservation import as_of
from server.schemas.problems import Problem
from server.schemas.shortages import OrderShortageList, ShortageList, ShortageQuery
from server.service.problems import problem
from server.service.reservations import check_target
from server.service.shortages import shortages, shortages_of


async def read(call: Call) -> ShortageList:
    """Read what is short, a page at a time."""
    found = await shortages(call.caller, call.query(ShortageQuery))
    return ShortageList([shortage_view(each, found.elsewhere) for each in found.page.shortages], found.page.next)


async def read_of_one(call: Call) -> OrderShortageList | Problem:
    """Read what the lines of one reservation lack now, and where else it is."""
    name = check_target(call.named("reservation_id"))
    found = await call.caller.ledger.reservation(name)
    if found.reservation is None:
        return problem("unknown_reservation", reservation_id=name)
    lacking = await shortages_of(call.caller, {name: as_of(found.reservation, found.as_of_ms)})
    return OrderShortageList(order_shortages(lacking))


ROUTES = [
    Route(
        "GET", "/v1/shortages", read, Scope.READ, "Read where more is reserved than there is",
        {200: ShortageList}, query=ShortageQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/reservations/{reservation_id}/shortages", read_of_one, Scope.READ,
        "Read what a reservation lacks, and where else it is",
        {200: OrderShortageList}, outcomes=("invalid", "unknown_reservation"), share=Share.REPORTS,
    ),
]  # fmt: skip
