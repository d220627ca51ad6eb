"""What every kind that takes orders must do, driven over real sockets against a simulator of its channel.

A test of a kind is a subclass beside that of :mod:`tests.channels.conformance`; it says how much a page holds, with
which credentials notifications are heard, and what the channel can be told.
"""

import random
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import msgspec
import pytest

from adapters.contract.adapter import Adapter
from adapters.contract.errors import (
    ChannelError,
    CredentialsError,
    CursorRefusedError,
    NotSentError,
    UnknownResultError,
    UnreadableOrderError,
)
from adapters.contract.orders import (
    Acknowledge,
    Command,
    CommandName,
    CommandOutcome,
    Confirmation,
    Done,
    ForgedError,
    Invoice,
    NotDone,
    Order,
    Pulled,
    Refuse,
    Ship,
    Undecided,
    UnreadableError,
)
from server.channels.connection.http_transport import Transport, converse
from tests.channels.conformance import AFTER_S, REFUSALS
from tests.channels.driving import Driving, Send
from tests.channels.order_side import PERSONAL, OrderSide
from tests.channels.simulator import Fault
from tests.conftest import wait_until

O = TypeVar("O", bound=OrderSide)  # noqa: E741  # as S is for simulators
START_MS: Final = 1_790_000_000_000
PAGES_MAX: Final = 50
LATER_S: Final = 3_600.0
SEEDS: Final = range(12)


class Seller:
    """An adapter that is asked for orders as the engine asks it, and what it has told so far."""

    def __init__(self, adapter: Adapter, send: Send, simulator: OrderSide) -> None:
        self.adapter = adapter
        self.send = send
        self.simulator = simulator
        self.told: dict[str, Order] = {}
        self.unreadable: list[str] = []
        self.cursor = adapter.first_cursor(START_MS - 60_000)

    @property
    def now_s(self) -> float:
        return self.simulator.now_ms() / 1000

    async def page(self, cursor: str) -> Pulled:
        return await converse(self.adapter.pull_orders(cursor, self.now_s), self.send)

    async def fetch(self, key: str) -> Order | None:
        return await converse(self.adapter.fetch_order(key, self.now_s), self.send)

    async def order(self, key: str) -> Order:
        order = await self.fetch(key)
        assert order is not None
        return order

    async def say(self, command: Command, order: Order) -> CommandOutcome:
        return await converse(self.adapter.command(command, order, self.now_s), self.send)

    async def walk(self) -> set[str]:
        """Walk to the end, and read whole what is only hinted at; return the numbers that were met."""
        met: set[str] = set()
        for _ in range(PAGES_MAX):
            pulled = await self.page(self.cursor)
            for order in pulled.orders:
                self.merge(order)
            for key in set(pulled.hints) - {each.key for each in pulled.unreadable}:
                self.merge(await self.order(key))
            self.unreadable += [f"{each.key}: {each.reason}" for each in pulled.unreadable]
            met |= {order.key for order in pulled.orders} | set(pulled.hints)
            self.cursor = pulled.cursor
            if not pulled.more:
                return met
        raise AssertionError("the walk does not end")

    def hear(self, number: str) -> list[str]:
        """Let the channel send what it has to say of an order; return the numbers that are to be read whole."""
        hints: list[str] = []
        for delivery in self.simulator.deliveries(number):
            heard = self.adapter.hear(delivery, self.now_s)
            for order in heard.orders:
                self.merge(order)
            hints += heard.hints
        return hints

    def merge(self, order: Order) -> None:
        """Take a snapshot as the engine does: a whole one counts, a part lowers nothing, an older one is dropped."""
        before = self.told.get(order.key)
        if order.complete or before is None:
            self.told[order.key] = order
            return
        lines = {line.key: line for line in before.lines}
        for line in order.lines:
            known = lines.get(line.key, line)
            higher = {name: max(getattr(known, name), getattr(line, name)) for name in ("ordered", "shipped")}
            lines[line.key] = msgspec.structs.replace(known, **higher)
        self.told[order.key] = msgspec.structs.replace(before, lines=tuple(lines.values()))


