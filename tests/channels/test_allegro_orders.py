"""Allegro's orders: what every kind does, and what is particular to a log that is cut and parcels of whole lines."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.allegro import ADAPTER
from adapters.allegro.orders import LATE_MS, PAGE
from adapters.contract.errors import CursorRefusedError
from adapters.contract.http import Answer
from adapters.contract.orders import Acknowledge, Done, NotDone, Refuse, Refused, Ship, Superseded
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from tests.channels.allegro_simulator import ACCESS, AllegroSimulator

DAY_S = 86_400


class TestAllegroOrders(OrdersConformance[AllegroSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {
        "client_id": "made-up-client-id",
        "client_secret": "made-up-client-secret",
        "access_token": ACCESS,
    }
    heard_with: ClassVar[Mapping[str, str]] = {}
    page_size = PAGE
    orders_path = "/order/"
    command_path = "/said"
    currency = "PLN"

    def make_simulator(self) -> AllegroSimulator:
        return AllegroSimulator()

    def options_for(self, simulator: AllegroSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url, "carrier_ids": {"Paczkomat": "INPOST"}}

    def key(self, number: int) -> str:
        return str(7_650_000_001 + number)

    def simulated(self, seller: Seller) -> AllegroSimulator:
        assert isinstance(seller.simulator, AllegroSimulator)
        return seller.simulator

    def one(self, seller: Seller, pieces: int = 3) -> tuple[str, str]:
        number = seller.simulator.place((self.key(0), pieces))
        return number, next(iter(seller.simulator.truth[number]))

    # -- what Allegro knows no part of

    async def test_a_cancel_of_some_pieces_is_told(self, seller: Seller) -> None:
        """Only before an order is paid can a buyer take pieces out; they were never ordered then."""
        number = seller.simulator.place((self.key(0), 3), (self.key(1), 1), paid=False)
        key = next(iter(seller.simulator.truth[number]))
        self.simulated(seller).take_out(number, key, 1)

        order = await seller.order(number)
        seller.merge(order)

        self.check(seller, number)
        assert (order.state, order.lines[0].ordered, order.lines[0].cancelled) == ("unpaid", 2, 0)

    async def test_a_part_lowers_nothing(self, seller: Seller) -> None:
        """There are no parts: each answer is the whole order."""
        number, _ = self.one(seller)
        assert [order.complete for order in (await seller.page(seller.cursor)).orders] == [True]
        assert (await seller.order(number)).complete

    # -- the log

    async def test_the_log_is_read_on_where_it_was_left(self, seller: Seller) -> None:
        await seller.walk()
        number, _ = self.one(seller)
        seller.simulator.received.clear()

        assert await seller.walk() == {number}

        assert "/order/checkout-forms" not in {each.path for each in seller.simulator.received}

    @pytest.mark.parametrize("inclusive", [False, True])
    async def test_whether_a_page_begins_with_the_event_that_was_named_does_not_matter(
        self, inclusive: bool, seller: Seller
    ) -> None:
        self.simulated(seller).inclusive = inclusive
        await seller.walk()
        for _ in range(3):
            number, _ = self.one(seller)
            assert await seller.walk() == {number}
            assert await seller.walk() == set()

    async def test_a_log_of_many_pages_is_read_to_its_end(self, seller: Seller) -> None:
        await seller.walk()
        numbers = {self.one(seller)[0] for _ in range(1_001)}
        pages, met = 0, set[str]()
        while True:
            pulled = await seller.page(seller.cursor)
            met |= set(pulled.hints)
            seller.cursor, pages = pulled.cursor, pages + 1
            if not pulled.more:
                break

        assert (met, pages) == (numbers, 3)

    async def test_where_the_log_was_cut_behind_the_place_the_list_finds_all(self, seller: Seller) -> None:
        await seller.walk()
        self.one(seller)
        await seller.walk()
        self.simulated(seller).log_max = 2
        late = {self.one(seller)[0] for _ in range(5)}

        assert late <= await seller.walk()

    def test_a_log_that_does_not_know_its_own_end_is_refused(self, seller: Seller) -> None:
        listing = seller.adapter.pull_orders(seller.adapter.first_cursor(START_MS), seller.now_s)
        next(listing)
        listing.send(Answer(200, {}, b'{"latestEvent":{"id":"7"}}'))
        with pytest.raises(StopIteration) as ended:
            listing.send(Answer(200, {}, b'{"checkoutForms":[]}'))
        reading = seller.adapter.pull_orders(ended.value.value.cursor, seller.now_s)
        next(reading)

        with pytest.raises(CursorRefusedError):
            reading.send(Answer(404))

    async def test_after_a_long_stop_orders_are_listed(self, seller: Seller) -> None:
        await seller.walk()
        simulator = self.simulated(seller)
        number, _ = self.one(seller)
        simulator.events.clear()  # nobody would know that something is missing
        simulator.later(2 * DAY_S)
        other, _ = self.one(seller)

        assert await seller.walk() == {number, other}

    async def test_what_changed_just_before_a_long_stop_is_listed_again(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        await seller.walk()
        seller.simulator.later(2 * DAY_S)

        assert LATE_MS > 60_000
        assert await seller.walk() == {number}

    # -- statuses

    @pytest.mark.parametrize("word", ["SENT", "PICKED_UP"])
    async def test_what_the_seller_marks_as_gone_is_shipped(self, word: str, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).forms[number].fulfilment = word

        order = await seller.order(number)

        assert (order.state, [line.shipped for line in order.lines]) == ("closed", [3])

    async def test_what_the_seller_marks_as_cancelled_can_come_again(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        form = self.simulated(seller).forms[number]
        form.fulfilment = "CANCELLED"
        gone = await seller.order(number)
        form.fulfilment = "PROCESSING"
        back = await seller.order(number)

        assert (gone.state, gone.gone_is_certain, [line.cancelled for line in gone.lines]) == ("cancelled", False, [3])
        assert (back.state, [line.cancelled for line in back.lines]) == ("open", [0])

    async def test_lines_with_a_parcel_are_shipped_and_listed_orders_are_read_for_them(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 2), (self.key(1), 1))
        simulator = self.simulated(seller)
        first = next(iter(simulator.truth[number]))
        simulator.add_parcel(simulator.forms[number], [first], carrierId="DPD", waybill="W1")

        page = await seller.page(seller.cursor)
        order = await seller.order(number)

        assert (page.orders, page.hints) == ((), (number,))
        assert [line.shipped for line in order.lines] == [2, 0]
        assert [(each.tracking, each.lines) for each in order.packages] == [("W1", ((first, 2),))]

    async def test_an_unknown_word_is_sold(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).forms[number].status = "SOMETHING_NEW"

        order = await seller.order(number)

        assert (order.state, order.status) == ("open", "SOMETHING_NEW")

    async def test_what_allegro_ships_itself_takes_no_stock_and_is_told_nothing(self, seller: Seller) -> None:
        self.simulated(seller).provider = "ALLEGRO"
        number = seller.simulator.place((self.key(0), 1))
        order = await seller.order(number)

        assert order.fulfilled_by == "channel"
        assert isinstance(await seller.say(Acknowledge(order=number), order), Refused)

    async def test_names_amounts_and_times(self, seller: Seller) -> None:
        number, _ = self.one(seller)

        order = await seller.order(number)

        [line] = order.lines
        assert (line.unit_price, line.sku_hint, line.vat_rate) == ("9.99", f"sku of {self.key(0)}", "23.00")
        assert (order.currency, order.unit_prices_have_vat, order.total) == ("PLN", True, "9.99")
        assert order.ship_by_ms == order.placed_ms + DAY_S * 1000

    # -- what is said

    async def test_a_revision_that_is_old_is_superseded(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        order = await seller.order(number)
        simulator = self.simulated(seller)
        simulator.move(simulator.forms[number], "FULFILLMENT_STATUS_CHANGED")

        assert isinstance(await seller.say(Acknowledge(order=number), order), Superseded)

    async def test_an_order_that_is_acknowledged_is_not_acknowledged_again(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        command = Acknowledge(order=number)
        before = await seller.order(number)
        assert seller.adapter.confirm(command, before) == NotDone()
        assert await seller.say(command, before) == Done()

        assert await seller.say(command, await seller.order(number)) == Done()
        assert seller.simulator.carried_out.total() == 1

    @pytest.mark.parametrize(
        ("carrier", "said"),
        [
            ("Paczkomat", {"carrierId": "INPOST"}),
            ("", {"carrierId": "OTHER"}),
            (
                "A carrier with a very long name indeed",
                {"carrierId": "OTHER", "carrierName": "A carrier with a very long nam"},
            ),
        ],
    )
    async def test_a_carrier_has_allegro_s_id_or_its_name(
        self, carrier: str, said: dict[str, str], seller: Seller
    ) -> None:
        number, key = self.one(seller)
        command = Ship(order=number, lines=((key, 3),), tracking="W1", carrier=carrier)

        assert await seller.say(command, await seller.order(number)) == Done()

        [parcel] = self.simulated(seller).forms[number].shipments
        assert {name: value for name, value in parcel.items() if name.startswith("carrier")} == said

    @pytest.mark.parametrize(
        ("pieces", "tracking", "code"), [(2, "W1", "whole_lines"), (3, "", "tracking"), (3, "W" * 65, "tracking")]
    )
    async def test_a_parcel_that_allegro_does_not_take_is_not_sent(
        self, pieces: int, tracking: str, code: str, seller: Seller
    ) -> None:
        number, key = self.one(seller)
        order = await seller.order(number)
        seller.simulator.received.clear()

        outcome = await seller.say(Ship(order=number, lines=((key, pieces),), tracking=tracking), order)

        assert isinstance(outcome, Refused)
        assert outcome.code == code
        assert seller.simulator.received == []

    async def test_a_part_of_an_order_is_not_refused(self, seller: Seller) -> None:
        number, key = self.one(seller)

        outcome = await seller.say(Refuse(order=number, lines=((key, 1),)), await seller.order(number))

        assert isinstance(outcome, Refused)
        assert outcome.code == "whole_order_only"

    async def test_a_key_that_is_no_form_is_not_asked_for(self, seller: Seller) -> None:
        for key in ("", "1", "../offers", "29738e61-7f2b-11ea-abde-0242ac13000g"):
            assert await seller.fetch(key) is None
        assert seller.simulator.received == []

    def test_a_cursor_is_small(self, seller: Seller) -> None:
        assert len(msgspec.json.encode(seller.cursor)) < 200
