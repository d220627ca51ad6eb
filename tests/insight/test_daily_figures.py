"""The figures of each day count every change exactly once, whichever process is killed or counts beside."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.alerts import PLACE_ALERTS
from server.domain.operations.stock import Bucket
from server.domain.replenishment import Rule
from server.insight.daily_figures import LOOK_S, DailyFigureCounter, Insight
from server.insight.skip_holds import worth_counting
from server.store.audit.audit import audit
from server.store.connection.commands import command
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import START, bounds
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.repositories.channels import CURSOR_LIFE_MS
from server.store.repositories.daily_figures import Counted, FigureStore, lowest_follower
from server.store.repositories.replenishment import ReplenishmentStore
from tests.conftest import ON_ONE_OWN_STORE, ON_ONE_STORE, RETENTION, StoreClient, now_ms, wait_until
from tests.support.feeds import feed_of
from tests.support.figures import DAY_S, RETENTION_S, counted, crossings, raised, told_by_journal
from tests.support.http import ROOT
from tests.support.operations import (
    adjust,
    arrive,
    cancel,
    commit,
    fulfil,
    order,
    receive,
    release,
    reserve,
    ship,
    take_back,
)
from tests.support.operations import count as counting_of
from tests.support.stores import StoreProcess

KILLS: Final = [2, pytest.param(6, marks=pytest.mark.soak)]
LOW: Final = 5
_ids = count(1)


@pytest.fixture
def figures(client: Redis, ledger: Ledger) -> FigureStore:
    return FigureStore(client, ledger.keyspace)


@pytest.fixture
def counting(client: Redis, ledger: Ledger) -> DailyFigureCounter:
    return DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)


def by_place(found: Any) -> Any:
    """Leave out the day, which is today."""
    return {where[1:]: units for where, units in found.items()}


async def test_given_a_sale_from_basket_to_parcel_then_each_step_is_counted_where_it_belongs(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(reserve("r1", ("A", 3), channel="web"))
    await ledger.run(commit("r1", (1, 2)))
    await ledger.run(order("r2", ("A", 4), channel="trendyol"))
    await ledger.run(cancel("r2", (1, 1)))
    await ledger.run(fulfil("r1"))

    await counting.catch_up()

    assert by_place(await counted(figures)) == {
        ("A", "", "main"): (0, 0, 0, 0, 10, 0),
        ("A", "web", "main"): (2, 2, 0, 0, 0, 0),
        ("A", "trendyol", "main"): (4, 0, 1, 0, 0, 0),
    }


async def test_given_a_hold_that_is_released_then_nothing_is_counted(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(reserve("r1", ("A", 3)))
    await ledger.run(release("r1"))

    await counting.catch_up()

    assert set(by_place(await counted(figures))) == {("A", "", "main")}


async def test_given_holds_when_glanced_at_then_only_those_that_leave_no_more_than_a_reorder_point_are_read(
    client: Redis, ledger: Ledger
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(reserve("far", ("A", 10 - LOW - 1)))
    await ledger.run(reserve("near", ("A", 1)))
    await ledger.run(order("sold", ("A", 1)))

    page = await feed_of(client, ledger.keyspace).read_page(START, 10)
    read = [worth_counting(entry, LOW) for entry in page]

    assert [([change.reservation_id for change in changes], idle) for changes, idle in read] == [
        ([""], 0),
        ([], 1),
        (["near"], 0),
        (["sold"], 0),
    ]
    assert [changes for changes, _ in read if changes] == [
        entry.changes for entry, (changes, _) in zip(page, read, strict=True) if changes
    ]


async def test_given_a_count_and_an_adjustment_then_what_moved_on_hand_is_counted_as_other(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(counting_of("A", 10))
    await ledger.run(adjust("A", Bucket.ON_HAND, -3))

    await counting.catch_up()

    assert by_place(await counted(figures)) == {("A", "", "main"): (0, 0, 0, 0, 0, 7)}


async def test_given_a_parcel_that_comes_back_elsewhere_then_it_is_counted_as_returned_there(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(order("r1", ("A", 3), channel="web"))
    await ledger.run(fulfil("r1"))
    await ledger.run(take_back("r1", (1, 2, "damaged", "shop")))

    await counting.catch_up()

    found = by_place(await counted(figures))
    assert found["A", "web", "main"] == (3, 3, 0, 0, 0, 0)
    assert found["A", "web", "shop"] == (0, 0, 0, 2, 0, 0)


async def test_given_a_transfer_then_both_locations_count_it_as_other(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))
    await ledger.run(ship("t1", "main", "shop", ("A", 4)))
    await ledger.run(arrive("t1", everything=True))

    await counting.catch_up()

    assert by_place(await counted(figures)) == {
        ("A", "", "main"): (0, 0, 0, 0, 10, -4),
        ("A", "", "shop"): (0, 0, 0, 0, 0, 4),
    }


async def test_given_what_was_counted_when_counted_again_and_again_then_nothing_is_added(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))
    await counting.catch_up()
    before = await counted(figures)

    await counting.catch_up()
    await DailyFigureCounter(feed_of(figures.client, figures.keyspace), retention_s=RETENTION_S).catch_up()

    assert await counted(figures) == before


async def sell(ledger: Ledger, chance: random.Random) -> None:
    """Do something at random that moves units, also below what there is."""
    number = next(_ids)
    sku, channel = chance.choice("ABC"), chance.choice(["web", "shop"])
    wanted = (sku, chance.randint(1, 3)), ("D", 1)
    await ledger.run(order(f"o{number}", *wanted, channel=channel, accept_shortage=True))
    if chance.random() < 0.2:
        await ledger.run(receive(sku, chance.randint(1, 15)))
    if chance.random() < 0.3:
        await ledger.run(cancel(f"o{number}", (1, 1)))
    if chance.random() < 0.5:
        await ledger.run(fulfil(f"o{number}"))


async def stock_up(ledger: Ledger) -> None:
    for sku in "ABCD":
        await ledger.run(receive(sku, 20))


async def set_low(figures: FigureStore) -> None:
    """Report every location as low with :data:`LOW` units."""
    rules = {("", ""): Rule(reorder_point=LOW)}
    await ReplenishmentStore(figures.client, figures.keyspace).set_rules(rules, "tester")


async def is_exact(figures: FigureStore) -> None:
    """Compare figures and alerts with the journal."""
    assert await counted(figures) == await told_by_journal(figures)
    assert await raised(figures) == await crossings(figures, LOW)


class Unlucky(FigureStore):
    """Loses the answer to a script, before it ran or after, whenever a test asks for it."""

    loses = ""

    async def add(self, after: str, upto: Counted, *rest: Any, **options: Any) -> int:
        lost, self.loses = self.loses, ""
        if lost == "before":
            raise StoreUnavailableError("lost on its way")
        answer = await super().add(after, upto, *rest, **options)
        if lost == "after":
            raise StoreUnavailableError("its answer was lost")
        return answer


@pytest.mark.parametrize("when", ["before", "after"])
async def test_given_a_store_that_goes_away_around_the_script_when_it_is_back_then_all_is_counted_once(
    ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter, when: str
) -> None:
    counting._store = unlucky = Unlucky(figures.client, figures.keyspace)
    await set_low(figures)
    await stock_up(ledger)
    await counting.catch_up()
    for _ in range(20):
        await sell(ledger, random.Random(1))

    unlucky.loses = when
    with pytest.raises(StoreUnavailableError):
        await counting.catch_up()
    await sell(ledger, random.Random(2))
    await counting.catch_up()

    await is_exact(figures)


@pytest.mark.parametrize("is_new", [True, False], ids=["another process", "the same process"])
async def test_given_a_journal_that_went_back_when_counted_then_nothing_counts_twice_and_what_follows_does(
    client: Redis, ledger: Ledger, figures: FigureStore, is_new: bool
) -> None:
    # Given: two entries are counted, and the second is lost with the journal's tail.
    counting = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    await ledger.run(receive("A", 10))
    await ledger.run(receive("A", 5))
    await counting.catch_up()
    before, journal = await counted(figures), ledger.keyspace.journal
    [(first, fields), *_] = await command(client, "XRANGE", journal, "-", "+")
    await command(client, "DEL", journal)
    await command(client, "XADD", journal, first, "e", fields[b"e"])
    if is_new:
        counting = DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S)
    counting._looked_s = -LOOK_S

    # When
    with capture_logs() as logs:
        await counting.catch_up()
    after = await counted(figures)
    await ledger.run(receive("A", 7))
    await counting.catch_up()

    # Then
    assert [entry["event"] for entry in logs] == ["figures_went_back"]
    assert after == before
    assert sum(units[4] for units in (await counted(figures)).values()) == 10 + 5 + 7


async def test_given_safety_stock_when_orders_take_it_then_no_shortage_opens_before_units_are_missing(
    ledger: Ledger, figures: FigureStore
) -> None:
    await ledger.run(receive("A", 3))
    await ledger.run(adjust("A", Bucket.SAFETY, 2))
    await ledger.run(counting_of("B", 0, safety=2))
    for number in range(1, 6):
        await ledger.run(order(f"o{number}", ("A", 1), accept_shortage=True))
    await ledger.run(cancel("o5"))
    await ledger.run(cancel("o4"))
    await ledger.run(order("o6", ("A", 1), accept_shortage=True))

    await DailyFigureCounter(feed_of(figures.client, figures.keyspace), retention_s=RETENTION_S).catch_up()

    events = await ReplenishmentStore(figures.client, figures.keyspace).events("0-0", 100)
    assert [(each.alert, each.sku, each.available) for each in events if each.alert in PLACE_ALERTS] == [
        ("stock.back", "A", 3),
        ("stock.out", "A", 0),
        ("shortage.opened", "A", -3),
        ("shortage.opened", "A", -3),
    ]


async def test_given_three_that_count_at_the_same_time_while_units_are_sold_then_each_change_is_counted_once(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    chance = random.Random(7)
    await set_low(figures)
    await stock_up(ledger)
    several = [DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S) for _ in range(3)]

    for _ in range(40):
        await asyncio.gather(sell(ledger, chance), *(each.catch_up() for each in several))
    for each in several:
        await each.catch_up()

    await is_exact(figures)


async def test_given_a_feed_that_follows_when_counted_then_the_figures_are_exact_and_the_journal_is_not_read_again(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    feed = feed_of(client, ledger.keyspace)
    feed.start()
    await wait_until(lambda: feed.connections == 1, "the feed has connected")
    counting = DailyFigureCounter(feed, retention_s=RETENTION_S)
    chance = random.Random(7)
    await set_low(figures)
    await stock_up(ledger)
    before = await _range_reads(client)

    for _ in range(20):
        await sell(ledger, chance)
        await counting.catch_up()
    end = await bounds(client, ledger.keyspace)
    await wait_until(lambda: feed.last_id == end.last_id, "the feed has all")
    await counting.catch_up()
    await feed.close()

    assert await _range_reads(client) == before
    await is_exact(figures)


async def _range_reads(client: Redis) -> int:
    stats = await client.info("commandstats")
    return int(stats.get("cmdstat_xrange", {"calls": 0})["calls"])


@pytest.fixture
def counter(own_store: StoreProcess) -> Iterator[Callable[[], "subprocess.Popen[bytes]"]]:
    """Return a function that starts a process that counts the partition "killed"."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-m", "tests.support.counting_process", own_store.url, "killed"]
        started.append(subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@ON_ONE_OWN_STORE
@ON_ONE_STORE
@pytest.mark.parametrize("kills", KILLS)
async def test_given_a_counter_that_is_killed_again_and_again_under_load_then_each_change_is_counted_once(
    own_store: StoreProcess,
    open_batcher: Callable[..., Batcher],
    make_ledger: Callable[..., Ledger],
    counter: Callable[[], "subprocess.Popen[bytes]"],
    kills: int,
) -> None:
    ledger = make_ledger(open_batcher(own_store), "killed")
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  # shown with a failure
    chance = random.Random(seed)
    async with StoreClient(own_store) as client:
        figures = FigureStore(client, Keyspace("killed"))
        await set_low(figures)
        await stock_up(ledger)

        for _ in range(kills):
            process = counter()
            assert process.stdout is not None
            await asyncio.to_thread(process.stdout.readline)
            before = await figures.counted()
            for _ in range(chance.randint(1, 60)):
                await sell(ledger, chance)

            async def has_counted(before: Counted | None = before) -> bool:
                return await figures.counted() != before

            await wait_until(has_counted, "it has counted something")
            selling = asyncio.gather(*(sell(ledger, chance) for _ in range(30)))
            for _ in range(chance.randint(0, 5)):
                await sell(ledger, chance)
            process.kill()  # in the midst of what it has to count
            await selling
            await asyncio.to_thread(process.wait)
        await DailyFigureCounter(feed_of(client, figures.keyspace), retention_s=RETENTION_S).catch_up()

        await is_exact(figures)
        report = await audit(client, figures.keyspace)
        assert (report.drift_count, report.conclusive) == (0, True)


# -- how long things are kept


async def test_given_figures_of_a_day_then_they_end_by_themselves(
    client: Redis, ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 10))

    await counting.catch_up()

    [(day, *_)] = await counted(figures)
    ends_s = await client.expiretime(ledger.keyspace.day_figures(day))
    assert ends_s == (day + 1) * DAY_S + RETENTION_S


