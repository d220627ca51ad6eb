"""What every kind that takes orders must do, driven over real sockets against a simulator of its channel.

A test of a kind is a subclass beside that of :mod:`adapters.testing.conformance`; it says how much a page holds, with
which credentials notifications are heard, and what the channel can be told.
"""

import random
from typing import Final

import pytest

from adapters.contract.errors import ChannelError, CredentialsError, CursorRefusedError, UnreadableOrderError
from adapters.contract.orders import ForgedError, Order, UnreadableError
from adapters.testing.commands_conformance import CommandsConformance
from adapters.testing.conformance import AFTER_S, REFUSALS
from adapters.testing.order_side import PERSONAL
from adapters.testing.seller import START_MS, O, Seller
from adapters.testing.simulator import Fault

LATER_S: Final = 3_600.0
SEEDS: Final = range(12)


class OrdersConformance(CommandsConformance[O]):
    """Subclass it, and say what :class:`~adapters.testing.seller.Selling` asks."""

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
