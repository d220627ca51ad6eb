"""Orders of a real Oscar: what was bought, sent and cancelled there is read, and what is reported arrives."""

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
)
from adapters.oscar import ADAPTER
from server.channels.connection.http_transport import Transport, converse
from tests.channels.oscar.shop import BUYER, Shop
from tests.channels.oscar.shop import Order as Bought
from tests.channels.oscar_server import OSCAR_TIMEOUT_S, SKUS, OscarServer

pytest_plugins = ("tests.channels.oscar.fixtures",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(OSCAR_TIMEOUT_S)]

ON_HAND: Final = 20
FIRST: Final = 30
"""The SKUs before are those of other tests."""
BY_EVENTS: Final = {"ship_event": "shipped", "cancel_event": "cancelled"}


class Reader:
    """The order side of an adapter, as the engine would ask it. ``lost``: the answer to this request gets lost."""

    def __init__(self, shop: Shop, transport: Transport, password: str, **options: Any) -> None:
        typed = msgspec.convert({"base_url": shop.url, **options}, ADAPTER.options)
        self._adapter = ADAPTER.build(typed, {"username": shop.keeper, "password": password or shop.password})
        self._transport = transport
        self.lost = ""

    async def send(self, request: Request) -> Answer:
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
        """Read a whole walk, and each order that it hints at; returns them and where the next walk begins."""
        found: dict[str, Order] = {}
        while True:
            page = await self.pull(cursor)
            assert page.unreadable == ()
            for key in page.hints:
                order = await self.find(key)
                assert order is not None
                found[key] = order
            cursor = page.cursor
            if not page.more:
                return found, cursor

    async def find(self, key: str) -> Order | None:
        return await converse(self._adapter.fetch_order(key, time.time()), self.send)

    async def fetch(self, order: Bought) -> Order:
        found = await self.find(order.key)
        assert found is not None
        return found

    async def say(self, command: Command, order: Order) -> CommandOutcome:
        return await converse(self._adapter.command(command, order, time.time()), self.send)

    def confirm(self, command: Command, order: Order) -> Confirmation:
        return self._adapter.confirm(command, order)


class Meeting:
    """The real shop, and adapters for it; each test buys a SKU of its own."""

    def __init__(self, server: OscarServer, transport: Transport) -> None:
        self.shop: Shop = server.shop
        self._transport = transport

    def reader(self, password: str = "", **options: Any) -> Reader:
        return Reader(self.shop, self._transport, password, **options)

    async def buy(self, number: int, units: int) -> Bought:
        """Buy a SKU that no other test uses."""
        sku = SKUS[FIRST + number]
        await asyncio.to_thread(self.shop.change, sku, num_in_stock=ON_HAND)
        return await asyncio.to_thread(self.shop.order, sku, units)


