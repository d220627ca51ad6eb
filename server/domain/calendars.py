"""The days of a merchant: those of a time zone, which can be changed. Days that have begun keep their figures then.

A day is a number, counted from 1970 on: that of its date in the zone that was in force. So it can have 23 or 25 hours.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, tzinfo
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from server.domain.daily_figures import DAY_MS, date_of, day_of_date

DEFAULT_ZONE: Final = "UTC"
_NO_PLACE: Final = "Factory"
"""Stands in the list of zones for a clock that nobody has set."""


class ZoneError(Exception):
    """A time zone that is not known here; the text is a rule."""


class Seam(msgspec.Struct, array_like=True, frozen=True):
    """From this moment on, milliseconds since 1970, days are those of this zone."""

    from_ms: int
    time_zone: str


class SeamBetween(msgspec.Struct, frozen=True):
    """A change of the zone: ``first`` and ``last`` are the days around it, which are longer or shorter than others."""

    at_ms: int
    before: str
    after: str
    first: int
    last: int


@cache
def zone_names() -> frozenset[str]:
    """Return the names of all time zones: the same on every machine, whatever its own files are."""
    return frozenset(files("tzdata").joinpath("zones").read_text("utf-8").split()) - {_NO_PLACE}


def zones_of_countries() -> list[str]:
    """Return the names of zones that countries use today, without their older names."""
    table = files("tzdata").joinpath("zoneinfo", "zone.tab").read_text("utf-8")
    return [line.split("\t")[2].strip() for line in table.splitlines() if not line.startswith("#")]


@lru_cache(maxsize=1_000)
def zone_of(name: str) -> tzinfo:
    """Return a time zone by its IANA name.

    Raises
    ------
    ZoneError
        There is none with this name.

    """
    if name == DEFAULT_ZONE:
        return UTC
    if name not in zone_names():
        raise ZoneError("must be the IANA name of a time zone, such as Europe/Istanbul")
    return ZoneInfo(name)


class Calendar:
    """The days of a partition. ``seams``: the changes of its zone, the oldest first; before them days were in UTC.

    ``packed``: the same as the store has it, by which a script sees that it has not changed since.
    """

    def __init__(self, seams: Sequence[Seam] = (), packed: bytes = b"") -> None:
        self.seams = tuple(seams)
        self.packed = packed
        self._from_ms = [each.from_ms for each in self.seams]
        self._zones = [zone_of(each.time_zone) for each in self.seams]

    @property
    def begins_ms(self) -> int:
        """Since when the newest zone is in force, milliseconds since 1970; 0: none was ever set."""
        return self._from_ms[-1] if self._from_ms else 0

    def zone_at(self, time_ms: int) -> str:
        """Return the name of the zone that is in force at a time."""
        place = bisect_right(self._from_ms, time_ms)
        return self.seams[place - 1].time_zone if place else DEFAULT_ZONE

    def day_of(self, time_ms: int) -> int:
        """Return the number of the day of a time."""
        place = bisect_right(self._from_ms, time_ms) if self._from_ms else 0
        return _day_in(self._zones[place - 1], time_ms) if place else time_ms // DAY_MS

    def date_at(self, time_ms: int) -> date:
        """Return the date of a time."""
        return date_of(self.day_of(time_ms))

    def begin_ms(self, day: int) -> int:
        """Return when a day begins; one that begins on both sides of a seam, as it would have without the later."""
        after_ms: int | None = None
        for zone, from_ms in zip([UTC, *self._zones][::-1], [None, *self._from_ms][::-1], strict=True):
            begin_ms = _midnight_ms(zone, day)
            if from_ms is None or begin_ms >= from_ms:
                return begin_ms if after_ms is None else min(begin_ms, after_ms)
            after_ms = from_ms
        raise AssertionError  # the last of them has no beginning

    def position(self, time_ms: int) -> float:
        """Return a time in days: the number of its day, and how much of the day has passed, whatever its length."""
        if not self.seams:
            return time_ms / DAY_MS
        day = self.day_of(time_ms)
        begin_ms = self.begin_ms(day)
        length_ms = max(1, self.begin_ms(day + 1) - begin_ms)
        return day + min(1.0, max(0.0, (time_ms - begin_ms) / length_ms))

    def seams_in(self, days: range) -> list[SeamBetween]:
        """Return the changes of the zone on some days."""
        found = []
        for seam in self.seams:
            before, after = self.day_of(seam.from_ms - 1), self.day_of(seam.from_ms)
            first, last = sorted((before, after))
            if first < days.stop and last >= days.start:
                zone = self.zone_at(seam.from_ms - 1)
                found.append(SeamBetween(seam.from_ms, zone, seam.time_zone, first, last))
        return found


IN_UTC: Final = Calendar()


def _day_in(zone: tzinfo, time_ms: int) -> int:
    return day_of_date(datetime.fromtimestamp(time_ms // 1000, zone).date())


def _midnight_ms(zone: tzinfo, day: int) -> int:
    """Return when a date begins; where the clock skips midnight, when it was put forward."""
    if zone is UTC:
        return day * DAY_MS
    return int(datetime.combine(date_of(day), datetime.min.time(), zone).timestamp() * 1000)
