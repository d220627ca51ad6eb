"""What is due now, over the wire: holds that lapse next, deliveries, and whether the books agree."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.schemas.expected_receipts import ExpectedReceiptView

WithinS = Annotated[int, Meta(ge=60, le=86_400, description="Seconds; up to a day.")]
DaysAhead = Annotated[int, Meta(ge=0, le=366, description="Days; 0: today and before.")]


class TodayQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which holds: those that lapse within ``within_s``. Which deliveries: of today, before, and ``days`` ahead.

    ``limit``: of each at most so many are listed.
    """

    within_s: WithinS = 900
    days: DaysAhead = 0
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 20


class LapsingView(msgspec.Struct, frozen=True):
    """A hold that is about to lapse. ``units``: what it holds."""

    reservation_id: str
    order_ref: str
    channel: str
    units: int
    flags: list[str]
    expires_at: datetime


class BooksView(msgspec.Struct, frozen=True):
    """How the last audit of counters, reservations and journal ended; ``checked_at`` null: there was none yet."""

    checked_at: datetime | None
    agree: bool
    drift_units: int


class HaltedView(msgspec.Struct, frozen=True):
    """A store that was filled from a backup and is not released. ``taken_at``: the moment of the backup."""

    taken_at: datetime
    restored_at: datetime


class TodayView(msgspec.Struct, frozen=True):
    """What is due. ``today`` is the day in the partition's time zone; the totals count also what is not listed.

    ``halted`` null: publishing and intake go on.
    """

    today: date
    lapsing: list[LapsingView]
    lapsing_total: int
    deliveries: list[ExpectedReceiptView]
    deliveries_total: int
    books: BooksView
    halted: HaltedView | None
    as_of: datetime
