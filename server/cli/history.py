"""``holdfast history``: who changed what, when, from what to what, and why; and how many there were at a time."""

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import click
import msgspec
from rich.table import Table
from rich.text import Text

from server.cli.common import json_option, partition_option, quiet_settings, run, store_options
from server.cli.order_documents import opened_orders
from server.cli.terminal import console, print_json, say
from server.cli.times import shown_time
from server.config.settings import Settings
from server.domain.calendars import Calendar, zone_of
from server.domain.daily_figures import day_of_date
from server.schemas.history import HistoryQuery, HistoryView, gap_view, history_view
from server.service.calendars import calendar_of
from server.service.caller import Caller
from server.service.history import History, find_history
from server.service.stock_then import PlaceThen, StockThen, stock_then

SHOWN: Final = 100
PAGE: Final = 500
WHY: Final = {
    "before": "what is older had gone from the journal when the history began",
    "trimmed": "the journal was cut off before it was read",
    "went_back": "the store came back without its newest changes: those of this time did not last",
    "damaged": "an entry of the journal cannot be read",
    "unread": "these changes stand in the journal and were not read yet; try again",
}

_Shown = tuple[History, StockThen | None]


@click.command()
@click.option("--sku", help="Of this SKU.")
@click.option("--order", help="Of the order with this number, or the reservation with this id.")
@click.option("--location", help="At this location.")
@click.option("--channel", help="Of this channel.")
@click.option("--actor", help="By this API key: its id, `local` for commands, `system` for maintenance.")
@click.option("--key", help="Of a channel's key of a listing, a barcode, or an API key.")
@click.option("--from", "from_", help="From this day or time on.")
@click.option("--to", help="Up to this day, or before this time.")
@click.option("--at", help="How many there were of --sku then, and why: a time, or the end of a day.")
@click.option("--limit", type=click.IntRange(min=1), default=SHOWN, show_default=True, help="The newest so many.")
@partition_option
@json_option
@store_options
def history(limit: int, partition: str, as_json: bool, **given: Any) -> None:
    """Show who changed what, when, from what to what, and why.

    Days and times without a zone are those of the partition, see `holdfast time-zone`.

    \b
      holdfast history --sku TS-1001-SİYAH-M
      holdfast history --sku TS-1001-SİYAH-M --at 2026-11-27
      holdfast history --sku TS-1001-SİYAH-M --at "2026-11-27 15:00"
      holdfast history --order 10623417
      holdfast history --actor k3q5zt7xw2ma --from 2026-11-01 --json
    """  # noqa: D301  # click needs the character, not the two
    names = ("sku", "order", "location", "channel", "actor", "key")
    asked = {name: given.pop(name) for name in names}
    times = {name: given.pop(name) for name in ("from_", "to", "at")}
    if times["at"] and asked["sku"] is None:
        raise click.UsageError("Add --sku: whose number is asked for.")
    found, then = run(_read(quiet_settings(**given), partition, {k: v for k, v in asked.items() if v}, times, limit))
    if as_json:
        print_json(_as_json(found, then))
    else:
        _print(found, then)


async def _read(
    settings: Settings, partition: str, asked: dict[str, str], times: dict[str, str | None], limit: int
) -> _Shown:
    async with opened_orders(settings, partition) as caller:
        calendar = await calendar_of(caller)
        read: dict[str, Any] = {
            name: _time(calendar, f"--{name.rstrip('_')}", text, is_end=name != "from_")
            for name, text in times.items()
            if text
        }
        query = HistoryQuery(**{**asked, **read}, limit=min(limit, PAGE))
        then = await stock_then(caller, query)
        return await read_pages(caller, query, limit), then


async def read_pages(caller: Caller, query: HistoryQuery, limit: int) -> History:
    """Read the newest changes, as many as are wanted."""
    found = await find_history(caller, query)
    rows, gaps = list(found.rows), list(found.gaps)
    while len(rows) < limit and found.next:
        found = await find_history(caller, msgspec.structs.replace(query, after=found.next))
        rows += found.rows
        gaps += [gap for gap in found.gaps if gap not in gaps]
    return History(rows[:limit], found.next or ("more" if len(rows) > limit else ""), gaps, found.as_of_ms)


