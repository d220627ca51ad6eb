"""The days of a merchant: of 23, 24 and 25 hours, and across a change of the time zone."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.calendars import IN_UTC, Calendar, Seam, ZoneError, zone_names, zone_of
from server.domain.daily_figures import DAY_MS, date_of, day_of_date
from server.domain.reports import Span

HOUR_MS = 3_600_000
ISTANBUL, BUCHAREST = "Europe/Istanbul", "Europe/Bucharest"


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def always(zone: str) -> Calendar:
    return Calendar([Seam(0, zone)])


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        # Istanbul put its clock back for the last time in 2015, forward in 2016, and has stayed there.
        (ISTANBUL, "2015-11-08", 25),
        (ISTANBUL, "2016-03-27", 23),
        (ISTANBUL, "2016-10-30", 24),
        (ISTANBUL, "2026-03-29", 24),
        (ISTANBUL, "2026-10-25", 24),
        (BUCHAREST, "2026-03-29", 23),
        (BUCHAREST, "2026-10-25", 25),
        (BUCHAREST, "2026-06-01", 24),
        # The clock skips midnight, and repeats the hour before it.
        ("America/Asuncion", "2020-10-04", 23),
        ("America/Havana", "2025-11-02", 25),
        ("Australia/Lord_Howe", "2025-10-05", 23.5),
        ("UTC", "2026-03-29", 24),
    ],
)
def test_given_a_day_then_it_begins_and_ends_with_its_date(zone: str, day: str, hours: float) -> None:
    calendar, number = always(zone), day_of_date(date.fromisoformat(day))
    begin_ms, end_ms = calendar.begin_ms(number), calendar.begin_ms(number + 1)

    assert end_ms - begin_ms == hours * HOUR_MS
    assert [calendar.day_of(each) - number for each in (begin_ms - 1, begin_ms, end_ms - 1, end_ms)] == [-1, 0, 0, 1]
    assert calendar.date_at((begin_ms + end_ms) // 2).isoformat() == day
    assert calendar.position(begin_ms) == number
    assert calendar.position((begin_ms + end_ms) // 2) == number + 0.5


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        (ISTANBUL, "2026-11-28T20:59:59.999", "2026-11-28"),
        (ISTANBUL, "2026-11-28T21:00", "2026-11-29"),
        (BUCHAREST, "2026-10-24T20:59:59.999", "2026-10-24"),  # summer: three hours ahead
        (BUCHAREST, "2026-10-24T21:00", "2026-10-25"),
        (BUCHAREST, "2026-10-25T21:30", "2026-10-25"),  # winter: two
        (BUCHAREST, "2026-10-25T22:00", "2026-10-26"),
        (BUCHAREST, "2026-03-28T21:59", "2026-03-28"),
        (BUCHAREST, "2026-03-28T22:00", "2026-03-29"),
        (BUCHAREST, "2026-03-29T21:00", "2026-03-30"),
        ("UTC", "2026-03-29T23:59:59.999", "2026-03-29"),
    ],
)
def test_given_a_moment_then_its_day_is_that_of_the_wall_clock(zone: str, moment: str, day: str) -> None:
    assert always(zone).date_at(at(moment)).isoformat() == day


@given(st.integers(0, at("2100-01-01")))
def test_without_a_zone_every_day_is_what_it_was(time_ms: int) -> None:
    for calendar in (IN_UTC, Calendar([Seam(time_ms + 1, ISTANBUL)])):
        assert calendar.day_of(time_ms) == time_ms // DAY_MS
        assert calendar.zone_at(time_ms) == "UTC"
    assert IN_UTC.begin_ms(time_ms // DAY_MS) == time_ms // DAY_MS * DAY_MS
    assert IN_UTC.position(time_ms) == time_ms / DAY_MS


@given(st.integers(at("1990-01-01"), at("2037-01-01")), st.sampled_from([ISTANBUL, BUCHAREST, "Asia/Kolkata", "UTC"]))
def test_a_day_is_the_date_of_the_zone_and_time_goes_on_in_it(time_ms: int, zone: str) -> None:
    calendar = always(zone)

    assert calendar.date_at(time_ms) == datetime.fromtimestamp(time_ms / 1000, ZoneInfo(zone)).date()
    assert calendar.begin_ms(calendar.day_of(time_ms)) <= time_ms < calendar.begin_ms(calendar.day_of(time_ms) + 1)
    assert calendar.position(time_ms) <= calendar.position(time_ms + HOUR_MS)


def test_given_a_change_to_the_east_then_days_before_it_stay_and_the_next_begins_earlier() -> None:
    seam_ms = at("2026-11-28T22:30")
    calendar = Calendar([Seam(seam_ms, ISTANBUL)])

    assert calendar.date_at(seam_ms - 1) == date(2026, 11, 28)
    assert calendar.date_at(seam_ms) == date(2026, 11, 29)
    days = [day_of_date(date(2026, 11, each)) for each in (28, 29, 30)]
    assert [calendar.begin_ms(day) for day in days] == [at("2026-11-28"), seam_ms, at("2026-11-29T21:00")]
    [seam] = calendar.seams_in(range(days[0], days[1]))
    assert (seam.before, seam.after, seam.first, seam.last) == ("UTC", ISTANBUL, days[0], days[1])
    assert calendar.seams_in(range(days[2], days[2] + 9)) == []


def test_given_a_change_to_the_west_then_the_older_day_goes_on_and_both_are_marked() -> None:
    seam_ms = at("2026-11-28T22:30")
    calendar = Calendar([Seam(0, ISTANBUL), Seam(seam_ms, "UTC")])
    older, newer = day_of_date(date(2026, 11, 28)), day_of_date(date(2026, 11, 29))

    assert [calendar.day_of(seam_ms - 1), calendar.day_of(seam_ms)] == [newer, older]
    assert calendar.begin_ms(older) == at("2026-11-27T21:00")
    assert [(each.first, each.last) for each in calendar.seams_in(range(newer, newer + 1))] == [(older, newer)]


def test_given_a_day_of_23_hours_then_a_week_has_seven_days() -> None:
    calendar = always(BUCHAREST)
    sunday = day_of_date(date(2026, 3, 29))
    noon_ms = calendar.begin_ms(sunday + 1) + 12 * HOUR_MS

    assert Span(noon_ms, 0, calendar).elapsed_days(7) == 6.5
    assert Span(noon_ms, calendar.begin_ms(sunday), calendar).elapsed_days(7) == 1.5
    assert Span(noon_ms, 0, calendar).today == sunday + 1
    half_ms = calendar.begin_ms(sunday) + int(11.5 * HOUR_MS)
    assert Span(half_ms, 0, calendar).elapsed_days(7) == 6.5


@pytest.mark.parametrize(
    "name", ["", "europe/istanbul", "Europe", "../UTC", "Istanbul", "GMT+3", "localtime", "a\0b", "Factory"]
)
def test_given_what_is_no_zone_then_it_is_refused(name: str) -> None:
    with pytest.raises(ZoneError, match="Europe/Istanbul"):
        zone_of(name)


def test_every_zone_that_is_named_can_be_loaded() -> None:
    names = zone_names()
    assert {"UTC", ISTANBUL, BUCHAREST, "Asia/Nicosia"} <= names
    assert all(zone_of(name).utcoffset(datetime(2026, 1, 1)) is not None for name in names)  # noqa: DTZ001
    assert date_of(always("Pacific/Kiritimati").day_of(at("2026-01-01T10:00"))) == date(2026, 1, 2)
