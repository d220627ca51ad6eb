"""Orders of a real Vendure: what was bought, shipped and cancelled there is read, and what is reported arrives."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import CredentialsError, CursorRefusedError, UnknownResultError
from adapters.contract.http import Answer, Request
from adapters.contract.orders import (
    Address,
    Command,
    CommandOutcome,
    Confirmation,
    Done,
    NotDone,
    Order,
    Pulled,
    Refuse,
    Refused,
    Ship,
    Superseded,
    Undecided,
)
from adapters.vendure import ADAPTER
from server.channels.connection.http_transport import Transport, converse
from tests.channels.vendure.shop import Order as Bought
from tests.channels.vendure.shop import Shop
from tests.channels.vendure_server import PASSWORD, SKUS, USERNAME, VENDURE_TIMEOUT_S, VendureServer

pytest_plugins = ("tests.channels.vendure.fixtures",)
pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)

CREDENTIALS: Final = {"username": USERNAME, "password": PASSWORD}
ON_HAND: Final = 20
FIRST_SKU: Final = 400
"""The variants before are those of other tests."""


class Reader:
    """The order side of an adapter, as the engine would ask it. ``lost``: the answer to this operation gets lost."""

    def __init__(self, server: VendureServer, transport: Transport, credentials: Any, options: dict[str, Any]) -> None:
        typed = msgspec.convert({"base_url": server.admin_url, **options}, ADAPTER.options)
        self._adapter = ADAPTER.build(typed, credentials)
        self._transport = transport
        self.lost = ""

    async def send(self, request: Request) -> Answer:
        answer = await self._transport.send(request)
        if self.lost and msgspec.json.decode(request.body)["operationName"] == self.lost:
            self.lost = ""
            raise UnknownResultError("no whole answer in time")
        return answer

    def first_cursor(self, since_ms: int) -> str:
        return self._adapter.first_cursor(since_ms)

    async def pull(self, cursor: str) -> Pulled:
        return await converse(self._adapter.pull_orders(cursor, time.time()), self.send)

    async def walk(self, cursor: str) -> tuple[dict[str, Order], str]:
        """Read a whole walk; returns the orders by their keys and where the next one begins."""
        found: dict[str, Order] = {}
        while True:
            page = await self.pull(cursor)
            found |= {order.key: order for order in page.orders}
            cursor = page.cursor
            if not page.more:
                return found, cursor

    async def fetch(self, order: Bought) -> Order:
        found = await converse(self._adapter.fetch_order(order.code, time.time()), self.send)
        assert found is not None
        return found

    async def say(self, command: Command, order: Order) -> CommandOutcome:
        return await converse(self._adapter.command(command, order, time.time()), self.send)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        return self._adapter.confirm(command, order)


class Meeting:
    """The real shop, and adapters for it; each test buys a variant of its own."""

    def __init__(self, server: VendureServer, transport: Transport) -> None:
        self.server = server
        self.shop: Shop = server.shop
        self._transport = transport

    def reader(self, credentials: Any = CREDENTIALS, **options: Any) -> Reader:
        return Reader(self.server, self._transport, credentials, options)

    def variant(self, number: int) -> str:
        """Take a variant that no other test uses, with something on hand."""
        variant_id = self.server.ids[SKUS[FIRST_SKU + number]]
        self.shop.set_on_hand(variant_id, ON_HAND)
        return variant_id


@pytest.fixture
async def meeting(vendure: VendureServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(vendure, transport)
    await transport.close()


def now_ms() -> int:
    return round(time.time() * 1000)


def figures(order: Order) -> tuple[int, int, int, int]:
    """Return what was ordered, cancelled, shipped and returned of the only line."""
    (line,) = order.lines
    return (line.ordered, line.cancelled, line.shipped, line.returned)


def shipped(order: Order) -> dict[str, tuple[str, str]]:
    return {parcel.key: (parcel.state, parcel.tracking) for parcel in order.packages}


# -- reading


async def test_an_order_that_was_placed_is_pulled_whole(meeting: Meeting) -> None:
    reader, one, other = meeting.reader(), meeting.variant(0), meeting.variant(1)
    cursor = reader.first_cursor(now_ms() - 5_000)

    bought = meeting.shop.order_of({one: 3, other: 1})
    found, _ = await reader.walk(cursor)

    order = found[bought.code]
    assert (order.complete, order.state, order.status) == (True, "open", "PaymentSettled")
    assert {line.key: (line.listing, line.sku_hint, line.ordered) for line in order.lines} == {
        bought.lines[one]: (one, SKUS[FIRST_SKU], 3),
        bought.lines[other]: (other, SKUS[FIRST_SKU + 1], 1),
    }
    assert {(line.unit_price, line.discount, line.vat_rate) for line in order.lines} == {("10.00", "", "0")}
    assert (order.currency, order.total, order.unit_prices_have_vat) == ("USD", "40.00", True)
    assert abs(order.placed_ms - now_ms()) < 60_000
    assert order.buyer is not None
    assert (order.buyer.name, order.buyer.email) == ("A B", "a@example.com")
    assert order.buyer.shipping == Address(lines=("Street 1",), country="NL")
    assert order.buyer.billing is None
    assert order == await reader.fetch(bought)


async def test_the_key_of_a_line_is_that_of_the_listing(meeting: Meeting) -> None:
    bought = meeting.shop.order(meeting.variant(2), 1)

    order = await meeting.reader(key_is="sku").fetch(bought)

    assert [line.listing for line in order.lines] == [SKUS[FIRST_SKU + 2]]


async def test_a_cart_is_no_order(meeting: Meeting) -> None:
    reader, variant = meeting.reader(), meeting.variant(3)
    before, _ = await reader.walk(reader.first_cursor(now_ms() - 5_000))

    meeting.shop.cart({variant: 2})
    after, _ = await reader.walk(reader.first_cursor(now_ms() - 5_000))

    assert after.keys() <= before.keys()


async def test_each_page_goes_on_where_the_last_one_ended_and_each_walk_where_the_last_one_did(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.vendure.orders.PAGE", 2)
    reader, variant = meeting.reader(), meeting.variant(4)
    start_ms = now_ms() - 1_000
    codes = {meeting.shop.order(variant, 1).code for _ in range(5)}

    first, cursor = await reader.walk(reader.first_cursor(start_ms))
    late = meeting.shop.order(variant, 1)
    second, again = await reader.walk(cursor)

    assert codes <= first.keys()
    assert late.code in second
    third, _ = await reader.walk(again)
    assert late.code in third  # a walk begins before the newest that was seen


async def test_a_cursor_of_another_form_is_refused(meeting: Meeting) -> None:
    with pytest.raises(CursorRefusedError):
        await meeting.reader().pull("2026-11-29")


async def test_an_order_that_is_not_there_is_none(meeting: Meeting) -> None:
    nobody = Bought("1", "NOSUCHCODE", {})
    with pytest.raises(AssertionError):
        await meeting.reader().fetch(nobody)


# -- what happens in the shop


async def test_the_shop_s_own_time_does_not_move_with_parcels_and_a_fetched_order_shows_them(meeting: Meeting) -> None:
    reader, variant = meeting.reader(), meeting.variant(5)
    bought = meeting.shop.order(variant, 3)
    await asyncio.sleep(1.1)  # the database of the tests keeps whole seconds
    later = reader.first_cursor(now_ms())

    parcel = meeting.shop.ship(bought, 2, "TRACK-1")
    made = await reader.fetch(bought)
    meeting.shop.move(parcel, "Shipped")
    gone = await reader.fetch(bought)
    unseen, _ = await reader.walk(later)

    assert (figures(made), shipped(made)) == ((3, 0, 0, 0), {parcel: ("living", "TRACK-1")})
    assert (figures(gone), shipped(gone)) == ((3, 0, 2, 0), {parcel: ("shipped", "TRACK-1")})
    assert gone.changed_ms > gone.placed_ms
    assert bought.code not in unseen
    intake = ADAPTER.build(
        msgspec.convert({"base_url": meeting.server.admin_url}, ADAPTER.options), CREDENTIALS
    ).capabilities.intake
    assert intake is not None
    assert intake.reads_open


async def test_pieces_can_count_as_shipped_once_the_parcel_is_made(meeting: Meeting) -> None:
    bought = meeting.shop.order(meeting.variant(6), 3)
    meeting.shop.ship(bought, 2)

    assert figures(await meeting.reader(shipped_is="fulfilled").fetch(bought)) == (3, 0, 2, 0)


async def test_a_delivered_order_is_closed_and_a_cancelled_parcel_gives_its_pieces_back(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought, undone = meeting.shop.order(meeting.variant(7), 1), meeting.shop.order(meeting.variant(8), 2)
    parcel, wrong = meeting.shop.ship(bought, 1), meeting.shop.ship(undone, 2)
    for state in ("Shipped", "Delivered"):
        meeting.shop.move(parcel, state)
    meeting.shop.move(wrong, "Shipped")
    meeting.shop.move(wrong, "Cancelled")

    delivered, back = await reader.fetch(bought), await reader.fetch(undone)

    assert (delivered.state, figures(delivered)) == ("closed", (1, 0, 1, 0))
    assert (back.state, figures(back), shipped(back)) == ("open", (2, 0, 0, 0), {wrong: ("dissolved", "none")})


async def test_a_cancel_is_pulled_and_one_of_pieces_that_have_left_is_a_return(meeting: Meeting) -> None:
    reader = meeting.reader()
    part, whole = meeting.shop.order(meeting.variant(9), 3), meeting.shop.order(meeting.variant(10), 2)
    cursor = reader.first_cursor(now_ms() - 1_000)

    meeting.shop.cancel(part, 1)
    meeting.shop.cancel(whole)
    found, _ = await reader.walk(cursor)
    meeting.shop.move(meeting.shop.ship(part, 2), "Shipped")
    meeting.shop.cancel(part, 1)
    returned = await reader.fetch(part)

    assert (found[part.code].state, figures(found[part.code])) == ("open", (3, 1, 0, 0))
    assert (found[whole.code].state, figures(found[whole.code])) == ("cancelled", (2, 2, 0, 0))
    assert figures(returned) == (3, 1, 2, 1)


async def test_a_quantity_that_is_raised_and_lowered_again_keeps_what_was_ordered_at_most(meeting: Meeting) -> None:
    reader, variant, added = meeting.reader(), meeting.variant(11), meeting.variant(12)
    bought = meeting.shop.order(variant, 4)

    meeting.shop.modify(bought, 2)
    lowered = await reader.fetch(bought)

    raised = meeting.shop.order(variant, 2)
    meeting.shop.modify(raised, 5, addItems=[{"productVariantId": added, "quantity": 2}])
    more = await reader.fetch(raised)
    lines = {line.listing: (line.ordered, line.cancelled) for line in more.lines}

    assert figures(lowered) == (4, 2, 0, 0)
    assert (lowered.state, lowered.status) == ("open", "Modifying")
    assert lines == {variant: (5, 0), added: (2, 0)}


# -- what is said


async def test_what_is_reported_as_shipped_is_a_parcel_that_has_left(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant(13), 3)
    ship = Ship(order=bought.code, lines=((bought.line_id, 2),), carrier="DHL", tracking="JD014")
    before = await reader.fetch(bought)

    outcome = await reader.say(ship, before)

    after = await reader.fetch(bought)
    assert isinstance(outcome, Done)
    assert (figures(after), shipped(after)) == ((3, 0, 2, 0), {outcome.remote_id: ("shipped", "JD014")})
    assert after.packages[0].carrier == "DHL"
    assert (reader.confirm(ship, before), reader.confirm(ship, after)) == (NotDone(), outcome)


async def test_pieces_that_are_refused_are_cancelled_there(meeting: Meeting) -> None:
    reader, variant = meeting.reader(), meeting.variant(14)
    bought = meeting.shop.order(variant, 3)
    refuse = Refuse(order=bought.code, lines=((bought.line_id, 3),))
    before = await reader.fetch(bought)

    outcome = await reader.say(refuse, before)

    after = await reader.fetch(bought)
    assert isinstance(outcome, Done)
    assert (after.state, figures(after)) == ("cancelled", (3, 3, 0, 0))
    assert (reader.confirm(refuse, before), reader.confirm(refuse, after)) == (NotDone(), Done())
    assert meeting.shop.level(variant).allocated == 0
    assert isinstance(await reader.say(refuse, after), Superseded)


async def test_a_cancel_that_may_be_an_older_one_is_left_to_a_person(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant(15), 3)
    refuse = Refuse(order=bought.code, lines=((bought.line_id, 1),))

    await reader.say(refuse, await reader.fetch(bought))

    assert isinstance(reader.confirm(refuse, await reader.fetch(bought)), Undecided)


@pytest.mark.parametrize("lost", ["fulfil", "ship"])
async def test_a_shipment_whose_answer_was_lost_is_confirmed_and_never_made_twice(lost: str, meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant({"fulfil": 16, "ship": 17}[lost]), 4)
    ship = Ship(order=bought.code, lines=((bought.line_id, 2),), carrier="DHL", tracking=f"LOST-{lost}")
    reader.lost = lost

    with pytest.raises(UnknownResultError):
        await reader.say(ship, await reader.fetch(bought))
    order = await reader.fetch(bought)
    confirmed = reader.confirm(ship, order)
    if confirmed == NotDone():
        assert isinstance(await reader.say(ship, order), Done)

    after = await reader.fetch(bought)
    assert isinstance(confirmed, NotDone if lost == "fulfil" else Done)
    assert (figures(after), [each.state for each in after.packages]) == ((4, 0, 2, 0), ["shipped"])


async def test_what_was_shipped_at_the_desk_meanwhile_is_not_shipped_again(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant(18), 2)
    order = await reader.fetch(bought)
    meeting.shop.move(meeting.shop.ship(bought, 2, "DESK"), "Shipped")

    outcome = await reader.say(Ship(order=bought.code, lines=((bought.line_id, 1),), tracking="OURS"), order)

    assert isinstance(outcome, Superseded)
    assert figures(await reader.fetch(bought)) == (2, 0, 2, 0)


async def test_a_parcel_that_stands_ready_is_the_one_that_is_shipped(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant(19), 2)
    parcel = meeting.shop.ship(bought, 2, "DESK")
    order = await reader.fetch(bought)

    outcome = await reader.say(Ship(order=bought.code, lines=((bought.line_id, 2),), package=parcel), order)

    assert outcome == Done(remote_id=parcel)
    assert shipped(await reader.fetch(bought)) == {parcel: ("shipped", "DESK")}


async def test_what_the_shop_does_not_take_is_told_in_its_words(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.variant(20), 1)
    order = await reader.fetch(bought)

    unknown_line = await reader.say(Ship(order=bought.code, lines=(("999999", 1),)), order)
    unknown_order = await reader.say(Ship(order="NOSUCHCODE", lines=(("1", 1),)), order)
    no_handler = await meeting.reader(fulfillment_handler="none").say(
        Ship(order=bought.code, lines=((bought.line_id, 1),)), order
    )

    assert isinstance(unknown_line, Refused)
    assert isinstance(unknown_order, Refused)
    assert isinstance(no_handler, Refused)
    assert (unknown_order.code, no_handler.code) == ("unknown_order", "INVALID_FULFILLMENT_HANDLER_ERROR")
    assert figures(await reader.fetch(bought)) == (1, 0, 0, 0)


async def test_the_permissions_of_orders_are_enough_and_without_them_it_is_told(meeting: Meeting) -> None:
    variant, password = meeting.variant(21), "another-invented-password"
    meeting.shop.administrator("orders@example.com", password, "ReadCatalog", "ReadOrder", "UpdateOrder")
    meeting.shop.administrator("stock@example.com", password, "ReadCatalog", "UpdateCatalog")
    bought = meeting.shop.order(variant, 1)
    reader = meeting.reader({"username": "orders@example.com", "password": password})

    order = await reader.fetch(bought)
    outcome = await reader.say(Ship(order=bought.code, lines=((bought.line_id, 1),)), order)

    assert isinstance(outcome, Done)
    with pytest.raises(CredentialsError, match="ReadOrder and UpdateOrder"):
        await meeting.reader({"username": "stock@example.com", "password": password}).fetch(bought)
