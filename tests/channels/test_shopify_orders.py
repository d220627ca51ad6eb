"""A Shopify shop's orders: what every kind does, and what is particular to parcels, refunds, edits and locations."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import UnavailableError, UnreadableOrderError
from adapters.contract.orders import Done, Refuse, Refused, Ship, Superseded
from adapters.shopify import ADAPTER, Options
from adapters.shopify.order_documents import PAGE, PARTS_MAX
from adapters.shopify.orders import SEEN_MAX
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import Seller
from tests.channels.shopify_order_side import OTHER_LOCATION, WEBHOOK_SECRET, Parcel
from tests.channels.shopify_simulator import ITEM, LOCATION, SHOP, TOKEN, ShopifySimulator


class TestShopifyOrders(OrdersConformance[ShopifySimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"access_token": TOKEN}
    heard_with: ClassVar[Mapping[str, str]] = {"webhook_secret": WEBHOOK_SECRET}
    page_size = PAGE
    orders_path = "/HoldfastOrder"
    command_path = "/HoldfastSay"
    tells_unpaid = False

    def make_simulator(self) -> ShopifySimulator:
        return ShopifySimulator(maximum=1e9, points=1e9)

    def options_for(self, simulator: ShopifySimulator) -> dict[str, Any]:
        return {"shop": SHOP, "location_id": LOCATION, "base_url": simulator.url, "keys_are": "gid"}

    def key(self, number: int) -> str:
        return f"{ITEM}{1000 + number}"

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_for(self.simulated(seller)), **options}
        adapter = ADAPTER.build(msgspec.convert(given, Options), {**self.credentials, **self.heard_with})
        return Seller(adapter, seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> ShopifySimulator:
        assert isinstance(seller.simulator, ShopifySimulator)
        return seller.simulator

    def one(self, seller: Seller, pieces: int = 3) -> tuple[str, str]:
        number = seller.simulator.place((self.key(0), pieces))
        return number, next(iter(seller.simulator.truth[number]))

    # -- the list of changes

    async def test_an_order_that_has_not_changed_is_not_read_again(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        assert await seller.walk() == {number}
        assert await seller.walk() == set()

        seller.simulator.later(60)
        seller.simulator.send_off(number)

        assert await seller.walk() == {number}

    async def test_a_cursor_does_not_grow_for_ever(self, seller: Seller) -> None:
        for _ in range(2 * SEEN_MAX):
            seller.simulator.place((self.key(0), 1))
            seller.simulator.fixed_ms -= 1_000
        longest = 0
        pulled = await seller.page(seller.cursor)
        while pulled.more:
            pulled = await seller.page(pulled.cursor)
            longest = max(longest, len(pulled.cursor))

        assert longest < 40 * SEEN_MAX

    # -- one order

    async def test_parcels_that_are_not_sent_yet_are_neither_shipped_nor_cancelled(self, seller: Seller) -> None:
        number, key = self.one(seller)
        simulator = self.simulated(seller)
        order = simulator.orders[int(number)]
        order.parcels.append(Parcel(1, {int(key): 2}, {}, "PENDING"))
        order.line(int(key)).to_ship = 1

        waiting = await seller.order(number)
        order.parcels[0].status = "CANCELLED"
        order.line(int(key)).to_ship = 3
        again = await seller.order(number)

        assert [(line.ordered, line.cancelled, line.shipped) for line in waiting.lines] == [(3, 0, 0)]
        assert [each.state for each in waiting.packages] == ["living"]
        assert [(line.ordered, line.cancelled, line.shipped) for line in again.lines] == [(3, 0, 0)]
        assert [each.state for each in again.packages] == ["dissolved"]

    @pytest.mark.parametrize(("restock", "returned"), [("RETURN", 1), ("NO_RESTOCK", 0)])
    async def test_a_refund_of_what_had_left_cancels_nothing(self, restock: str, returned: int, seller: Seller) -> None:
        number, key = self.one(seller)
        seller.simulator.send_off(number)
        self.simulated(seller).take_back(number, key, 1, restock)

        [line] = (await seller.order(number)).lines

        assert (line.ordered, line.cancelled, line.shipped, line.returned) == (3, 0, 3, returned)

    @pytest.mark.parametrize("pending", [0, 2])
    async def test_a_refund_that_does_not_say_of_which_pieces_cancels_none_that_are_to_leave(
        self, pending: int, seller: Seller
    ) -> None:
        number, key = self.one(seller)
        simulator = self.simulated(seller)
        order = simulator.orders[int(number)]
        line = order.line(int(key))
        order.parcels.append(Parcel(1, {line.id: 1}, {}))
        if pending:
            order.parcels.append(Parcel(2, {line.id: pending}, {}, "PENDING"))
        line.to_ship = 2 - pending
        simulator.take_back(number, key, 1, "NO_RESTOCK")

        [told] = (await seller.order(number)).lines

        assert (told.ordered, told.cancelled, told.shipped, told.returned) == (3, 0, 1, 0)

    async def test_an_order_that_changes_between_its_pages_is_read_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        keys = [self.key(number) for number in range(60)]
        self.make_known(simulator, *keys)
        number = simulator.place(*((key, 2) for key in keys))
        simulator.cancels_at_question[number] = 2

        seller.merge(await seller.order(number))

        self.check(seller, number)
        assert sum(each.cancelled for each in simulator.truth[number].values()) == 1

    @pytest.mark.parametrize("status", ["EXPIRED", "VOIDED"])
    async def test_an_order_that_is_never_paid_is_cancelled(self, status: str, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).orders[int(number)].financial = status

        order = await seller.order(number)

        assert order.state == "cancelled"
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(3, 3)]

    async def test_an_order_that_is_not_paid_yet_is_sold(self, seller: Seller) -> None:
        number = seller.simulator.place((self.key(0), 1), paid=False)

        assert (await seller.order(number)).state == "open"

    async def test_what_another_location_ships_takes_no_stock(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.location = OTHER_LOCATION
        number, _ = self.one(seller)

        [line] = (await seller.order(number)).lines
        [ours] = (await self.with_options(seller, other_locations="ours").order(number)).lines

        assert (line.fulfilled_by, ours.fulfilled_by) == ("channel", "merchant")

    async def test_keys_of_listings_can_be_numbers(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        [line] = (await self.with_options(seller, keys_are="number").order(number)).lines

        assert line.listing == "1000"

    async def test_what_is_no_article_takes_no_stock_where_it_is_not_shipped(self, seller: Seller) -> None:
        number, key = self.one(seller)
        self.simulated(seller).orders[int(number)].line(int(key)).item = ""

        [line] = (await seller.order(number)).lines

        assert (line.listing, line.carries_stock) == ("", True), "it is shipped, so somebody has to say what it is"

    async def test_who_has_bought_can_be_left_out(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        order = await self.with_options(seller, reads_buyers=False).order(number)

        assert order.buyer is None

    async def test_an_order_that_keeps_changing_is_read_later(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        self.simulated(seller).changing.add(number)

        with pytest.raises(UnavailableError, match="keeps changing"):
            await seller.order(number)

    async def test_an_order_of_too_many_parcels_is_for_a_person(self, seller: Seller) -> None:
        number, _ = self.one(seller)
        order = self.simulated(seller).orders[int(number)]
        order.parcels = [Parcel(each, {}, {}, "CANCELLED") for each in range(PARTS_MAX)]

        with pytest.raises(UnreadableOrderError, match="parcels"):
            await seller.order(number)

    @pytest.mark.parametrize("key", ["", "x", "#1001", "1/2"])
    async def test_a_number_that_none_can_have_is_not_asked_for(self, key: str, seller: Seller) -> None:
        assert await seller.fetch(key) is None
        assert seller.simulator.received == []

    # -- hearing

    async def test_news_that_name_no_order_are_taken(self, seller: Seller) -> None:
        delivery = self.simulated(seller).signed(b'{"id":7}', "fulfillment_orders/moved")

        heard = seller.adapter.hear(delivery, seller.now_s)

        assert (heard.hints, heard.orders, heard.id) == ((), (), delivery.headers["x-shopify-webhook-id"])

    # -- what is said

    async def test_a_part_leaves_from_tasks_that_were_split(self, seller: Seller) -> None:
        number, key = self.one(seller, pieces=5)
        old = await seller.order(number)
        self.simulated(seller).move_tasks(number)
        command = Ship(order=number, lines=((key, 4),), carrier="Aras", tracking="TR-1")

        assert isinstance(await seller.say(command, old), Done)

        order = await seller.order(number)
        seller.merge(order)
        self.check(seller, number)
        assert [(each.tracking, each.carrier, each.lines) for each in order.packages] == [("TR-1", "Aras", ((key, 4),))]
        assert isinstance(await seller.say(command, order), Superseded)

    async def test_pieces_of_another_location_are_not_shipped_from_here(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.location = OTHER_LOCATION
        number, key = self.one(seller)

        outcome = await seller.say(Ship(order=number, lines=((key, 1),), tracking="1"), await seller.order(number))

        assert isinstance(outcome, Superseded)

    async def test_a_part_is_refused_by_an_edit(self, seller: Seller) -> None:
        number, key = self.one(seller)
        command = Refuse(order=number, lines=((key, 2),))

        assert await seller.say(command, await seller.order(number)) == Done()

        order = await seller.order(number)
        seller.merge(order)
        self.check(seller, number)
        assert seller.adapter.confirm(command, order) == Done()
        assert self.simulated(seller).paid_back == 0

    async def test_an_edit_that_did_not_come_to_its_end_has_done_nothing(self, seller: Seller) -> None:
        number, key = self.one(seller)
        seller.simulator.only = "/HoldfastSetEdited"
        seller.simulator.faults.append("reset_after")

        with pytest.raises(UnavailableError):
            await seller.say(Refuse(order=number, lines=((key, 2),)), await seller.order(number))

        seller.merge(await seller.order(number))
        self.check(seller, number)

    @pytest.mark.parametrize("pays", [True, False])
    async def test_money_is_paid_back_only_where_an_option_says_so(self, pays: bool, seller: Seller) -> None:
        number, key = self.one(seller)
        chosen = self.with_options(seller, refunds_refused=pays)

        assert await chosen.say(Refuse(order=number, lines=((key, 3),)), await seller.order(number)) == Done()

        assert self.simulated(seller).paid_back == pays
        assert (await seller.order(number)).state == "cancelled"

    async def test_a_refusal_that_the_shop_does_not_take_is_in_its_words(self, seller: Seller) -> None:
        number, key = self.one(seller)
        order = await seller.order(number)
        seller.simulator.send_off(number)

        outcome = await seller.say(Refuse(order=number, lines=((key, 3),)), order)

        assert isinstance(outcome, Refused)
        assert "Cannot cancel" in outcome.reason
