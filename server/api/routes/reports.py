"""Reports: what was sold where, how fast things go, and how long they last. From figures counted by day."""

import asyncio
from collections.abc import Awaitable
from datetime import date, datetime
from typing import Annotated, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import parse_query, respond
from server.api.routes.reservation_answers import time_of
from server.domain import limits
from server.domain.daily_figures import Figures, date_of, day_of, day_of_date
from server.domain.principal import Scope
from server.domain.reports import MONTH_DAYS, By, SalesOrder, Velocity, VelocityOrder, ranked
from server.insight import reports
from server.schemas.common import Channel, Location, Sku
from server.service.checks import InvalidError, check_location, check_sku, check_text
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import parse_entry_id
from server.store.repositories.daily_figures import Counted, FigureStore

REPORT_DAYS_MAX: Final = 366
REPORT_TIMEOUT_S: Final = 30.0
"""A whole catalogue over a quarter is some seconds' reading."""
Limit = Annotated[int, Meta(ge=1, le=1_000, description="Rows at most.")]
Answer = TypeVar("Answer")


class SalesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Days in UTC, both included; without them the last 28."""

    # Unset rather than None: a query's "null" would be read as the latter.
    from_: date | msgspec.UnsetType = msgspec.UNSET
    to: date | msgspec.UnsetType = msgspec.UNSET
    by: By = "sku"
    sku: Sku | None = None
    channel: Channel | None = None
    location: Location | None = None
    order: SalesOrder = "best"
    limit: Limit = 100


class VelocityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One SKU, or all that are known; at one location, or at all."""

    sku: Sku | None = None
    location: Location | None = None
    order: VelocityOrder = "best"
    limit: Limit = 100


class SalesRow(msgspec.Struct, frozen=True):
    """Units. ``net`` = ordered - cancelled; ``other`` is signed: counts, adjustments, transfers."""

    key: str
    ordered: int
    shipped: int
    cancelled: int
    returned: int
    received: int
    other: int
    net: int


class SalesReport(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What was sold. ``complete_since``: nothing is missing from then on; ``counted_to``: the newest change in it."""

    from_: date
    to: date
    by: By
    rows: list[SalesRow]
    rows_total: int
    total: SalesRow
    complete_since: datetime | None
    counted_to: datetime | None


class VelocityReport(msgspec.Struct, frozen=True):
    """How fast things go. ``complete_since``: when counting began, if that was within the 28 days it shortens them."""

    skus: list[Velocity]
    skus_total: int
    complete_since: datetime | None
    counted_to: datetime | None


def figure_store(call: Call) -> FigureStore:
    """Open the figures of the caller's partition."""
    return FigureStore(call.service.client, call.ledger.keyspace)


async def in_report_time(reading: Awaitable[Answer]) -> Answer:
    """Await what reads much.

    Raises
    ------
    StoreUnavailableError
        It took longer than :data:`REPORT_TIMEOUT_S`.

    """
    try:
        async with asyncio.timeout(REPORT_TIMEOUT_S):
            return await reading
    except TimeoutError:
        raise StoreUnavailableError("The report takes too long; ask for fewer days, or for one SKU.") from None


def only(query: SalesQuery | VelocityQuery) -> reports.Only:
    """Check what a report is about."""
    channel = query.channel if isinstance(query, SalesQuery) else None
    return reports.Only(
        check_sku("sku", query.sku) if query.sku is not None else "",
        check_text("channel", channel, limits.NAME_BYTES_MAX) if channel is not None else "",
        check_location("location", query.location) if query.location is not None else "",
    )


def days_of(query: SalesQuery, today: int) -> range:
    """Tell which days are asked for.

    Raises
    ------
    InvalidError
        They are too many, or none.

    """
    last = day_of_date(query.to) if isinstance(query.to, date) else today
    first = day_of_date(query.from_) if isinstance(query.from_, date) else last - MONTH_DAYS + 1
    if first > last:
        raise InvalidError("from", "must not be after to")
    if last - first >= REPORT_DAYS_MAX:
        raise InvalidError("from", f"must be at most {REPORT_DAYS_MAX} days before to")
    return range(first, last + 1)


def row_view(key: str, figures: Figures) -> SalesRow:
    """Show one row."""
    return SalesRow(key, **msgspec.structs.asdict(figures), net=figures.net)


def _counted_view(counted: Counted | None) -> tuple[datetime | None, datetime | None]:
    if counted is None:
        return None, None
    return time_of(counted.since_ms), time_of(parse_entry_id(counted.cursor)[0])


async def sales(call: Call) -> web.StreamResponse:
    """Tell what was ordered, shipped, cancelled, returned and received."""
    query: SalesQuery = parse_query(call.request, SalesQuery)
    about = only(query)
    return respond(call.request, await in_report_time(_sales(figure_store(call), query, about)))


async def _sales(store: FigureStore, query: SalesQuery, about: reports.Only) -> SalesReport:
    days = days_of(query, day_of(await store.now_ms()))
    counted = await store.counted()
    summed = await reports.sales(store, query.by, days, about)
    rows = [row_view(key, figures) for key, figures in summed.ranked(query.order)[: query.limit]]
    total = row_view("", summed.total)
    first, last = date_of(days[0]), date_of(days[-1])
    return SalesReport(first, last, query.by, rows, len(summed.sums), total, *_counted_view(counted))


async def velocity(call: Call) -> web.StreamResponse:
    """Tell how fast SKUs sell, and how long what there is lasts."""
    query: VelocityQuery = parse_query(call.request, VelocityQuery)
    about = only(query)
    report = await in_report_time(_velocity(figure_store(call), query, about))
    if about.sku and not report.skus_total:
        return problems.respond(problems.problem("unknown_sku"))
    return respond(call.request, report)


async def _velocity(store: FigureStore, query: VelocityQuery, about: reports.Only) -> VelocityReport:
    counted = await store.counted()
    found = await reports.velocities(store, await reports.span_of(store, counted), about)
    chosen = found if about.sku else ranked(found, query.order)
    return VelocityReport(chosen[: query.limit], len(chosen), *_counted_view(counted))


ROUTES = [
    Route(
        "GET", "/v1/reports/sales", sales, Scope.READ, "What was sold, by SKU, channel, location or day",
        {200: SalesReport}, query=SalesQuery, outcomes=("invalid",),
    ),
    Route(
        "GET", "/v1/reports/velocity", velocity, Scope.READ, "How fast SKUs sell, and how long their stock lasts",
        {200: VelocityReport}, query=VelocityQuery, outcomes=("invalid", "unknown_sku"),
    ),
]  # fmt: skip
