"""n11's orders: what every kind does, and what is particular to packages whose origin nobody tells."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import UnknownResultError
from adapters.contract.orders import Acknowledge, Done, NotDone, Refused, Superseded
from adapters.n11 import ADAPTER, Options
from adapters.n11.orders import PAGE
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from tests.channels.n11_simulator import N11Simulator

MINUTES_10_MS = 600_000


class TestN11Orders(OrdersConformance[N11Simulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"app_key": "made-up-app-key", "app_secret": "made-up-app-secret"}
    heard_with: ClassVar[Mapping[str, str]] = {}
    page_size = PAGE
    orders_path = "/shipmentPackages"
    command_path = "/rest/order/v1/update"
    cancels_are_sure = False
    tells_unpaid = False

    def make_simulator(self) -> N11Simulator:
        return N11Simulator()

    def options_for(self, simulator: N11Simulator) -> dict[str, Any]:
        return {"base_url": simulator.url}

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_for(self.simulated(seller)), **options}
        return Seller(ADAPTER.build(msgspec.convert(given, Options), self.credentials), seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> N11Simulator:
        assert isinstance(seller.simulator, N11Simulator)
        return seller.simulator

    # -- packages that end

    @pytest.mark.parametrize("unpacks", [True, False])
    async def test_a_partial_cancel_releases_nothing_for_certain_before_its_rest_is_there(
        self, unpacks: bool, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        simulator.unpacks, simulator.successor_after_ms = unpacks, MINUTES_10_MS
        number = simulator.place(("key-0", 1), ("key-1", 3))
        _, other = simulator.truth[number]
        simulator.cancel(number, other, 1)

        early = await seller.order(number)
        simulator.later(700)
        late = await seller.order(number)

        assert unpacks or not early.gone_is_certain
        assert early.state == "open"
        assert {line.cancelled for line in early.lines} <= ({0} if unpacks else {1, 3})
        assert [(line.ordered, line.cancelled) for line in late.lines] == [(1, 0), (3, 1)]

    async def test_pieces_behind_an_unpacked_package_are_not_cancelled(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.successor_after_ms = MINUTES_10_MS
        number = simulator.place(("key-0", 4))
        simulator.split(number)

        order = await seller.order(number)

        assert [(line.ordered, line.cancelled) for line in order.lines] == [(4, 0)]
        assert order.state == "open"
        assert "4 pieces are in no package yet" in order.status

    async def test_two_packages_of_an_order_in_one_answer_are_a_hint(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 4))
        simulator.split(number)

        pulled = await seller.page(seller.cursor)

        assert (pulled.orders, pulled.hints) == ((), (number,))

    # -- lists

    @pytest.mark.parametrize("shift_h", [-3, 0, 3])
    async def test_nothing_is_missed_in_whatever_zone_the_filter_is(self, shift_h: int, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.filter_shift_ms = shift_h * 3_600_000
        for _ in range(5):
            number = simulator.place(("key-0", 1))
            assert number in await seller.walk()
            simulator.later(1_000)

    async def test_what_is_known_is_not_taken_in_again(self, seller: Seller) -> None:
        seller.simulator.place(("key-0", 1))
        await seller.walk()
        seller.simulator.later(1_200)
        last = seller.simulator.place(("key-0", 1))
        await seller.walk()
        seller.simulator.later(60)
        new = seller.simulator.place(("key-0", 1))

        assert await seller.walk() == {last, new}

    async def test_once_an_hour_a_walk_takes_in_what_came_into_view_late(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        late = simulator.place(("key-0", 1))
        simulator.parcels[min(simulator.parcels)].visible_ms = simulator.now_ms() + 1_000_000
        await seller.walk()

        simulator.later(3_700)

        assert late in await seller.walk()

    async def test_a_minute_with_more_packages_than_a_page_is_read_page_by_page(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = {simulator.place(("key-0", 1)) for _ in range(2 * PAGE + 1)}
        for parcel in simulator.parcels.values():
            parcel.changed_ms = START_MS

        assert await seller.walk() == numbers

    async def test_what_goes_on_while_a_list_is_read_is_met_in_another(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = [simulator.place(("key-0", 1)) for _ in range(3 * PAGE)]
        first = await seller.page(seller.cursor)
        for parcel in list(simulator.parcels.values())[: 2 * PAGE]:
            simulator.move(parcel, "Picking")
        seller.cursor = first.cursor

        met = {order.key for order in first.orders} | await seller.walk()

        assert met == set(numbers)

    @pytest.mark.parametrize("hours", [0, 3])
    async def test_times_ahead_of_utc_are_set_right(self, hours: int, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.hours_ahead = hours
        number = simulator.place(("key-0", 1))

        order = await self.with_options(seller, hours_ahead=hours).order(number)

        assert abs(order.placed_ms - START_MS) < 60_000
        assert abs(order.changed_ms - START_MS) < 60_000

    async def test_a_single_order_can_be_asked_for_by_each_status(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.wants_status = True
        number = simulator.place(("key-0", 4))
        simulator.split(number)
        simulator.send_off(number)

        assert await seller.fetch(number) is None
        order = await self.with_options(seller, single_order_by="status").order(number)

        assert [(line.ordered, line.shipped) for line in order.lines] == [(4, 4)]

    async def test_what_n11_ships_itself_is_not_asked_for_and_else_recorded(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place_elsewhere(("key-0", 4))

        assert await seller.walk() == set()
        order = await self.with_options(seller, sender="").order(number)

        assert order.fulfilled_by == "channel"

    async def test_an_unknown_status_counts_as_sold(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        next(iter(simulator.parcels.values())).status = "GiftWrapping"

        order = await seller.order(number)

        assert (order.state, order.status) == ("open", "GiftWrapping")
        assert [(line.ordered, line.cancelled, line.shipped) for line in order.lines] == [(2, 0, 0)]

    async def test_amounts_are_for_one_piece_and_without_discounts(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 2))

        order = await seller.order(number)

        [line] = order.lines
        assert (line.unit_price, line.discount, line.vat_rate) == ("430.46", "39.13", "20")
        assert (line.sku_hint, line.barcode, order.currency) == ("key-0", "", "TRY")
        assert order.unit_prices_have_vat

    # -- what is said

    async def test_an_update_that_failed_for_all_lines_is_refused(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1), ("key-1", 1))
        order = await seller.order(number)
        simulator.fails_lines = {int(line.key) for line in order.lines}

        assert await seller.say(Acknowledge(order=number), order) == Refused(code="failed", reason="Hata")

    async def test_an_update_that_failed_for_some_lines_is_looked_at(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2), ("key-1", 1))
        simulator.split(number)
        order = await seller.order(number)
        simulator.fails_lines = {int(order.lines[0].key)}

        with pytest.raises(UnknownResultError, match="1 of 2 lines"):
            await seller.say(Acknowledge(order=number), order)

        assert seller.adapter.confirm(Acknowledge(order=number), await seller.order(number)) == NotDone()

    async def test_what_has_begun_is_not_begun_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1))
        command = Acknowledge(order=number)
        assert await seller.say(command, await seller.order(number)) == Done()
        simulator.received.clear()

        assert await seller.say(command, await seller.order(number)) == Done()
        assert [each.method for each in simulator.received] == ["GET"]

        simulator.send_off(number)
        assert isinstance(await seller.say(command, await seller.order(number)), Superseded)