async def test_given_changes_that_are_not_counted_then_the_journal_is_kept_for_them_but_not_for_ever(
    client: Redis, ledger: Ledger, counting: DailyFigureCounter
) -> None:
    assert await lowest_follower(client, ledger.keyspace) is None
    await ledger.run(receive("A", 10))
    await counting.catch_up()
    kept = await lowest_follower(client, ledger.keyspace)
    await ledger.run(receive("A", 10))

    assert await lowest_follower(client, ledger.keyspace) == kept
    await command(client, "HSET", ledger.keyspace.figures, "cursor", "1700000000000-0")
    oldest = await lowest_follower(client, ledger.keyspace)
    assert oldest is not None
    assert abs(int(oldest.partition("-")[0]) - (await now_ms(client) - CURSOR_LIFE_MS)) < 60_000


async def test_given_a_journal_that_was_trimmed_beyond_the_cursor_then_what_is_left_is_counted_and_the_gap_is_reported(
    client: Redis, ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 1))
    await counting.catch_up()
    for _ in range(2):
        await ledger.run(receive("A", 10))
    entries = await command(client, "XRANGE", ledger.keyspace.journal, "-", "+")
    await command(client, "XTRIM", ledger.keyspace.journal, "MINID", "=", entries[-1][0])

    await DailyFigureCounter(feed_of(client, ledger.keyspace), retention_s=RETENTION_S).catch_up()

    assert by_place(await counted(figures)) == {("A", "", "main"): (0, 0, 0, 0, 11, 0)}
    known = await figures.counted()
    assert known is not None
    assert known.since_ms == int(entries[-1][0].partition(b"-")[0])


