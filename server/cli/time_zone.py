"""``holdfast time-zone``: by which reports, expected receipts and available to promise tell days."""

import click

from server.cli.common import failure, opened_store, partition_option, quiet_settings, run, store_options
from server.cli.terminal import say
from server.config.settings import Settings
from server.domain.calendars import Calendar
from server.domain.daily_figures import date_of
from server.schemas.common import time_of
from server.service.calendars import check_zone
from server.service.checks import InvalidError
from server.store.keys import Keyspace
from server.store.repositories.calendars import read_calendar, set_time_zone
from server.store.repositories.daily_figures import FigureStore


@click.command()
@click.argument("zone", required=False)
@partition_option
@store_options
def time_zone(zone: str | None, partition: str, **overrides: object) -> None:
    """Set the time zone by which days are told, or print it: an IANA name such as Europe/Istanbul [UTC].

    \b
      holdfast time-zone Europe/Istanbul
      holdfast time-zone

    Reports, expected receipts, what is available to promise by day and proposals to order use these days. A change
    holds from now on: days that have begun keep what was counted for them, and reports say where the change was.
    """  # noqa: D301  # click needs the character, not the two
    calendar, now_ms = run(_set(quiet_settings(**overrides), partition, zone))
    say(f"{calendar.zone_at(now_ms)}: it is {calendar.date_at(now_ms)}")
    for seam in calendar.seams_in(range(calendar.day_of(now_ms) + 2)):
        at = f"{time_of(seam.at_ms):%Y-%m-%d %H:%M} UTC"
        say(f"{seam.before} to {seam.after} at {at}, between {date_of(seam.first)} and {date_of(seam.last)}")


async def _set(settings: Settings, partition: str, zone: str | None) -> tuple[Calendar, int]:
    if zone is not None:
        try:
            await check_zone("ZONE", zone)
        except InvalidError as error:
            raise failure(f"{error.field} {error.rule}") from None
    async with opened_store(settings, create=zone is not None) as store:
        keyspace = Keyspace(partition)
        if zone is None:
            calendar = await read_calendar(store.client, keyspace)
        else:
            await store.register(partition)
            calendar = await set_time_zone(store.client, keyspace, zone)
        return calendar, await FigureStore(store.client, keyspace).now_ms() + 1
