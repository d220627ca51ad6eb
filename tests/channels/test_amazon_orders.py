"""Amazon's orders: what every kind does, and what is particular to a slow list, wishes and parcels with our number."""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from adapters.amazon import ADAPTER
from adapters.amazon.orders import PAGE
from adapters.contract.errors import CursorRefusedError
from adapters.contract.orders import Done, Refused, Ship
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import Seller
from tests.channels.amazon_simulator import ACCESS, AmazonSimulator
from tests.channels.test_amazon import options_at


class TestAmazonOrders(OrdersConformance[AmazonSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "made-up-client-id",
        "client_secret": "made-up-client-secret",
        "access_token": ACCESS,
    }
    heard_with: ClassVar[Mapping[str, str]] = {}
    page_size = PAGE
    orders_path = "/orders/2026-01-01/"
    command_path = "/shipmentConfirmation"
    currency = "EUR"

    def make_simulator(self) -> AmazonSimulator:
        return AmazonSimulator()

    def options_for(self, simulator: AmazonSimulator) -> dict[str, Any]:
        return {**options_at(simulator), "carriers": {"Paket": "DHL"}}

    def simulated(self, seller: Seller) -> AmazonSimulator:
        assert isinstance(seller.simulator, AmazonSimulator)
        return seller.simulator

    def one(self, seller: Seller, pieces: int = 3) -> tuple[str, str]:
        number = seller.simulator.place((self.key(0), pieces))
        return number, next(iter(seller.simulator.truth[number]))

    async def test_a_part_lowers_nothing(self, seller: Seller) -> None:
        """There are no parts: each answer is the whole order."""
        self.one(seller)
        assert [order.complete for order in (await seller.page(seller.cursor)).orders] == [True]

    # -- the list

    async def test_what_is_listed_two_minutes_late_is_found_by_a_later_walk(self, seller: Seller) -> None:
        self.simulated(seller).late_ms = 120_000
        number, _ = self.one(seller)
        assert await seller.walk() == set()

        seller.simulator.later(200)

        assert number in await seller.walk()

    async def test_a_page_that_is_forgotten_begins_the_walk_again(self, seller: Seller) -> None:
        for _ in range(PAGE + 1):
            self.one(seller)
        first = await seller.page(seller.cursor)
        assert first.more
        self.simulated(seller).forgets_pages = True

        with pytest.raises(CursorRefusedError):
            await seller.page(first.cursor)

    # -- statuses

    async def test_a_buyer_who_asks_for_a_cancel_cancels_nothing(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).ask_off(number)

        order = await seller.order(number)

        assert (order.state, [line.cancelled for line in order.lines]) == ("open", [0])

    async def test_what_amazon_ships_itself_takes_no_stock_and_is_told_nothing(self, seller: Seller) -> None:
        self.simulated(seller).fulfilled_by = "AMAZON"
        number = seller.simulator.place((self.key(0), 1))
        order = await seller.order(number)

        assert order.fulfilled_by == "channel"
        assert await seller.walk() == set()
        command = Ship(order=number, lines=((order.lines[0].key, 1),), tracking="1")
        assert isinstance(await seller.say(command, order), Refused)

    async def test_who_has_cancelled_is_told(self, seller: Seller) -> None:
        number, key = self.one(seller)
        seller.simulator.cancel(number, key, 1)

        assert [line.cancelled_by for line in (await seller.order(number)).lines] == ["buyer"]

    # -- what is said

    @pytest.mark.parametrize(("carrier", "code"), [("Paket", "DHL"), ("Bote", "Other"), ("", "Other")])
    async def test_parcels_have_numbers_of_their_own(self, carrier: str, code: str, seller: Seller) -> None:
        number, key = self.one(seller)
        for tracking in ("W1", "W2"):
            command = Ship(order=number, lines=((key, 1),), tracking=tracking, carrier=carrier)
            assert await seller.say(command, await seller.order(number)) == Done()

        sold = self.simulated(seller).sold[number]
        assert {reference: each["trackingNumber"] for reference, each in sold.packages.items()} == {
            "1": "W1",
            "2": "W2",
        }
        assert code in seller.simulator.received[-1].body.decode()

    async def test_a_parcel_without_its_number_is_refused(self, seller: Seller) -> None:
        number, key = self.one(seller)

        outcome = await seller.say(Ship(order=number, lines=((key, 1),)), await seller.order(number))

        assert isinstance(outcome, Refused)
        assert outcome.code == "tracking"
