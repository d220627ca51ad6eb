"""The intake of orders: nothing is lost and nothing waits for one that is impossible, whatever the channel does."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.contract.http import Exchange, Request
from adapters.contract.orders import Order, Pulled, ReturnCase, Unreadable
from server.channels.inbound.intake import Intake
from server.channels.inbound.intakes import IntakeParts
from server.channels.inbound.order_records import NoRecords
from server.domain.intake import News
from server.store.keys import ChannelKeys, Keyspace
from server.store.ledger.ledger import Ledger
from server.store.repositories.intake import IntakeStore
from tests.channels.engine import Engine, plan, publishing
from tests.channels.orders_simulator import Market, PlainOrders
from tests.channels.paper_desk import PaperDesk
from tests.conftest import wait_until
from tests.support.operations import receive
from tests.support.stores import StoreProcess

NAME = "market"
Running = Callable[..., AbstractAsyncContextManager[Engine]]


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with Market() as channel:
        yield channel
        assert channel.complaints == []


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()


@pytest.fixture
def running(store: StoreProcess, partition: str, market: Market, desk: PaperDesk) -> Running:
    def run(
        *, intake: dict[str, Any] | None = None, finish: bool = True, **orders: Any
    ) -> AbstractAsyncContextManager[Engine]:
        plans = [
            plan(
                NAME,
                market,
                build=lambda: PlainOrders(market.url, intake=intake, own_sale="lowers"),
                orders={"enabled": True, "from": "2000-01-01T00:00:00Z", **orders},
            )
        ]
        return publishing(store, partition, plans, orders=IntakeParts(desk, NoRecords()), finish=finish)

    return run


def intake_of(engine: Engine) -> Intake:
    found = engine.publisher._intakes.get(NAME)
    assert found is not None
    return found


def kept_by(engine: Engine) -> IntakeStore:
    return IntakeStore(engine.client, engine.keyspace, NAME)


async def begun(engine: Engine) -> int:
    """Wait until intake has begun: what is placed before is older than it."""
    since_ms: list[int | None] = []

    async def is_begun() -> bool:
        since_ms.append(await kept_by(engine).since_ms())
        return since_ms[-1] is not None

    await wait_until(is_begun, "intake has begun")
    return since_ms[-1] or 0


async def told(desk: PaperDesk, *keys: str) -> None:
    await wait_until(lambda: desk.keys(NAME) >= set(keys), f"{keys} are told")


# -- walks


async def test_every_order_of_a_walk_of_many_pages_is_taken_and_the_walk_goes_on(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    keys = [f"o{number}" for number in range(130)]
    for key in keys:
        market.place(key, {"a": 1})

    async with running() as engine:
        await told(desk, *keys)
        market.place("later", {"a": 1})
        await told(desk, "later")
        await wait_until(lambda: intake_of(engine).status().lag_s < 2, "all changes are known")


@pytest.mark.parametrize("pulls", [True, False])
async def test_orders_are_booked_side_by_side_and_of_each_one_snapshot_at_a_time(
    pulls: bool, market: Market, desk: PaperDesk, running: Running
) -> None:
    keys = [f"o{number}" for number in range(20)]
    for key in keys:
        market.place(key, {f"of-{key}": 1})
    desk.takes_s = 0.05

    async with running(intake={"pulls": pulls}) as engine:
        for key in [*keys, *keys]:
            assert await kept_by(engine).add_news(News("read", 0, [key]))
        await told(desk, *keys)
        await wait_until(lambda: all(market.reads[key] for key in keys), "each was read whole, too")
        await wait_until(lambda: intake_of(engine).status().to_read == 0, "nothing is left to read")

    assert desk.most_at_once >= 4
    assert desk.most_of_one == 1


async def test_what_walks_tell_again_is_looked_at_once_unless_it_has_changed_or_is_held_until_it_is_paid(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    def looks(key: str) -> int:
        return sum(1 for _, each, _ in desk.calls if each.key == key)

    async def walked_again() -> None:
        pulls = market.pulls
        await wait_until(lambda: market.pulls > pulls + 2, "it was walked again")

    market.place("o", {"a": 1})
    market.place("unpaid", {"b": 1}, state="unpaid")

    async with running(open_orders_every_s=3600, pull_every_s=0.1):
        await told(desk, "o", "unpaid")
        await walked_again()  # walks overlap by two seconds
        assert looks("o") == 1
        assert looks("unpaid") > 1
        market.line("o", "a")["cancelled"] = 1  # its time of change stays as it was
        await wait_until(lambda: looks("o") == 2, "what has changed is looked at")
        await walked_again()
        assert looks("o") == 2


async def test_no_more_news_are_kept_than_may_wait(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.store.repositories.intake.HEARD_MAX", 3)
    async with running() as engine:
        kept = IntakeStore(engine.client, engine.keyspace, "of nobody")

        assert [await kept.add_news(News("read", 0, [str(number)])) for number in range(5)] == [True] * 3 + [False] * 2

        assert [news.keys for _, news in await kept.news(10)] == [["0"], ["1"], ["2"]]


async def test_news_that_wait_are_bounded_by_their_size_too(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.store.repositories.intake.HEARD_BYTES_MAX", 100_000)
    async with running() as engine:
        kept = IntakeStore(engine.client, engine.keyspace, "of nobody")
        large, small = News("told", 0, orders=b"o" * 40_000), News("read", 0, ["1"])

        assert [await kept.add_news(large) for _ in range(4)] == [True, True, False, False]
        assert await kept.news_waiting() == 2
        assert await kept.add_news(small)

        [(first, _), *_] = await kept.news(1)
        await kept.drop_news(first)
        assert await kept.add_news(large)


async def test_at_the_first_start_older_orders_book_nothing_and_later_ones_do(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    before_ms = int(time.time() * 1000) - 5_000
    for number in range(60):
        market.place(f"old{number}", {"a": 1}, at_ms=before_ms + number)

    async with running(**{"from": "now"}) as engine:
        since_ms = await begun(engine)
        market.place("new", {"a": 1})
        await told(desk, "new")
    assert desk.keys(NAME) == {"new"}

    async with running(**{"from": "now"}) as engine:  # the second start goes on from the first one's moment
        assert await kept_by(engine).since_ms() == since_ms
        market.place("newer", {"a": 1})
        await told(desk, "newer")
        # An old order that changes now was sold from stock that was counted later, too.
        market.changed(market.orders["old1"])
        pulls = market.pulls
        await wait_until(lambda: market.pulls > pulls + 2, "it was read")
    assert desk.keys(NAME) == {"new", "newer"}


async def test_an_older_order_that_is_named_by_itself_books_nothing_and_is_not_read_again(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    before_ms = int(time.time() * 1000) - 60_000
    market.place("old", {"a": 1}, at_ms=before_ms)

    async with running(**{"from": "now"}) as engine:
        await begun(engine)
        assert await kept_by(engine).add_news(News("told", 0, ["old"]))
        market.place("new", {"a": 1})
        await told(desk, "new")

        async def is_left() -> bool:
            return "old" not in {key async for key, _ in kept_by(engine).to_read()}

        await wait_until(lambda: market.reads["old"] > 0, "it was read")
        await wait_until(is_left, "it is to be read no more")

    assert desk.keys(NAME) == {"new"}


async def test_an_older_order_that_was_not_understood_leaves_the_inbox_once_it_is(
    market: Market, desk: PaperDesk, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.channels.inbound.taking.RETRY_S_MAX", 0.2)
    order = market.place("old", {"a": 1}, at_ms=int(time.time() * 1000) - 60_000)
    lines, order["lines"] = order["lines"], "L1"

    async with running(**{"from": "now"}) as engine:
        since_ms = await begun(engine)
        order["changed_ms"] = since_ms + 1
        await wait_until(lambda: intake_of(engine).status().inbox == 1, "it is in the inbox")
        order["lines"] = lines
        await wait_until(lambda: intake_of(engine).status().open == 0, "it is nobody's any more")

    assert desk.keys(NAME) == set()


async def test_an_open_order_goes_on_after_a_later_time_was_set(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 2})
    async with running():
        await told(desk, "o")

    later_ms = int(time.time() * 1000) + 5_000
    async with running(**{"from": datetime.fromtimestamp(later_ms / 1000, UTC).isoformat()}):
        market.cancel("o", "a", 1)
        await wait_until(lambda: desk.told[NAME, "o"].lines[0].cancelled == 1, "its cancel is told")


async def test_an_order_of_the_second_of_the_first_start_is_booked_where_the_channel_tells_whole_seconds(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    async with running(**{"from": "now"}) as engine:
        start_ms = await begun(engine)
        market.place("new", {"a": 1}, at_ms=start_ms - start_ms % 1000)
        await told(desk, "new")


async def test_a_refused_cursor_begins_the_walk_again_and_loses_nothing(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    async with running():
        market.place("before", {"a": 1})
        await told(desk, "before")
        market.refuses_cursors = 3
        market.place("meanwhile", {"a": 1})
        await told(desk, "meanwhile")


async def test_a_page_is_taken_again_until_all_of_it_is_booked(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    desk.fails = 3
    for number in range(5):
        market.place(f"o{number}", {"a": 1})

    async with running(intake={"pull_every_s": 60.0}):
        await told(desk, *(f"o{number}" for number in range(5)))


async def test_one_impossible_order_keeps_back_no_other_and_stands_in_the_inbox(
    market: Market, desk: PaperDesk, running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.impossible.add("bad")
    market.place("bad", {"a": 1})
    market.place("good", {"a": 1})

    async with running() as engine:
        await told(desk, "good")
        await wait_until(lambda: intake_of(engine).status().inbox == 1, "the other is in the inbox")
    assert "Marked Person" not in "".join(capsys.readouterr())


async def test_a_return_that_cannot_be_read_stands_in_the_inbox_and_is_read_again_when_somebody_asks(
    market: Market, desk: PaperDesk, store: StoreProcess, partition: str
) -> None:
    bad, entered = [True], list[str]()

    class Returning(PlainOrders):
        def pull_returns(self, cursor: str, now_s: float) -> Exchange[Pulled]:  # noqa: ARG002
            yield Request("GET", f"{self._url}/orders?since=0&after=")
            if bad[0]:
                return Pulled(cursor=cursor, unreadable=(Unreadable(key="o", case="R1", reason="items: no list"),))
            return Pulled(cursor=cursor, returns=(ReturnCase(key="R1", order_key="o", lines=(), state="asked"),))

    class Records(NoRecords):
        async def unreadable_return(self, channel: str, case: str, reason: str) -> bool:
            entered.append(f"{channel} {case} {reason}")
            return True

    build = partial(Returning, market.url, intake={"returns": True})
    plans = [plan(NAME, market, build=build, orders={"enabled": True, "from": "2000-01-01T00:00:00Z"})]
    market.place("o", {"a": 1})

    async with publishing(store, partition, plans, orders=IntakeParts(desk, Records())) as engine:
        await wait_until(lambda: entered == [f"{NAME} R1 items: no list"], "it is entered")
        await told(desk, "o")
        assert intake_of(engine).status().inbox == 1
        bad[0] = False
        assert await kept_by(engine).add_news(News("read", 0, ["return:R1"]))

        await wait_until(lambda: intake_of(engine).status().inbox == 0, "it is understood")
        assert market.reads["return:R1"] == 0


async def test_a_fault_of_an_adapter_tells_nothing_personal(
    market: Market, desk: PaperDesk, store: StoreProcess, partition: str
) -> None:
    class Odd(PlainOrders):
        def fetch_order(self, key: str, now_s: float) -> Exchange[Order | None]:
            order = yield from super().fetch_order(key, now_s)
            raise ValueError(f"not a number: {order and order.buyer and order.buyer.name}")

    build = partial(Odd, market.url, intake={"pulls": False})
    plans = [plan(NAME, market, build=build, orders={"enabled": True, "from": "2000-01-01T00:00:00Z"})]
    market.place("o", {"a": 1})

    def faults() -> list[Any]:
        return [each for each in logs if each["event"] == "channel_answer_not_understood"]

    with capture_logs() as logs:
        async with publishing(store, partition, plans, orders=IntakeParts(desk, NoRecords())) as engine:
            assert await kept_by(engine).add_news(News("read", 0, ["o"]))
            await wait_until(lambda: bool(faults()), "the fault is told")

    assert all(each["error"] == "ValueError" and "exc_info" not in each for each in faults())
    assert "test_intake.py:" in faults()[0]["at"]
    assert "Marked Person" not in str(logs)


async def test_a_crash_between_two_awaits_loses_no_order(market: Market, desk: PaperDesk, running: Running) -> None:
    keys: list[str] = []
    for number in range(6):
        keys += [f"o{number}-{each}" for each in range(30)]
        for key in keys[-30:]:
            market.place(key, {"a": 1})
        wanted = len(desk.calls) + 5 * number + 1
        async with running(finish=False):
            await wait_until(lambda wanted=wanted: len(desk.calls) >= wanted, "some are booked")  # type: ignore[misc]

    async with running():
        await told(desk, *keys)


# -- hints and open orders


async def test_an_open_order_is_read_again_so_that_a_change_without_an_event_is_found(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 2})

    async with running(open_orders_every_s=0.3):
        await told(desk, "o")
        market.line("o", "a")["cancelled"] = 1  # and its time of change stays as it was
        await wait_until(lambda: desk.told[NAME, "o"].lines[0].cancelled == 1, "it is read again")


async def test_a_closed_order_is_not_read_any_more(market: Market, desk: PaperDesk, running: Running) -> None:
    market.place("o", {"a": 1})
    market.cancel("o", "a", 1)

    async with running() as engine:
        await told(desk, "o")
        await wait_until(lambda: intake_of(engine).status().open == 0, "nothing is open")
        assert [each async for each in kept_by(engine).to_read()] == []


async def test_a_hint_is_read_even_if_the_channel_does_not_know_the_order_yet(
    market: Market, desk: PaperDesk, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.channels.inbound.schedule.RETRY_S", 0.05)
    market.unknown_at_first = 2

    async with running(intake={"pulls": False}) as engine:
        market.place("o", {"a": 1})
        assert await kept_by(engine).add_news(News("read", 0, ["o"]))
        await told(desk, "o")


async def test_what_is_gone_without_certainty_is_looked_at_a_second_time(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    order = market.place("o", {"a": 1})
    desk.second_looks["o"] = order["changed_ms"] + 500

    async with running(open_orders_every_s=3600):
        await told(desk, "o")
        await wait_until(lambda: sum(1 for _, each, _ in desk.calls if each.key == "o") >= 2, "it is looked at again")


async def test_an_order_that_was_asked_for_before_a_newer_snapshot_came_does_not_win_over_it(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    async with running(intake={"pulls": False}) as engine:
        market.place("o", {"a": 1})
        assert await kept_by(engine).add_news(News("read", 0, ["o"]))
        await told(desk, "o")
        intake = intake_of(engine)
        asked_s = intake._clock.now_s()
        order = await intake._client.talk(lambda adapter: adapter.fetch_order("o", 0.0))
        assert order is not None
        await intake._taking.take(order, asked_s=intake._clock.now_s(), is_read=True)

        await intake._taking.take(order, asked_s=asked_s, is_read=True)

    assert [fetched for _, each, fetched in desk.calls if each.key == "o"][-2:] == [True, False]


# -- what is kept


async def test_no_personal_data_stands_in_the_store(
    market: Market, desk: PaperDesk, running: Running, partition: str
) -> None:
    market.place("o", {"a": 1})

    async with running() as engine:
        await told(desk, "o")
        keys = ChannelKeys(Keyspace(partition), NAME)
        for key in (keys.intake, keys.to_read, keys.outbox):
            kept: Any = await engine.client.hgetall(key)
            assert b"Marked" not in b"".join(kept.values())


async def test_a_person_may_say_that_an_order_of_the_inbox_need_not_be_booked(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    desk.impossible.add("bad")
    market.place("bad", {"a": 1})

    async with running() as engine:
        status = partial(intake_of(engine).status)
        await wait_until(lambda: status().inbox == 1, "it is in the inbox")
        assert await kept_by(engine).add_news(News("ignore", 0, ["bad"]))
        await wait_until(lambda: status().inbox == 0, "it is not any more")
        market.changed(market.orders["bad"])
        pulls = market.pulls
        await wait_until(lambda: market.pulls > pulls + 2, "it came again")
        assert status().inbox == 0


async def test_an_order_that_cannot_be_understood_keeps_back_no_other_and_stands_in_the_inbox(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("garbled", {"a": 1})
    market.orders["garbled"]["lines"] = "L1"
    market.place("good", {"a": 1})

    async with running() as engine:
        await told(desk, "good")
        await wait_until(lambda: intake_of(engine).status().inbox == 1, "the other is in the inbox")

        async def is_kept() -> bool:
            kept = {key: each.inbox async for key, each in kept_by(engine).to_read() if each.inbox}
            return kept == {"garbled": "unreadable"}

        await wait_until(is_kept, "with its reason")


async def test_an_open_order_that_cannot_be_understood_any_more_stands_in_the_inbox_until_it_can(
    market: Market, desk: PaperDesk, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.channels.inbound.schedule.RETRY_S_MAX", 0.2)
    order = market.place("o", {"a": 1})

    async with running(open_orders_every_s=0.3) as engine:
        status = partial(intake_of(engine).status)
        await told(desk, "o")
        lines, order["lines"] = order["lines"], None
        market.changed(order)
        await wait_until(lambda: status().inbox == 1, "it is in the inbox")
        order["lines"] = lines
        market.changed(order)
        await wait_until(lambda: status().inbox == 0, "it is not any more")

    assert desk.told[NAME, "o"].changed_ms == order["changed_ms"]


async def test_a_new_order_that_is_only_named_and_cannot_be_understood_stands_in_the_inbox(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})["lines"] = None

    async with running(intake={"pulls": False}) as engine:
        assert await kept_by(engine).add_news(News("told", 0, ["o"]))
        await wait_until(lambda: intake_of(engine).status().inbox == 1, "it is in the inbox")


async def test_a_channel_that_subtracts_its_orders_is_asked_for_them_before_it_is_shown_the_last_units(
    market: Market, desk: PaperDesk, store: StoreProcess, partition: str, ledger: Ledger
) -> None:
    build = partial(PlainOrders, market.url, intake={"pull_every_s": 60.0}, own_sale="subtracts")
    plans = [plan(NAME, market, build=build, orders={"enabled": True, "from": "2000-01-01T00:00:00Z"})]

    async with publishing(store, partition, plans, orders=IntakeParts(desk, NoRecords())) as engine:
        await wait_until(lambda: market.pulls == 1, "the first walk has ended")
        await ledger.run(receive("many", 50))
        await wait_until(lambda: market.shown.get("many") == 50, "many are shown")
        assert market.pulls == 1
        intake_of(engine)._pulled_s -= 60.0  # it was a while ago
        market.place("o", {"few": 1})
        await ledger.run(receive("few", 2))
        await wait_until(lambda: market.shown.get("few") == 2, "few are shown")

        assert market.pulls == 2
        assert desk.keys(NAME) == {"o"}
