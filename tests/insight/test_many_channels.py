"""The figures of a day have a bounded cost, however many channels and locations a SKU is sold on, and lose no unit."""

from collections import Counter
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.daily_figures import OTHER_CHANNELS, Figures
from server.insight.daily_figures import DailyFigureCounter
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories import daily_figures as figures_module
from server.store.repositories.daily_figures import Counted, DaysFigures, FigureStore
from tests.conftest import ON_ONE_STORE
from tests.support.feeds import feed_of
from tests.support.figures import RETENTION_S, counted, told_by_journal
from tests.support.operations import order, receive

TODAY: Final = 25_000
"""In the year 2038, so that nothing ends while it is looked at."""
ROWS_PER_LIST_MAX: Final = 16


@pytest.fixture
def figures(client: Redis, ledger: Ledger) -> FigureStore:
    return FigureStore(client, ledger.keyspace)


class Counting:
    """Counts rows without a journal."""

    def __init__(self, figures: FigureStore) -> None:
        self._figures = figures
        self._cursor = ""

    async def add(self, rows: dict[tuple[str, str], Figures], day: int = TODAY) -> int:
        following = f"{len(self._cursor) + 1}-{'1' * (len(self._cursor) + 1)}"
        added = await self._figures.add(
            self._cursor, Counted(following, 0), {day: {"A": rows}}, [], retention_s=RETENTION_S
        )
        self._cursor = following
        return added


async def ordered(figures: FigureStore, day: int = TODAY) -> Counter[tuple[str, str]]:
    """Read the units of the SKU by channel and location, the whole day's."""
    units: Counter[tuple[str, str]] = Counter()
    async for sku, rows in figures.of_day(day):
        assert sku == "A"
        for row in rows:
            units[row.channel, row.location] += row.figures.ordered
    return units


async def longest_list(client: Redis, figures: FigureStore, day: int = TODAY) -> int:
    stored = await command(client, "HVALS", figures.keyspace.day_figures(day))
    return max(len(msgspec.msgpack.decode(each)) for each in stored)


@ON_ONE_STORE
async def test_given_twenty_thousand_invented_channels_when_counted_then_no_list_is_long_and_no_unit_is_lost(
    client: Redis, figures: FigureStore
) -> None:
    counting, names = Counting(figures), 20_000
    for start in range(0, names, 1_000):
        await counting.add({(f"c{n}", "main"): Figures(ordered=1) for n in range(start, start + 1_000)})
    units = await ordered(figures)
    assert units.total() == names
    assert len(units) == 1_001
    assert units[OTHER_CHANNELS, "main"] == names - 1_000
    assert await longest_list(client, figures) <= ROWS_PER_LIST_MAX


@ON_ONE_STORE
async def test_given_a_chain_of_five_thousand_stores_when_counted_twice_then_each_is_told_apart(
    client: Redis, figures: FigureStore
) -> None:
    counting = Counting(figures)
    for _ in range(2):
        for channel in ("web", "shop"):
            await counting.add({(channel, f"store-{n}"): Figures(ordered=3) for n in range(5_000)})
    units = await ordered(figures)
    assert units == Counter({(channel, f"store-{n}"): 6 for channel in ("web", "shop") for n in range(5_000)})
    assert await longest_list(client, figures) <= ROWS_PER_LIST_MAX
    of_sku: Counter[tuple[str, str]] = Counter()
    for row in (await figures.of_sku("A", [TODAY]))[0]:
        of_sku[row.channel, row.location] += row.figures.ordered
    assert of_sku == units


async def test_given_more_channels_than_are_told_apart_when_counted_then_the_rest_is_counted_as_others(
    client: Redis, ledger: Ledger, figures: FigureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures_module, "CHANNELS_PER_DAY_MAX", 3)
    counting = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    await ledger.run(receive("A", 100))
    for number in range(2):
        for channel in ("a", "b", "c", "d"):
            await ledger.run(order(f"{channel}{number}", ("A", 2), channel=channel))
    with capture_logs() as logs:
        await counting.catch_up()
    units: Counter[str] = Counter()
    for (_, _, channel, _), each in (await counted(figures)).items():
        units[channel] += each[0]
    assert units == Counter({"": 0, "a": 4, "b": 4, OTHER_CHANNELS: 8})
    assert [each["counted_as"] for each in logs if each["event"] == "channels_counted_as_others"] == [OTHER_CHANNELS]


async def test_given_channels_that_are_told_apart_when_others_come_later_then_they_keep_their_names(
    figures: FigureStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures_module, "CHANNELS_PER_DAY_MAX", 2)
    counting = Counting(figures)
    one = Figures(ordered=1)
    assert await counting.add({("a", "main"): one}) == 1
    assert await counting.add({("b", "main"): one, ("c", "main"): one}) == 2
    assert await counting.add({("a", "main"): one, ("c", "main"): one}) == 2
    assert await ordered(figures) == {("a", "main"): 2, ("b", "main"): 1, (OTHER_CHANNELS, "main"): 2}
    # The next day has names of its own, also where some of the day before come after it.
    assert await counting.add({("c", "main"): one}, TODAY + 1) == 1
    assert await counting.add({("b", "main"): one}) == 1
    assert await ordered(figures, TODAY + 1) == {("c", "main"): 1}


async def test_given_a_long_list_of_an_older_release_when_counted_on_then_it_stays_and_the_sums_are_right(
    client: Redis, figures: FigureStore
) -> None:
    old = [[f"c{n}", "main", 1, 0, 0, 0, 0, 0] for n in range(500)]
    await command(client, "HSET", figures.keyspace.day_figures(TODAY), "A", msgspec.msgpack.encode(old))
    counting = Counting(figures)
    await counting.add({(f"c{n}", "main"): Figures(ordered=1) for n in range(500)})
    assert await ordered(figures) == Counter({(f"c{n}", "main"): 2 for n in range(500)})
    [rows] = await figures.of_sku("A", [TODAY])
    assert sum(row.figures.ordered for row in rows) == 1_000


class Noting(FigureStore):
    """Notes how many rows each script adds."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        super().__init__(client, keyspace)
        self.rows: list[int] = []

    async def add(self, after: str, upto: Counted, days: DaysFigures, *rest: Any, **options: Any) -> int:
        self.rows.append(sum(len(each) for day in days.values() for each in day.values()))
        return await super().add(after, upto, days, *rest, **options)


async def test_given_entries_of_many_lines_when_counted_then_a_script_has_little_more_than_one_of_them(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    skus = [f"S{n}" for n in range(100)]
    for sku in skus:
        await ledger.run(receive(sku, 100))
    for n in range(12):
        await ledger.run(order(f"o{n}", *((sku, 1) for sku in skus), channel=f"c{n}"))
    counting = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    counting._store = noting = Noting(client, ledger.keyspace)
    await counting.catch_up()
    assert await counted(figures) == await told_by_journal(figures)
    assert max(noting.rows) <= 300
