"""Reports: what was sold where, how fast things go, and how long they last. From figures counted by day."""

from datetime import datetime

import msgspec

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain.daily_figures import Figures, date_of
from server.domain.principal import Scope
from server.domain.reports import RANKINGS, Sales, SalesOrder, place_in
from server.insight import reports
from server.insight.first_rows import first_rows
from server.schemas.calendars import seam_views
from server.schemas.common import time_of
from server.schemas.problems import Problem
from server.schemas.reports import (
    SalesQuery,
    SalesReport,
    SalesRow,
    UnlistedQuery,
    UnlistedReport,
    UnlistedView,
    VelocityQuery,
    VelocityReport,
)
from server.service import reports as service
from server.service.checks import check_channel, check_location, check_sku
from server.service.order_channels import check_allowed
from server.service.problems import problem
from server.store.connection.timeouts import in_report_time
from server.store.journal.journal import parse_entry_id
from server.store.repositories.calendars import read_calendar
from server.store.repositories.daily_figures import Counted, FigureStore


def _store(call: Call) -> FigureStore:
    return FigureStore(call.caller.partition.client, call.caller.partition.keyspace)


def _only(query: SalesQuery | VelocityQuery) -> reports.Only:
    channel = query.channel if isinstance(query, SalesQuery) else None
    return reports.Only(
        check_sku("sku", query.sku) if query.sku is not None else "",
        check_channel("channel", channel) if channel is not None else "",
        check_location("location", query.location) if query.location is not None else "",
    )


def _row_view(key: str, figures: Figures) -> SalesRow:
    return SalesRow(key, **msgspec.structs.asdict(figures), net=figures.net)


def _counted_view(counted: Counted | None) -> tuple[datetime | None, datetime | None]:
    if counted is None:
        return None, None
    return time_of(counted.since_ms), time_of(parse_entry_id(counted.cursor)[0])


async def sales(call: Call) -> SalesReport:
    """Report what was ordered, shipped, cancelled, returned and received."""
    query: SalesQuery = call.query(SalesQuery)
    about = _only(query)
    report = await in_report_time(_sales(_store(call), query, about))
    if not report.rows:  # one that has sold something was configured then
        check_allowed(call.caller, about.channel)
    return report


async def _sales(store: FigureStore, query: SalesQuery, about: reports.Only) -> SalesReport:
    calendar, counted = await read_calendar(store.client, store.keyspace), await store.counted()
    now_ms = await store.now_ms()
    days = service.days_of(query, calendar.day_of(now_ms))
    summed = await reports.sales(store, query.by, days, about)
    rows = [_row_view(key, figures) for key, figures in await _first(summed, query.order, query.limit)]
    total = _row_view("", summed.total)
    first, last = date_of(days[0]), date_of(days[-1])
    return SalesReport(
        first, last, query.by, rows, len(summed.sums), total, *_counted_view(counted),
        calendar.zone_at(now_ms), seam_views(calendar, days),
    )  # fmt: skip


async def _first(summed: Sales, order: SalesOrder, limit: int) -> list[tuple[str, Figures]]:
    if summed.by == "day":  # a year of them at most
        return summed.ranked(order)[:limit]
    return await first_rows(summed.sums.items(), place_in(order), limit)


async def velocity(call: Call) -> VelocityReport | Problem:
    """Report how fast SKUs sell, and how long what there is lasts."""
    query: VelocityQuery = call.query(VelocityQuery)
    about = _only(query)
    report = await in_report_time(_velocity(_store(call), query, about))
    return problem("unknown_sku") if about.sku and not report.skus_total else report


async def _velocity(store: FigureStore, query: VelocityQuery, about: reports.Only) -> VelocityReport:
    counted = await store.counted()
    span = await reports.span_of(store, counted)
    ranking = RANKINGS["best" if about.sku else query.order]  # the one is told whatever it does
    found = await reports.velocities(store, span, about, ranking.is_about)
    return VelocityReport(
        await first_rows(found, ranking.place, query.limit), len(found), *_counted_view(counted),
        span.calendar.zone_at(span.now_ms), seam_views(span.calendar, range(span.days.start, span.days.stop)),
    )  # fmt: skip


async def on_no_channel(call: Call) -> UnlistedReport:
    """Report SKUs that are in stock and that no channel lists, a page at a time."""
    page = await service.on_no_channel(call.caller, call.query(UnlistedQuery))
    views = [UnlistedView(each.sku, each.available) for each in page.found]
    return UnlistedReport(views, sorted(call.caller.partition.channels), str(page.following) if page.following else "")


ROUTES = [
    Route(
        "GET", "/v1/reports/sales", sales, Scope.READ, "What was sold, by SKU, channel, location or day",
        {200: SalesReport}, query=SalesQuery, outcomes=("invalid", "unknown_channel"), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/reports/velocity", velocity, Scope.READ, "How fast SKUs sell, and how long their stock lasts",
        {200: VelocityReport}, query=VelocityQuery, outcomes=("invalid", "unknown_sku"), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/reports/unlisted", on_no_channel, Scope.READ, "What is in stock and on no channel, page by page",
        {200: UnlistedReport}, query=UnlistedQuery, outcomes=("invalid", "answer_too_large"), share=Share.REPORTS,
    ),
]  # fmt: skip
