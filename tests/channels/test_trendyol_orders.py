"""Trendyol's orders: what every kind does, and what is particular to packages that are split and partly cancelled."""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
import pytest

from adapters.contract.errors import CursorRefusedError, ThrottledError, UnknownResultError
from adapters.contract.orders import (
    Acknowledge,
    Delivery,
    Done,
    ForgedError,
    Invoice,
    Label,
    NotDone,
    Refuse,
    Refused,
    ReturnCase,
    ReturnLine,
    SettleReturn,
    Ship,
    Superseded,
    Undecided,
)
from adapters.testing.orders_conformance import OrdersConformance
from adapters.testing.seller import START_MS, Seller
from adapters.trendyol import ADAPTER, Options
from adapters.trendyol.orders import PAGE
from server.channels.connection.http_transport import converse
from tests.channels.trendyol_order_side import PASSWORD, USER
from tests.channels.trendyol_simulator import TrendyolSimulator

MINUTES_10 = 600.0


class TestTrendyolOrders(OrdersConformance[TrendyolSimulator]):
    kind = ADAPTER
    credentials: ClassVar[Mapping[str, str]] = {"api_key": "made-up-api-key", "api_secret": "made-up-api-secret"}
    heard_with: ClassVar[Mapping[str, str]] = {"notification_user": USER, "notification_password": PASSWORD}
    page_size = PAGE
    orders_path = "/orders/stream"
    command_path = "/shipment-packages/"
    cancels_are_sure = False

    def make_simulator(self) -> TrendyolSimulator:
        return TrendyolSimulator(stream_every_s=0.0, endpoint_requests_max=100_000, endpoint_window_s=1.0)

    def options_for(self, simulator: TrendyolSimulator) -> dict[str, Any]:
        return {"seller_id": simulator.seller_id, "base_url": simulator.url}

    def options_of_seller(self, simulator: TrendyolSimulator) -> dict[str, Any]:
        return {**self.options_for(simulator), "carrier": "own", "claim_issue_reason_id": 1651}

    def command(self, name: Any, order: Any) -> Any:
        return None if name == "invoice" else super().command(name, order)

    def with_options(self, seller: Seller, **options: Any) -> Seller:
        given = {**self.options_of_seller(self.simulated(seller)), **options}
        adapter = ADAPTER.build(msgspec.convert(given, Options), {**self.credentials, **self.heard_with})
        return Seller(adapter, seller.send, seller.simulator)

    def simulated(self, seller: Seller) -> TrendyolSimulator:
        assert isinstance(seller.simulator, TrendyolSimulator)
        return seller.simulator

    # -- packages that end

    @pytest.mark.parametrize("after_s", [0, 30, 600])
    async def test_a_partial_cancel_that_looks_whole_releases_nothing_for_certain(
        self, after_s: int, seller: Seller
    ) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1), ("key-1", 3))
        one, other = simulator.truth[number]
        simulator.successor_after_ms = after_s * 1000
        simulator.cancel(number, other, 1)

        early = await seller.order(number)
        simulator.later(after_s + 60)
        late = await seller.order(number)

        assert not early.gone_is_certain
        assert early.state == "open"
        assert {line.key: line.cancelled for line in late.lines} == {one: 0, other: 1}

    async def test_a_successor_that_never_comes_leaves_the_second_look_to_decide(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1), ("key-1", 3))
        _, other = simulator.truth[number]
        simulator.successor_after_ms = 10**12
        simulator.cancel(number, other, 1)

        order = await seller.order(number)

        assert {line.key: line.cancelled for line in order.lines} == dict.fromkeys(simulator.truth[number], 1) | {
            other: 3
        }
        assert not order.gone_is_certain

    async def test_a_cancel_of_single_pieces_that_the_lines_tell_is_certain_at_once(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1), ("key-1", 1))
        one, other = simulator.truth[number]
        simulator.cancel(number, other, 1)

        order = await seller.order(number)

        assert {line.key: (line.cancelled, line.cancelled_by) for line in order.lines} == {
            one: (0, "unknown"),
            other: (1, "buyer"),
        }
        assert order.gone_is_certain

    async def test_what_waits_behind_an_unpacked_package_is_never_gone(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1), ("key-1", 3))
        simulator.successor_after_ms = 10**12
        simulator.split(number)

        order = await seller.order(number)

        assert [line.cancelled for line in order.lines] == [0, 0]
        assert order.gone_is_certain
        assert order.state == "open"
        assert order.status == "UnPacked; 4 pieces are in no package yet"

    async def test_a_package_that_was_split_twice_names_the_first_one(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 4))
        simulator.split(number)
        simulator.split(number)
        first = min(simulator.parcels)

        order = await seller.order(number)

        assert {origin for package in order.packages for origin in package.origin_keys} == {str(first)}
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(4, 0)]
        assert [package.state for package in order.packages].count("living") == 3
        simulator.send_off(number)
        seller.merge(await seller.order(number))
        self.check(seller, number)

    async def test_lines_that_have_other_ids_after_a_split_are_the_same_by_their_units(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        simulator.split(number)
        for parcel in list(simulator.parcels.values())[1:]:
            parcel.pieces[0].line += 1000

        order = await seller.order(number)

        assert [(line.key, line.ordered, line.cancelled) for line in order.lines] == [
            (next(iter(simulator.truth[number])), 2, 0)
        ]

    async def test_an_order_whose_first_package_is_not_told_is_no_more_than_a_part(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 3))
        simulator.cancel(number, next(iter(simulator.truth[number])), 1)
        del simulator.parcels[min(simulator.parcels)]

        order = await seller.order(number)

        assert not order.complete
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(2, 0)]

    async def test_nothing_is_gone_of_an_order_of_which_a_first_package_is_not_told(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 1))
        [first] = simulator.parcels.values()
        other = simulator.place(("key-1", 2))
        simulator.split(other)
        simulator.cancel_in(first, {str(first.pieces[0].line): 1}, "Customer")
        for parcel in list(simulator.parcels.values())[2:]:
            parcel.order = number

        order = await seller.order(number)

        assert not order.complete
        assert {line.cancelled for line in order.lines} == {0}

    async def test_an_order_of_another_seller_before_is_one_of_ours(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        [parcel] = simulator.parcels.values()
        parcel.created_by, parcel.origins = "transfer", [1]

        order = await seller.order(number)

        assert order.complete
        assert [(line.ordered, line.cancelled) for line in order.lines] == [(2, 0)]
        assert (await seller.page(seller.cursor)).hints == ()

    async def test_an_unknown_status_counts_as_sold(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        next(iter(simulator.parcels.values())).status = "GiftWrapping"

        order = await seller.order(number)

        assert (order.state, order.status) == ("open", "GiftWrapping")
        assert [(line.ordered, line.cancelled, line.shipped) for line in order.lines] == [(2, 0, 0)]

    async def test_what_could_not_be_delivered_is_back(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        simulator.send_off(number)
        simulator.send_back(number)

        order = await seller.order(number)

        assert [(line.shipped, line.returned) for line in order.lines] == [(2, 2)]
        assert order.state == "closed"

    async def test_amounts_and_times_are_as_they_are_written(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 2))

        order = await seller.order(number)

        assert abs(order.placed_ms - START_MS) < 60_000, "not three hours later"
        [line] = order.lines
        assert (line.unit_price, line.discount, line.vat_rate, line.units) == ("498.9", "1.1", "20", line.units)
        assert len(line.units) == 2
        assert (line.sku_hint, line.barcode, order.currency, order.total) == ("sku of key-0", "key-0", "TRY", "498.9")

    # -- the stream

    @pytest.mark.parametrize("shift_h", [-3, 0, 3])
    async def test_nothing_is_missed_in_whatever_zone_the_filter_is(self, shift_h: int, seller: Seller) -> None:
        simulator = self.simulated(seller)
        simulator.filter_shift_ms = shift_h * 3_600_000
        for _ in range(20):
            number = simulator.place(("key-0", 1))
            assert number in await seller.walk()
            simulator.later(1_000)

    async def test_a_walk_stops_where_it_comes_to_what_is_known(self, seller: Seller) -> None:
        for _ in range(3 * PAGE):
            seller.simulator.later(9)
            seller.simulator.place(("key-0", 1))
        await seller.walk()
        seller.simulator.later(MINUTES_10)
        new = seller.simulator.place(("key-0", 1))
        seller.simulator.received.clear()

        assert new in await seller.walk()
        assert len(seller.simulator.received) == 1

    async def test_once_an_hour_a_walk_goes_to_its_end(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        late = simulator.place(("key-0", 1))
        parcel = next(iter(simulator.parcels.values()))
        parcel.visible_ms = simulator.now_ms() + 1_000_000
        for _ in range(2 * PAGE):
            simulator.later(4)
            simulator.place(("key-0", 1))
        await seller.walk()

        simulator.later(3_700)

        assert late in await seller.walk()

    async def test_a_long_stop_is_made_up_for_in_parts_that_the_filter_allows(self, seller: Seller) -> None:
        numbers = set()
        for _ in range(8):
            numbers.add(seller.simulator.place(("key-0", 1)))
            seller.simulator.later(5 * 86_400)

        assert await seller.walk() == numbers

    async def test_a_cursor_that_the_channel_refuses_begins_the_walk_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        for _ in range(PAGE + 1):
            simulator.place(("key-0", 1))
        pulled = await seller.page(seller.cursor)
        simulator.cursors_refused = 1

        with pytest.raises(CursorRefusedError):
            await seller.page(pulled.cursor)

    async def test_the_stream_is_not_read_too_often(self, seller: Seller) -> None:
        self.simulated(seller).stream_every_s = 5.0
        await seller.page(seller.cursor)

        with pytest.raises(ThrottledError):
            await seller.page(seller.cursor)

        intake = seller.adapter.capabilities.intake
        assert intake is not None
        assert intake.pull_floor_s == 5.0

    # -- hearing

    async def test_a_notification_of_an_end_is_a_hint(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        simulator.split(number)

        assert set(seller.hear(number)) == {number}
        assert seller.told == {}

    async def test_either_secret_that_was_agreed_on_must_be_right(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        [delivery] = simulator.deliveries(number)
        both = {**self.credentials, **self.heard_with, "notification_api_key": "made-up"}
        adapter = self.build(simulator, both)

        def heard(**headers: str) -> None:
            given = {**delivery.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
            adapter.hear(msgspec.structs.replace(delivery, headers=given), seller.now_s)

        heard(x_api_key="made-up")
        with pytest.raises(ForgedError):
            heard()
        with pytest.raises(ForgedError):
            heard(x_api_key="made-up", authorization="Basic x")

    async def test_a_password_without_its_user_is_refused(self, simulator: TrendyolSimulator) -> None:
        with pytest.raises(ValueError, match="belong together"):
            self.build(simulator, {**self.credentials, "notification_password": "x"})

    async def test_the_same_notification_has_the_same_id(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 2))
        first, again = (seller.simulator.deliveries(number)[0] for _ in range(2))
        ids = {seller.adapter.hear(each, seller.now_s).id for each in (first, again)}
        assert len(ids) == 1
        assert "" not in ids
        assert isinstance(first, Delivery)

    # -- what is said

    async def test_a_refusal_goes_to_the_packages_that_have_the_pieces(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 4))
        simulator.split(number)
        order = await seller.order(number)
        [key] = simulator.truth[number]

        assert await seller.say(Refuse(order=number, lines=((key, 3),)), order) == Done()

        seller.merge(await seller.order(number))
        self.check(seller, number)
        assert simulator.truth[number][key].cancelled == 3
        assert simulator.carried_out.total() == 2

    async def test_a_failure_after_a_part_was_carried_out_leaves_the_whole_open(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 4))
        simulator.split(number)
        order = await seller.order(number)
        [key] = simulator.truth[number]
        command = Refuse(order=number, lines=((key, 3),))
        simulator.only = f"/{[each for each in order.packages if each.state == 'living'][-1].key}/"
        simulator.always = "throttled"

        with pytest.raises(UnknownResultError, match="a part was carried out"):
            await seller.say(command, order)

        simulator.always = None
        assert isinstance(seller.adapter.confirm(command, await seller.order(number)), Undecided)

    async def test_packages_that_are_others_by_now_are_read_again(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 4))
        old = await seller.order(number)
        simulator.split(number)
        lines = ((next(iter(simulator.truth[number])), 1),)

        for command in (Acknowledge(order=number), Refuse(order=number, lines=lines)):
            assert isinstance(await seller.say(command, old), Superseded)

        simulator.send_off(number)
        now = await seller.order(number)
        assert isinstance(await seller.say(Refuse(order=number, lines=lines), now), Superseded)
        assert simulator.carried_out.total() == 0

    async def test_a_reason_that_the_channel_has_not_is_not_replaced_by_another(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 1))
        order = await seller.order(number)
        lines = ((order.lines[0].key, 1),)

        outcome = await seller.say(Refuse(order=number, lines=lines, reason="address"), order)

        assert isinstance(outcome, Refused)
        assert "out_of_stock" in outcome.reason

    @pytest.mark.parametrize("carrier", ["own", "international", "link"])
    async def test_the_tracking_of_an_own_parcel_is_told(self, carrier: str, seller: Seller) -> None:
        own = self.with_options(seller, carrier=carrier)
        number = seller.simulator.place(("key-0", 1))
        order = await own.order(number)
        lines = ((order.lines[0].key, 1),)
        command = Ship(order=number, lines=lines, carrier="UPS", tracking="1Z", url="https://example.org/1Z")

        assert await own.say(command, order) == Done()

        [package] = (await own.order(number)).packages
        assert (package.url if carrier == "link" else package.tracking) in ("1Z", "https://example.org/1Z")
        assert own.adapter.confirm(command, await own.order(number)) == Done()
        no_number = Ship(order=number, lines=lines)
        assert isinstance(await own.say(no_number, order), Refused)

    async def test_a_part_of_a_package_gets_no_tracking_since_all_of_it_would(self, seller: Seller) -> None:
        own, simulator = self.with_options(seller, carrier="own"), self.simulated(seller)
        number = simulator.place(("key-0", 3), ("key-1", 1))
        order = await own.order(number)
        [one, other] = [line.key for line in order.lines]
        [package] = order.packages

        for lines in (((one, 2),), ((one, 3),), ((other, 1),)):
            for name in ("", package.key):
                outcome = await own.say(Ship(order=number, lines=lines, package=name, tracking="1Z"), order)
                assert isinstance(outcome, Refused)
                assert outcome.code == "part_of_package"
                assert package.key in outcome.reason
        too_many = Ship(order=number, lines=((one, 4),), tracking="1Z")
        assert isinstance(await own.say(too_many, order), Superseded)
        assert simulator.carried_out.total() == 0

    async def test_a_package_that_has_just_these_pieces_gets_the_tracking_of_them(self, seller: Seller) -> None:
        own, simulator = self.with_options(seller, carrier="own"), self.simulated(seller)
        number = simulator.place(("key-0", 3))
        simulator.split(number)
        order = await own.order(number)
        living = {sum(of for _, of in each.lines): each.key for each in order.packages if each.state == "living"}
        [line] = order.lines

        for pieces, tracking in ((2, "1Z2"), (1, "1Z1")):
            command = Ship(order=number, lines=((line.key, pieces),), tracking=tracking)
            assert await own.say(command, await own.order(number)) == Done()

        tracked = {each.key: each.tracking for each in (await own.order(number)).packages}
        assert (tracked[living[2]], tracked[living[1]]) == ("1Z2", "1Z1")
        together = Ship(order=number, lines=((line.key, 3),), tracking="1Z3")
        assert await own.say(together, await own.order(number)) == Done()

    async def test_the_carrier_of_the_channel_tells_itself_that_a_parcel_left(self, seller: Seller) -> None:
        intake = self.with_options(seller, carrier="trendyol").adapter.capabilities.intake
        assert intake is not None
        assert "ship" not in intake.commands

    async def test_an_invoice_is_told_once(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 1))
        order = await seller.order(number)
        invoice = Invoice(order=number, number="TY42026000000001", url="https://example.org/i", issued_ms=START_MS)

        assert seller.adapter.confirm(invoice, order) == NotDone()
        assert await seller.say(invoice, order) == Done()
        assert seller.adapter.confirm(invoice, await seller.order(number)) == Done()
        assert isinstance(await seller.say(invoice, order), Refused)
        assert seller.simulator.carried_out.total() == 1

    async def test_an_invoice_of_several_packages_names_one(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        simulator.split(number)
        order = await seller.order(number)
        invoice = Invoice(order=number, number="TY42026000000001", url="https://example.org/i", issued_ms=START_MS)

        assert isinstance(await seller.say(invoice, order), Refused)
        named = msgspec.structs.replace(invoice, package=str(max(simulator.parcels)))
        assert await seller.say(named, order) == Done()

    async def test_a_label_is_asked_for_and_read(self, seller: Seller) -> None:
        number = seller.simulator.place(("key-0", 1))

        outcome = await seller.say(Label(order=number), await seller.order(number))

        assert isinstance(outcome, Done)
        assert outcome.document == b"^XAZPL^XZ"

    # -- claims

    async def test_claims_are_pulled_with_their_units_and_deadlines(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        numbers = [simulator.place(("key-0", 2)) for _ in range(60)]
        claims = [simulator.claim(number, pieces=2) for number in numbers]
        cases: dict[str, ReturnCase] = {}
        cursor, more = seller.adapter.first_cursor(START_MS - 1), True
        while more:
            pulled = await converse(seller.adapter.pull_returns(cursor, seller.now_s), seller.send)
            cases |= {case.key: case for case in pulled.returns}
            cursor, more = pulled.cursor, pulled.more

        assert cases.keys() == {claim["id"] for claim in claims}
        case = cases[claims[0]["id"]]
        [line] = case.lines
        assert (case.state, case.order_key, line.quantity, line.reason) == ("arrived", numbers[0], 2, "DISLIKE")
        assert line.line == next(iter(simulator.truth[numbers[0]]))
        assert case.deadline_ms == case.changed_ms + 48 * 3_600_000

        simulator.later(100)
        newer = simulator.claim(numbers[0], "Created")
        pulled = await converse(seller.adapter.pull_returns(cursor, seller.now_s), seller.send)
        assert pulled.returns[0].key == newer["id"]
        assert pulled.returns[0].state == "asked"

    async def test_a_claim_that_cannot_be_read_is_named_and_hides_no_other(self, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        good, bad = simulator.claim(number), simulator.claim(number)
        bad["items"] = "none"

        pulled = await converse(
            seller.adapter.pull_returns(seller.adapter.first_cursor(START_MS - 1), seller.now_s), seller.send
        )

        assert [case.key for case in pulled.returns] == [good["id"]]
        [unreadable] = pulled.unreadable
        assert (unreadable.key, unreadable.case) == (number, bad["id"])
        assert "items" in unreadable.reason

    @pytest.mark.parametrize(("accept", "status"), [(True, "Accepted"), (False, "Unresolved")])
    async def test_a_claim_is_settled_unit_by_unit(self, accept: bool, status: str, seller: Seller) -> None:
        simulator = self.simulated(seller)
        number = simulator.place(("key-0", 2))
        claim = simulator.claim(number, pieces=2)
        units = [unit["id"] for unit in claim["items"][0]["claimItems"]]
        settle = SettleReturn(
            order=number,
            case=claim["id"],
            lines=(ReturnLine(quantity=1, units=(units[0],)),),
            accept=accept,
            reason="ü",
        )
        order = await seller.order(number)

        assert await seller.say(settle, order) == Done()

        assert [unit["claimItemStatus"]["name"] for unit in claim["items"][0]["claimItems"]] == [
            status,
            "WaitingInAction",
        ]
        assert isinstance(seller.adapter.confirm(settle, order), Undecided)
        assert isinstance(await seller.say(msgspec.structs.replace(settle, case="other"), order), Superseded)
