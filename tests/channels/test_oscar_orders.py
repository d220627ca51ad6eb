"""Oscar's orders: what every kind does, and what is particular to statuses of a shop's own and a silent dashboard."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import CredentialsError, UnknownResultError, UnreadableOrderError
from adapters.contract.http import Answer
from adapters.contract.orders import Done, NotDone, Order, Refuse, Refused, Ship, Superseded, Undecided
from adapters.oscar import ADAPTER, Oscar, OscarOptions
from adapters.oscar.order_rows import Walk
from adapters.oscar.order_snapshots import Pieces, pieces_of
from adapters.oscar.orders import PAGE
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import Seller
from tests.channels.oscar_order_side import AWAITING, PASSWORD, USERNAME, Pagination, ShopLine
from tests.channels.oscar_simulator import OscarSimulator

BY_EVENTS = {"ship_event": "shipped", "cancel_event": "cancelled"}


class TestOscarOrders(OrdersConformance[OscarSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"username": USERNAME, "password": PASSWORD}
    heard_with: ClassVar[Mapping[str, str]] = {}
    page_size = PAGE
    orders_path = "GET /api/admin/orders/"
    command_path = "POST /dashboard/orders/"

    def make_simulator(self) -> OscarSimulator:
        return OscarSimulator()

    def options_for(self, simulator: OscarSimulator) -> dict[str, Any]:
        return {"base_url": simulator.url, "order_statuses": {AWAITING: "unpaid"}}

    def options_of_seller(self, simulator: OscarSimulator) -> dict[str, Any]:
        return {**self.options_for(simulator), **BY_EVENTS}

    def key(self, number: int) -> str:
        return str(100 + number)

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_for(self.simulated(seller)), **options}
        adapter = ADAPTER.build(msgspec.convert(given, OscarOptions), self.credentials)
        return Seller(adapter, seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> OscarSimulator:
        assert isinstance(seller.simulator, OscarSimulator)
        return seller.simulator

    # -- the list

    @pytest.mark.parametrize(("pagination", "size"), [("none", 20), ("limit", 20), ("page", 7)])
    async def test_every_order_is_found_however_the_shop_divides_its_list(
        self, pagination: Pagination, size: int, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        simulator.pagination, simulator.page_size = pagination, size
        numbers = {simulator.place((self.key(0), 1)) for _ in range(50)}

        assert await seller.walk() == numbers

    async def test_a_walk_ends_where_the_last_one_began(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        for _ in range(5 * PAGE):
            simulator.place((self.key(0), 1))
        await seller.walk()
        simulator.later(3_600)
        new = simulator.place((self.key(0), 1))
        assert new in await seller.walk()
        simulator.received.clear()

        assert await seller.walk() == {new}  # once more: walks overlap

        lists = [each for each in simulator.received if each.path.endswith("/orders/")]
        assert len(lists) == 1

    async def test_an_order_that_comes_into_view_late_is_found(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        late = simulator.place((self.key(0), 1))
        order = simulator.orders.pop(int(late))
        simulator.later(30)
        first = simulator.place((self.key(0), 1))
        assert await seller.walk() == {first}

        simulator.orders[order.id] = order

        assert late in await seller.walk()

    # -- what an order says

    @pytest.mark.parametrize("adds_sku", [True, False], ids=["lines tell it", "it is looked up"])
    async def test_the_key_of_a_line_is_that_of_the_listing(self, seller: Seller, adds_sku: bool) -> None:
        simulator = self.simulated(seller)
        simulator.line_fields = ("shipping_status", "partner_sku") if adds_sku else ("shipping_status",)
        number = simulator.place((self.key(0), 2), (self.key(1), 1))

        order = await self.with_options(seller, key_is="sku").order(number)

        assert [line.listing for line in order.lines] == ["SKU-100", "SKU-101"]

    @pytest.mark.parametrize("key_is", ["id", "sku"])
    async def test_a_line_that_another_partner_ships_takes_no_stock(self, key_is: str, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.line_fields = ("partner_sku",)
        simulator.others.add(self.key(1))
        number = simulator.place((self.key(0), 2), (self.key(1), 1))

        order = await self.with_options(seller, key_is=key_is, partner_id=1).order(number)

        listing = "SKU-100" if key_is == "sku" else "100"
        assert [(line.listing, line.fulfilled_by) for line in order.lines] == [(listing, "merchant"), ("", "channel")]

    async def test_money_is_of_one_piece(self, seller: Seller) -> None:
        order = await seller.order(self.simulated(seller).place((self.key(0), 3)))

        (line,) = order.lines
        assert (line.unit_price, line.discount, line.vat_rate) == ("12", "1.2", "20")
        assert (order.currency, order.total, order.unit_prices_have_vat) == ("TRY", "21.60", True)
        assert order.status == "#100001 Pending"

    @pytest.mark.parametrize(
        ("status", "state", "figures"),
        [
            ("Cancelled", "cancelled", (2, 2, 0)),
            ("Complete", "closed", (2, 0, 2)),
            ("delivered", "closed", (2, 0, 2)),
            ("Being processed", "open", (2, 0, 0)),
            ("of a plugin", "open", (2, 0, 0)),
        ],
    )
    async def test_without_events_a_status_speaks_of_all_pieces(
        self, status: str, state: str, figures: tuple[int, int, int], seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        simulator.line_fields = ()
        number = simulator.place((self.key(0), 2))
        simulator.orders[int(number)].status = status

        order = await seller.order(number)

        (line,) = order.lines
        assert (order.state, (line.ordered, line.cancelled, line.shipped)) == (state, figures)

    async def test_what_a_status_means_can_be_configured(self, seller: Seller) -> None:
        number = self.simulated(seller).place((self.key(0), 2))
        self.simulated(seller).orders[int(number)].status = "Out"

        ours = self.with_options(seller, order_statuses={"Out": "shipped", "Draft": "none"})
        out = await ours.order(number)
        self.simulated(seller).orders[int(number)].status = "Draft"

        assert (out.state, out.lines[0].shipped) == ("closed", 2)
        assert await ours.fetch(number) is None

    # -- what is said

    @pytest.mark.parametrize("pieces", [1, 3])
    async def test_pieces_are_shipped_by_an_event_and_the_last_ones_end_the_order(
        self, pieces: int, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 3)))
        shop_order = simulator.orders[int(order.key)]

        outcome = await seller.say(self.ship(order, pieces), order)

        assert outcome == Done()
        assert (shop_order.lines[0].events, shop_order.references) == ([("Shipped", pieces)], ["Aras TR-1"])
        assert shop_order.status == ("Complete" if pieces == 3 else "Pending")

    @staticmethod
    def ship(order: Order, pieces: int) -> Ship:
        return Ship(order=order.key, lines=((order.lines[0].key, pieces),), carrier="Aras", tracking="TR-1")

    @staticmethod
    def refuse(order: Order, pieces: int) -> Refuse:
        return Refuse(order=order.key, lines=((order.lines[0].key, pieces),))

    async def test_pieces_are_cancelled_by_an_event_and_a_whole_order_by_its_status(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        part, whole = [await seller.order(simulator.place((self.key(0), 3))) for _ in range(2)]

        assert await seller.say(self.refuse(part, 1), part) == Done()
        assert await seller.say(self.refuse(whole, 3), whole) == Done()

        assert simulator.orders[int(part.key)].lines[0].events == [("Cancelled", 1)]
        assert (simulator.orders[int(whole.key)].status, simulator.orders[int(whole.key)].lines[0].events) == (
            "Cancelled",
            [],
        )
        for order in (part, whole):
            seller.merge(await seller.order(order.key))
            self.check(seller, order.key)

    async def test_an_order_of_which_a_part_has_left_keeps_its_status_when_the_rest_is_refused(
        self, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 3)))
        await seller.say(self.ship(order, 1), order)

        assert await seller.say(self.refuse(order, 2), order) == Done()

        assert simulator.orders[int(order.key)].status == "Pending"
        seller.merge(await seller.order(order.key))
        self.check(seller, order.key)

    async def test_without_events_whole_orders_are_shipped_and_refused(self, seller: Seller) -> None:
        simulator, plain = self.simulated(seller), self.with_options(seller)
        simulator.line_fields = ()
        shipped, refused = [await plain.order(simulator.place((self.key(0), 3))) for _ in range(2)]

        part = await plain.say(self.ship(shipped, 1), shipped)

        assert isinstance(part, Refused)
        assert part.code == "whole_order_only"
        assert await plain.say(self.ship(shipped, 3), shipped) == Done()
        assert await plain.say(self.refuse(refused, 3), refused) == Done()
        assert [each.status for each in simulator.orders.values()] == ["Complete", "Cancelled"]
        intake = plain.adapter.capabilities.intake
        assert intake is not None
        assert intake.whole_orders

    async def test_what_could_not_be_looked_at_afterwards_is_not_said(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.line_fields = ()
        order = await seller.order(simulator.place((self.key(0), 3)))

        outcome = await seller.say(self.ship(order, 1), order)

        assert isinstance(outcome, Refused)
        assert (outcome.code, "OSCARAPI_ORDERLINE_FIELDS" in outcome.reason) == ("events_not_shown", True)
        assert simulator.carried_out.total() == 0

    async def test_a_silent_dashboard_is_found_out(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 3)))
        other = self.with_options(seller, **BY_EVENTS | {"ship_event": "sent"})
        strict = self.with_options(seller, cancel_status="Withdrawn")

        event, status = await other.say(self.ship(order, 1), order), await strict.say(self.refuse(order, 3), order)

        refusals = [each for each in (event, status) if isinstance(each, Refused)]
        assert [each.code for each in refusals] == ["event_not_taken", "status_not_taken"]
        assert all(word in each.reason for word, each in zip(("'sent'", "pipeline"), refusals, strict=True))
        assert isinstance(await seller.say(self.ship(order, 4), order), Superseded)

    async def test_the_statuses_that_are_set_mean_what_they_are_set_for(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.pipeline["Pending"] = ("Withdrawn", "Out")
        own = self.with_options(seller, ship_status="Out", cancel_status="Withdrawn")
        shipped, refused = [await own.order(simulator.place((self.key(0), 3))) for _ in range(2)]

        assert await own.say(self.ship(shipped, 3), shipped) == Done()
        assert await own.say(self.refuse(refused, 3), refused) == Done()

        assert [(await own.order(each.key)).state for each in (shipped, refused)] == ["closed", "cancelled"]

    async def test_a_session_that_has_ended_is_begun_anew(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        orders = [await seller.order(simulator.place((self.key(0), 1))) for _ in range(2)]
        await seller.say(self.ship(orders[0], 1), orders[0])
        simulator.sessions.clear()

        assert await seller.say(self.ship(orders[1], 1), orders[1]) == Done()

        assert len(simulator.sessions) == 1

    async def test_one_who_is_not_of_the_staff_is_told_so(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 1)))
        simulator.is_staff = False

        with pytest.raises(CredentialsError, match="staff"):
            await seller.say(self.ship(order, 1), order)

    async def test_an_order_that_cannot_be_read_again_leaves_the_result_unknown(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 2)))
        saying = seller.adapter.command(self.ship(order, 1), order, seller.now_s)
        request = next(saying)
        while "/dashboard/" not in request.url:
            request = saying.send(await seller.send(request))
        saying.send(await seller.send(request))

        with pytest.raises(UnknownResultError, match="cannot be read again"):
            saying.send(Answer(503))

    async def test_an_equal_parcel_that_may_be_an_older_one_is_for_a_person(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        order = await seller.order(simulator.place((self.key(0), 3)))
        ship = self.ship(order, 1)
        assert seller.adapter.confirm(ship, order) == NotDone()
        await seller.say(ship, order)

        assert isinstance(seller.adapter.confirm(ship, await seller.order(order.key)), Undecided)

    # -- the text of events

    @pytest.mark.parametrize(
        ("events", "pieces"),
        [
            ([], Pieces()),
            ([("Shipped", 2)], Pieces(shipped=2)),
            ([("Shipped", 1), ("Shipped", 2)], Pieces(shipped=3)),
            ([("Cancelled", 1), ("Shipped", 2)], Pieces(shipped=2, cancelled=1)),
            ([("Shipped", 2), ("Cancelled", 1)], Pieces(shipped=2, cancelled=1)),
            ([("Cancelled", 3)], Pieces(cancelled=3)),
            ([("Returned", 1), ("Shipped", 3)], Pieces(shipped=3, returned=1)),
            ([("Returned", 3), ("Shipped", 3)], Pieces(returned=3)),
            ([("Packed, by hand", 2), ("Shipped", 1)], Pieces(shipped=1)),
        ],
    )
    def test_the_text_of_events_is_read_as_oscar_writes_it(self, events: list[tuple[str, int]], pieces: Pieces) -> None:
        line = ShopLine(1, "100", 3, events)

        assert pieces_of(line.shipping_status, 3, OscarOptions(base_url="https://shop.example")) == pieces

    async def test_what_came_back_had_left(self, seller: Seller) -> None:
        number = self.simulated(seller).place((self.key(0), 3))
        self.simulated(seller).orders[int(number)].lines[0].events = [("Returned", 3), ("Shipped", 3)]

        (line,) = (await seller.order(number)).lines

        assert (line.ordered, line.shipped, line.returned) == (3, 3, 3)


# -- cursors, and orders of another form


def test_no_walk_begins_in_times_to_come() -> None:
    walk, more = Walk(1_000, began=5_000).went_on([9_000], "")

    assert (walk, more) == (Walk(5_000), False)


def test_a_list_that_is_not_sorted_is_walked_to_its_end() -> None:
    walk, more = Walk(500_000, began=900_000).went_on([100_000, 800_000, 100_000], "page=2")

    assert (walk.next, more) == ("page=2", True)


@pytest.mark.parametrize(
    "changes",
    [{"number": None}, {"url": "https://shop.example/x/"}, {"date_placed": "2026-11-29T20:00:00"}, {"status": 7}],
)
def test_no_error_quotes_an_order(changes: dict[str, Any]) -> None:
    url = "https://shop.example/api/admin/orders/5/"
    row = {"url": url, "number": "7", "status": "Pending", "date_placed": "2026-11-29T20:00:00Z", "email": "Hidden"}
    adapter = Oscar(OscarOptions(base_url="https://shop.example"), {"username": USERNAME, "password": PASSWORD})
    reading = adapter.fetch_order("5", 1.0)
    next(reading)

    with pytest.raises(UnreadableOrderError) as caught:
        reading.send(Answer(200, {}, msgspec.json.encode({**row, **changes})))

    assert "Hidden" not in f"{caught.value!r} {caught.value.__cause__!r}"