class OrdersConformance(Driving[O]):
    """Subclass it, say what :class:`Driving` asks, and what is asked here.

    ``page_size``: how much a page of the adapter holds. ``orders_path``, ``order_path`` and ``command_path`` are parts
    of the paths of a walk, of one order, and of what is said. ``heard_with``: credentials with which deliveries are
    authentic; none: the channel sends nothing. ``cancels_are_sure`` False: a cancel may be part of a change that goes
    on. ``tells_shipments`` False: the channel does not say what has left. ``tells_unpaid`` False: it shows an order
    only once it is paid.
    """

    page_size: ClassVar[int]
    orders_path: ClassVar[str]
    command_path: ClassVar[str]
    heard_with: ClassVar[Mapping[str, str]]
    cancels_are_sure: ClassVar[bool] = True
    tells_shipments: ClassVar[bool] = True
    tells_unpaid: ClassVar[bool] = True

    def options_of_seller(self, simulator: O) -> dict[str, Any]:
        """Options for what is said to the channel; override where a default leaves commands out."""
        return self.options_for(simulator)

    def command(self, name: CommandName, order: Order) -> Command | None:
        """Make a command about all of an order; None: it is tested by the kind's own tests."""
        lines = tuple((line.key, line.ordered - line.cancelled - line.shipped) for line in order.lines)
        made: dict[CommandName, Command] = {
            "acknowledge": Acknowledge(order=order.key),
            "refuse": Refuse(order=order.key, lines=lines),
            "ship": Ship(order=order.key, lines=lines, carrier="Aras", tracking="TR-1", url="https://example.org/TR-1"),
            "invoice": Invoice(
                order=order.key, number="TY42026000000001", url="https://example.org/1", issued_ms=START_MS
            ),
        }
        return made.get(name)

    @pytest.fixture
    def seller(self, simulator: O, transport: Transport) -> Seller:
        simulator.fixed_ms = START_MS
        simulator.shown.update(dict.fromkeys(simulator.shown, 10_000))
        options = msgspec.convert(self.options_of_seller(simulator), self.kind.options)
        adapter = self.kind.build(options, {**self.credentials, **self.heard_with})
        return Seller(adapter, transport.send, simulator)

    def check(self, seller: Seller, number: str) -> None:
        """Compare what was told of an order with what became of it."""
        told = {line.key: (line.ordered, line.cancelled, line.shipped) for line in seller.told[number].lines}
        truth = {
            key: (each.ordered, each.cancelled, each.shipped if self.tells_shipments else 0)
            for key, each in seller.simulator.truth[number].items()
        }
        assert told == truth, f"{number}: {seller.told[number].status}"

    # -- the walk

    async def test_a_walk_finds_every_order_once_it_ends(self, seller: Seller) -> None:
        numbers = {seller.simulator.place((self.key(0), 1)) for _ in range(2 * self.page_size + 3)}

        assert await seller.walk() == numbers
        for number in numbers:
            self.check(seller, number)

    async def test_orders_of_before_the_first_cursor_are_not_met(self, seller: Seller) -> None:
        old = seller.simulator.place((self.key(0), 1))
        seller.simulator.later(10 * 86_400)
        new = seller.simulator.place((self.key(0), 1))
        seller.cursor = seller.adapter.first_cursor(seller.simulator.now_ms() - 60_000)

        met = await seller.walk()

        assert new in met
        assert old not in met

    async def test_a_later_walk_finds_what_is_new(self, seller: Seller) -> None:
        seller.simulator.place((self.key(0), 1))
        await seller.walk()
        seller.simulator.later(LATER_S)
        new = seller.simulator.place((self.key(1), 2), (self.key(2), 1))

        assert new in await seller.walk()
        self.check(seller, new)

    async def test_what_is_placed_while_a_walk_runs_is_found_by_it_or_by_the_next(self, seller: Seller) -> None:
        numbers = {seller.simulator.place((self.key(0), 1)) for _ in range(2 * self.page_size)}
        first = await seller.page(seller.cursor)
        assert first.more
        late = {seller.simulator.place((self.key(0), 1)) for _ in range(3)}
        changed = sorted(numbers)[:: max(1, self.page_size // 3)]
        for number in changed:
            seller.simulator.send_off(number)

        for order in first.orders:
            seller.merge(order)
        seller.cursor = first.cursor
        met = {order.key for order in first.orders} | set(first.hints) | await seller.walk()
        met |= await seller.walk()

        assert met >= numbers | late
        for number in {*changed, *late}:
            self.check(seller, number)

    async def test_a_page_is_read_twice_without_harm(self, seller: Seller) -> None:
        for _ in range(3):
            seller.simulator.place((self.key(0), 1))

        first, again = [await seller.page(seller.cursor) for _ in range(2)]

        assert first.orders == again.orders
        assert first.hints == again.hints

    async def test_a_walk_that_broke_off_begins_again(self, seller: Seller) -> None:
        numbers = {seller.simulator.place((self.key(0), 1)) for _ in range(2 * self.page_size)}
        began = seller.cursor
        assert (await seller.page(began)).more

        seller.cursor = began

        assert await seller.walk() == numbers

    @pytest.mark.parametrize("cursor", ["", "not a cursor", "[]", '{"since":"x"}', "\x00"])
    async def test_a_cursor_that_is_none_is_refused(self, cursor: str, seller: Seller) -> None:
        with pytest.raises(CursorRefusedError):
            await seller.page(cursor)

    async def test_a_quiet_channel_can_be_walked_for_ever(self, seller: Seller) -> None:
        for _ in range(5):
            assert await seller.walk() == set()
            seller.simulator.later(30 * 86_400)
        new = seller.simulator.place((self.key(0), 1))
        assert await seller.walk() == {new}

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_a_fault_is_reported_as_what_it_is(self, fault: Fault, seller: Seller) -> None:
        seller.simulator.place((self.key(0), 1))
        seller.simulator.always, seller.simulator.only = fault, self.orders_path

        with pytest.raises(ChannelError) as caught:
            await seller.walk()

        assert (type(caught.value), caught.value.after_s) == (REFUSALS[fault], AFTER_S.get(fault))

    async def test_other_credentials_are_reported(self, seller: Seller, simulator: O) -> None:
        stranger = Seller(self.build(simulator, self.other_credentials), seller.send, simulator)

        with pytest.raises(CredentialsError):
            await stranger.walk()

    # -- one order

    async def test_an_order_is_read_whole(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 2), (self.key(1), 1))

        order = await seller.order(number)

        assert (order.key, order.complete, order.state) == (number, True, "open")
        assert [line.listing for line in order.lines] == [self.key(0), self.key(1)]
        assert order.buyer is not None
        assert order.buyer.name == PERSONAL[0]
        assert order.placed_ms <= order.changed_ms
        assert abs(order.placed_ms - START_MS) < 60_000

    async def test_an_order_that_nobody_placed_is_none(self, seller: Seller) -> None:
        assert await seller.fetch("999999999") is None

    async def test_an_order_of_200_lines(self, seller: Seller, simulator: O) -> None:
        keys = [self.key(number) for number in range(200)]
        self.make_known(simulator, *keys)
        simulator.shown.update(dict.fromkeys(keys, 10))
        number = simulator.place(*((key, 1) for key in keys))

        assert len((await seller.order(number)).lines) == 200
        assert number in await seller.walk()
        self.check(seller, number)

    async def test_an_order_waits_for_its_payment(self, seller: Seller) -> None:
        if not self.tells_unpaid:
            pytest.skip("this channel shows an order only once it is paid")
        number = seller.simulator.place((self.key(0), 1), paid=False)
        assert (await seller.order(number)).state == "unpaid"
        await seller.walk()
        assert seller.told[number].state == "unpaid"

        seller.simulator.pay(number)

        assert (await seller.order(number)).state == "open"

    async def test_a_cancel_of_some_pieces_is_told(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 3), (self.key(1), 1))
        key = next(iter(seller.simulator.truth[number]))
        seller.simulator.cancel(number, key, 1)

        order = await seller.order(number)
        seller.merge(order)

        self.check(seller, number)
        assert order.gone_is_certain is self.cancels_are_sure
        assert order.state == "open"

    async def test_an_order_that_was_cancelled_whole_before_it_was_seen(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 1))
        key = next(iter(seller.simulator.truth[number]))
        seller.simulator.cancel(number, key, 1)

        order = await seller.order(number)

        assert (order.state, order.gone_is_certain) == ("cancelled", True)
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(1, 1)]

    async def test_a_part_lowers_nothing(self, seller: Seller) -> None:
        numbers = [seller.simulator.place((self.key(0), 2)) for _ in range(4)]
        for number in numbers[1:]:
            seller.simulator.cancel(number, next(iter(seller.simulator.truth[number])), 1)

        parts = list((await seller.page(seller.cursor)).orders)
        for number in numbers:
            for delivery in seller.simulator.deliveries(number):
                parts += seller.adapter.hear(delivery, seller.now_s).orders

        assert [line for order in parts if not order.complete for line in order.lines if line.cancelled] == []

    async def test_an_impossible_order_keeps_none_of_the_others(self, seller: Seller) -> None:
        good, bad, other = (seller.simulator.place((self.key(0), 1)) for _ in range(3))
        seller.simulator.spoil(bad)

        met = await seller.walk()

        assert met == {good, bad, other}
        assert bad not in seller.told
        assert [text.partition(":")[0] for text in seller.unreadable if text] == [bad]
        with pytest.raises(UnreadableOrderError) as caught:
            await seller.fetch(bad)
        texts = [*seller.unreadable, str(caught.value), caught.value.reason]
        assert [text for text in texts if any(word in text for word in PERSONAL)] == []

    async def test_no_description_shows_a_buyer(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 1))
        texts = [repr(await seller.order(number)), *map(repr, seller.simulator.deliveries(number))]

        assert [text for text in texts if any(word in text for word in PERSONAL)] == []

    # -- hearing

    def _skip_if_nothing_is_sent(self, seller: Seller) -> None:
        if not self.heard_with:
            intake = seller.adapter.capabilities.intake
            assert intake is not None
            assert not intake.hears
            pytest.skip("this channel sends nothing")

    async def test_what_is_heard_is_the_order_or_a_hint_of_it(self, seller: Seller) -> None:
        self._skip_if_nothing_is_sent(seller)
        number = seller.simulator.place((self.key(0), 2))

        hints = seller.hear(number)

        assert {*hints, *seller.told} == {number}
        if number in seller.told:
            self.check(seller, number)

    async def test_a_forged_delivery_is_not_believed(self, seller: Seller) -> None:
        self._skip_if_nothing_is_sent(seller)
        number = seller.simulator.place((self.key(0), 2))
        for delivery in seller.simulator.deliveries(number):
            for forged in seller.simulator.forged(delivery):
                with pytest.raises(ForgedError):
                    seller.adapter.hear(forged, seller.now_s)

    async def test_without_a_secret_nothing_is_heard(self, seller: Seller, simulator: O) -> None:
        self._skip_if_nothing_is_sent(seller)
        deaf = self.build(simulator)
        number = simulator.place((self.key(0), 2))

        assert deaf.capabilities.intake is not None
        assert not deaf.capabilities.intake.hears
        for delivery in simulator.deliveries(number):
            with pytest.raises(ForgedError):
                deaf.hear(delivery, seller.now_s)

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b'{"content":[{}]}', b"\xff\xfe", b'{"id":"x"}'])
    async def test_what_is_signed_and_is_no_order_is_unreadable(self, body: bytes, seller: Seller) -> None:
        self._skip_if_nothing_is_sent(seller)
        with pytest.raises(UnreadableError) as caught:
            seller.adapter.hear(seller.simulator.signed(body), seller.now_s)
        assert str(caught.value)

    async def test_an_old_delivery_says_that_it_is_old(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 2))
        old = seller.simulator.deliveries(number)
        seller.simulator.later(60)
        seller.simulator.send_off(number)
        now = await seller.order(number)

        for delivery in old:
            for order in seller.adapter.hear(delivery, seller.now_s).orders:
                assert order.changed_ms < now.changed_ms

    # -- at random

    @pytest.mark.parametrize("seed", SEEDS)
    async def test_whatever_happens_the_last_look_is_right(self, seed: int, seller: Seller) -> None:
        chance = random.Random(seed)
        seller.simulator.misbehave(chance)
        for _ in range(60):
            number = seller.simulator.act(chance)
            if chance.random() < 0.3:
                for key in seller.hear(number):
                    seller.merge(await seller.order(key))
            if chance.random() < 0.1:
                await self._walk_although_refused(seller)
            for told in seller.told.values():
                self._check_that_nothing_is_released_too_much(seller, told)
        seller.simulator.later(LATER_S)
        await self._walk_although_refused(seller)
        for number in seller.simulator.truth:
            assert number in seller.told
            seller.merge(await seller.order(number))
            self.check(seller, number)

    async def _walk_although_refused(self, seller: Seller) -> None:
        began = seller.cursor
        try:
            await seller.walk()
        except CursorRefusedError:
            seller.cursor = began
            await seller.walk()

    def _check_that_nothing_is_released_too_much(self, seller: Seller, told: Order) -> None:
        """What is told as gone for good is gone; what is not certain may come again."""
        for line in told.lines:
            truth = seller.simulator.truth[told.key][line.key]
            assert line.ordered <= truth.ordered
            if told.gone_is_certain:
                assert line.cancelled <= truth.cancelled, f"{told.key}/{line.key}: {told.status}"

    # -- what is said

    def declared(self, seller: Seller, order: Order) -> list[Command]:
        intake = seller.adapter.capabilities.intake
        assert intake is not None
        made = (self.command(name, order) for name in sorted(intake.commands))
        return [each for each in made if each is not None]

    def placed(self, seller: Seller) -> str:
        return seller.simulator.place((self.key(0), 2), (self.key(1), 1))

    async def test_what_is_said_is_done(self, seller: Seller) -> None:
        for command in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            again = self._about(command, order)

            assert isinstance(await seller.say(again, order), Done), again
            assert seller.simulator.carried_out.total() > 0
            assert not isinstance(await self._confirmed(seller, again), NotDone)
            seller.simulator.carried_out.clear()

    def _about(self, command: Command, order: Order) -> Command:
        lines = tuple((line.key, line.ordered - line.cancelled - line.shipped) for line in order.lines)
        changes: dict[str, Any] = {"order": order.key}
        if isinstance(command, Refuse | Ship):
            changes["lines"] = lines
        return msgspec.structs.replace(command, **changes)

    @staticmethod
    def is_carried_out(simulator: OrderSide) -> bool:
        return simulator.carried_out.total() > 0

    async def _confirmed(self, seller: Seller, command: Command) -> Confirmation:
        return seller.adapter.confirm(command, await seller.order(command.order))

    @pytest.mark.parametrize("fault", ["reset_after", "silent_after"])
    async def test_a_command_whose_answer_was_lost_is_never_said_twice(
        self, fault: Fault, seller: Seller, impatient: Transport
    ) -> None:
        for each in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            command, simulator = self._about(each, order), seller.simulator
            simulator.carried_out.clear()
            simulator.only = self.command_path
            simulator.faults.append(fault)
            hasty = Seller(seller.adapter, impatient.send, simulator)

            with pytest.raises(UnknownResultError):
                await hasty.say(command, order)
            await wait_until(partial(self.is_carried_out, simulator), "it is carried out")
            simulator.only, simulator.faults = "", type(simulator.faults)()

            assert isinstance(await self._confirmed(seller, command), Done | Undecided), command
            assert max(simulator.carried_out.values()) == 1

    @pytest.mark.parametrize("fault", ["reset", "failing", "not_json"])
    async def test_a_command_that_did_not_arrive_is_found_not_to_be_done(self, fault: Fault, seller: Seller) -> None:
        for each in self.declared(seller, await seller.order(self.placed(seller))):
            order = await seller.order(self.placed(seller))
            command = self._about(each, order)
            seller.simulator.only = self.command_path
            seller.simulator.faults.append(fault)

            with pytest.raises(UnknownResultError):
                await seller.say(command, order)
            seller.simulator.only = ""

            assert isinstance(await self._confirmed(seller, command), NotDone), command
            assert isinstance(await seller.say(command, await seller.order(order.key)), Done)

    async def test_a_throttled_command_is_said_later(self, seller: Seller) -> None:
        order = await seller.order(self.placed(seller))
        for command in self.declared(seller, order):
            seller.simulator.only = self.command_path
            seller.simulator.faults.append("throttled_with_retry_after")

            with pytest.raises(ChannelError) as caught:
                await seller.say(command, order)

            assert not isinstance(caught.value, UnknownResultError | NotSentError)
            assert seller.simulator.carried_out.total() == 0

    async def test_what_the_order_has_not_is_not_refused(self, seller: Seller) -> None:
        intake = seller.adapter.capabilities.intake
        assert intake is not None
        if "refuse" not in intake.commands:
            pytest.skip("nothing can be refused at this channel")
        order = await seller.order(self.placed(seller))
        many: Sequence[tuple[str, int]] = [(line.key, line.ordered + 1) for line in order.lines]

        outcome = await seller.say(Refuse(order=order.key, lines=tuple(many)), order)

        assert not isinstance(outcome, Done)
        assert seller.simulator.carried_out.total() == 0
