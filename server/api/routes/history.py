"""The history: who changed what, when, from what to what, and why."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.schemas.common import time_of
from server.schemas.history import (
    HistoryPage,
    HistoryQuery,
    PlaceThenView,
    StockThenView,
    gap_view,
    history_view,
)
from server.service.history import find_history
from server.service.stock_then import StockThen, stock_then


async def read(call: Call) -> HistoryPage:
    """Read changes, a page at a time, and what was available at a time."""
    query = call.query(HistoryQuery)
    then = await stock_then(call.caller, query)
    found = await find_history(call.caller, query)
    return HistoryPage(
        [history_view(row) for row in found.rows],
        found.next,
        [gap_view(gap) for gap in found.gaps],
        time_of(found.as_of_ms),
        None if then is None else _then_view(then),
    )


def _then_view(then: StockThen) -> StockThenView:
    places = [
        PlaceThenView(
            each.location, each.available, each.is_sure, None if each.change is None else history_view(each.change)
        )
        for each in then.places
    ]
    return StockThenView(then.sku, time_of(then.at_ms), then.available, places, then.complete)


ROUTES = [
    Route(
        "GET", "/v1/history", read, Scope.READ, "Read who changed what, and how many were available at a time",
        {200: HistoryPage}, query=HistoryQuery, outcomes=("invalid", "documents_missing", "documents_unavailable"),
        share=Share.REPORTS,
    ),
]  # fmt: skip