async def test_given_an_entry_that_cannot_be_read_then_what_follows_is_counted(
    client: Redis, ledger: Ledger, figures: FigureStore, counting: DailyFigureCounter
) -> None:
    await ledger.run(receive("A", 1))
    await command(client, "XADD", ledger.keyspace.journal, "*", "x", "y")
    await ledger.run(receive("A", 10))

    await counting.catch_up()

    assert by_place(await counted(figures)) == {("A", "", "main"): (0, 0, 0, 0, 11, 0)}


async def test_given_a_partition_that_cannot_be_counted_then_the_others_are(
    client: Redis, ledger: Ledger, figures: FigureStore
) -> None:
    broken = Keyspace(ledger.keyspace.partition + "-broken")
    await command(client, "SET", broken.figures, "not a hash")
    await ledger.run(receive("A", 10))
    names = [broken.partition, ledger.keyspace.partition]

    limits = RETENTION.packed()
    insight = Insight(
        client,
        lambda name: feed_of(client, Keyspace(name)),
        lambda: names,
        interval_s=1,
        retention_s=RETENTION_S,
        limits=limits,
    )

    assert await insight.count() is False
    assert await counted(figures) == await told_by_journal(figures)
    await command(client, "DEL", broken.figures)
    assert await insight.count() is True