@pytest.fixture
async def meeting(oscar: OscarServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(oscar, transport)
    await transport.close()


def now_ms() -> int:
    return round(time.time() * 1000)


def figures(order: Order) -> tuple[int, int, int, int]:
    """Return what was ordered, cancelled, shipped and returned of the only line."""
    (line,) = order.lines
    return (line.ordered, line.cancelled, line.shipped, line.returned)


def of_all(kind: type[Ship | Refuse], order: Order, pieces: int) -> Any:
    return kind(order=order.key, lines=((order.lines[0].key, pieces),))


# -- reading


async def test_an_order_that_was_placed_is_found_and_read_whole(meeting: Meeting) -> None:
    reader, one, other = meeting.reader(key_is="sku"), SKUS[FIRST], SKUS[FIRST + 1]
    cursor = reader.first_cursor(now_ms() - 1_000)
    for sku in (one, other):
        await asyncio.to_thread(meeting.shop.change, sku, num_in_stock=ON_HAND)

    bought = await asyncio.to_thread(meeting.shop.order_of, {one: 3, other: 1})
    found, _ = await reader.walk(cursor)

    order = found[bought.key]
    assert (order.complete, order.state, order.status) == (True, "open", f"#{bought.number} Pending")
    assert {line.key: (line.listing, line.sku_hint, line.barcode, line.ordered) for line in order.lines} == {
        bought.lines[one]: (one, one, f"U-{one}", 3),
        bought.lines[other]: (other, other, f"U-{other}", 1),
    }
    assert {(line.unit_price, line.discount, line.vat_rate) for line in order.lines} == {("10.5", "", "0")}
    assert (order.currency, order.total, order.unit_prices_have_vat) == ("GBP", "42.00", True)
    assert abs(order.placed_ms - now_ms()) < 60_000
    assert order.buyer is not None
    assert (order.buyer.name, order.buyer.email) == ("Ada Buyer", BUYER)
    assert order.buyer.shipping == Address(
        name="Ada Buyer", lines=("Street 1",), city="London", postal_code="N1 9RT", country="GB", phone="+442083661177"
    )


async def test_the_key_of_a_line_is_the_number_of_its_record(meeting: Meeting) -> None:
    order = await meeting.reader().fetch(await meeting.buy(2, 1))

    assert [line.listing for line in order.lines] == [meeting.shop.record(SKUS[FIRST + 2])]


async def test_each_page_goes_on_where_the_last_one_ended_and_each_walk_where_the_last_one_did(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.oscar.orders.PAGE", 2)
    monkeypatch.setattr("adapters.oscar.order_rows.LATE_MS", 0)
    reader, start_ms = meeting.reader(), now_ms() - 1_000
    placed = {(await meeting.buy(3, 1)).key for _ in range(5)}

    first, cursor = await reader.walk(reader.first_cursor(start_ms))
    late = await meeting.buy(3, 1)
    second, _ = await reader.walk(cursor)

    assert placed <= first.keys()
    assert late.key in second
    assert len(second) <= 2


async def test_what_is_not_there_is_none_and_a_cursor_of_another_form_is_refused(meeting: Meeting) -> None:
    assert await meeting.reader().find("999999") is None
    assert await meeting.reader().find("../1") is None
    with pytest.raises(CursorRefusedError):
        await meeting.reader().pull("2026-11-29")


# -- what happens in the shop


async def test_pieces_that_are_sent_cancelled_and_come_back_in_the_dashboard_are_read(meeting: Meeting) -> None:
    reader, bought = meeting.reader(), await meeting.buy(4, 5)
    read = [figures(await reader.fetch(bought))]

    for code, pieces in (("shipped", 2), ("cancelled", 1), ("shipped", 2), ("returned", 1)):
        await asyncio.to_thread(meeting.shop.event, bought, code, pieces)
        read.append(figures(await reader.fetch(bought)))

    assert read == [(5, 0, 0, 0), (5, 0, 2, 0), (5, 1, 2, 0), (5, 1, 4, 0), (5, 1, 4, 1)]


@pytest.mark.parametrize(
    ("number", "status", "state", "wanted"),
    [
        (5, "Cancelled", "cancelled", (3, 3, 0, 0)),
        (6, "Complete", "closed", (3, 0, 3, 0)),
        (7, "Being processed", "open", (3, 0, 0, 0)),
    ],
)
async def test_a_status_speaks_of_all_pieces(
    number: int, status: str, state: str, wanted: tuple[int, ...], meeting: Meeting
) -> None:
    bought = await meeting.buy(number, 3)

    await asyncio.to_thread(meeting.shop.move, bought, status)
    order = await meeting.reader().fetch(bought)

    assert (order.state, figures(order)) == (state, wanted)


# -- what is said


async def test_what_is_reported_as_shipped_is_a_shipping_event_and_the_last_one_completes_the_order(
    meeting: Meeting,
) -> None:
    reader, bought = meeting.reader(**BY_EVENTS), await meeting.buy(8, 3)
    before = await reader.fetch(bought)
    part = Ship(order=bought.key, lines=((bought.line, 1),), carrier="sled", tracking="JD014")

    assert await reader.say(part, before) == Done()
    after = await reader.fetch(bought)
    assert (figures(after), meeting.shop.parcels(bought.key)) == ((3, 0, 1, 0), [("shipped", "sled JD014")])
    assert meeting.shop.status(bought.key) == "Pending"
    assert reader.confirm(part, before) == NotDone()

    assert await reader.say(of_all(Ship, after, 2), after) == Done()
    assert (figures(await reader.fetch(bought)), meeting.shop.status(bought.key)) == ((3, 0, 3, 0), "Complete")
    assert isinstance(await reader.say(of_all(Ship, after, 2), after), Superseded)


async def test_pieces_are_refused_by_an_event_and_a_whole_order_by_its_status(meeting: Meeting) -> None:
    reader = meeting.reader(**BY_EVENTS)
    part, whole = await meeting.buy(9, 3), await meeting.buy(9, 3)

    for bought, pieces in ((part, 1), (whole, 3)):
        order = await reader.fetch(bought)
        assert await reader.say(of_all(Refuse, order, pieces), order) == Done()

    assert [figures(await reader.fetch(each)) for each in (part, whole)] == [(3, 1, 0, 0), (3, 3, 0, 0)]
    assert [meeting.shop.status(each.key) for each in (part, whole)] == ["Pending", "Cancelled"]


async def test_without_events_whole_orders_are_shipped_and_refused(meeting: Meeting) -> None:
    reader = meeting.reader()
    shipped, refused = await meeting.buy(10, 3), await meeting.buy(10, 3)
    orders = [await reader.fetch(each) for each in (shipped, refused)]

    part = await reader.say(of_all(Ship, orders[0], 1), orders[0])
    assert isinstance(part, Refused)
    assert part.code == "whole_order_only"
    assert await reader.say(of_all(Ship, orders[0], 3), orders[0]) == Done()
    assert await reader.say(of_all(Refuse, orders[1], 3), orders[1]) == Done()

    assert [meeting.shop.status(each.key) for each in (shipped, refused)] == ["Complete", "Cancelled"]


async def test_what_the_dashboard_leaves_undone_without_a_word_is_found_out(meeting: Meeting) -> None:
    bought = await meeting.buy(11, 3)
    wrong = meeting.reader(ship_event="sent", cancel_status="Withdrawn")
    order = await wrong.fetch(bought)

    event, status = await wrong.say(of_all(Ship, order, 1), order), await wrong.say(of_all(Refuse, order, 3), order)

    codes = [each.code for each in (event, status) if isinstance(each, Refused)]
    assert codes == ["event_not_taken", "status_not_taken"]
    assert figures(await wrong.fetch(bought)) == (3, 0, 0, 0)


@pytest.mark.parametrize("number", [12, 13])
async def test_a_shipment_whose_answer_was_lost_is_confirmed_and_never_made_twice(
    number: int, meeting: Meeting
) -> None:
    reader, bought = meeting.reader(**BY_EVENTS), await meeting.buy(number, 2)
    order = await reader.fetch(bought)
    ship = of_all(Ship, order, 2)
    reader.lost = "/dashboard/" if number == 12 else "/login/"

    with pytest.raises(UnknownResultError):
        await reader.say(ship, order)
    order = await reader.fetch(bought)
    confirmed = reader.confirm(ship, order)
    if confirmed == NotDone():
        assert await reader.say(ship, order) == Done()

    assert isinstance(confirmed, Done if number == 12 else NotDone)
    assert [name for name, _ in meeting.shop.parcels(bought.key)] == ["shipped"]


async def test_a_wrong_password_is_reported(meeting: Meeting) -> None:
    reader = meeting.reader("another")
    with pytest.raises(CredentialsError):
        await reader.pull(reader.first_cursor(0))
