"""eMAG's orders: what every kind does, and what is particular to orders that are read and saved as a whole."""

from collections.abc import Mapping
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

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
from adapters.emag import ADAPTER, Options
from adapters.emag.order_rows import in_ms
from adapters.emag.orders import PAGE
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from tests.channels.emag_order_side import CALLBACK_SECRET, CARD, FINALIZED, IN_PROGRESS, RETURNED, TRANSFER
from tests.channels.emag_simulator import EmagSimulator


class TestEmagOrders(OrdersConformance[EmagSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"username": "made-up-user", "password": "made-up-password"}
    heard_with: ClassVar[Mapping[str, str]] = {"callback_secret": CALLBACK_SECRET}
    page_size = PAGE
    orders_path = "/order/read"
    command_path = "/said"
    currency = "RON"

    def make_simulator(self) -> EmagSimulator:
        return EmagSimulator()

    def options_for(self, simulator: EmagSimulator) -> dict[str, Any]:
        return {"base_url": f"{simulator.url}/api-3"}

    def key(self, number: int) -> str:
        return str(243_409 + number)

    def command(self, name: Any, order: Any) -> Any:
        # An invoice is never confirmed, and what was placed for these tests is acknowledged; both have tests below.
        return None if name in ("invoice", "acknowledge") else super().command(name, order)

    def placed(self, seller: Seller) -> str:
        number = super().placed(seller)
        simulator = self.simulated(seller)
        simulator.move(simulator.orders[int(number)], IN_PROGRESS)
        return number

    def simulated(self, seller: Seller) -> EmagSimulator:
        assert isinstance(seller.simulator, EmagSimulator)
        return seller.simulator

    def one(self, seller: Seller, pieces: int = 3) -> tuple[str, str]:
        number = seller.simulator.place((self.key(0), pieces))
        return number, next(iter(seller.simulator.truth[number]))

    # -- lists

    @pytest.mark.parametrize("shift_h", [-3, 0, 3])
    async def test_nothing_is_missed_in_whatever_zone_the_filter_is(self, shift_h: int, seller: Seller) -> None:
        self.simulated(seller).filter_shift_ms = shift_h * 3_600_000
        for _ in range(5):
            number, _ = self.one(seller)
            assert number in await seller.walk()
            seller.simulator.later(1_000)

    async def test_nothing_is_missed_in_the_night_in_which_an_hour_comes_twice(self, seller: Seller) -> None:
        seller.simulator.fixed_ms = 1_792_886_400_000 - 90 * 60_000  # the 25th of October 2026, 01:30 in Bucharest
        seller.cursor = seller.adapter.first_cursor(seller.simulator.fixed_ms)
        for _ in range(12):
            seller.simulator.later(20 * 60)
            number, _ = self.one(seller)
            assert number in await seller.walk()
            self.check(seller, number)

    # -- statuses

    async def test_an_order_that_is_cancelled_at_first_sight_comes_back(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).orders[int(number)].shows_cancelled = 1

        assert (await seller.order(number)).state == "cancelled"
        order = await seller.order(number)

        assert order.state == "open"
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(3, 0)]

    @pytest.mark.parametrize(
        ("payment", "is_paid", "state"),
        [(TRANSFER, False, "unpaid"), (TRANSFER, True, "open"), (CARD, False, "unpaid"), (CARD, True, "open")],
    )
    async def test_a_new_order_is_sold_once_it_is_paid(
        self, payment: int, is_paid: bool, state: str, seller: Seller
    ) -> None:
        number, _ = self.one(seller)
        order = self.simulated(seller).orders[int(number)]
        order.payment, order.is_paid = payment, is_paid

        assert (await seller.order(number)).state == state
        order.status = IN_PROGRESS
        assert (await seller.order(number)).state == "open"

    async def test_an_order_that_is_not_whole_yet_is_held(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).orders[int(number)].is_complete = 0

        assert (await seller.order(number)).state == "unpaid"

    async def test_what_came_back_after_it_left_is_returned(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        seller.simulator.send_off(number)
        [line] = self.simulated(seller).orders[int(number)].lines
        line.quantity, line.storno = 2, 1

        part = await seller.order(number)
        self.simulated(seller).orders[int(number)].status = RETURNED
        whole = await seller.order(number)

        told = [
            [(each.ordered, each.cancelled, each.shipped, each.returned) for each in order.lines]
            for order in (part, whole)
        ]
        assert told == [[(3, 0, 3, 1)], [(3, 0, 3, 3)]]

    async def test_what_was_finalised_can_be_prepared_again(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        seller.simulator.send_off(number)
        assert [line.shipped for line in (await seller.order(number)).lines] == [3]

        self.simulated(seller).orders[int(number)].status = 3

        order = await seller.order(number)
        assert (order.state, [line.shipped for line in order.lines]) == ("open", [0])

    async def test_without_the_first_quantity_a_line_is_what_it_is(self, seller: Seller) -> None:
        number, key = self.one(seller)
        self.simulated(seller).tells_initial = False
        seller.simulator.cancel(number, key, 1)

        assert [(line.ordered, line.cancelled) for line in (await seller.order(number)).lines] == [(2, 0)]

    async def test_what_emag_ships_itself_takes_no_stock_and_is_told_nothing(self, seller: Seller) -> None:
        self.simulated(seller).type = 2
        number = seller.simulator.place((self.key(0), 1))
        order = await seller.order(number)

        assert order.fulfilled_by == "channel"
        assert isinstance(await seller.say(Acknowledge(order=number), order), Refused)

    async def test_amounts_are_without_vat(self, seller: Seller) -> None:
        number, _ = self.one(seller)

        order = await seller.order(number)

        [line] = order.lines
        assert (line.unit_price, line.sku_hint) == ("12.1234", f"sku of {self.key(0)}")
        assert (order.currency, order.unit_prices_have_vat) == ("RON", False)

    # -- hearing

    @pytest.mark.parametrize("query", ["", "order_id=", "order_id=x", "id=1", "order_id=1&order_id=x"])
    async def test_a_call_without_a_number_is_unreadable(self, query: str, seller: Seller) -> None:
        delivery = msgspec.structs.replace(self.simulated(seller).signed(b""), query=query)
        with pytest.raises(UnreadableError):
            seller.adapter.hear(delivery, seller.now_s)

    # -- what is said

    @pytest.mark.parametrize("fault", ["reset", "reset_after"])
    async def test_an_order_is_acknowledged_once(self, fault: Any, seller: Seller) -> None:
        number, _ = self.one(seller)
        command = Acknowledge(order=number)
        seller.simulator.only = "/said"
        seller.simulator.faults.append(fault)
        with pytest.raises(UnknownResultError):
            await seller.say(command, await seller.order(number))

        order = await seller.order(number)
        assert seller.adapter.confirm(command, order) == (Done() if fault == "reset_after" else NotDone())
        assert await seller.say(command, order) == Done()
        assert seller.simulator.carried_out.total() == 1

    async def test_a_new_order_is_acknowledged_before_it_leaves(self, seller: Seller) -> None:
        number, key = self.one(seller)
        command = Ship(order=number, lines=((key, 3),), tracking="1")

        assert await seller.say(command, await seller.order(number)) == Done()

        assert self.simulated(seller).orders[int(number)].status == FINALIZED
        assert isinstance(await seller.say(command, await seller.order(number)), Superseded)

    async def test_a_part_does_not_leave_alone(self, seller: Seller) -> None:
        number, key = self.one(seller)

        outcome = await seller.say(Ship(order=number, lines=((key, 2),)), await seller.order(number))

        assert isinstance(outcome, Refused)
        assert outcome.code == "whole_order_only"

    async def test_a_part_is_refused_by_a_smaller_quantity_but_not_of_a_card_order(self, seller: Seller) -> None:
        number = self.placed(seller)
        key = next(iter(seller.simulator.truth[number]))
        command = Refuse(order=number, lines=((key, 1),))
        order = self.simulated(seller).orders[int(number)]
        order.payment = CARD
        refused = await seller.say(command, await seller.order(number))
        order.payment = 1

        assert isinstance(refused, Refused)
        assert refused.code == "card"
        assert await seller.say(command, await seller.order(number)) == Done()
        seller.merge(await seller.order(number))
        self.check(seller, number)

    async def test_nothing_is_saved_over_a_change(self, seller: Seller) -> None:
        number = self.placed(seller)
        order = await seller.order(number)
        lines = tuple((line.key, line.ordered) for line in order.lines)
        seller.simulator.later(60)
        seller.simulator.pay(number)

        for command in (Refuse(order=number, lines=lines), Ship(order=number, lines=lines)):
            assert isinstance(await seller.say(command, order), Superseded)
        assert seller.simulator.carried_out.total() == 0

    async def test_a_reason_without_a_number_is_not_replaced_by_another(self, seller: Seller) -> None:
        number, key = self.one(seller)

        outcome = await seller.say(
            Refuse(order=number, lines=((key, 3),), reason="address"), await seller.order(number)
        )

        assert isinstance(outcome, Refused)
        assert "out_of_stock" in outcome.reason

    async def test_an_invoice_is_attached(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        order = await seller.order(number)
        invoice = Invoice(order=number, number="F-1", url="https://example.org/i", issued_ms=START_MS)

        assert await seller.say(invoice, order) == Done()

        assert [each["url"] for each in self.simulated(seller).orders[int(number)].attachments] == [invoice.url]
        assert isinstance(seller.adapter.confirm(invoice, order), Undecided)


def test_times_are_of_the_zone_that_is_set() -> None:
    one, other = (in_ms("2026-11-01 12:16:50", ZoneInfo(name)) for name in ("Europe/Bucharest", "Europe/Budapest"))

    assert other - one == 3_600_000
    assert msgspec.convert({"time_zone": "Europe/Budapest"}, Options).time_zone == "Europe/Budapest"
