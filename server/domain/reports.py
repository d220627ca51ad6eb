"""Reports from the daily figures: sales by SKU, channel, location or day; velocity, days of cover and turnover."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal, NamedTuple

import msgspec

from server.domain.calendars import IN_UTC, Calendar
from server.domain.daily_figures import Figures, date_of

By = Literal["sku", "channel", "location", "day"]
SalesOrder = Literal["best", "slowest"]
VelocityOrder = Literal["best", "slowest", "cover"]

WEEK_DAYS: Final = 7
MONTH_DAYS: Final = 28
"""Four whole weeks, so that each day of the week weighs the same."""
YEAR_DAYS: Final = 365


class Sales:
    """Figures added up by one thing."""

    def __init__(self, by: By) -> None:
        self.by = by
        self.total = Figures()
        self.sums: dict[str, Figures] = {}

    def add(self, day: int, sku: str, channel: str, location: str, figures: Figures) -> None:
        """Add one SKU's figures of a day on a channel at a location."""
        match self.by:
            case "sku":
                key = sku
            case "channel":
                key = channel
            case "location":
                key = location
            case _:
                key = date_of(day).isoformat()
        known = self.sums.get(key)
        if known is None:
            known = self.sums[key] = Figures()
        known.add(figures)
        self.total.add(figures)

    def ranked(self, order: SalesOrder) -> list[tuple[str, Figures]]:
        """Return the sums: days in their order, all else by units ordered and not cancelled, best or least first.

        Units of no channel (receipts, counts) are a row of their own with an empty key.
        """
        if self.by == "day":
            return sorted(self.sums.items(), reverse=order == "slowest")
        return sorted(self.sums.items(), key=place_in(order))


def place_in(order: SalesOrder) -> Callable[[tuple[str, Figures]], tuple[int, str]]:
    """Return the key by which sums are sorted, where they are not of days."""
    sign = -1 if order == "best" else 1
    return lambda each: (sign * each[1].net, each[0])


class Span(msgspec.Struct, frozen=True):
    """The time that velocity looks at: up to ``now_ms``, but nothing before ``since_ms``, when counting began.

    ``calendar``: the zones by which days are told.
    """

    now_ms: int
    since_ms: int
    calendar: Calendar = IN_UTC

    @property
    def today(self) -> int:
        """The day's number."""
        return self.calendar.day_of(self.now_ms)

    @property
    def first_day(self) -> int:
        """The first of the 28 days, or that on which counting began."""
        return min(self.today, max(self.today - MONTH_DAYS + 1, self.calendar.day_of(self.since_ms)))

    @property
    def days(self) -> range:
        """Every day that is looked at, today included."""
        return range(self.first_day, self.today + 1)

    def elapsed_days(self, days: int) -> float:
        """Return the length of the last ``days`` days so far, at least 1: an hour's sales are no trend."""
        begin = max(float(self.today - days + 1), self.calendar.position(self.since_ms))
        return max(1.0, self.calendar.position(self.now_ms) - begin)


class Pace:
    """How fast a SKU sells: adds up the figures of a :class:`Span`."""

    __slots__ = ("change_days", "shipped", "sold_month", "sold_week")

    def __init__(self) -> None:
        self.sold_week = 0
        self.sold_month = 0
        self.shipped = 0
        self.change_days = 0

    def add(self, day: int, figures: Figures, span: Span) -> None:
        """Add the figures of a day."""
        self.sold_month += figures.net
        self.shipped += figures.shipped
        # How many ends of days of the span came before this change: so often it was not yet in the shelf.
        self.change_days += figures.d_on_hand * (day - span.first_day)
        if day > span.today - WEEK_DAYS:
            self.sold_week += figures.net

    def per_day_7(self, span: Span) -> float:
        """Units ordered and not cancelled per day, over seven days; never negative."""
        return max(0, self.sold_week) / span.elapsed_days(WEEK_DAYS)

    def per_day_28(self, span: Span) -> float:
        """As :meth:`per_day_7`, over 28 days."""
        return max(0, self.sold_month) / span.elapsed_days(MONTH_DAYS)

    def average_on_hand(self, on_hand: int, span: Span) -> float:
        """Return how many units were on hand at the end of a day, on average, from how many are now."""
        return on_hand - self.change_days / len(span.days)


class Velocity(msgspec.Struct, frozen=True, gc=False):
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


def velocity(sku: str, pace: Pace, span: Span, *, on_hand: int, available: int) -> Velocity:
    """Calculate how fast a SKU sells."""
    per_day, average = pace.per_day_28(span), pace.average_on_hand(on_hand, span)
    shipped_per_day = pace.shipped / span.elapsed_days(MONTH_DAYS)
    return Velocity(
        sku,
        round(pace.per_day_7(span), 3),
        round(per_day, 3),
        on_hand,
        available,
        round(max(0, available) / per_day, 1) if per_day else None,
        round(shipped_per_day * YEAR_DAYS / average, 2) if average > 0 else None,
    )


class Ranking(NamedTuple):
    """Which SKUs a ranking is about, and the key by which they are sorted."""

    is_about: Callable[[Velocity], bool]
    place: Callable[[Velocity], tuple[float, float, str]]


RANKINGS: Final[Mapping[VelocityOrder, Ranking]] = {
    "best": Ranking(lambda _: True, lambda each: (-each.per_day_28, -each.per_day_7, each.sku)),
    "slowest": Ranking(lambda each: each.on_hand > 0, lambda each: (each.per_day_28, -each.on_hand, each.sku)),
    "cover": Ranking(
        lambda each: each.days_of_cover is not None,
        lambda each: (each.days_of_cover or 0.0, -each.per_day_28, each.sku),
    ),
}
"""Best sellers first; slowest of those on hand first; or what runs out soonest first."""


def ranked(found: Iterable[Velocity], order: VelocityOrder) -> list[Velocity]:
    """Sort them as :data:`RANKINGS` says."""
    ranking = RANKINGS[order]
    return sorted(filter(ranking.is_about, found), key=ranking.place)