def _time(calendar: Calendar, option: str, text: str, *, is_end: bool) -> datetime:
    """Read a day or a time; of a day its end or its beginning."""
    try:
        if len(text) == len("2026-11-27"):
            day = day_of_date(date.fromisoformat(text))
            ms = calendar.begin_ms(day + 1) - (1 if option == "--at" else 0) if is_end else calendar.begin_ms(day)
            return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms)
        read = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} must be a day or a time, such as 2026-11-27 or '2026-11-27 15:00'") from None
    if read.tzinfo is None:
        now_ms = int(datetime.now(UTC).timestamp() * 1000)
        read = read.replace(tzinfo=zone_of(calendar.zone_at(now_ms)))
    return read


# -- for machines


def _as_json(found: History, then: StockThen | None) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "changes": [msgspec.to_builtins(history_view(row)) for row in found.rows],
        "complete": not found.next,
        "gaps": [msgspec.to_builtins(gap_view(gap)) for gap in found.gaps],
    }
    if then is not None:
        shown["then"] = {
            "sku": then.sku,
            "at": shown_time(then.at_ms),
            "available": then.available,
            "locations": [_place_as_json(each) for each in then.places],
            "complete": then.complete,
        }
    return shown


def _place_as_json(place: PlaceThen) -> dict[str, Any]:
    change = None if place.change is None else msgspec.to_builtins(history_view(place.change))
    return {"location": place.location, "available": place.available, "sure": place.is_sure, "change": change}


# -- for people


def _print(found: History, then: StockThen | None) -> None:
    out = console()
    if then is not None:
        out.print(f"{then.sku} at {shown_time(then.at_ms)}: {then.available:,} available", soft_wrap=True)
        for place in then.places:
            out.print(_then_line(place), soft_wrap=True)
    if found.rows:
        out.print(history_table([history_view(row) for row in found.rows]))
    else:
        say("Nothing was changed.")
    if found.next:
        say("There are more; ask for fewer days, or set --limit.")
    for line in gap_lines([msgspec.to_builtins(gap_view(gap)) for gap in found.gaps]):
        out.print(line, soft_wrap=True)


def _then_line(place: PlaceThen) -> str:
    units = "not known" if place.available is None else f"{place.available:,}"
    if place.change is None:
        why = "unchanged as far back as the history reaches"
    else:
        why = _because(history_view(place.change))
    return f"  {place.location}: {units}, {why}" + ("" if place.is_sure else " (not sure: see below)")


def _because(view: HistoryView) -> str:
    who = " for ".join(filter(None, (view.actor, view.channel)))
    what = f" of {view.reservation_id}" if view.reservation_id else ""
    order = f", order {view.order_ref}" if view.order_ref else ""
    before = "" if view.available_before is None else f", {view.available_before:,} before it"
    reason = f", {view.reason}" if view.reason else ""
    return f"by {view.operation}{what}{order} of {who} at {view.at:%Y-%m-%d %H:%M:%S}Z{before}{reason}"


def history_table(views: list[HistoryView]) -> Table:
    """Make the table of some changes."""
    table = Table("time", "actor", "operation", "about", "change", "why")
    table.add_column("available", justify="right")
    for view in views:
        who = " for ".join(filter(None, (view.actor, view.channel)))
        about = " ".join(filter(None, (view.sku, view.location, view.key, view.reservation_id, view.order_ref)))
        units = "" if view.available is None else f"{view.available:,}"
        cells = (f"{view.at:%Y-%m-%d %H:%M:%S}Z", who, view.operation, about, _change(view), view.reason, units)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _change(view: HistoryView) -> str:
    parts = [f"{name} {by:+,}" for name, by in view.deltas.items()]
    if view.was is not None or view.now is not None:
        parts.append(f"{view.was or 'nothing'} → {view.now or 'nothing'}")
    parts += [f"{name}: {value}" for name, value in view.notes.items()]
    return ", ".join(parts)


def gap_lines(gaps: list[dict[str, Any]]) -> list[str]:
    """Say of which times not everything is known; the gaps as they are printed for machines."""
    return [f"Not everything is known {_since(gap)} to {gap['to']}: {WHY[gap['reason']]}." for gap in gaps]


def _since(gap: dict[str, Any]) -> str:
    return f"from {gap['from']}" if gap["from"] else "up"
