"""Orders of a real Medusa: what was bought, sent and cancelled there is read, and what is reported arrives."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import CursorRefusedError, UnknownResultError
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
    ReturnCase,
    ReturnLine,
    Ship,
    Superseded,
)
from adapters.medusa import ADAPTER
from server.channels.connection.http_transport import Transport, converse
from tests.channels.medusa.shop import Order as Bought
from tests.channels.medusa.shop import Shop
from tests.channels.medusa_server import MEDUSA_TIMEOUT_S, SKUS, MedusaServer

pytest_plugins = ("tests.channels.medusa.fixtures",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(MEDUSA_TIMEOUT_S)]

ON_HAND: Final = 20


class Reader:
    """The order side of an adapter, as the engine would ask it. ``lost``: the answer to this request gets lost."""

    def __init__(self, shop: Shop, transport: Transport, **options: Any) -> None:
        typed = msgspec.convert({"base_url": shop.url, **options}, ADAPTER.options)
        self._adapter = ADAPTER.build(typed, {"secret_key": shop.secret_key})
        self._transport = transport
        self.lost = ""

    async def send(self, request: Request) -> Answer:
        await asyncio.sleep(0.05)  # a hand in the shop holds up the loop: connections that ended meanwhile are noticed
        answer = await self._transport.send(request)
        if self.lost and request.method == "POST" and self.lost in request.url:
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
            assert page.unreadable == ()
            found |= {order.key: order for order in page.orders}
            cursor = page.cursor
            if not page.more:
                return found, cursor

    async def returns(self, cursor: str) -> dict[str, ReturnCase]:
        page = await converse(self._adapter.pull_returns(cursor, time.time()), self.send)
        return {case.key: case for case in page.returns}

    async def find(self, key: str) -> Order | None:
        return await converse(self._adapter.fetch_order(key, time.time()), self.send)

    async def fetch(self, order: Bought) -> Order:
        found = await self.find(order.id)
        assert found is not None
        return found

    async def say(self, command: Command, order: Order) -> CommandOutcome:
        return await converse(self._adapter.command(command, order, time.time()), self.send)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        return self._adapter.confirm(command, order)


class Meeting:
    """The real shop, and adapters for it; each test buys a SKU of its own."""

    def __init__(self, server: MedusaServer, transport: Transport) -> None:
        self.shop: Shop = server.shop
        self._transport = transport

    def reader(self, **options: Any) -> Reader:
        return Reader(self.shop, self._transport, **options)

    def sku(self, number: int) -> str:
        """Take a SKU that no other test uses, with something in stock."""
        self.shop.set_stocked(SKUS[number], ON_HAND)
        return SKUS[number]


@pytest.fixture
async def meeting(medusa: MedusaServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(medusa, transport)
    await transport.close()


def now_ms() -> int:
    return round(time.time() * 1000)


def figures(order: Order) -> tuple[int, int, int, int]:
    """Return what was ordered, cancelled, shipped and returned of the only line."""
    (line,) = order.lines
    return (line.ordered, line.cancelled, line.shipped, line.returned)


def parcels(order: Order) -> dict[str, tuple[str, str]]:
    return {parcel.key: (parcel.state, parcel.tracking) for parcel in order.packages}


# -- reading


async def test_an_order_that_was_placed_is_pulled_whole(meeting: Meeting) -> None:
    reader, one, other = meeting.reader(), meeting.sku(0), meeting.sku(1)
    cursor = reader.first_cursor(now_ms() - 1_000)

    bought = meeting.shop.order_of({one: 3, other: 1})
    found, _ = await reader.walk(cursor)

    order = found[bought.id]
    assert (order.complete, order.state) == (True, "open")
    assert order.status.endswith(" pending not_fulfilled authorized")
    assert {line.key: (line.listing, line.sku_hint, line.ordered) for line in order.lines} == {
        bought.lines[one]: (one, one, 3),
        bought.lines[other]: (other, other, 1),
    }
    assert {(line.unit_price, line.discount, line.vat_rate) for line in order.lines} == {("10.5", "", "")}
    assert (order.currency, order.total, order.unit_prices_have_vat) == ("EUR", "42", False)
    assert abs(order.placed_ms - now_ms()) < 60_000
    assert order.buyer is not None
    assert (order.buyer.name, order.buyer.email) == ("Ada Buyer", "a@example.com")
    assert order.buyer.shipping == Address(
        name="Ada Buyer", lines=("Street 1",), city="Utrecht", postal_code="3511", country="NL", phone="+31 1"
    )
    assert order == await reader.fetch(bought)


async def test_the_key_of_a_line_is_that_of_the_listing(meeting: Meeting) -> None:
    sku = meeting.sku(2)
    bought = meeting.shop.order(sku, 1)

    order = await meeting.reader(key_is="id").fetch(bought)

    assert [line.listing for line in order.lines] == [meeting.shop.item(sku)]


async def test_each_page_goes_on_where_the_last_one_ended_and_each_walk_where_the_last_one_did(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.medusa.orders.PAGE", 2)
    reader, sku = meeting.reader(), meeting.sku(3)
    start_ms = now_ms() - 1_000
    placed = {meeting.shop.order(sku, 1).id for _ in range(3)}

    first, cursor = await reader.walk(reader.first_cursor(start_ms))
    late = meeting.shop.order(sku, 1)
    second, _ = await reader.walk(cursor)

    assert placed <= first.keys()
    assert late.id in second


async def test_what_is_not_there_is_none_and_a_cursor_of_another_form_is_refused(meeting: Meeting) -> None:
    assert await meeting.reader().find("order_none") is None
    with pytest.raises(CursorRefusedError):
        await meeting.reader().pull("2026-11-29")


async def test_an_unpaid_order_is_held_where_that_is_configured(meeting: Meeting) -> None:
    sku = meeting.sku(4)
    bought = meeting.shop.order(sku, 1)
    meeting.shop.edit(bought, 2)  # what is owed by that makes Medusa call the whole order not paid

    sold, held = await meeting.reader().fetch(bought), await meeting.reader(hold_unpaid_s=600).fetch(bought)

    assert (sold.state, sold.pay_by_ms) == ("open", 0)
    assert (held.state, held.pay_by_ms) == ("unpaid", held.placed_ms + 600_000)


# -- what happens in the shop


async def test_the_shop_s_own_time_moves_with_each_step_so_each_is_pulled(meeting: Meeting) -> None:
    reader, bought = meeting.reader(), meeting.shop.order(meeting.sku(5), 3)

    async def seen_after(step: Any) -> Order:
        before_ms = (await reader.fetch(bought)).changed_ms
        step()
        found, _ = await reader.walk(reader.first_cursor(before_ms + 1))
        return found[bought.id]

    made: list[str] = []
    packed = await seen_after(lambda: made.append(meeting.shop.fulfil(bought, 2)))
    gone = await seen_after(lambda: meeting.shop.ship(bought, made[0], 2, "TRACK-1"))
    arrived = await seen_after(lambda: meeting.shop.deliver(bought, made[0]))
    cases: list[str] = []
    await seen_after(lambda: cases.append(meeting.shop.ask_back(bought, 1)))
    asked = await reader.returns(reader.first_cursor(now_ms() - 60_000))
    back = await seen_after(lambda: meeting.shop.take_back(bought, cases[0], 1))
    received = await reader.returns(reader.first_cursor(now_ms() - 60_000))

    assert (figures(packed), parcels(packed)) == ((3, 0, 0, 0), {made[0]: ("living", "")})
    assert (figures(gone), parcels(gone)) == ((3, 0, 2, 0), {made[0]: ("shipped", "TRACK-1")})
    assert (arrived.state, parcels(arrived)) == ("open", {made[0]: ("delivered", "TRACK-1")})
    assert figures(back) == (3, 0, 2, 1)
    case = asked[cases[0]]
    assert (case.order_key, case.state) == (bought.id, "under_way")
    assert case.lines == (ReturnLine(line=bought.line_id, quantity=1),)
    assert received[cases[0]].state == "arrived"


async def test_pieces_can_count_as_shipped_once_the_parcel_is_made(meeting: Meeting) -> None:
    bought = meeting.shop.order(meeting.sku(6), 3)
    meeting.shop.fulfil(bought, 2)

    assert figures(await meeting.reader(shipped_is="fulfilled").fetch(bought)) == (3, 0, 2, 0)


async def test_a_cancel_is_pulled_and_a_parcel_that_is_undone_gives_its_pieces_back(meeting: Meeting) -> None:
    reader, sku = meeting.reader(), meeting.sku(7)
    cancelled, undone = meeting.shop.order(sku, 2), meeting.shop.order(sku, 1)
    cursor = reader.first_cursor(max([(await reader.fetch(each)).changed_ms for each in (cancelled, undone)]) + 1)

    meeting.shop.cancel(cancelled)
    parcel = meeting.shop.fulfil(undone, 1)
    meeting.shop.undo(undone, parcel)
    found, _ = await reader.walk(cursor)

    assert (found[cancelled.id].state, figures(found[cancelled.id])) == ("cancelled", (2, 2, 0, 0))
    assert (figures(found[undone.id]), parcels(found[undone.id])) == ((1, 0, 0, 0), {parcel: ("dissolved", "")})


async def test_an_edit_is_pulled_with_what_is_ordered_now(meeting: Meeting) -> None:
    reader, sku, added = meeting.reader(), meeting.sku(8), meeting.sku(9)
    bought = meeting.shop.order(sku, 2)
    cursor = reader.first_cursor((await reader.fetch(bought)).changed_ms + 1)

    meeting.shop.edit(bought, 5, {added: 2})
    raised, _ = await reader.walk(cursor)
    meeting.shop.edit(bought, 1)
    lowered, _ = await reader.walk(cursor)
    meeting.shop.edit(bought, 0)
    gone, _ = await reader.walk(cursor)

    def ordered(found: dict[str, Order]) -> dict[str, int]:
        return {line.listing: line.ordered - line.cancelled for line in found[bought.id].lines}

    assert ordered(raised) == {sku: 5, added: 2}
    assert ordered(lowered) == {sku: 1, added: 2}
    assert ordered(gone) == {added: 2}


# -- what is said


async def test_what_is_reported_as_shipped_is_a_parcel_that_has_left(meeting: Meeting) -> None:
    reader, sku = meeting.reader(), meeting.sku(10)
    bought = meeting.shop.order(sku, 3)
    ship = Ship(order=bought.id, lines=((bought.line_id, 2),), tracking="JD014", url="https://example.com/JD014")
    before = await reader.fetch(bought)

    outcome = await reader.say(ship, before)

    after = await reader.fetch(bought)
    assert isinstance(outcome, Done)
    assert (figures(after), parcels(after)) == ((3, 0, 2, 0), {outcome.remote_id: ("shipped", "JD014")})
    assert after.packages[0].url == "https://example.com/JD014"
    assert (reader.confirm(ship, before), reader.confirm(ship, after)) == (NotDone(), outcome)
    assert meeting.shop.level(sku).saleable == ON_HAND - 3


async def test_a_whole_order_is_refused_and_a_part_of_it_is_not(meeting: Meeting) -> None:
    reader, sku = meeting.reader(), meeting.sku(11)
    bought = meeting.shop.order(sku, 3)
    part, whole = (Refuse(order=bought.id, lines=((bought.line_id, pieces),)) for pieces in (1, 3))
    before = await reader.fetch(bought)

    refused, outcome = await reader.say(part, before), await reader.say(whole, before)

    after = await reader.fetch(bought)
    assert isinstance(refused, Refused)
    assert (refused.code, outcome) == ("whole_order_only", Done(remote_id=bought.id))
    assert (after.state, figures(after)) == ("cancelled", (3, 3, 0, 0))
    assert (reader.confirm(whole, before), reader.confirm(whole, after)) == (NotDone(), Done())
    assert meeting.shop.level(sku).reserved == 0
    assert isinstance(await reader.say(whole, after), Superseded)


@pytest.mark.parametrize("lost", ["fields=", "/shipments"])
async def test_a_shipment_whose_answer_was_lost_is_confirmed_and_never_made_twice(lost: str, meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.sku(12 if lost == "fields=" else 13), 4)
    ship = Ship(order=bought.id, lines=((bought.line_id, 2),), tracking=f"LOST-{lost}")
    reader.lost = lost

    with pytest.raises(UnknownResultError):
        await reader.say(ship, await reader.fetch(bought))
    order = await reader.fetch(bought)
    confirmed = reader.confirm(ship, order)
    if confirmed == NotDone():
        assert isinstance(await reader.say(ship, order), Done)

    after = await reader.fetch(bought)
    assert isinstance(confirmed, NotDone if lost == "fields=" else Done)
    assert (figures(after), [each.state for each in after.packages]) == ((4, 0, 2, 0), ["shipped"])


async def test_what_was_sent_at_the_desk_meanwhile_is_not_sent_again(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.sku(14), 2)
    order = await reader.fetch(bought)
    meeting.shop.ship(bought, meeting.shop.fulfil(bought, 2), 2)

    outcome = await reader.say(Ship(order=bought.id, lines=((bought.line_id, 1),), tracking="OURS"), order)

    assert isinstance(outcome, Superseded)
    assert figures(await reader.fetch(bought)) == (2, 0, 2, 0)


async def test_a_parcel_that_stands_ready_is_the_one_that_is_shipped(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.sku(15), 2)
    parcel = meeting.shop.fulfil(bought, 2)

    outcome = await reader.say(
        Ship(order=bought.id, lines=((bought.line_id, 2),), tracking="X"), await reader.fetch(bought)
    )

    assert outcome == Done(remote_id=parcel)
    assert parcels(await reader.fetch(bought)) == {parcel: ("shipped", "X")}


async def test_what_the_shop_does_not_take_is_told_in_its_words(meeting: Meeting) -> None:
    reader = meeting.reader()
    bought = meeting.shop.order(meeting.sku(16), 2)
    order = await reader.fetch(bought)
    meeting.shop.fulfil(bought, 1)

    no_parcel = await reader.say(Ship(order=bought.id, lines=((bought.line_id, 1),), package="ful_none"), order)
    packed = await reader.say(Refuse(order=bought.id, lines=((bought.line_id, 2),)), order)

    assert isinstance(no_parcel, Superseded)
    assert isinstance(packed, Refused)
    assert (packed.code, "fulfillments must be canceled" in packed.reason) == ("not_allowed", True)
    assert figures(await reader.fetch(bought)) == (2, 0, 0, 0)
