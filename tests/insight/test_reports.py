"""Reports: velocity, cover and turnover worked out from figures, and sales added up."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from server.domain.daily_figures import DAY_MS, Figures, date_of, day_of_date
from server.domain.reports import By, Pace, Sales, Span, Velocity, ranked, velocity
from server.insight import reports
from server.insight.daily_figures import DailyFigureCounter
from server.store.ledger.ledger import Ledger
from server.store.repositories.daily_figures import FigureStore
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S
from tests.support.operations import order, receive

TODAY: Final = 20_000
NOON: Final = TODAY * DAY_MS + DAY_MS // 2


def pace_of(span: Span, days: dict[int, Figures]) -> Pace:
    pace = Pace()
    for day, figures in days.items():
        pace.add(day, figures, span)
    return pace


def worked_out(span: Span, days: dict[int, Figures], on_hand: int = 10, available: int = 10) -> Velocity:
    return velocity("A", pace_of(span, days), span, on_hand=on_hand, available=available)


def test_given_one_unit_a_day_then_the_velocity_is_one_and_the_cover_what_there_is() -> None:
    span = Span((TODAY + 1) * DAY_MS, 0)  # the very end of yesterday: 28 whole days and nothing of today
    days = {day: Figures(ordered=1) for day in range(TODAY - 26, TODAY + 1)}

    found = worked_out(span, days, available=14)

    assert found.per_day_28 == pytest.approx(27 / 27, abs=1e-3)
    assert found.days_of_cover == pytest.approx(14, abs=0.1)


def test_given_a_day_that_has_not_ended_then_it_counts_for_as_long_as_it_lasts() -> None:
    found = worked_out(Span(NOON, 0), {TODAY: Figures(ordered=13)})

    assert found.per_day_7 == 2.0  # 13 in six days and a half
    assert found.per_day_28 == round(13 / 27.5, 3)


def test_given_counting_that_began_two_days_ago_then_only_those_are_looked_at() -> None:
    found = worked_out(Span(NOON, NOON - 2 * DAY_MS), {TODAY - 1: Figures(ordered=8)})

    assert (found.per_day_7, found.per_day_28) == (4.0, 4.0)


def test_given_a_first_hour_then_it_is_taken_for_a_day() -> None:
    found = worked_out(Span(NOON, NOON - DAY_MS // 24), {TODAY: Figures(ordered=5)})

    assert found.per_day_7 == 5.0


def test_given_more_cancelled_than_ordered_then_the_velocity_is_zero_and_there_is_no_cover() -> None:
    found = worked_out(Span(NOON, 0), {TODAY: Figures(ordered=1, cancelled=3)})

    assert (found.per_day_28, found.days_of_cover) == (0.0, None)


def test_given_a_shortage_then_the_cover_is_nothing() -> None:
    assert worked_out(Span(NOON, 0), {TODAY: Figures(ordered=5)}, available=-3).days_of_cover == 0.0


def test_given_a_steady_stock_that_is_sold_once_a_month_then_it_turns_over_thirteen_times_a_year() -> None:
    span = Span(TODAY * DAY_MS + DAY_MS - 1, 0)
    days = {day: Figures(shipped=1, received=1) for day in span.days}

    found = worked_out(span, days, on_hand=28)

    assert found.turnover_year == pytest.approx(365 / 28, abs=0.02)


@given(
    changes=st.dictionaries(st.integers(TODAY - 27, TODAY), st.integers(-50, 50)),
    since=st.integers(TODAY - 40, TODAY),
    on_hand=st.integers(0, 1_000),
)
def test_the_average_on_hand_is_that_of_the_ends_of_the_days(changes: dict[int, int], since: int, on_hand: int) -> None:
    span = Span(NOON, since * DAY_MS)
    changes = {day: by for day, by in changes.items() if day in span.days}
    pace = pace_of(span, {day: Figures(other=by) for day, by in changes.items()})

    ends = [on_hand - sum(by for later, by in changes.items() if later > day) for day in span.days]

    assert pace.average_on_hand(on_hand, span) == pytest.approx(sum(ends) / len(ends))


def named(sku: str, per_day: float, on_hand: int = 1, cover: float | None = None) -> Velocity:
    return Velocity(sku, per_day, per_day, on_hand, on_hand, cover, None)


def test_given_many_skus_then_best_slowest_and_soonest_gone_come_first() -> None:
    found = [named("slow", 0.1, 5, 50.0), named("fast", 9.0, 9, 1.0), named("dead", 0.0, 3), named("gone", 0.0, 0)]

    assert [each.sku for each in ranked(found, "best")][:2] == ["fast", "slow"]
    assert [each.sku for each in ranked(found, "slowest")] == ["dead", "slow", "fast"]
    assert [each.sku for each in ranked(found, "cover")] == ["fast", "slow"]


@given(
    rows=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("AB"), st.sampled_from(["", "web"]), st.sampled_from("mn"),
                  st.integers(0, 9)),
    )
)  # fmt: skip
def test_whatever_sales_are_added_up_by_the_total_is_the_same(rows: list[tuple[int, str, str, str, int]]) -> None:
    kinds: tuple[By, ...] = ("sku", "channel", "location", "day")
    for by in kinds:
        sales = Sales(by)
        for day, sku, channel, location, units in rows:
            sales.add(day, sku, channel, location, Figures(ordered=units))

        assert sum(each.ordered for each in sales.sums.values()) == sales.total.ordered == sum(row[-1] for row in rows)


def test_a_day_and_its_date_are_the_same() -> None:
    assert day_of_date(date_of(TODAY)) == TODAY
    assert date_of(0).isoformat() == "1970-01-01"


async def test_given_what_is_counted_then_reports_are_about_one_sku_channel_or_location(
    client: Redis, ledger: Ledger
) -> None:
    for sku, location in (("A", "main"), ("A", "shop"), ("B", "main")):
        await ledger.run(receive(sku, 100, location))
    await ledger.run(order("o1", ("A", 1), ("A", 2, "shop"), channel="web"))
    await ledger.run(order("o2", ("A", 4), ("B", 8), channel="n11"))
    await DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S).catch_up()
    store = FigureStore(client, ledger.keyspace)
    span = await reports.span_of(store, await store.counted())

    async def ordered(**only: str) -> int:
        return (await reports.sales(store, "sku", span.days, reports.Only(**only))).total.ordered

    assert await ordered() == 15
    assert await ordered(sku="A") == 7
    assert await ordered(channel="web") == 3
    assert await ordered(location="main") == 13
    assert await ordered(sku="A", channel="n11", location="shop") == 0
    [only] = await reports.velocities(store, span, reports.Only("A", "", "shop"))
    assert (only.on_hand, only.available, only.per_day_28) == (100, 98, 2.0)
    assert len(await reports.velocities(store, span, reports.Only())) == 2


async def test_given_a_channel_of_an_older_release_when_its_sales_are_asked_for_then_they_are_added_up(
    client: Redis, ledger: Ledger
) -> None:
    await ledger.run(receive("A", 100))
    for number, channel in enumerate((" n11 ", "n11", "n11 x", "N11")):
        await ledger.run(order(f"o{number}", ("A", 1 + number), channel=channel))
    await DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S).catch_up()
    store = FigureStore(client, ledger.keyspace)
    span = await reports.span_of(store, await store.counted())

    found = await reports.sales(store, "channel", span.days, reports.Only(channel="n11"))

    assert {key: figures.ordered for key, figures in found.sums.items()} == {" n11 ": 1, "n11": 2}
