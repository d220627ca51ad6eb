"""Odoo's adapter against a strict simulator: what it reads, what it tells, and what it does not believe."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import (
    ChannelError,
    CredentialsError,
    CursorRefusedError,
    ThrottledError,
    UnavailableError,
    UnknownResultError,
)
from adapters.contract.http import Exchange
from adapters.contract.source import (
    WHOLE,
    SoldLine,
    SoldOrder,
    Source,
    StockPage,
    Told,
    Untold,
    source_kinds,
    whole_units,
)
from adapters.odoo import SOURCE
from server.channels.connection.http_transport import Transport, converse
from tests.channels.odoo_simulator import PARTNER, WAREHOUSE, OdooSimulator

MAIN: Final = "main"
IZMIR: Final = 2


@pytest.fixture
async def odoo() -> AsyncIterator[OdooSimulator]:
    async with OdooSimulator() as odoo:
        for number in range(1, 8):
            odoo.add(f"S{number}", 10 * number)
        yield odoo
        assert odoo.complaints == []


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    transport = Transport(allow_private=["127.0.0.1"], timeout_s=0.5)
    yield transport
    await transport.close()


class Meeting:
    """An adapter and its way to the simulator."""

    def __init__(self, odoo: OdooSimulator, transport: Transport, password: str = "", **options: Any) -> None:
        wanted = {
            "base_url": odoo.url,
            "database": odoo.database,
            "login": odoo.login,
            "locations": {MAIN: WAREHOUSE},
            "partner_id": PARTNER,
            "page_items": 3,
            **options,
        }
        made = SOURCE.build(msgspec.convert(wanted, SOURCE.options), {"password": password or odoo.password})
        assert isinstance(made, Source)
        self.source = made
        self._transport = transport

    async def run(self, exchange: Exchange[Any]) -> Any:
        return await converse(exchange, self._transport.send)

    async def walk(self, cursor: str = WHOLE) -> tuple[dict[tuple[str, str], int], str]:
        numbers: dict[tuple[str, str], int] = {}
        more = True
        while more:
            page: StockPage = await self.run(self.source.pull_stock(cursor, 0.0))
            numbers |= {(row.sku, row.location): row.quantity for row in page.rows}
            cursor, more = page.cursor, page.more
        return numbers, cursor

    async def tell(self, key: str, *lines: tuple[str, int] | tuple[str, int, str]) -> Any:
        sold = [SoldLine(line[0], line[2] if len(line) == 3 else MAIN, line[1]) for line in lines]
        return await self.run(self.source.tell(SoldOrder(key, "shop", "4711", sold), 0.0))


@pytest.fixture
def meeting(odoo: OdooSimulator, transport: Transport) -> Meeting:
    return Meeting(odoo, transport)


def test_both_kinds_of_source_are_found_and_are_no_channels() -> None:
    assert {"odoo", "tryton"} <= set(source_kinds())


@pytest.mark.parametrize(
    ("value", "units"),
    [
        (3, 3), (3.0, 3), (2.9999999, 3), (2.5, 2), (-1.5, -2), (0, 0), (True, None), ("3", None), (None, None),
        (float("nan"), None), (float("inf"), None), (1e12, None),
    ],
)  # fmt: skip
def test_parts_of_a_unit_cannot_be_sold(value: object, units: int | None) -> None:
    assert whole_units(value) == units


async def test_everything_is_read_page_by_page_and_after_it_what_has_changed(
    meeting: Meeting, odoo: OdooSimulator
) -> None:
    numbers, cursor = await meeting.walk()
    assert numbers == {(f"S{number}", MAIN): 10 * number for number in range(1, 8)}

    odoo.add("S3", 31)
    odoo.add("new", 5)
    numbers, cursor = await meeting.walk(cursor)
    assert (numbers["S3", MAIN], numbers["new", MAIN]) == (31, 5)
    numbers, _ = await meeting.walk(cursor)
    assert numbers["S3", MAIN] == 31  # what changed lately is read again, since a row is written before it is seen


async def test_each_location_has_its_own_warehouse(odoo: OdooSimulator, transport: Transport) -> None:
    odoo.add("S1", 4, IZMIR)
    both = Meeting(odoo, transport, locations={MAIN: WAREHOUSE, "izmir": IZMIR})

    numbers, _ = await both.walk()
    assert (numbers["S1", MAIN], numbers["S1", "izmir"], numbers["S2", "izmir"]) == (10, 4, 0)

    assert await both.tell("o1", ("S1", 2), ("S1", 1, "izmir"), ("S2", 1)) == Told()
    assert (odoo.sold("o1/main"), odoo.sold("o1/izmir")) == ({"S1": 2, "S2": 1}, {"S1": 1})
    assert await both.tell("o1", ("S1", 2)) == Told()
    assert (odoo.sold("o1/main"), odoo.sold("o1/izmir")) == ({"S1": 2}, {})


async def test_a_product_without_a_sku_is_left_out(meeting: Meeting, odoo: OdooSimulator) -> None:
    odoo.add("", 5)

    assert len((await meeting.walk())[0]) == 7


async def test_a_walk_that_is_cut_off_is_no_walk(meeting: Meeting, odoo: OdooSimulator) -> None:
    odoo.cut = 2

    with pytest.raises(UnavailableError, match="cut off: 2 of 7"):
        await meeting.walk()


async def test_where_too_much_has_changed_everything_is_read(meeting: Meeting, odoo: OdooSimulator) -> None:
    _, cursor = await meeting.walk()
    for number in range(1_000):
        odoo.add(f"more {number}", 1)

    with pytest.raises(CursorRefusedError):
        await meeting.walk(cursor)
    with pytest.raises(CursorRefusedError):
        await meeting.walk("not one of ours")


async def test_an_order_is_told_as_often_as_one_likes_and_is_one(meeting: Meeting, odoo: OdooSimulator) -> None:
    for lines in ([("S1", 3)], [("S1", 3)], [("S1", 2), ("S2", 1)], [("S2", 1)], [], [], [("S3", 1)]):
        assert await meeting.tell("o1", *lines) == Told()
        assert odoo.sold("o1") == dict(lines)


async def test_what_odoo_says_no_to_is_said_in_its_words(meeting: Meeting, odoo: OdooSimulator) -> None:
    assert await meeting.tell("o1", ("nothing", 1)) == Untold("main: Odoo has no product with default_code nothing")
    odoo.refuses_orders = "The customer is blocked"
    assert await meeting.tell("o1", ("S1", 1)) == Untold("main: The customer is blocked")


async def test_what_was_delivered_there_is_not_taken_back(meeting: Meeting, odoo: OdooSimulator) -> None:
    await meeting.tell("o1", ("S1", 3))
    odoo.deliver("o1")

    assert await meeting.tell("o1", ("S1", 3)) == Told()
    assert isinstance(await meeting.tell("o1", ("S1", 2)), Untold)
    assert isinstance(await meeting.tell("o1"), Untold)
    assert odoo.sold("o1") == {"S1": 3}


async def test_where_odoo_asks_somebody_before_it_cancels_that_is_no_cancel(
    meeting: Meeting, odoo: OdooSimulator
) -> None:
    await meeting.tell("o1", ("S1", 3))
    odoo.asks_before_cancelling = True

    assert await meeting.tell("o1") == Untold("main: Odoo asks somebody before it cancels; cancel the sale order there")
    assert odoo.sold("o1") == {"S1": 3}


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("throttled", ThrottledError),
        ("failing", UnavailableError),
        ("not_json", UnavailableError),
        ("unauthorized", CredentialsError),
        ("moved", UnavailableError),
        ("reset", UnknownResultError),
        ("reset_after", UnknownResultError),
        ("silent", ChannelError),
    ],
)
async def test_a_fault_is_what_it_is_and_afterwards_all_goes_on(
    meeting: Meeting, odoo: OdooSimulator, fault: Any, error: type[Exception]
) -> None:
    await meeting.walk()
    odoo.faults.append(fault)
    with pytest.raises((error, TimeoutError)):
        await meeting.tell("o1", ("S1", 3))

    assert await meeting.tell("o1", ("S1", 3)) == Told()
    assert odoo.sold("o1") == {"S1": 3}


async def test_a_wrong_password_is_one_and_no_message_shows_it(odoo: OdooSimulator, transport: Transport) -> None:
    with pytest.raises(CredentialsError) as raised:
        await Meeting(odoo, transport, password="wrong-one").walk()

    assert "wrong-one" not in str(raised.value)


def test_two_locations_with_one_warehouse_are_refused(odoo: OdooSimulator, transport: Transport) -> None:
    with pytest.raises(msgspec.ValidationError, match="would count twice"):
        Meeting(odoo, transport, locations={MAIN: 1, "izmir": 1})
