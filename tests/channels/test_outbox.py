"""What is said to channels: only what was asked for, nothing twice, whatever is lost on the way."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from adapters.contract.errors import ChannelError, SpoiledError, UnavailableError, UnknownResultError
from adapters.contract.orders import (
    Acknowledge,
    Command,
    Confirmation,
    Done,
    NotDone,
    Order,
    OrderLine,
    Refuse,
    ReturnLine,
    SettleReturn,
    Ship,
    Undecided,
)
from server.channels.inbound.intakes import IntakeParts
from server.channels.inbound.lost_answers import decided
from server.channels.inbound.order_records import NoRecords
from server.channels.inbound.outbox import command_of
from server.channels.inbound.words import failure, without_words
from server.domain.intake import News, OutboxEntry
from server.domain.order_parcels import Parcel
from server.store.backup.aftercare import mark_released, settle
from server.store.connection.commands import command as store_command
from server.store.errors import StoreUnavailableError
from server.store.repositories.intake import IntakeStore, IntakeWrites
from server.store.repositories.order_privacy import OrderPrivacy
from tests.channels.engine import Engine, plan, publishing
from tests.channels.orders_simulator import Market, PlainOrders
from tests.channels.paper_desk import PaperDesk
from tests.conftest import wait_until
from tests.support.stores import StoreProcess

NAME = "market"
Running = Callable[..., AbstractAsyncContextManager[Engine]]
UNDECIDED = Undecided(reason="nobody knows")
FAULTS_THAT_LOSE_THE_ANSWER = ("reset_after", "failing", "not_json", "unavailable", "reset")


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with Market() as channel:
        yield channel


@pytest.fixture
def desk() -> PaperDesk:
    return PaperDesk()


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.channels.inbound.outbox.LATE_MS", 400)
    monkeypatch.setattr("server.channels.inbound.outbox.LOOK_MS", 50)
    monkeypatch.setattr("server.channels.inbound.outbox.RETRY_MS", 50)
    monkeypatch.setattr("server.channels.inbound.saying.RETRY_MS", 50)


@pytest.fixture
def running(store: StoreProcess, partition: str, market: Market, desk: PaperDesk) -> Running:
    def run(
        *, finish: bool = True, build: Callable[[], PlainOrders] | None = None, **orders: Any
    ) -> AbstractAsyncContextManager[Engine]:
        plans = [
            plan(
                NAME,
                market,
                build=build or (lambda: PlainOrders(market.url)),
                orders={"enabled": True, "from": "2000-01-01T00:00:00Z", "open_orders_every_s": 0.3, **orders},
            )
        ]
        return publishing(store, partition, plans, orders=IntakeParts(desk, NoRecords()), finish=finish)

    return run


def entry(name: str, command: Command) -> News:
    packed = msgspec.msgpack.encode(command)
    tag = str(type(command).__struct_config__.tag)
    return News("say", 0, entry=OutboxEntry(name, command.order, tag, packed, "test", "waiting", 1, 1, 0))


async def say(engine: Engine, name: str, command: Command) -> None:
    assert await IntakeStore(engine.client, engine.keyspace, NAME).add_news(entry(name, command))


async def settled(engine: Engine, name: str, state: str) -> OutboxEntry:
    store = IntakeStore(engine.client, engine.keyspace, NAME)
    found: OutboxEntry | None = None

    async def is_settled() -> bool:
        nonlocal found
        found = await store.outbox_entry(name)
        return found is not None and found.state == state

    await wait_until(is_settled, f"{name} is {state}")
    assert found is not None
    return found


def ship(order: str, pieces: int, tracking: str) -> Ship:
    return Ship(order=order, lines=(("La", pieces),), tracking=tracking, carrier="sled")


async def test_a_command_is_carried_out_once_however_often_it_is_asked_for(market: Market, running: Running) -> None:
    market.place("o", {"a": 2})

    async with running() as engine:
        for _ in range(3):
            await say(engine, "s1", ship("o", 1, "T1"))
        done = await settled(engine, "s1", "done")
        await say(engine, "s1", ship("o", 1, "T1"))
        await say(engine, "s2", ship("o", 1, "T2"))
        await settled(engine, "s2", "done")

    assert done.remote_id
    assert market.line("o", "a")["shipped"] == 2
    assert [each["tracking"] for each in market.orders["o"]["packages"]] == ["T1", "T2"]


@pytest.mark.parametrize("fault", FAULTS_THAT_LOSE_THE_ANSWER)
async def test_a_command_whose_answer_is_lost_is_looked_for_before_it_is_said_again(
    market: Market, running: Running, fault: Any
) -> None:
    market.place("o", {"a": 5})
    market.only = "/commands"
    market.faults.extend([fault, fault])

    async with running() as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "done")

    assert market.line("o", "a")["shipped"] == 1


async def test_a_sender_that_is_killed_while_it_sends_says_nothing_twice(market: Market, running: Running) -> None:
    market.place("o", {"a": 5})
    market.only = "/commands"
    market.faults.append("silent_after")

    async with running(finish=False) as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await wait_until(lambda: market.line("o", "a").get("shipped") == 1, "it has arrived")
    async with running() as engine:
        await settled(engine, "s1", "done")

    assert market.line("o", "a")["shipped"] == 1


async def test_a_command_that_could_not_be_written_before_it_left_is_said_once_the_store_is_back(
    market: Market, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.place("o", {"a": 5})
    failures = 0

    async with running() as engine:
        writes, save = engine.publisher._intakes._intakes[NAME]._writes, IntakeWrites.save

        async def away_once(self: IntakeWrites) -> None:
            nonlocal failures
            if not failures and any(each is not None and each.state == "sending" for each in writes._outbox.values()):
                failures += 1
                raise StoreUnavailableError("The store is away.")
            await save(self)

        monkeypatch.setattr(IntakeWrites, "save", away_once)
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "done")

    assert (failures, market.line("o", "a")["shipped"]) == (1, 1)


async def test_what_the_channel_does_not_take_is_shown_with_its_reason_and_a_person_may_say_it_again(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})

    async with running() as engine:
        await say(engine, "s1", ship("o", 2, "T1"))
        refused = await settled(engine, "s1", "refused")
        market.line("o", "a")["ordered"] = 2
        assert await IntakeStore(engine.client, engine.keyspace, NAME).add_news(News("again", 0, ["s1"]))
        await settled(engine, "s1", "done")

    assert refused.reason == "impossible"
    assert market.line("o", "a")["shipped"] == 2


async def test_a_command_that_waits_can_be_taken_back_and_a_channel_that_is_down_gets_nothing(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})
    market.only, market.always = "/orders/", "unavailable"

    async with running() as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "waiting")
        assert await IntakeStore(engine.client, engine.keyspace, NAME).add_news(News("cancel", 0, ["s1"]))
        await settled(engine, "s1", "cancelled")
        market.always = None

    assert "shipped" not in market.line("o", "a")


async def test_a_command_that_is_taken_back_while_its_order_cannot_be_read_is_not_said(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})

    async with running() as engine:
        intake = engine.publisher._intakes._intakes[NAME]
        outbox, read, reads = intake._outbox, intake._reading.read, 0

        async def taken_back_meanwhile(key: str, *, whole: bool = False) -> Order | None:
            nonlocal reads
            if outbox._entries.keys() & {"s1"} and not reads:
                reads += 1
                outbox.cancel("s1", 1)
                raise UnavailableError("it is away")
            return await read(key, whole=whole)

        intake._reading.read = taken_back_meanwhile  # type: ignore[method-assign]
        await say(engine, "s1", ship("o", 1, "T1"))
        await say(engine, "s2", ship("o", 1, "T2"))
        await settled(engine, "s1", "cancelled")
        await settled(engine, "s2", "done")

    assert [each["tracking"] for each in market.orders["o"]["packages"]] == ["T2"]


async def test_a_command_that_this_release_does_not_know_keeps_back_no_other(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 1})
    desk.shipped["o", "La"] = 1
    desk.parcels_are = [Parcel("T1", "sled")]
    later = OutboxEntry(
        "g1", "o", "gift", msgspec.msgpack.encode({"type": "gift", "order": "o"}), "test", "waiting", 1, 1, 0
    )
    stored = replace(later, id="g2")

    async with running():
        pass
    async with running(ship="when_fulfilled") as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        assert await store.add_news(News("say", 0, entry=later))
        refused = await settled(engine, "g1", "refused")
        await wait_until(lambda: market.line("o", "a").get("shipped") == 1, "what a rule says is said")
        await engine.client.hset(store.keys.outbox, "g2", msgspec.msgpack.encode(stored))
    async with running() as engine:
        await say(engine, "s1", Acknowledge(order="o"))
        await settled(engine, "s1", "done")
        left = await store_of(engine).outbox_entry("g2")

    assert refused.reason == "not a command"
    assert left == stored


def store_of(engine: Engine) -> IntakeStore:
    return IntakeStore(engine.client, engine.keyspace, NAME)


class Forgetful(PlainOrders):
    """An adapter that cannot tell its own cancel from an earlier one."""

    def confirm(self, command: Command, order: Order) -> Confirmation:
        found = super().confirm(command, order)
        return Undecided(reason="it may have been an earlier one") if isinstance(found, Done) else found


def refuse(order: str, pieces: int) -> Refuse:
    return Refuse(order=order, lines=(("La", pieces),))


@pytest.mark.parametrize("fault", ["reset_after", "reset"])
async def test_a_refusal_of_a_part_is_decided_by_how_the_order_stood_before(
    market: Market, running: Running, fault: Any
) -> None:
    market.place("o", {"a": 5})
    market.cancel("o", "a", 1)  # as much as is refused then: an adapter cannot tell it from that
    market.only = "/commands"
    market.faults.append(fault)

    async with running(build=lambda: Forgetful(market.url)) as engine:
        await say(engine, "r1", refuse("o", 1))
        await settled(engine, "r1", "done")

    assert market.line("o", "a")["cancelled"] == 2


async def test_a_command_of_which_nobody_knows_is_settled_by_what_a_person_has_seen(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 5})
    packed = msgspec.msgpack.encode(refuse("o", 1))
    kept = OutboxEntry("", "o", "refuse", packed, "test", "undecided", 1, 1, 0, 1, 1)

    async with running() as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        for name, what, state in (("seen", "done", "done"), ("let go", "cancel", "cancelled")):
            assert await store.add_news(News("say", 0, entry=replace(kept, id=name)))
            assert await store.add_news(News(what, 0, [name]))  # type: ignore[arg-type]  # one of its words
            await settled(engine, name, state)
        assert await store.add_news(News("done", 0, ["let go"]))
        await wait_until(lambda: _is_empty(store), "it is taken in")
        let_go = await store.outbox_entry("let go")

    assert let_go is not None
    assert let_go.state == "cancelled"
    assert not market.said


async def _is_empty(store: IntakeStore) -> bool:
    return await store.news_waiting() == 0


@pytest.mark.parametrize(
    ("before", "cancelled", "decided_as"),
    [
        ([("a", 1, 0), ("b", 0, 0)], (2, 2), Done()),
        ([("a", 1, 0), ("b", 0, 0)], (4, 3), Done()),
        ([("a", 1, 0), ("b", 0, 0)], (1, 0), NotDone()),
        ([("a", 1, 0), ("b", 0, 0)], (2, 0), UNDECIDED),
        ([("a", 1, 0), ("b", 0, 0)], (0, 0), UNDECIDED),  # a figure that falls is no figure to go by
        ([("a", 1, 0)], (2, 2), UNDECIDED),
        ([], (2, 2), UNDECIDED),
    ],
)
def test_what_is_decided_of_a_refusal(
    before: list[tuple[str, int, int]], cancelled: tuple[int, int], decided_as: Confirmation
) -> None:
    command = Refuse(order="o", lines=(("a", 1), ("b", 2)))
    lines = [OrderLine(key=key, ordered=9, cancelled=each) for key, each in zip("ab", cancelled, strict=True)]
    order = Order(key="o", changed_ms=1, lines=tuple(lines), complete=True)

    assert decided(UNDECIDED, command, before, order) == decided_as
    assert decided(NotDone(), command, before, order) == NotDone()
    shipped = replace(order, lines=tuple(replace(each, cancelled=0, shipped=each.cancelled) for each in lines))
    was_shipped = [(key, 0, pieces) for key, pieces, _ in before]
    of_parcel = decided(UNDECIDED, Ship(order="o", lines=command.lines), was_shipped, shipped)
    assert of_parcel == (UNDECIDED if decided_as == NotDone() else decided_as)


# -- rules


async def test_what_is_erased_leaves_nothing_personal_in_the_outbox(market: Market, running: Running) -> None:
    market.place("o", {"a": 1})
    market.place("p", {"a": 1})

    async with running() as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await say(engine, "s2", ship("p", 1, "T2"))
        await settled(engine, "s1", "done")
        await settled(engine, "s2", "done")
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        assert await store.add_news(News("erase", 0, ["o"]))

        async def is_erased() -> bool:
            found = await store.outbox_entry("s1")
            return found is not None and b"T1" not in found.command

        await wait_until(is_erased, "the command is erased")
        kept = await store.outbox_entry("s2")

    assert kept is not None
    assert b"T2" in kept.command


async def test_a_shipment_that_is_said_after_its_order_was_erased_leaves_no_tracking_behind(
    market: Market, running: Running
) -> None:
    for key in ("o", "p"):
        market.place(key, {"a": 2})

    async with running() as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        await OrderPrivacy(engine.client, engine.keyspace).note_erased([(NAME, "o"), ("another", "p")], 1)
        assert await store.erase(["o"], 1)  # nothing is said yet, and nothing waits: the outbox is not told
        await say(engine, "s1", ship("o", 1, "T1"))
        await say(engine, "s2", ship("p", 1, "T2"))
        done, other = await settled(engine, "s1", "done"), await settled(engine, "s2", "done")

    assert [each["tracking"] for each in market.orders["o"]["packages"]] == ["T1"]
    assert b"T1" not in done.command
    assert b"T2" in other.command


async def test_a_command_of_an_erased_order_that_never_left_is_erased_at_the_next_start(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})
    market.only, market.always = "/orders/", "unavailable"

    async with running() as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        await OrderPrivacy(engine.client, engine.keyspace).note_erased([(NAME, "o")], 1)
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "waiting")
        assert await store.add_news(News("cancel", 0, ["s1"]))
        assert b"T1" in (await settled(engine, "s1", "cancelled")).command
    async with running() as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)

        async def is_erased() -> bool:
            found = await store.outbox_entry("s1")
            return found is not None and b"T1" not in found.command

        await wait_until(is_erased, "the command is erased")


async def test_a_command_of_an_erased_order_leaves_nothing_personal_once_it_is_done(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 1})
    market.only, market.always = "/orders/", "unavailable"

    async with running() as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "waiting")
        store = IntakeStore(engine.client, engine.keyspace, NAME)
        assert await store.add_news(News("erase", 0, ["o"]))

        async def is_taken_in() -> bool:
            return not await store.news_waiting()

        await wait_until(is_taken_in, "the erasure is taken in")
        market.always = None
        done = await settled(engine, "s1", "done")

    assert [each["tracking"] for each in market.orders["o"]["packages"]] == ["T1"]
    assert b"T1" not in done.command


@pytest.mark.parametrize("state", ["waiting", "refused"])
def test_what_a_person_wrote_of_a_return_is_taken_from_a_command(state: Any) -> None:
    lines = (ReturnLine(quantity=1, line="1", reason="Markgraf is ill"),)
    command = SettleReturn(order="o", case="c", lines=lines, accept=False, reason="Markgraf lied")
    entry = OutboxEntry("s", "o", "settle_return", msgspec.msgpack.encode(command), "test", state, 1, 1, 1, 1, 1, "x")

    left = without_words(entry)

    assert b"Markgraf" not in left.command
    assert command_of(left) == SettleReturn(
        order="o", case="c", lines=(ReturnLine(quantity=1, line="1"),), accept=False
    )
    assert (left.state, left.reason) == (state, "")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnavailableError("HTTP 503: Markgraf"), "the channel cannot now (HTTP 503)"),
        (UnknownResultError("Markgraf"), "no answer tells what was done"),
        (SpoiledError("x", "Markgraf"), "the call failed"),
    ],
)
def test_a_failure_is_told_without_the_channel_s_words(error: ChannelError, words: str) -> None:
    assert failure(error) == words


async def test_without_a_rule_nothing_is_said(market: Market, desk: PaperDesk, running: Running) -> None:
    market.place("o", {"a": 1})
    desk.shipped["o", "La"] = 1
    desk.short.add("o")
    desk.parcels_are = [Parcel("T1", "sled")]

    async with running():
        await wait_until(lambda: len(desk.calls) > 3, "it was read again and again")

    assert not market.said


async def test_an_order_is_acknowledged_once_where_a_person_has_switched_that_on(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 1})

    for _ in range(2):
        async with running(acknowledge="at_once"):
            await wait_until(lambda: market.orders["o"]["acknowledged"], "it is acknowledged")
            calls = len(desk.calls)
            await wait_until(lambda calls=calls: len(desk.calls) > calls + 3, "it was read again")  # type: ignore[misc]

    assert market.said == {("o", "acknowledge", "{}"): 1}


async def test_what_a_rule_says_is_said_again_where_the_order_has_changed_before(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 3})
    market.place("p", {"a": 1})
    market.overtakes = 3
    desk.shipped["o", "La"] = 1
    desk.parcels_are = [Parcel("T1", "sled")]
    desk.short.add("p")

    async with running(acknowledge="at_once", ship="when_fulfilled", refuse_after_s=0.1):
        await wait_until(lambda: market.line("o", "a").get("shipped") == 1, "the parcel is told")
        await wait_until(lambda: market.line("p", "a").get("cancelled") == 1, "what lacks is refused")
        await wait_until(lambda: market.orders["o"]["acknowledged"], "it is acknowledged")

    assert market.overtakes == 0
    assert market.said["o", "acknowledge", "{}"] == 1


async def test_a_channel_that_calls_a_command_superseded_for_ever_is_asked_ever_less_often(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 3})
    market.overtakes = 1_000_000
    desk.shipped["o", "La"] = 1
    desk.parcels_are = [Parcel("T1", "sled")]

    async with running(ship="when_fulfilled"):
        began_s = time.monotonic()
        await wait_until(lambda: market.overtakes <= 1_000_000 - 7, "it was said seven times")
        took_s = time.monotonic() - began_s

    assert took_s > 0.05 + 0.1 + 0.2 + 0.4, "each pause is twice as long as the one before"
    assert market.line("o", "a").get("shipped", 0) == 0


async def test_what_has_left_with_a_tracking_number_is_shipped_there_and_each_parcel_once(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 3})

    async with running(ship="when_fulfilled"):
        desk.shipped["o", "La"] = 1  # and nobody has said how
        calls = len(desk.calls)
        await wait_until(lambda: len(desk.calls) > calls + 3, "it was read again")
        assert not market.said
        desk.parcels_are = [Parcel("T1", "sled")]
        await wait_until(lambda: market.line("o", "a").get("shipped") == 1, "the first parcel is told")
        desk.shipped["o", "La"] = 3
        desk.parcels_are = [Parcel("T2", "sled")]
        await wait_until(lambda: market.line("o", "a").get("shipped") == 3, "the second parcel is told")

    assert sum(market.said.values()) == 2


async def test_parcels_that_left_together_are_told_each_with_what_is_in_it(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 3, "b": 1})
    desk.shipped.update({("o", "La"): 3, ("o", "Lb"): 1})
    desk.parcels_are = [
        Parcel("T1", "sled", (("La", 1),), is_placed=True),
        Parcel("T2", "sled", (("La", 2), ("Lb", 1)), is_placed=True),
    ]

    async with running(ship="when_fulfilled") as engine:
        await wait_until(lambda: market.line("o", "a").get("shipped") == 3, "both are told")
        entries = [each async for each in IntakeStore(engine.client, engine.keyspace, NAME).outbox()]

    said = [command_of(each) for each in sorted(entries, key=lambda each: each.created_ms)]
    assert [(each.tracking, dict(each.lines)) for each in said if isinstance(each, Ship)] == [
        ("T1", {"La": 1}),
        ("T2", {"La": 2, "Lb": 1}),
    ]
    assert [each["tracking"] for each in market.orders["o"]["packages"]] == ["T1", "T2"]


async def test_a_kind_that_is_told_of_whole_orders_is_told_once_the_last_parcel_has_left(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 3, "b": 1, "c": 1})
    market.cancel("o", "c", 1)
    desk.shipped["o", "La"] = 3
    desk.parcels_are = [Parcel("T1", "sled", (("La", 3),), is_placed=True)]

    def build() -> PlainOrders:
        return PlainOrders(market.url, intake={"whole_orders": True})

    async with running(ship="when_fulfilled", build=build) as engine:
        calls = len(desk.calls)
        await wait_until(lambda: len(desk.calls) > calls + 3, "it was read again")
        assert not market.said
        desk.shipped["o", "Lb"] = 1
        desk.parcels_are.append(Parcel("T2", "sled", (("Lb", 1),), is_placed=True))
        await wait_until(lambda: market.line("o", "b").get("shipped") == 1, "all is told")
        entries = [each async for each in IntakeStore(engine.client, engine.keyspace, NAME).outbox()]

    [said] = [command_of(each) for each in entries]
    assert isinstance(said, Ship)
    assert (said.tracking, dict(said.lines)) == ("T2", {"La": 3, "Lb": 1})


async def test_an_order_that_stays_short_is_refused_once_after_the_time_that_was_set(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 2})
    desk.short.add("o")

    async with running(refuse_after_s=1.0):
        await wait_until(lambda: len(desk.calls) >= 2, "it was read again")
        assert not market.said
        await wait_until(lambda: market.line("o", "a").get("cancelled") == 1, "it is refused")
        calls = len(desk.calls)
        await wait_until(lambda: len(desk.calls) > calls + 3, "it was read again")

    assert market.said == {("o", "refuse", '{"La": 1}'): 1}


async def test_what_a_rule_has_said_of_an_open_order_is_not_forgotten_so_it_is_not_said_again(
    market: Market, desk: PaperDesk, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.channels.inbound.outbox.SETTLED_KEPT_MS", 1)
    monkeypatch.setattr("server.channels.inbound.intake.PURGE_S", 0.05)
    market.place("o", {"a": 1})
    market.place("p", {"a": 1})
    market.refuses_all = True
    desk.shipped["o", "La"] = 1
    desk.parcels_are = [Parcel("T1", "sled")]

    async with running(ship="when_fulfilled") as engine:
        await wait_until(lambda: market.said["o", "ship", "refused"] == 1, "it is told, and refused")
        await say(engine, "s1", ship("p", 1, "T2"))
        await wait_until(lambda: market.said["p", "ship", "refused"] == 1, "so is what a person says")
        store = IntakeStore(engine.client, engine.keyspace, NAME)

        async def is_forgotten() -> bool:
            return await store.outbox_entry("s1") is None and await store.outbox_size() == 1

        await wait_until(is_forgotten, "that is forgotten after its time")
        calls = len(desk.calls)
        await wait_until(lambda: len(desk.calls) > calls + 5, "both were read again and again")

    assert market.said["o", "ship", "refused"] == 1


async def test_what_another_location_has_is_not_refused_until_it_has_it_no_more(
    market: Market, desk: PaperDesk, running: Running
) -> None:
    market.place("o", {"a": 2})
    desk.short.add("o")
    desk.others = ("izmir",)

    with capture_logs() as logged:
        async with running(refuse_after_s=0.1):
            await wait_until(lambda: any(each["event"] == "order_not_refused" for each in logged), "it is kept")
            assert not market.said
            desk.others = ()
            await wait_until(lambda: market.line("o", "a").get("cancelled") == 1, "it is refused")

    [first, *_] = [each for each in logged if each["event"] == "order_not_refused"]
    assert (first["order"], first["others"]) == ("o", ("izmir",))


def test_commands_of_each_kind_can_be_read_again() -> None:
    for command in (Acknowledge(order="o"), Refuse(order="o", lines=(("a", 1),)), ship("o", 1, "T")):
        packed = msgspec.msgpack.encode(command)
        assert msgspec.msgpack.decode(packed, type=Command) == command


# -- a store that was restored from a backup


async def _restored(engine: Engine) -> None:
    """Have the store be what a restore leaves, released in a minute: what is placed until then was perhaps answered."""
    now_ms = int(1000 * time.time())
    await settle(engine.client, [engine.keyspace.partition], now_ms)
    await mark_released(engine.client, now_ms + 60_000)


async def test_what_was_acknowledged_after_the_backup_is_not_acknowledged_again(
    market: Market, running: Running
) -> None:
    async with running(acknowledge="at_once") as engine:
        await _restored(engine)
    market.place("o", {"a": 2})
    market.orders["o"]["acknowledged"] = True  # by the server that was lost

    async with running(acknowledge="at_once") as engine:
        store = IntakeStore(engine.client, engine.keyspace, NAME)

        async def is_settled() -> bool:
            return [each.state async for each in store.outbox()] == ["done"]

        await wait_until(is_settled, "it was looked for")

    assert market.said == {}


async def test_what_was_not_acknowledged_before_the_loss_is_once(market: Market, running: Running) -> None:
    async with running(acknowledge="at_once") as engine:
        await _restored(engine)
    market.place("o", {"a": 2})

    async with running(acknowledge="at_once"):
        await wait_until(lambda: market.orders["o"]["acknowledged"], "it is acknowledged")

    assert market.said == {("o", "acknowledge", "{}"): 1}


async def test_a_command_that_waited_when_the_backup_was_taken_is_looked_for_before_it_is_sent(
    market: Market, running: Running
) -> None:
    market.place("o", {"a": 5})
    async with running() as engine:
        await say(engine, "s1", ship("o", 1, "T1"))
        await settled(engine, "s1", "done")
        done = await IntakeStore(engine.client, engine.keyspace, NAME).outbox_entry("s1")
        assert done is not None
        waiting = msgspec.msgpack.encode(replace(done, state="waiting", tries=0, sent_ms=0, before=[], remote_id=""))
    async with running() as engine:
        outbox = IntakeStore(engine.client, engine.keyspace, NAME).keys.outbox
        await store_command(engine.client, "HSET", outbox, "s1", waiting)  # as the backup has it
        await _restored(engine)

    async with running() as engine:
        await settled(engine, "s1", "done")

    assert market.line("o", "a")["shipped"] == 1
