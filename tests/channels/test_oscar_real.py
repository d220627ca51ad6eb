"""Oscar's adapter against a real Oscar over real sockets: what was pushed is what its buyers are told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import ClosedError, CredentialsError
from adapters.contract.http import Answer, Request
from adapters.contract.stock import Applied, Conflict, Item, PriceRejected, Rejected
from adapters.oscar import ADAPTER
from adapters.testing.driving import Driven
from server.channels.connection.http_transport import Transport
from tests.channels.oscar.shop import Level, RefusedByShopError, Shop
from tests.channels.oscar_server import OSCAR_TIMEOUT_S, SKUS, UNCOUNTED, OscarServer

pytest_plugins = ("tests.channels.oscar.fixtures",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(OSCAR_TIMEOUT_S)]

UNKNOWN: Final = "no such SKU"


class Meeting:
    """The real server, and adapters for it. ``before_write`` happens once, just before a write."""

    def __init__(self, server: OscarServer, transport: Transport) -> None:
        self.shop: Shop = server.shop
        self.before_write: Callable[[], object] | None = None
        self._transport = transport

    def adapter(self, password: str = "", **options: Any) -> Driven:
        typed = msgspec.convert({"base_url": self.shop.url, **options}, ADAPTER.options)
        credentials = {"username": self.shop.keeper, "password": password or self.shop.password}
        return Driven(ADAPTER.build(typed, credentials), self.send)

    async def send(self, request: Request) -> Answer:
        if request.method == "PATCH" and self.before_write is not None:
            happens, self.before_write = self.before_write, None
            await asyncio.to_thread(happens)
        return await self._transport.send(request)


@pytest.fixture
async def meeting(oscar: OscarServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(oscar, transport)
    await transport.close()


def item(key: str, quantity: int, **fields: Any) -> Item:
    return Item(key=key, sku=f"sku of {key}", quantity=quantity, version=1, **fields)


async def test_what_was_pushed_is_what_buyers_are_told_and_what_is_read_back(meeting: Meeting) -> None:
    driven, wanted = meeting.adapter(key_is="sku"), {sku: number % 17 for number, sku in enumerate(SKUS[:20], 1)}

    outcomes = await driven.settle(*(item(key, quantity) for key, quantity in wanted.items()))
    again = await driven.settle(*(item(key, quantity + 1) for key, quantity in wanted.items()))

    assert outcomes == again == dict.fromkeys(wanted, Applied())
    assert {sku: meeting.shop.saleable(sku) for sku in SKUS[:5]} == {sku: wanted[sku] + 1 for sku in SKUS[:5]}
    assert await driven.read([*SKUS[:19], UNKNOWN]) == {sku: wanted[sku] + 1 for sku in SKUS[:19]}


async def test_a_key_can_be_the_number_of_a_stock_record(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[20])

    assert await driven.settle(item(key, 12)) == {key: Applied()}

    assert meeting.shop.saleable(SKUS[20]) == 12
    assert await driven.read([key, "999999"]) == {key: 12}


async def test_zero_is_zero_and_the_largest_quantity_that_is_declared_is_taken(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[21])
    largest = driven.adapter.capabilities.quantity_max
    assert largest is not None

    for quantity in (largest, 0):
        assert await driven.settle(item(key, quantity)) == {key: Applied()}
        assert meeting.shop.saleable(SKUS[21]) == quantity


# -- what Oscar's own orders have allocated


async def test_allocated_units_are_added_so_that_buyers_can_have_what_was_pushed(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[22])
    await driven.settle(item(key, 10))
    meeting.shop.order(SKUS[22], 3)
    assert await driven.read([key]) == {key: 7}

    assert await driven.settle(item(key, 6)) == {key: Applied()}

    level = meeting.shop.level(SKUS[22])
    assert (level.num_in_stock, level.num_allocated, meeting.shop.saleable(SKUS[22])) == (9, 3, 6)
    with pytest.raises(RefusedByShopError):
        meeting.shop.order(SKUS[22], 7)


async def test_an_order_between_reading_and_writing_is_noticed_and_corrected(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[23])
    await driven.settle(item(key, 10))
    meeting.before_write = lambda: meeting.shop.order(SKUS[23], 4)

    assert await driven.settle(item(key, 8)) == {key: Conflict(4)}
    assert await driven.settle(item(key, 8)) == {key: Applied()}

    assert meeting.shop.saleable(SKUS[23]) == 8


# -- prices


async def test_a_price_is_what_buyers_pay(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[24])

    assert await driven.settle(item(key, 5, price="19.9", currency="GBP")) == {key: Applied()}
    assert await driven.settle(item(key, 4)) == {key: Applied()}

    assert (meeting.shop.price(SKUS[24]), meeting.shop.saleable(SKUS[24])) == ("19.90", 4)


@pytest.mark.parametrize(("price", "currency", "words"), [("9.1234", "GBP", "decimal places"), ("9.90", "EUR", "GBP")])
async def test_a_price_that_oscar_does_not_take_keeps_no_quantity_back(
    price: str, currency: str, words: str, meeting: Meeting
) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[25])

    outcome = (await driven.settle(item(key, 5, price=price, currency=currency)))[key]

    assert isinstance(outcome, PriceRejected)
    assert words in outcome.reason
    assert (meeting.shop.price(SKUS[25]), meeting.shop.saleable(SKUS[25])) == ("10.50", 5)


# -- what it will not take


async def test_what_is_not_there_is_reported_and_the_others_are_written(meeting: Meeting) -> None:
    by_sku, by_id = meeting.adapter(key_is="sku"), meeting.adapter()
    key = meeting.shop.record(SKUS[27])

    outcomes = await by_sku.settle(item(SKUS[26], 21), item(UNKNOWN, 1)) | await by_id.settle(
        item("999999", 1), item(key, 22)
    )

    codes = {key: each.code for key, each in outcomes.items() if isinstance(each, Rejected)}
    assert codes == {UNKNOWN: "sku_not_found", "999999": "not_found"}
    assert (outcomes[SKUS[26]], outcomes[key]) == (Applied(), Applied())
    assert [meeting.shop.saleable(sku) for sku in SKUS[26:28]] == [21, 22]


async def test_a_record_that_is_deleted_before_the_write_is_reported_in_oscars_words(meeting: Meeting) -> None:
    driven, key = meeting.adapter(), meeting.shop.record(SKUS[28])
    meeting.before_write = lambda: meeting.shop.delete_record(SKUS[28])

    outcome = (await driven.settle(item(key, 5)))[key]

    assert isinstance(outcome, Rejected)
    assert (outcome.code, "StockRecord" in outcome.reason) == ("not_found", True)


async def test_a_product_that_is_not_counted_is_reported(meeting: Meeting) -> None:
    key = meeting.shop.record(UNCOUNTED)

    outcome = (await meeting.adapter().settle(item(key, 5)))[key]

    assert isinstance(outcome, Rejected)
    assert outcome.code == "not_tracked"
    assert meeting.shop.level(UNCOUNTED) == Level(None, None, "10.50")


# -- who asks


async def test_a_wrong_password_is_reported(meeting: Meeting) -> None:
    with pytest.raises(CredentialsError):
        await meeting.adapter("another").read([meeting.shop.record(SKUS[0])])


async def test_a_path_without_an_api_is_reported(meeting: Meeting) -> None:
    with pytest.raises(ClosedError, match="api_path"):
        await meeting.adapter(api_path="/no/api").read([meeting.shop.record(SKUS[0])])
