"""``holdfast report``: units sold, velocity and days of cover, as tables or CSV."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

import click
from rich.table import Table
from rich.text import Text

from server.cli.channel_names import caller_of
from server.cli.common import (
    failure,
    json_option,
    named,
    opened_store,
    partition_option,
    quiet_settings,
    run,
    store_options,
)
from server.cli.terminal import console, print_csv, print_json, progress_console, say
from server.config.settings import Settings
from server.domain.calendars import Calendar
from server.domain.daily_figures import Figures, date_of, day_of_date
from server.domain.reports import MONTH_DAYS, By, Sales, SalesOrder, Velocity, VelocityOrder, ranked
from server.files.wording import counted
from server.insight import reports
from server.service.checks import check_channel, check_location, check_sku
from server.service.order_channels import check_allowed
from server.service.problems import ProblemError
from server.store.command_session import OpenStore
from server.store.keys import Keyspace
from server.store.repositories.calendars import read_calendar
from server.store.repositories.daily_figures import FigureStore

FIGURES: Final = ("ordered", "shipped", "cancelled", "net", "returned", "received", "other")
VELOCITY: Final = ("per_day_7", "per_day_28", "on_hand", "available", "days_of_cover", "turnover_year")

_csv_option: Final = click.option("--csv", "as_csv", is_flag=True, help="Print every row as CSV instead of a table.")
_limit_option: Final = click.option(
    "--limit", type=click.IntRange(1), default=50, show_default=True, help="The most rows of a table."
)
_location_option: Final = click.option("--location", default="", help="For this location only.")
_day: Final = click.DateTime(["%Y-%m-%d"])


def _options(command: Any) -> Any:
    return _csv_option(json_option(_limit_option(_location_option(partition_option(store_options(command))))))


@click.group()
def report() -> None:
    """Report units sold, velocity (units per day) and days of cover.

    \b
      holdfast report sales --by channel --from 2026-11-01
      holdfast report velocity --order slowest
      holdfast report cover --csv > cover.csv

    A running server adds each change to the daily figures about a second later. Days are those of the
    partition's time zone, see holdfast time-zone.
    """  # noqa: D301  # click needs the character, not the two


@report.command()
@click.option("--from", "first", type=_day, help="The first day, such as 2026-11-01 [27 days before the last].")
@click.option("--to", "last", type=_day, help="The last day [today].")
@click.option("--by", type=click.Choice(["sku", "channel", "location", "day"]), default="sku", show_default=True)
@click.option("--sku", default="", help="For this SKU only.")
@click.option("--channel", default="", help="For this channel only.")
@click.option("--order", type=click.Choice(["best", "slowest"]), default="best", show_default=True)
@_options
def sales(
    *, first: datetime | None, last: datetime | None, by: By, sku: str, channel: str, location: str, order: SalesOrder,
    limit: int, as_csv: bool, as_json: bool, partition: str, **overrides: object,
) -> None:  # fmt: skip
    """Report units ordered, shipped, cancelled, returned and received.

    \b
      holdfast report sales --by day --channel trendyol

    A channel without sales that HOLDFAST_OTHER_CHANNELS refuses is taken for a mistake, and the nearest one is named.
    """  # noqa: D301  # click needs the character, not the two
    only = reports.Only(sku, channel, location)
    days = (first.date() if first else None, last.date() if last else None)
    summed, period = run(_sales(quiet_settings(**overrides), partition, by, days, only))
    rows = [(key, *_figures(each)) for key, each in summed.ranked(order)]
    if _printed((by, *FIGURES), rows, period, as_csv=as_csv, as_json=as_json):
        return
    _print_table(f"Units by {by}, {period}", (by, *FIGURES), rows[:limit], ("all", *_figures(summed.total)))
    _print_left_out(len(rows), limit)


@report.command()
@click.argument("skus", nargs=-1)
@click.option("--order", type=click.Choice(["best", "slowest", "cover"]), default="best", show_default=True)
@_options
def velocity(
    *, skus: tuple[str, ...], order: VelocityOrder, location: str, limit: int, as_csv: bool, as_json: bool,
    partition: str, **overrides: object,
) -> None:  # fmt: skip
    """Report units per day, days of cover and turnover.

    Units per day are those of the last 7 and 28 days. Without SKUs, it reports all.

    \b
      holdfast report velocity TS-1001-SİYAH-M
    """  # noqa: D301  # click needs the character, not the two
    settings = quiet_settings(**overrides)
    found, period = run(_velocities(settings, partition, skus, location))
    if skus and not found:
        raise failure(f"None of these SKUs is known in partition {partition}. Check the names, or add --partition.")
    shown = ranked(found, order) if not skus else found
    _print_velocities("Velocity", shown, period, limit, as_csv=as_csv, as_json=as_json)


@report.command()
@_options
def cover(*, location: str, limit: int, as_csv: bool, as_json: bool, partition: str, **overrides: object) -> None:
    """Report how long the stock lasts, the shortest first.

    Days of cover are those at the velocity of the last 28 days.

    \b
      holdfast report cover --location main
    """  # noqa: D301  # click needs the character, not the two
    found, period = run(_velocities(quiet_settings(**overrides), partition, (), location))
    _print_velocities("Days of cover", ranked(found, "cover"), period, limit, as_csv=as_csv, as_json=as_json)


async def _sales(
    settings: Settings, partition: str, by: By, days: tuple[date | None, date | None], asked: reports.Only
) -> tuple[Sales, str]:
    async with opened_store(settings) as store:
        only = await named(store, partition, lambda: _checked(asked))
        figures = FigureStore(store.client, Keyspace(partition))
        first, last = days
        calendar = await read_calendar(figures.client, figures.keyspace)
        until = day_of_date(last) if last is not None else calendar.day_of(await figures.now_ms())
        begin = day_of_date(first) if first is not None else until - MONTH_DAYS + 1
        if begin > until:
            raise failure("--from is after --to. Swap the two days.")
        await _print_since(figures, calendar, range(begin, until + 1))
        period = f"{date_of(begin)} to {date_of(until)}"
        summed = await reports.sales(figures, by, range(begin, until + 1), only)
        if only.channel and not summed.sums:  # one that has sold something was configured then
            await _check_channel(store, settings, partition, only.channel)
        return summed, period


async def _check_channel(store: OpenStore, settings: Settings, partition: str, channel: str) -> None:
    try:
        check_allowed(await caller_of(store, settings, partition), channel)
    except ProblemError as error:
        raise failure(error.problem.detail) from None


async def _velocities(
    settings: Settings, partition: str, skus: Sequence[str], location: str
) -> tuple[list[Velocity], str]:
    async with opened_store(settings) as store:
        figures = FigureStore(store.client, Keyspace(partition))
        span = await reports.span_of(figures, await figures.counted())
        await _print_since(figures, span.calendar, span.days)
        found: list[Velocity] = []
        asked = skus or [""]
        for only in await named(store, partition, lambda: [_checked(reports.Only(sku, "", location)) for sku in asked]):
            found += await reports.velocities(figures, span, only)
        return found, f"{date_of(span.first_day)} to {date_of(span.today)}"


def _checked(asked: reports.Only) -> reports.Only:
    """Check the names that were given; those that were not are empty."""
    return reports.Only(
        asked.sku and check_sku("SKU", asked.sku),
        asked.channel and check_channel("--channel", asked.channel),
        asked.location and check_location("--location", asked.location),
    )


async def _print_since(figures: FigureStore, calendar: Calendar, days: range) -> None:
    """Print from when on changes are counted, if that is not the whole period, and where the time zone has changed."""
    for seam in calendar.seams_in(days):
        between = f"{date_of(seam.first)} and {date_of(seam.last)}"
        remark = (
            f"The time zone has changed from {seam.before} to {seam.after} between {between}: days differ in length."
        )
        progress_console().print(remark, soft_wrap=True)
    begun = await figures.counted()
    if begun is None:
        remark = "There are no daily figures yet: start a server, which adds them while it runs."
        progress_console().print(remark, soft_wrap=True)
    elif calendar.day_of(begun.since_ms) > calendar.day_of(await figures.now_ms()) - MONTH_DAYS + 1:
        remark = f"The figures begin on {calendar.date_at(begun.since_ms)}; earlier changes are not in them."
        progress_console().print(remark, soft_wrap=True)


def _figures(figures: Figures) -> tuple[int, ...]:
    return tuple(getattr(figures, name) for name in FIGURES)


def _print_velocities(
    title: str, found: list[Velocity], period: str, limit: int, *, as_csv: bool, as_json: bool
) -> None:  # fmt: skip
    rows = [(each.sku, *(getattr(each, name) for name in VELOCITY)) for each in found]
    if _printed(("sku", *VELOCITY), rows, period, as_csv=as_csv, as_json=as_json):
        return
    _print_table(f"{title}, {period}", ("sku", *VELOCITY), rows[:limit])
    _print_left_out(len(rows), limit)


def _printed(
    names: Sequence[str], rows: Sequence[Sequence[object]], period: str, *, as_csv: bool, as_json: bool
) -> bool:  # fmt: skip
    """Print every row for programs, if that was asked for."""
    if as_csv and as_json:
        raise click.UsageError("Choose --csv or --json.")
    if as_csv:
        print_csv(names, rows)
    if as_json:
        print_json({"period": period, "rows": [dict(zip(names, row, strict=True)) for row in rows]})
    return as_csv or as_json


def _print_table(
    title: str, names: Sequence[str], rows: Iterable[Sequence[object]], total: Sequence[object] = ()
) -> None:
    table = Table(title=title, title_justify="left", show_footer=bool(total))
    for at, name in enumerate(names):
        footer = _shown(total[at]) if total else ""
        table.add_column(name, justify="left" if at == 0 else "right", footer=footer)
    for row in rows:
        table.add_row(*map(_shown, row))
    console().print(table)


def _shown(value: object) -> Text:
    """Show a cell as it is, without reading markup in it."""
    if isinstance(value, int | float):
        return Text(f"{value:,}")
    return Text("" if value is None else str(value))


def _print_left_out(rows: int, limit: int) -> None:
    if rows > limit:
        say(f"{counted(rows - limit, 'more row')}: add --limit {rows}, or --csv for all.")
