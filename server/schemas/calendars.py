"""The time zone of a partition over the wire, and its changes."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain.calendars import Calendar
from server.domain.daily_figures import date_of
from server.schemas.common import Body, time_of

ZoneName = Annotated[str, Meta(min_length=1, max_length=64, description="An IANA name, such as Europe/Istanbul.")]


class TimeZoneBody(Body, frozen=True):
    """Whose days they are from now on."""

    time_zone: ZoneName


class SeamView(msgspec.Struct, frozen=True):
    """A change of the time zone. The days from ``first`` to ``last`` are longer or shorter than others for it."""

    at: datetime
    before: str
    after: str
    first: date
    last: date


class TimeZoneView(msgspec.Struct, frozen=True):
    """Whose days they are now, which day it is, and every change so far."""

    time_zone: str
    today: date
    seams: list[SeamView]


def seam_views(calendar: Calendar, days: range) -> list[SeamView]:
    """Show the changes of the time zone on some days."""
    return [
        SeamView(time_of(each.at_ms), each.before, each.after, date_of(each.first), date_of(each.last))
        for each in calendar.seams_in(days)
    ]


def time_zone_view(calendar: Calendar, now_ms: int) -> TimeZoneView:
    """Show the time zone, and which day it is there."""
    today = calendar.day_of(now_ms)
    return TimeZoneView(calendar.zone_at(now_ms), date_of(today), seam_views(calendar, range(today + 2)))
