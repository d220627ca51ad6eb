"""A WooCommerce shop's orders: what every kind does, and what is particular to refunds, statuses and shipments."""

import hmac
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import UnavailableError
from adapters.contract.orders import Delivery, Done, ForgedError, Heard, NotDone, Refuse, Ship
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from adapters.woocommerce import ADAPTER, Options
from adapters.woocommerce.orders import PAGE
from tests.channels.woocommerce_order_side import WEBHOOK_SECRET
from tests.channels.woocommerce_simulator import KEY, SECRET, WooCommerceSimulator


class TestWooCommerceOrders(OrdersConformance[WooCommerceSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"consumer_key": KEY, "consumer_secret": SECRET}
    heard_with: ClassVar[Mapping[str, str]] = {"webhook_secret": WEBHOOK_SECRET}
    page_size = PAGE
    orders_path = "/orders"
    command_path = "/orders/"
    tells_shipments = False

    def make_simulator(self) -> WooCommerceSimulator:
        return WooCommerceSimulator()

    def options_for(self, simulator: WooCommerceSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def options_of_seller(self, simulator: WooCommerceSimulator) -> dict[str, Any]:
        return {**self.options_for(simulator), "shipment_notes": False}

    def key(self, number: int) -> str:
        return f"{10 + number % 3}/{1000 + number}" if number % 2 else str(1000 + number)

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_for(self.simulated(seller)), **options}
        adapter = ADAPTER.build(msgspec.convert(given, Options), {**self.credentials, **self.heard_with})
        return Seller(adapter, seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> WooCommerceSimulator:
        assert isinstance(seller.simulator, WooCommerceSimulator)
        return seller.simulator

    # -- the list

    async def test_a_second_with_more_orders_than_a_page_is_walked_to_its_end(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = {simulator.place((self.key(0), 1)) for _ in range(3 * PAGE)}
        for order in simulator.orders.values():
            order.changed_ms = simulator.now_ms()
        later = simulator.place((self.key(0), 1))

        assert await seller.walk() == numbers | {later}

    async def test_orders_that_leave_a_second_while_it_is_read_jump_over_no_other(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = {simulator.place((self.key(0), 1)) for _ in range(3 * PAGE)}
        for order in simulator.orders.values():
            order.changed_ms = START_MS
        first = await seller.page(seller.cursor)
        for order in list(simulator.orders.values())[: PAGE // 2]:
            order.changed_ms = simulator.tick()

        seller.cursor = first.cursor

        assert {order.key for order in first.orders} | await seller.walk() == numbers

    async def test_a_change_in_the_second_that_was_read_last_is_found(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.place((self.key(0), 1))
        await seller.walk()
        new = simulator.place((self.key(0), 1))
        simulator.orders[int(new)].changed_ms = min(each.changed_ms for each in simulator.orders.values())

        assert new in await seller.walk()

    async def test_a_date_of_years_to_come_hides_no_later_order(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        odd = simulator.place((self.key(0), 1))
        simulator.orders[int(odd)].changed_ms += 10**11
        await seller.walk()

        new = simulator.place((self.key(0), 1))

        assert new in await seller.walk()

    async def test_a_shop_that_cannot_sort_by_change_says_so(self, seller: Seller) -> None:
        self.simulated(seller).lacks_sorting = True

        with pytest.raises(UnavailableError, match="orderby"):
            await seller.walk()

    # -- statuses and refunds

    @pytest.mark.parametrize(
        ("status", "state", "cancelled"),
        [
            ("pending", "unpaid", 0),
            ("checkout-draft", "unpaid", 0),
            ("on-hold", "open", 0),
            ("processing", "open", 0),
            ("completed", "closed", 0),
            ("failed", "cancelled", 2),
            ("cancelled", "cancelled", 2),
            ("refunded", "cancelled", 2),
            ("trash", "cancelled", 2),
            ("awaiting-gift-card", "open", 0),
        ],
    )
    async def test_what_a_status_means(self, status: str, state: str, cancelled: int, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 2))
        simulator.orders[int(number)].status = status

        order = await seller.order(number)

        assert (order.state, order.status) == (state, status)
        assert [(line.ordered, line.cancelled, line.shipped) for line in order.lines] == [(2, cancelled, 0)]

    async def test_a_status_of_a_plugin_means_what_the_options_say(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 2))
        simulator.orders[int(number)].status = "quote"

        for meaning, state in (("unpaid", "unpaid"), ("cancelled", "cancelled"), ("closed", "closed")):
            assert (await self.with_options(seller, order_statuses={"quote": meaning}).order(number)).state == state
        none = self.with_options(seller, order_statuses={"quote": "none"})
        assert await none.fetch(number) is None
        assert (await none.page(none.cursor)).orders == ()

    async def test_an_order_that_was_cancelled_and_is_taken_up_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 2))
        simulator.move(simulator.orders[int(number)], "cancelled")
        assert (await seller.order(number)).state == "cancelled"
        simulator.move(simulator.orders[int(number)], "processing")

        order = await seller.order(number)

        assert (order.state, [line.cancelled for line in order.lines]) == ("open", [0])

    async def test_a_refund_of_what_has_left_is_a_return_where_completed_is_shipped(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 3))
        [key] = simulator.truth[number]
        simulator.send_off(number)
        simulator._give_back(simulator.orders[int(number)], {int(key): 1}, restock=False)
        strict = self.with_options(seller, completed_is_shipped=True)

        [line] = (await strict.order(number)).lines
        assert (line.ordered, line.cancelled, line.shipped, line.returned) == (3, 0, 3, 1)
        [line] = (await seller.order(number)).lines
        assert (line.ordered, line.cancelled, line.shipped, line.returned) == (3, 1, 0, 0)

    async def test_an_order_with_a_refund_is_read_whole(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 3))
        seller.simulator.cancel(number, next(iter(seller.simulator.truth[number])), 1)

        pulled = await seller.page(seller.cursor)

        assert (pulled.orders, pulled.hints) == ((), (number,))
        assert seller.hear(number) == [number]

    async def test_the_parts_of_a_bundle_carry_its_units_or_the_whole_does(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 1), (self.key(1), 2), (self.key(2), 1))
        whole, *parts = simulator.orders[int(number)].lines
        for part in parts:
            part.bundled_by = whole.id

        lines = (await seller.order(number)).lines
        assert [line.carries_stock for line in lines] == [False, True, True]
        assert {line.parent for line in lines[1:]} == {lines[0].key}
        lines = (await self.with_options(seller, bundles="whole").order(number)).lines
        assert [line.carries_stock for line in lines] == [True, False, False]

    @pytest.mark.parametrize(
        ("options", "listing"),
        [({}, "11/1001"), ({"variation_keys": "variation"}, "1001"), ({"key_is": "sku"}, "MUG-RED")],
    )
    async def test_a_line_names_its_listing_as_stock_is_published(
        self, options: dict[str, Any], listing: str, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        simulator.products[1001].sku = "MUG-RED"
        number = simulator.place(("11/1001", 1))

        [line] = (await self.with_options(seller, **options).order(number)).lines

        assert (line.listing, line.sku_hint) == (listing, "MUG-RED")

    # -- webhooks

    async def test_an_order_that_was_deleted_is_to_be_read(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 3))
        simulator.move(simulator.orders[int(number)], "trash")

        assert seller.hear(number) == [number]
        assert (await seller.order(number)).state == "cancelled"
        assert number not in await seller.walk(), "the shop's lists leave it out"

    async def test_a_webhook_about_something_else_says_nothing(self, seller: Seller) -> None:
        delivery = self.simulated(seller).signed(b'{"id":1}', "product.updated")
        heard = seller.adapter.hear(delivery, seller.now_s)
        assert (heard.orders, heard.hints, heard.answer.status) == ((), (), 200)

    @pytest.mark.parametrize("body", [b"webhook_id=12"])
    async def test_the_shop_s_question_whether_somebody_listens_is_answered_and_says_nothing(
        self, body: bytes, seller: Seller
    ) -> None:
        ping = Delivery(method="POST", path="", query="", headers={}, body=body)
        assert seller.adapter.hear(ping, seller.now_s) == Heard()

    async def test_without_a_secret_a_signature_of_an_empty_one_is_not_believed(
        self, seller: Seller, simulator: WooCommerceSimulator
    ) -> None:
        number = simulator.place((self.key(0), 1))
        [delivery] = simulator.deliveries(number)
        empty = b64encode(hmac.digest(b"", delivery.body, "sha256")).decode()
        forged = msgspec.structs.replace(delivery, headers={**delivery.headers, "x-wc-webhook-signature": empty})

        with pytest.raises(ForgedError):
            self.build(simulator).hear(forged, seller.now_s)

    # -- what is said

    async def test_a_shipment_stands_in_the_order_and_tells_the_buyer_once(self, seller: Seller) -> None:
        noting = self.with_options(seller)
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 2), (self.key(1), 1))
        order = await noting.order(number)
        first, second = (line.key for line in order.lines)
        one = Ship(order=number, lines=((first, 1),), carrier="Aras", tracking="T1")

        assert isinstance(await noting.say(one, order), Done)

        order = await noting.order(number)
        assert order.state == "open"
        assert {line.key: line.shipped for line in order.lines} == {first: 1, second: 0}
        assert [(package.tracking, package.carrier) for package in order.packages] == [("T1", "Aras")]
        assert simulator.orders[int(number)].notes == ["Aras T1"]
        assert isinstance(noting.adapter.confirm(one, order), Done)
        assert isinstance(await noting.say(one, order), Done), "said again it changes nothing"

        rest = Ship(order=number, lines=((first, 1), (second, 1)), tracking="T2")
        assert isinstance(noting.adapter.confirm(rest, order), NotDone)
        assert isinstance(await noting.say(rest, order), Done)
        order = await noting.order(number)
        assert (order.state, [line.shipped for line in order.lines]) == ("closed", [2, 1])
        assert simulator.orders[int(number)].notes == ["Aras T1", "T2"]

    async def test_a_note_that_fails_takes_nothing_back(self, seller: Seller) -> None:
        noting = self.with_options(seller)
        number = seller.simulator.place((self.key(0), 2))
        order = await noting.order(number)
        seller.simulator.only, seller.simulator.always = "/notes", "failing"

        outcome = await noting.say(Ship(order=number, lines=((order.lines[0].key, 2),), tracking="T1"), order)

        assert isinstance(outcome, Done)

    async def test_a_partial_refusal_pays_nothing_back_and_restocks_nothing(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place((self.key(0), 3))
        order = await seller.order(number)
        shown = simulator.shown[self.key(0)]

        assert await seller.say(Refuse(order=number, lines=((order.lines[0].key, 2),)), order) == Done()

        assert simulator.shown[self.key(0)] == shown
        assert b'"refund_total":18' in simulator.received[-1].body
        seller.merge(await seller.order(number))
        self.check(seller, number)

    async def test_amounts_are_for_one_piece_and_without_tax(self, seller: Seller) -> None:
        order = await seller.order(seller.simulator.place((self.key(0), 3)))
        [line] = order.lines
        assert (line.unit_price, line.discount, order.unit_prices_have_vat, order.total) == ("9", "0", False, "21.60")
