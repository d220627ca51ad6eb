"""Hepsiburada's orders: what every kind does, and what is particular to lines that move from list to list."""

from collections.abc import Mapping
from itertools import islice
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import UnknownResultError
from adapters.contract.orders import (
    Acknowledge,
    Done,
    Invoice,
    NotDone,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
    UnreadableError,
)
from adapters.hepsiburada import ADAPTER, Options
from adapters.hepsiburada.orders import PAGE
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from tests.channels.hepsiburada_order_service import REASON
from tests.channels.hepsiburada_order_side import PASSWORD, USER
from tests.channels.hepsiburada_simulator import INTEGRATOR, MERCHANT, HepsiburadaSimulator


class TestHepsiburadaOrders(OrdersConformance[HepsiburadaSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"service_key": "made-up-service-key"}
    heard_with: ClassVar[Mapping[str, str]] = {"notification_user": USER, "notification_password": PASSWORD}
    page_size = PAGE
    orders_path = "/orders/merchantid/"
    command_path = "/packages/merchantid/"

    def make_simulator(self) -> HepsiburadaSimulator:
        return HepsiburadaSimulator()

    def options_for(self, simulator: HepsiburadaSimulator) -> dict[str, Any]:
        return {
            "merchant_id": MERCHANT,
            "integrator": INTEGRATOR,
            "listings_url": simulator.url,
            "orders_url": simulator.url,
        }

    def options_of_seller(self, simulator: HepsiburadaSimulator) -> dict[str, Any]:
        return {**self.options_for(simulator), "carrier": "own", "refusal_reason_ids": {"out_of_stock": REASON}}

    def key(self, number: int) -> str:
        return f"KEY-{number}"

    def command(self, name: Any, order: Any) -> Any:
        # The others go to other paths, or take two requests; they have tests of their own below.
        return super().command(name, order) if name == "acknowledge" else None

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_of_seller(self.simulated(seller)), **options}
        adapter = ADAPTER.build(msgspec.convert(given, Options), {**self.credentials, **self.heard_with})
        return Seller(adapter, seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> HepsiburadaSimulator:
        assert isinstance(seller.simulator, HepsiburadaSimulator)
        return seller.simulator

    # -- lists

    async def test_an_order_that_was_packed_without_the_merchant_is_found(self, seller: Seller) -> None:
        self.simulated(seller).packs_itself = True
        numbers = {seller.simulator.place(("KEY-0", 2)) for _ in range(25)}

        assert await seller.walk() == numbers
        for number in numbers:
            self.check(seller, number)

    async def test_a_line_that_stands_in_no_list_is_found_once_it_does(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.packs_itself, simulator.gap_ms = True, 60_000
        number = simulator.place(("KEY-0", 2))
        assert await seller.walk() == set()

        simulator.later(61)

        assert await seller.walk() == {number}

    async def test_rows_that_leave_a_list_while_it_is_read_hide_no_others(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = [simulator.place(("KEY-0", 1)) for _ in range(2 * PAGE)]
        for order in simulator.orders.values():
            order.placed_ms = START_MS
        met = set[str]()
        packed = iter(numbers[:80])
        for _ in range(45):
            pulled = await seller.page(seller.cursor)
            met |= {order.key for order in pulled.orders}
            seller.cursor = pulled.cursor
            if not pulled.more:
                break
            for number in islice(packed, 8):
                simulator.pack(number, dict.fromkeys(simulator.truth[number], 1))

        assert met == set(numbers)

    async def test_a_cancel_is_hinted_at(self, seller: Seller) -> None:
        number = seller.simulator.place(("KEY-0", 2))
        await seller.walk()
        seller.simulator.later(3_000)
        seller.simulator.cancel(number, next(iter(seller.simulator.truth[number])), 1)

        assert number in await seller.walk()
        self.check(seller, number)

    async def test_old_cancels_are_not_read_for_ever(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        for _ in range(200):
            number = simulator.place(("KEY-0", 1))
            simulator.cancel(number, next(iter(simulator.truth[number])), 1)
        simulator.later(3 * 86_400)
        simulator.received.clear()

        await seller.walk()
        simulator.later(60)
        simulator.received.clear()
        await seller.walk()

        assert len([each for each in simulator.received if each.path.endswith("/cancelled")]) == 1

    async def test_what_the_channel_ships_itself_is_said_so(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.is_depot = True
        number = simulator.place(("KEY-0", 2))

        order = await seller.order(number)

        assert [line.fulfilled_by for line in order.lines] == ["channel"]

    async def test_a_word_for_a_status_can_be_given_its_meaning(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2))
        simulator.orders[number].rows[0].status = "HandedOver"

        order = await seller.order(number)
        other = await self.with_options(seller, line_statuses={"handedover": "shipped"}).order(number)

        assert [(line.ordered, line.shipped) for line in order.lines] == [(2, 0)], "it counts as sold"
        assert [(line.ordered, line.shipped) for line in other.lines] == [(2, 2)]

    async def test_amounts_and_times_are_as_they_are_written(self, seller: Seller) -> None:
        number = seller.simulator.place(("KEY-0", 2))

        order = await seller.order(number)

        [line] = order.lines
        assert (line.unit_price, line.vat_rate, line.barcode) == ("56.5", "20", "8680000000017")
        assert (order.currency, order.unit_prices_have_vat) == ("TRY", True)
        assert abs(order.placed_ms - START_MS) < 60_000, "not three hours earlier"
        assert abs(order.ship_by_ms - START_MS - 86_400_000) < 60_000

    # -- hearing

    @pytest.mark.parametrize("method", ["POST", "PUT"])
    async def test_whatever_the_method_and_the_path_its_order_is_read(self, method: str, seller: Seller) -> None:
        simulator = self.simulated(seller)
        about = b'{"orderNumber":"4012345678"}'

        heard = seller.adapter.hear(simulator.signed(about, method, "createOrder"), seller.now_s)

        assert (heard.hints, heard.answer.status) == (("4012345678",), 201 if method == "POST" else 204)
        path = "orders/4012345678/shippingaddress"
        assert seller.adapter.hear(simulator.signed(b"", "PUT", path), seller.now_s).hints == ("4012345678",)

    async def test_news_of_a_package_that_name_no_order_are_taken(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        heard = seller.adapter.hear(simulator.signed(b"{}", "PUT", "packages/5001/intransit"), seller.now_s)

        assert (heard.hints, heard.orders) == ((), ())
        with pytest.raises(UnreadableError):
            seller.adapter.hear(simulator.signed(b"{}", "PUT", "lineitems/1/cancel"), seller.now_s)

    async def test_a_password_without_its_user_is_refused(self, simulator: HepsiburadaSimulator) -> None:
        with pytest.raises(ValueError, match="belong together"):
            self.build(simulator, {**self.credentials, "notification_password": "x"})

    # -- what is said

    async def test_the_carrier_of_the_channel_tells_itself_that_a_parcel_left(self, seller: Seller) -> None:
        intake = self.with_options(seller, carrier="hepsiburada", refusal_reason_ids={}).adapter.capabilities.intake
        assert intake is not None
        assert intake.commands == {"acknowledge", "invoice"}

    async def test_lines_in_no_package_are_refused_whole(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2), ("KEY-1", 1))
        order = await seller.order(number)
        one, other = simulator.truth[number]

        part = await seller.say(Refuse(order=number, lines=((one, 1),)), order)
        assert isinstance(part, Refused)
        assert part.code == "whole_lines"
        command = Refuse(order=number, lines=((one, 2),))
        assert seller.adapter.confirm(command, order) == NotDone()
        assert await seller.say(command, order) == Done()

        now = await seller.order(number)
        seller.merge(now)
        self.check(seller, number)
        assert seller.adapter.confirm(command, now) == Done()
        assert (simulator.truth[number][one].cancelled, simulator.truth[number][other].cancelled) == (2, 0)

    async def test_pieces_in_a_package_leave_it(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 3), ("KEY-1", 1))
        one, other = simulator.truth[number]
        await seller.say(Acknowledge(order=number), await seller.order(number))

        assert await seller.say(Refuse(order=number, lines=((one, 1),)), await seller.order(number)) == Done()
        assert (
            await seller.say(Refuse(order=number, lines=((one, 2), (other, 1))), await seller.order(number)) == Done()
        )

        now = await seller.order(number)
        seller.merge(now)
        self.check(seller, number)
        assert now.state == "cancelled"

    async def test_a_refusal_that_broke_off_is_for_a_person(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2), ("KEY-1", 1))
        order = await seller.order(number)
        one, other = simulator.truth[number]
        command = Refuse(order=number, lines=((one, 2), (other, 1)))
        simulator.only, simulator.always = f"/id/{other}/", "throttled"

        with pytest.raises(UnknownResultError, match="a part was carried out"):
            await seller.say(command, order)

        assert isinstance(seller.adapter.confirm(command, await seller.order(number)), Undecided)

    async def test_a_reason_without_a_number_is_not_replaced_by_another(self, seller: Seller) -> None:
        number = seller.simulator.place(("KEY-0", 1))
        order = await seller.order(number)
        lines = ((order.lines[0].key, 1),)

        outcome = await seller.say(Refuse(order=number, lines=lines, reason="damaged"), order)

        assert isinstance(outcome, Refused)
        assert "refusal_reason_ids" in outcome.reason

    @pytest.mark.parametrize("fault", ["reset_after", "reset"])
    @pytest.mark.parametrize("what", ["ship", "refuse"])
    async def test_after_a_lost_answer_the_order_tells(self, what: str, fault: Any, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2))
        lines = ((next(iter(simulator.truth[number])), 2),)
        command: Ship | Refuse = Refuse(order=number, lines=lines)
        if what == "ship":
            command = Ship(order=number, lines=lines, tracking="TR-1")
            await seller.say(Acknowledge(order=number), await seller.order(number))
        simulator.only = "/intransit" if what == "ship" else "/cancelbymerchant"
        simulator.faults.append(fault)

        with pytest.raises(UnknownResultError):
            await seller.say(command, await seller.order(number))

        found = seller.adapter.confirm(command, await seller.order(number))
        assert isinstance(found, Done if fault == "reset_after" else NotDone)

    async def test_what_leaves_in_parts_is_packed_in_parts(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 3))
        [key] = simulator.truth[number]
        for pieces, tracking in ((1, "TR-1"), (2, "TR-2")):
            command = Ship(order=number, lines=((key, pieces),), tracking=tracking)
            assert await seller.say(command, await seller.order(number)) == Done()

        seller.merge(await seller.order(number))
        self.check(seller, number)
        assert [each.tracking for each in simulator.parcels.values()] == ["TR-1", "TR-2"]
        again = Ship(order=number, lines=((key, 1),), tracking="TR-3")
        assert isinstance(await seller.say(again, await seller.order(number)), Superseded)

    async def test_a_parcel_that_stands_ready_is_not_packed_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2))
        order = await seller.order(number)
        [key] = simulator.truth[number]
        command = Ship(order=number, lines=((key, 2),), tracking="TR-1")
        simulator.only, simulator.always = "/intransit", "throttled"
        with pytest.raises(UnknownResultError, match="the parcel was packed"):
            await seller.say(command, order)
        simulator.always = None

        assert seller.adapter.confirm(command, await seller.order(number)) == NotDone()
        assert await seller.say(command, await seller.order(number)) == Done()
        assert len(simulator.parcels) == 1

    async def test_two_parcels_whose_answer_was_lost_are_for_a_person(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 3))
        [key] = simulator.truth[number]
        simulator.pack(number, {key: 1})
        last = simulator.pack(number, {key: 2})
        command = Ship(order=number, lines=((key, 3),), tracking="TR-1")
        simulator.only = f"/{last}/intransit"
        simulator.faults.append("reset_after")

        with pytest.raises(UnknownResultError):
            await seller.say(command, await seller.order(number))

        assert isinstance(seller.adapter.confirm(command, await seller.order(number)), Undecided)

    async def test_a_package_of_more_than_what_leaves_is_not_sent(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2))
        [key] = simulator.truth[number]
        await seller.say(Acknowledge(order=number), await seller.order(number))
        command = Ship(order=number, lines=((key, 1),), tracking="TR-1")

        assert isinstance(await seller.say(command, await seller.order(number)), Superseded)
        assert isinstance(await seller.say(Ship(order=number, lines=((key, 2),)), await seller.order(number)), Refused)

    async def test_a_package_that_is_named_leaves_whole(self, seller: Seller) -> None:
        number = seller.simulator.place(("KEY-0", 3))
        [key] = seller.simulator.truth[number]
        assert isinstance(await seller.say(Acknowledge(order=number), await seller.order(number)), Done)
        order = await seller.order(number)
        [package] = [each for each in order.packages if each.state == "living"]
        seller.simulator.carried_out.clear()
        part = Ship(order=number, lines=((key, 2),), package=package.key, tracking="TR-1")

        outcome = await seller.say(part, order)

        assert isinstance(outcome, Refused)
        assert outcome.code == "part_of_package"
        assert seller.simulator.carried_out.total() == 0
        assert isinstance(await seller.say(msgspec.structs.replace(part, lines=((key, 3),)), order), Done)

    async def test_an_invoice_is_of_a_package_and_told_once(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("KEY-0", 2))
        invoice = Invoice(order=number, number="HBE2026000000001", url="https://example.org/i", issued_ms=START_MS)
        assert isinstance(await seller.say(invoice, await seller.order(number)), Refused)
        await seller.say(Acknowledge(order=number), await seller.order(number))
        order = await seller.order(number)

        assert await seller.say(invoice, order) == Done()
        assert isinstance(seller.adapter.confirm(invoice, order), Undecided)
        assert isinstance(await seller.say(invoice, order), Refused)
        assert isinstance(await seller.say(msgspec.structs.replace(invoice, package="1"), order), Superseded)
