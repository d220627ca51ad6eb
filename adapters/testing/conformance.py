"""What every adapter must do, driven over real sockets against a simulator of its channel.

A new adapter's test is a subclass that defines its simulator and how to build the adapter for it::

    class TestMyShop(Conformance[MyShopSimulator]):
        kind = ADAPTER
        credentials = {"api_key": "a-made-up-key", "api_secret": "a-made-up-secret"}

        def make_simulator(self) -> MyShopSimulator: ...
        def options_for(self, simulator: MyShopSimulator) -> dict[str, Any]: ...

A simulator may complain about what no right adapter ever sends; not about an unknown key or a wrong password, which
happen to the best.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
import pytest

from adapters.contract.errors import (
    ChannelError,
    CredentialsError,
    SpoiledError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.installed import find
from adapters.contract.stock import Applied, Item, Rejected, Retry, Ticket
from adapters.testing.driving import NOW_S, Driven, S
from adapters.testing.engine_conformance import EngineConformance
from adapters.testing.simulator import Fault
from adapters.testing.waiting import wait_until
from server.channels.connection.http_transport import Transport

REFUSALS: Final[dict[Fault, type[ChannelError]]] = {
    "throttled": ThrottledError,
    "throttled_with_retry_after": ThrottledError,
    "failing": UnavailableError,
    "unavailable": UnavailableError,
    "not_json": UnavailableError,
    "unauthorized": CredentialsError,
    "moved": UnavailableError,
}
"""Faults with an answer and without an effect, and what they must be reported as."""
AFTER_S: Final[dict[Fault, float]] = {"throttled_with_retry_after": 1.0, "unavailable": 1.0}
"""The time that a fault names; the others name none."""


class Conformance(EngineConformance[S]):
    """Subclass it, say what :class:`Driving` asks, and add what is particular to the channel.

    Where the channel gives tickets, subclass ``adapters.testing.ticket_conformance`` instead.
    """

    # -- values

    async def test_every_value_pushed_is_shown(self, simulator: S, channel: Driven) -> None:
        items = self.items(7, 11, 13)

        outcomes = await channel.settle(*items)

        assert outcomes == {item.key: Applied() for item in items}
        assert {item.key: simulator.shown[item.key] for item in items} == {item.key: item.quantity for item in items}

    async def test_the_newest_value_wins(self, simulator: S, channel: Driven) -> None:
        for quantity in (9, 4, 6):
            assert await channel.settle(*self.items(quantity)) == {self.key(0): Applied()}

        assert simulator.shown[self.key(0)] == 6
        assert simulator.applied == [(self.key(0), quantity) for quantity in (9, 4, 6)]

    async def test_zero_is_zero(self, simulator: S, channel: Driven) -> None:
        await channel.settle(*self.items(5))

        assert await channel.settle(*self.items(0)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 0

    async def test_the_largest_quantity_that_is_declared_is_taken(self, simulator: S, channel: Driven) -> None:
        largest = channel.adapter.capabilities.quantity_max or 1_000_000

        assert await channel.settle(*self.items(largest)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == largest

    async def test_a_full_batch_goes_in_one_push(self, simulator: S, channel: Driven) -> None:
        items = self.items(*range(1, channel.adapter.capabilities.items_max + 1))
        self.make_known(simulator, *(item.key for item in items))

        outcomes = await channel.settle(*items)

        assert outcomes == {item.key: Applied() for item in items}
        assert {item.key: simulator.shown[item.key] for item in items} == {item.key: item.quantity for item in items}

    async def test_prices_travel_where_the_channel_takes_them(self, simulator: S, channel: Driven) -> None:
        priced = self.item(self.key(0), 5, price="9.50", list_price="12.00", currency=self.currency)

        assert await channel.settle(priced) == {self.key(0): Applied()}

        prices = {key: Decimal(price) for key, price in simulator.prices.items()}
        assert prices.get(self.key(0)) == (Decimal("9.50") if channel.adapter.capabilities.takes_price else None)
        assert simulator.shown[self.key(0)] == 5

    async def test_a_value_without_a_price_leaves_the_price(self, simulator: S, channel: Driven) -> None:
        await channel.settle(self.item(self.key(0), 5, price="9.50", list_price="12.00", currency=self.currency))
        before = dict(simulator.prices)

        await channel.settle(self.item(self.key(0), 4))

        assert (simulator.prices, simulator.shown[self.key(0)]) == (before, 4)

    # -- one that the channel will not take

    async def test_a_value_that_the_channel_will_not_take_is_reported_in_its_words(
        self, simulator: S, channel: Driven
    ) -> None:
        bad = self.poisoned(simulator)
        good = self.items(7, 11)

        if channel.adapter.capabilities.result == "per_item":
            await self._check_that_others_are_applied(simulator, channel, bad, good)
        else:
            await self._check_that_nothing_is_applied(simulator, channel, bad, good)

    async def _check_that_others_are_applied(
        self, simulator: S, channel: Driven, bad: Item, good: Sequence[Item]
    ) -> None:
        outcomes = await channel.settle(good[0], bad, good[1])

        refused = outcomes.pop(bad.key)
        assert isinstance(refused, Rejected)
        assert refused.code
        assert refused.reason
        assert self.unknown_words in refused.reason
        assert outcomes == {item.key: Applied() for item in good}
        assert {item.key: simulator.shown[item.key] for item in good} == {item.key: item.quantity for item in good}

    async def _check_that_nothing_is_applied(
        self, simulator: S, channel: Driven, bad: Item, good: Sequence[Item]
    ) -> None:
        try:
            outcomes = await channel.settle(good[0], bad, good[1])
        except SpoiledError as error:
            code, reason = error.code, error.reason
        else:
            refused = outcomes.pop(bad.key)
            assert isinstance(refused, Rejected)
            code, reason = refused.code, refused.reason
            assert outcomes.keys() == {item.key for item in good}
            assert all(isinstance(outcome, Retry) for outcome in outcomes.values()), outcomes
        assert code
        assert reason
        assert self.unknown_words in reason
        assert simulator.applied == []

    async def test_a_value_that_the_channel_will_not_take_is_reported_when_sent_alone(
        self, simulator: S, channel: Driven
    ) -> None:
        bad = self.poisoned(simulator)
        try:
            outcomes = await channel.settle(bad)
        except SpoiledError as error:
            outcomes = {bad.key: Rejected(error.code, error.reason)}
        assert isinstance(outcomes[bad.key], Rejected)
        assert simulator.applied == []

    async def test_a_ticket_is_given_where_the_channel_answers_later(self, channel: Driven) -> None:
        assert isinstance(await channel.push(*self.items(7)), Ticket) == self.gives_tickets

    # -- faults

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_a_fault_is_reported_as_what_it_is_and_changes_nothing(
        self, fault: Fault, simulator: S, warm: Driven
    ) -> None:
        self._skip_if_no_body_is_read(fault)
        simulator.always, simulator.only = fault, self.push_path

        with pytest.raises(ChannelError) as caught:
            await warm.settle(*self.items(8))

        assert (type(caught.value), caught.value.after_s) == (REFUSALS[fault], AFTER_S.get(fault))
        assert simulator.shown[self.key(0)] == 3
        assert "/elsewhere" not in {each.path for each in simulator.received}

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_what_a_fault_kept_from_the_channel_goes_through_later(
        self, fault: Fault, simulator: S, warm: Driven
    ) -> None:
        self._skip_if_no_body_is_read(fault)
        simulator.always, simulator.only = fault, self.push_path
        with pytest.raises(ChannelError):
            await warm.settle(*self.items(8))
        simulator.always = None

        assert await warm.settle(self.item(self.key(0), 8, attempt=1)) == {self.key(0): Applied()}
        assert simulator.shown[self.key(0)] == 8

    def _skip_if_no_body_is_read(self, fault: Fault) -> None:
        if fault == "not_json" and not self.reads_answers:
            pytest.skip("to this channel's adapter any 200 is a yes")

    async def test_a_connection_cut_before_the_answer_leaves_the_fate_unknown(self, simulator: S, warm: Driven) -> None:
        simulator.faults.append("reset")
        simulator.only = self.push_path

        with pytest.raises(UnknownResultError):
            await warm.push(*self.items(8))

        assert simulator.shown[self.key(0)] == 3

    async def test_silence_leaves_the_fate_unknown(self, simulator: S, warm: Driven, impatient: Transport) -> None:
        simulator.faults.append("silent")
        simulator.only = self.push_path

        with pytest.raises(UnknownResultError):
            await Driven(warm.adapter, impatient.send).push(*self.items(8))

        assert simulator.shown[self.key(0)] == 3

    @pytest.mark.parametrize("fault", ["reset_after", "silent_after"])
    async def test_what_was_carried_out_without_an_answer_can_be_sent_again(
        self, fault: Fault, simulator: S, warm: Driven, impatient: Transport
    ) -> None:
        simulator.faults.append(fault)
        simulator.only = self.push_path

        with pytest.raises(UnknownResultError):
            await Driven(warm.adapter, impatient.send).push(*self.items(8))
        await wait_until(lambda: simulator.shown[self.key(0)] == 8, "the value is shown all the same")

        again = self.again(warm.adapter.capabilities, *self.items(8))
        assert await warm.settle(*again) == {item.key: Applied() for item in again}
        assert simulator.shown[self.key(0)] == 8

    # -- reading back

    async def test_what_is_shown_can_be_read_back_where_the_channel_allows_it(
        self, simulator: S, channel: Driven
    ) -> None:
        if not channel.adapter.capabilities.read_items_max:
            with pytest.raises(TypeError):
                channel.adapter.read([self.key(0)])
            return
        await channel.settle(*self.items(7, 0))

        shown = await channel.read([self.key(0), self.key(1), self.unknown_key or self.key(1)])

        assert shown == {self.key(0): 7, self.key(1): 0}
        assert shown.items() <= simulator.shown.items()

    async def test_what_was_pushed_is_read_back_by_an_adapter_that_was_just_started(
        self, simulator: S, channel: Driven
    ) -> None:
        items = self.items(7, 11, 13)
        await channel.settle(*items)

        if channel.adapter.capabilities.read_items_max:
            started = Driven(self.build(simulator), channel.send)
            assert await started.read([item.key for item in items]) == {item.key: item.quantity for item in items}

    async def test_reading_back_returns_what_is_shown_and_not_what_was_sent(self, simulator: S, warm: Driven) -> None:
        simulator.faults.append("lying")
        simulator.only = self.push_path

        assert await warm.settle(*self.items(8)) == {self.key(0): Applied()}

        assert simulator.shown[self.key(0)] == 3
        if warm.adapter.capabilities.read_items_max:
            assert await warm.read([self.key(0)]) == {self.key(0): 3}

    @pytest.mark.parametrize("fault", REFUSALS)
    async def test_a_fault_while_reading_back_is_reported_as_what_it_is(
        self, fault: Fault, simulator: S, warm: Driven
    ) -> None:
        if not warm.adapter.capabilities.read_items_max:
            pytest.skip("this channel cannot be read back")
        simulator.always = fault

        with pytest.raises(ChannelError) as caught:
            await warm.read([self.key(0)])

        assert (type(caught.value), caught.value.after_s) == (REFUSALS[fault], AFTER_S.get(fault))

    async def test_a_full_batch_can_be_read_back(self, simulator: S, channel: Driven) -> None:
        count = channel.adapter.capabilities.read_items_max
        keys = [self.key(number) for number in range(count)]
        self.make_known(simulator, *keys)
        if count:
            assert await channel.read(keys) == dict.fromkeys(keys, 0)

    # -- secrets

    async def test_credentials_that_the_channel_does_not_know_are_reported(
        self, simulator: S, transport: Transport
    ) -> None:
        stranger = Driven(self.build(simulator, self.other_credentials), transport.send)

        with pytest.raises(CredentialsError):
            await stranger.settle(*self.items(8))

        assert simulator.applied == []
        simulator.complaints.clear()

    async def test_no_error_holds_a_credential(self, simulator: S, warm: Driven) -> None:
        reported = []
        simulator.only = self.push_path
        for fault in (*REFUSALS, "reset"):
            simulator.faults.append(fault)
            try:
                await warm.settle(*self.items(8))
            except ChannelError as error:
                reported.append(f"{error!r} {error} {error.reason} {error.__cause__!r} {error.__context__!r}")
            simulator.faults.clear()

        assert reported
        assert [text for text in reported if any(secret in text for secret in self.secrets(simulator))] == []

    async def test_no_description_and_no_address_holds_a_credential(self, simulator: S, warm: Driven) -> None:
        request = next(warm.adapter.push(self.items(8), NOW_S))

        texts = [
            repr(warm.adapter),
            str(warm.adapter),
            repr(request),
            request.url,
            *(each.path for each in simulator.received),
        ]

        assert [text for text in texts if any(secret in text for secret in self.secrets(simulator))] == []

    # -- form

    async def test_equal_input_makes_equal_requests(self, simulator: S) -> None:
        items = self.items(7, 0, 13)
        one, other = self.build(simulator), self.build(simulator)

        first = next(one.push(items, NOW_S))

        assert next(one.push(items, NOW_S)) == first
        assert next(other.push(items, NOW_S)) == first

    async def test_the_capabilities_are_constant_and_can_be_kept_to(self, simulator: S, warm: Driven) -> None:
        capabilities = warm.adapter.capabilities

        assert capabilities == self.build(simulator).capabilities
        assert capabilities.items_max >= 1
        assert capabilities.requests_in_flight_max >= 1
        assert capabilities.read_items_max >= 0
        assert not self.gives_tickets or capabilities.ticket_life_s > capabilities.poll_every_s > 0

    async def test_an_option_that_is_unknown_is_refused(self, simulator: S) -> None:
        with pytest.raises(msgspec.ValidationError, match="unheard_of"):
            msgspec.convert({**self.options_for(simulator), "unheard_of": 1}, self.kind.options)

    def test_the_kind_is_found(self) -> None:
        assert find(self.kind.name) is self.kind
        assert set(self.credentials) >= set(self.kind.credentials)
