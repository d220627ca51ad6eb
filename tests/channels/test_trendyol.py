"""Trendyol: what every adapter does, and what is particular to tickets, refused copies and prices."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import ClosedError, CredentialsError, ThrottledError, TicketLostError
from adapters.contract.stock import Applied, Rejected, Retry, StillPending, Ticket, Unknown
from adapters.testing.driving import NOW_S, Driven
from adapters.testing.ticket_conformance import TicketConformance
from adapters.trendyol import ADAPTER, Options, Trendyol
from tests.channels.trendyol_simulator import REFUSED_COPY, TrendyolSimulator
from tests.conftest import wait_until


class TestTrendyol(TicketConformance[TrendyolSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "made-up-api-key", "api_secret": "made-up-api-secret"}
    push_path = "/price-and-inventory"
    poll_path = "/batch-requests/"
    unknown_words = "barkodlu ürün bulunamadı"

    def make_simulator(self) -> TrendyolSimulator:
        return TrendyolSimulator()

    def options_for(self, simulator: TrendyolSimulator) -> dict[str, Any]:
        return {"seller_id": simulator.seller_id, "base_url": simulator.url}

    def make_slow(self, simulator: TrendyolSimulator) -> None:
        simulator.polls_until_done = 3
        simulator.early = 1

    def lose_tickets(self, simulator: TrendyolSimulator) -> None:
        simulator.forget_tickets()

    # -- tickets

    async def test_items_that_end_early_are_reported_while_the_others_are_pending(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.polls_until_done, simulator.early = 2, 1
        items = self.items(7, 11, 13)
        ticket = await channel.push(*items)
        assert isinstance(ticket, Ticket)

        assert await channel.poll(ticket, *items) == StillPending({self.key(0): Applied()})
        assert await channel.poll(ticket, *items) == {item.key: Applied() for item in items}

    async def test_a_value_counts_as_applied_only_when_its_ticket_was_processed(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.process_s = 0.05
        [item] = self.items(7)

        ticket = await channel.push(item)
        assert isinstance(ticket, Ticket)

        assert await channel.poll(ticket, item) == StillPending({})
        await wait_until(lambda: simulator.shown[item.key] == 7)
        assert await channel.poll(ticket, item) == {item.key: Applied()}

    async def test_an_expired_ticket_is_lost(self, simulator: TrendyolSimulator, channel: Driven) -> None:
        simulator.ticket_life_s = 0.0
        [item] = self.items(7)
        ticket = await channel.push(item)
        assert isinstance(ticket, Ticket)

        with pytest.raises(TicketLostError):
            await channel.poll(ticket, item)

    async def test_statuses_and_barcodes_in_another_case_are_understood(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.drifts = True

        assert await channel.settle(*self.items(7, 11)) == {self.key(0): Applied(), self.key(1): Applied()}

    async def test_one_bad_item_of_a_thousand_is_named(self, simulator: TrendyolSimulator, channel: Driven) -> None:
        items = self.items(*range(1000))
        self.make_known(simulator, *(item.key for item in items))
        simulator.refusals["key-500"] = "Ürün satışa kapalı"

        outcomes = await channel.settle(*items)

        assert outcomes.pop("key-500") == Rejected("failed", "Ürün satışa kapalı")
        assert set(outcomes.values()) == {Applied()}
        assert len(outcomes) == 999

    # -- refused copies

    async def test_the_same_body_again_is_refused_which_leaves_the_fate_of_its_values_open(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        items = self.items(7, 11)
        await channel.settle(*items)

        outcomes = await channel.push(*items)

        assert isinstance(outcomes, dict)
        assert outcomes.keys() == {item.key for item in items}
        for outcome in outcomes.values():
            assert isinstance(outcome, Unknown)
            assert REFUSED_COPY in outcome.reason
        assert simulator.copies == 1

    async def test_the_same_value_goes_through_in_another_body(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        await channel.settle(*self.items(7))

        assert await channel.settle(*self.items(7, 11)) == {self.key(0): Applied(), self.key(1): Applied()}
        assert simulator.copies == 0

    async def test_the_same_body_is_taken_again_when_its_window_is_over(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.identical_body_window_s = 0.0
        await channel.settle(*self.items(7))

        assert await channel.settle(*self.items(7)) == {self.key(0): Applied()}

    # -- prices

    @pytest.mark.parametrize(
        ("price", "list_price"), [("9.50", "9.49"), ("9.50", None), (None, "9.50"), ("free", "9"), ("-1", "2")]
    )
    async def test_where_the_prices_are_no_pair_the_stock_goes_alone(
        self, price: str | None, list_price: str | None, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        item = self.item(self.key(0), 5, price=price, list_price=list_price)

        assert await channel.settle(item) == {item.key: Applied()}
        assert (simulator.shown[item.key], simulator.prices) == (5, {})

    async def test_prices_keep_the_digits_that_they_were_given(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        await channel.settle(self.item(self.key(0), 5, price="112.85", list_price="113.850"))

        assert b'"salePrice":112.85,"listPrice":113.850' in simulator.received[0].body
        assert (simulator.prices, simulator.list_prices) == ({"key-0": "112.85"}, {"key-0": "113.850"})

    async def test_a_price_that_changed_too_often_is_worth_another_try(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.prices_per_min = 1
        await channel.settle(self.item(self.key(0), 5, price="8", list_price="9"))

        outcomes = await channel.settle(self.item(self.key(0), 4, price="7", list_price="9"))

        assert isinstance(outcomes[self.key(0)], Retry)
        assert simulator.shown[self.key(0)] == 5

    # -- the account

    async def test_more_than_the_window_allows_is_throttled(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        simulator.endpoint_requests_max = 1
        await channel.push(*self.items(7))

        with pytest.raises(ThrottledError):
            await channel.push(*self.items(8))

        assert simulator.throttled == 1

    async def test_the_store_front_is_named_in_a_header(self, simulator: TrendyolSimulator, channel: Driven) -> None:
        adapter = self.with_options(simulator, store_front_code="DE")

        assert next(adapter.push(self.items(1), NOW_S)).headers["storeFrontCode"] == "DE"
        assert await Driven(adapter, channel.send).settle(*self.items(1)) == {self.key(0): Applied()}

    async def test_a_store_front_that_the_channel_does_not_know_halts_the_channel(
        self, simulator: TrendyolSimulator, channel: Driven
    ) -> None:
        stranger = Driven(self.with_options(simulator, store_front_code="XX"), channel.send)

        with pytest.raises(ClosedError, match="store_front_code"):
            await stranger.push(*self.items(1))

    async def test_another_user_agent_is_forbidden(self, simulator: TrendyolSimulator, channel: Driven) -> None:
        simulator.integrator = "Another"

        with pytest.raises(CredentialsError):
            await channel.push(*self.items(1))

        assert simulator.complaints == ["User-Agent '4711 - SelfIntegration'"]
        simulator.complaints.clear()

    def with_options(self, simulator: TrendyolSimulator, **options: Any) -> Trendyol:
        built = ADAPTER.build(msgspec.convert({**self.options_for(simulator), **options}, Options), self.credentials)
        assert isinstance(built, Trendyol)
        return built
