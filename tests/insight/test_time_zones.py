"""The days of a merchant's time zone: each change is counted once, on the day that it was there."""

from datetime import timedelta

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.calendars import Calendar, Seam
from server.domain.changes import Change, ChangeLine
from server.domain.daily_figures import DAY_MS, date_of
from server.insight import reports
from server.insight.daily_figures import DailyFigureCounter
from server.insight.journal_sums import JournalSums
from server.store.ledger.ledger import Ledger
from server.store.repositories.calendars import SEAMS_MAX, read_calendar, set_time_zone
from server.store.repositories.daily_figures import FigureStore
from tests.domain.test_calendars import BUCHAREST, ISTANBUL, at
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S
from tests.support.operations import order, receive

HOUR_MS = 3_600_000


def zone_of_another_day(now_ms: int) -> str:
    """Name a zone where the date is another one now than in UTC."""
    return "Pacific/Kiritimati" if now_ms % DAY_MS >= 11 * HOUR_MS else "Etc/GMT+12"


async def ordered(client: Redis, ledger: Ledger) -> dict[str, int]:
    """Return how many units were ordered by day."""
    store = FigureStore(client, ledger.keyspace)
    today = await store.now_ms() // DAY_MS
    summed = await reports.sales(store, "day", range(today - 2, today + 3), reports.Only())
    return {day: figures.ordered for day, figures in summed.sums.items() if figures.ordered}


@pytest.mark.parametrize(
    ("zone", "moment", "day"),
    [
        (BUCHAREST, "2026-03-28T22:00", "2026-03-29"),
        (BUCHAREST, "2026-03-29T20:59", "2026-03-29"),
        (BUCHAREST, "2026-03-29T21:00", "2026-03-30"),
        (BUCHAREST, "2026-10-25T21:59", "2026-10-25"),
        (BUCHAREST, "2026-10-25T22:00", "2026-10-26"),
        (ISTANBUL, "2016-03-26T21:59", "2016-03-26"),
        (ISTANBUL, "2016-03-26T22:00", "2016-03-27"),
        (ISTANBUL, "2016-03-27T21:00", "2016-03-28"),
        (ISTANBUL, "2016-10-30T21:00", "2016-10-31"),
        ("UTC", "2026-10-25T23:59", "2026-10-25"),
    ],
)
def test_given_an_order_around_a_switch_then_it_counts_on_its_own_day(zone: str, moment: str, day: str) -> None:
    sums = JournalSums(calendar=Calendar([Seam(0, zone)]))
    line = ChangeLine(1, "A", "main", 0, 0, 1, 0, 0, 0, 9, 1)
    sums.take(Change("order", at(moment), "tester", "web", "o1", "committed", [line], []), {}, 0)

    assert [date_of(each).isoformat() for each in sums.days] == [day]


async def test_given_a_zone_that_is_set_when_orders_come_then_earlier_days_stay_and_nothing_counts_twice(
    client: Redis, ledger: Ledger
) -> None:
    counter = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    await ledger.run(receive("A", 100))
    await ledger.run(order("o1", ("A", 1)))
    await counter.catch_up()
    await ledger.run(order("o2", ("A", 2)))  # not counted yet, and of a day in UTC all the same
    now_ms = await FigureStore(client, ledger.keyspace).now_ms()
    zone = zone_of_another_day(now_ms)
    calendar = await set_time_zone(client, ledger.keyspace, zone)
    while await FigureStore(client, ledger.keyspace).now_ms() <= calendar.seams[0].from_ms:
        pass
    await ledger.run(order("o3", ("A", 4)))
    await counter.catch_up()  # it has read the days of UTC before

    today = date_of(now_ms // DAY_MS)
    local = today + timedelta(days=1 if zone == "Pacific/Kiritimati" else -1)
    assert await ordered(client, ledger) == {today.isoformat(): 3, local.isoformat(): 4}
    fresh = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    await ledger.run(order("o4", ("A", 8)))
    await fresh.catch_up()
    await counter.catch_up()
    assert await ordered(client, ledger) == {today.isoformat(): 3, local.isoformat(): 12}


async def test_given_a_zone_when_set_again_then_nothing_changes_and_the_list_is_bounded(
    client: Redis, ledger: Ledger
) -> None:
    keyspace = ledger.keyspace
    assert (await set_time_zone(client, keyspace, "UTC")).seams == ()
    found = first = await set_time_zone(client, keyspace, ISTANBUL)
    assert (await set_time_zone(client, keyspace, ISTANBUL)).packed == first.packed
    for number in range(SEAMS_MAX + 5):
        found = await set_time_zone(client, keyspace, (BUCHAREST, ISTANBUL)[number % 2])
    assert len(found.seams) == SEAMS_MAX
    assert (await read_calendar(client, keyspace)).seams == found.seams
    assert sorted(each.from_ms for each in found.seams) == [each.from_ms for each in found.seams]


async def test_given_a_zone_of_a_clock_that_was_fast_when_set_anew_then_it_holds_at_once(
    client: Redis, ledger: Ledger
) -> None:
    keyspace = ledger.keyspace
    now_ms = await FigureStore(client, keyspace).now_ms()
    ahead = Calendar([Seam(now_ms + DAY_MS, BUCHAREST)])
    await client.hset(keyspace.figures, "time_zones", msgspec.msgpack.encode(ahead.seams))
    assert (await read_calendar(client, keyspace)).zone_at(now_ms) == "UTC"
    found = await set_time_zone(client, keyspace, ISTANBUL)
    assert [each.time_zone for each in found.seams] == [ISTANBUL]
    assert found.zone_at(await FigureStore(client, keyspace).now_ms() + 1) == ISTANBUL
