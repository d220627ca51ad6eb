"""What is sent and answered: reports.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import date, datetime

import msgspec

from holdfast.types.common import ExpectedReceiptView, SeamView


class BooksView(msgspec.Struct, frozen=True, kw_only=True):
    """How the last audit of counters, reservations and journal ended; ``checked_at`` null: there was none yet."""

    checked_at: datetime | None
    agree: bool
    drift_units: int


class GapView(msgspec.Struct, frozen=True, kw_only=True):
    """A time of which not everything is known. ``from`` null: since ever."""

    from_: datetime | None = msgspec.field(name="from")
    to: datetime
    reason: str
    """One of: before, damaged, trimmed, unread, went_back."""


class HaltedView(msgspec.Struct, frozen=True, kw_only=True):
    """A store that was filled from a backup and is not released. ``taken_at``: the moment of the backup."""

    taken_at: datetime
    restored_at: datetime


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """The server can take work. ``detail``: what an operator has to know all the same; left out where it is nothing."""

    status: str
    """One of: ok."""
    detail: str | None = None


class HistoryView(msgspec.Struct, frozen=True, kw_only=True):
    """One change. Names are as they were then; empty: it is about none.

    ``deltas``: by how many units it moved which bucket. ``available``: units that could be reserved after it,
    ``available_before`` before it; null: it moved no stock, or channels had allocations there. ``was`` and ``now``: of
    a setting, as JSON or text; null: it is none, empty: it was not set. ``seq`` null: no stock was changed.
    """

    at: datetime
    operation: str
    actor: str
    channel: str
    sku: str
    location: str
    reservation_id: str
    order_ref: str
    key: str
    state: str
    deltas: dict[str, int]
    available_before: int | None
    available: int | None
    was: str | None
    now: str | None
    reason: str
    notes: dict[str, str]
    seq: int | None


class LapsingView(msgspec.Struct, frozen=True, kw_only=True):
    """A hold that is about to lapse. ``units``: what it holds."""

    reservation_id: str
    order_ref: str
    channel: str
    units: int
    flags: list[str]
    expires_at: datetime


class SalesRow(msgspec.Struct, frozen=True, kw_only=True):
    """Units. ``net`` = ordered - cancelled; ``other`` is signed: counts, adjustments, transfers."""

    key: str
    ordered: int
    shipped: int
    cancelled: int
    returned: int
    received: int
    other: int
    net: int


class UnlistedView(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU that could be sold, and is on no channel: the units that are available at open locations."""

    sku: str
    available: int


class Velocity(msgspec.Struct, frozen=True, kw_only=True):
    """How fast a SKU sells. Units per day; a day that has not ended counts for as long as it has lasted.

    ``days_of_cover``: how long what is available lasts at the pace of 28 days; null where nothing was sold.
    ``turnover_year``: how often a year the stock is sold at this pace, from what was shipped and the average on hand;
    null where nothing was on hand.
    """

    sku: str
    per_day_7: float
    per_day_28: float
    on_hand: int
    available: int
    days_of_cover: float | None
    turnover_year: float | None


class PlaceThenView(msgspec.Struct, frozen=True, kw_only=True):
    """What was available at a location; null: not known. ``change`` made it so, null: it is older than the history.

    ``sure`` false: something that is not known lies between that change and the time, see the gaps.
    """

    location: str
    available: int | None
    sure: bool
    change: HistoryView | None


class TodayView(msgspec.Struct, frozen=True, kw_only=True):
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


class SalesReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was sold. ``complete_since``: nothing is missing from then on; ``counted_to``: the newest change in it.

    ``seams``: where days of ``time_zone`` begin and those of another end, within these days.
    """

    from_: date = msgspec.field(name="from")
    to: date
    by: str
    """One of: channel, day, location, sku."""
    rows: list[SalesRow]
    rows_total: int
    total: SalesRow
    complete_since: datetime | None
    counted_to: datetime | None
    time_zone: str
    seams: list[SeamView]


class UnlistedReport(msgspec.Struct, frozen=True, kw_only=True):
    """SKUs in stock that none of the ``channels`` lists, in no order. ``next`` is empty on the last page."""

    skus: list[UnlistedView]
    channels: list[str]
    next: str


class VelocityReport(msgspec.Struct, frozen=True, kw_only=True):
    """How fast things go. ``complete_since``: when counting began, if that was within the 28 days it shortens them.

    ``seams``: where days of ``time_zone`` begin and those of another end, within the 28 days.
    """

    skus: list[Velocity]
    skus_total: int
    complete_since: datetime | None
    counted_to: datetime | None
    time_zone: str
    seams: list[SeamView]


class StockThenView(msgspec.Struct, frozen=True, kw_only=True):
    """What was available of a SKU at a time, together and at each location. ``complete`` false: some are left out."""

    sku: str
    at: datetime
    available: int
    locations: list[PlaceThenView]
    complete: bool


class HistoryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Changes, the newest first, as of a moment. ``next`` is the ``after`` of the next page, empty on the last.

    A page can have fewer than were asked for, or none, although there are more. ``gaps``: where the history lacks
    something in the time that was asked for. ``then``: the answer to ``at``.
    """

    changes: list[HistoryView]
    next: str
    gaps: list[GapView]
    as_of: datetime
    then: StockThenView | None = None
