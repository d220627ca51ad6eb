"""What is due now: holds that lapse next, deliveries, and whether the books agree."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.principal import Scope
from server.domain.reservation import Reservation
from server.schemas.common import time_of
from server.schemas.expected_receipts import receipt_view
from server.schemas.today import BooksView, HaltedView, LapsingView, TodayQuery, TodayView
from server.service.today import due


async def read(call: Call) -> TodayView:
    """Read what is due now."""
    found = await due(call.caller, call.query(TodayQuery))
    books, halted = found.books, found.halted
    return TodayView(
        today=found.today,
        lapsing=[_lapsing(*each) for each in found.lapsing.found],
        lapsing_total=found.lapsing.total,
        deliveries=[receipt_view(*each) for each in found.deliveries.found],
        deliveries_total=found.deliveries.total,
        books=BooksView(
            checked_at=None if books is None else time_of(books.at_ms),
            agree=books is not None and not books.drift_units,
            drift_units=0 if books is None else books.drift_units,
        ),
        halted=None if halted is None else HaltedView(time_of(halted.taken_ms), time_of(halted.restored_ms)),
        as_of=time_of(found.as_of_ms),
    )


def _lapsing(reservation_id: str, deadline_ms: int, hold: Reservation) -> LapsingView:
    units = sum(line.held for line in hold.lines)
    return LapsingView(reservation_id, hold.order_ref, hold.channel, units, hold.flags, time_of(deadline_ms))


ROUTES = [
    Route(
        "GET", "/v1/today", read, Scope.READ, "Read what is due now: holds, deliveries, and whether the books agree",
        {200: TodayView}, query=TodayQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
