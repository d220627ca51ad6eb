"""Shortages: where more is reserved than there is, and which orders will not get all of their units."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.domain.shortages import Elsewhere
from server.schemas.common import time_of
from server.schemas.shortages import ShortageList, ShortageQuery, ShortageView, ShortLineView, other_locations
from server.service.shortages import shortages
from server.store.repositories.shortages import Shortage


async def read(call: Call) -> ShortageList:
    """Read what is short, a page at a time."""
    found = await shortages(call.caller, call.query(ShortageQuery))
    return ShortageList([_view(each, found.elsewhere) for each in found.page.shortages], found.page.next)


def _view(shortage: Shortage, elsewhere: Elsewhere) -> ShortageView:
    lines = [
        ShortLineView(
            each.reservation_id, each.line, each.channel, each.state, each.order_ref, each.flags,
            time_of(each.created_ms), each.quantity, each.lacks,
            other_locations(elsewhere, shortage.sku, each.channel, shortage.location),
        )
        for each in shortage.lines
    ]  # fmt: skip
    return ShortageView(shortage.sku, shortage.location, shortage.short, lines, shortage.complete)


ROUTES = [
    Route(
        "GET", "/v1/shortages", read, Scope.READ, "Read where more is reserved than there is",
        {200: ShortageList}, query=ShortageQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
