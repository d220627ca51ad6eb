"""Medusa's adapter against a real Medusa over real sockets: what was pushed is what Medusa's own API reports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec
import pytest

from adapters.contract.errors import ClosedError, CredentialsError
from adapters.contract.http import Answer, Request
from adapters.contract.stock import Applied, Conflict, Item, Rejected, Retry
from adapters.medusa import ADAPTER
from adapters.testing.driving import Driven
from server.channels.connection.http_transport import Transport
from tests.channels.medusa.shop import Level, RefusedByShopError, Shop
from tests.channels.medusa_server import MEDUSA_TIMEOUT_S, SKUS, MedusaServer

pytest_plugins = ("tests.channels.medusa.fixtures",)
pytestmark = [pytest.mark.real, pytest.mark.timeout(MEDUSA_TIMEOUT_S)]

UNKNOWN: Final = "no such SKU"


class Meeting:
    """The real server, and adapters for it. ``before_write`` happens once, just before a write."""

    def __init__(self, server: MedusaServer, transport: Transport) -> None:
        self.shop: Shop = server.shop
        self.before_write: Callable[[], object] | None = None
        self._url = server.url
        self._transport = transport

    def adapter(self, secret_key: str = "", **options: Any) -> Driven:
        typed = msgspec.convert({"base_url": self._url, **options}, ADAPTER.options)
        return Driven(ADAPTER.build(typed, {"secret_key": secret_key or self.shop.secret_key}), self.send)

    async def send(self, request: Request) -> Answer:
        if request.url.endswith("/batch") and self.before_write is not None:
            happens, self.before_write = self.before_write, None
            happens()
        await asyncio.sleep(0.05)  # a hand in the shop holds up the loop: connections that ended meanwhile are noticed
        return await self._transport.send(request)


@pytest.fixture
async def meeting(medusa: MedusaServer) -> AsyncIterator[Meeting]:
    transport = Transport(allow_private=["127.0.0.1"])
    yield Meeting(medusa, transport)
    await transport.close()


def item(key: str, quantity: int) -> Item:
    return Item(key=key, sku=f"sku of {key}", quantity=quantity, version=1)


async def test_what_was_pushed_is_what_medusa_reports_and_what_is_read_back(meeting: Meeting) -> None:
    driven, wanted = meeting.adapter(), {sku: number % 17 for number, sku in enumerate(SKUS[:60], 1)}

    outcomes = await driven.settle(*(item(key, quantity) for key, quantity in wanted.items()))
    again = await driven.settle(*(item(key, quantity + 1) for key, quantity in wanted.items()))

    assert outcomes == again == dict.fromkeys(wanted, Applied())
    # Orders of other tests have some reserved, which Medusa takes off what is stocked.
    levels = {sku: meeting.shop.level(sku) for sku in SKUS[:5]}
    assert levels == {sku: Level(wanted[sku] + 1 + level.reserved, level.reserved) for sku, level in levels.items()}
    shown = await driven.read([*wanted, UNKNOWN, SKUS[80]])
    assert shown == {**{sku: quantity + 1 for sku, quantity in wanted.items()}, SKUS[80]: 0}


async def test_a_key_can_be_the_id(meeting: Meeting) -> None:
    driven, key = meeting.adapter(key_is="id"), meeting.shop.item(SKUS[60])

    assert await driven.settle(item(key, 12)) == {key: Applied()}

    assert meeting.shop.level(SKUS[60]) == Level(12, 0)
    assert await driven.read([key, "iitem_none"]) == {key: 12}


async def test_the_largest_quantity_that_is_declared_is_taken(meeting: Meeting) -> None:
    driven = meeting.adapter()
    largest = driven.adapter.capabilities.quantity_max
    assert largest is not None

    assert await driven.settle(item(SKUS[61], largest)) == {SKUS[61]: Applied()}
    assert meeting.shop.level(SKUS[61]).stocked == largest


# -- what Medusa's own orders have reserved


async def test_reserved_units_are_added_so_that_buyers_can_have_what_was_pushed(meeting: Meeting) -> None:
    driven, sku = meeting.adapter(), SKUS[62]
    await driven.settle(item(sku, 10))
    meeting.shop.order(sku, 3)
    assert await driven.read([sku]) == {sku: 7}

    assert await driven.settle(item(sku, 6)) == {sku: Applied()}

    assert meeting.shop.level(sku) == Level(9, 3)
    with pytest.raises(RefusedByShopError, match="inventory"):
        meeting.shop.order(sku, 7)


async def test_sending_out_and_cancelling_leave_and_release_what_is_shown(meeting: Meeting) -> None:
    driven, sku = meeting.adapter(), SKUS[63]
    await driven.settle(item(sku, 10))
    sent, cancelled = meeting.shop.order(sku, 3), meeting.shop.order(sku, 2)

    meeting.shop.fulfil(sent, 3)
    assert await driven.read([sku]) == {sku: 5}
    meeting.shop.cancel(cancelled)
    assert await driven.read([sku]) == {sku: 7}


async def test_an_order_between_reading_and_writing_is_noticed_and_corrected(meeting: Meeting) -> None:
    driven, sku = meeting.adapter(), SKUS[64]
    await driven.settle(item(sku, 10))
    meeting.before_write = lambda: meeting.shop.order(sku, 4)

    assert await driven.settle(item(sku, 8)) == {sku: Conflict(4)}
    assert await driven.settle(item(sku, 8)) == {sku: Applied()}

    assert meeting.shop.level(sku) == Level(12, 4)


# -- what it will not take


async def test_an_unknown_sku_is_reported_and_the_others_are_written(meeting: Meeting) -> None:
    outcomes = await meeting.adapter().settle(item(SKUS[65], 21), item(UNKNOWN, 1), item(SKUS[66], 22))

    refused = outcomes.pop(UNKNOWN)
    assert isinstance(refused, Rejected)
    assert UNKNOWN in refused.reason
    assert outcomes == {SKUS[65]: Applied(), SKUS[66]: Applied()}


async def test_an_item_deleted_before_the_write_refuses_all_and_is_reported_in_medusas_words(meeting: Meeting) -> None:
    spare, other = "SPARE", SKUS[67]
    meeting.shop.create([spare])
    driven = meeting.adapter()
    await driven.settle(item(other, 5), item(spare, 5))
    meeting.before_write = lambda: meeting.shop.delete_item(spare)

    outcomes = await driven.settle(item(other, 6), item(spare, 6))

    refused = outcomes[spare]
    assert isinstance(refused, Rejected)
    assert (refused.code, "is not stocked at location" in refused.reason) == ("not_found", True)
    assert isinstance(outcomes[other], Retry)
    assert meeting.shop.level(other).stocked == 5


async def test_a_variant_that_is_not_counted_is_reported(meeting: Meeting) -> None:
    meeting.shop.create(["UNCOUNTED"])
    variant = meeting.shop.admin("product-variants?sku=UNCOUNTED&fields=id,product_id")["variants"][0]
    path = f"products/{variant['product_id']}/variants/{variant['id']}"
    meeting.shop.admin(path, {"manage_inventory": False})

    outcomes = await meeting.adapter().settle(item("UNCOUNTED", 5))

    refused = outcomes["UNCOUNTED"]
    assert isinstance(refused, Rejected)
    assert refused.code == "not_tracked"


async def test_several_locations_need_one_to_be_chosen(meeting: Meeting) -> None:
    other = meeting.shop.make_location("Other")
    try:
        with pytest.raises(ClosedError, match=r"stock_location_id must name one .*Main.*Other"):
            await meeting.adapter().read([SKUS[0]])

        driven = meeting.adapter(stock_location_id=other)
        assert await driven.settle(item(SKUS[68], 3)) == {SKUS[68]: Applied()}
        assert meeting.shop.level(SKUS[68]) == Level(0, 0)
    finally:
        meeting.shop.admin(f"stock-locations/{other}", method="DELETE")


# -- who asks


async def test_a_wrong_key_is_reported(meeting: Meeting) -> None:
    with pytest.raises(CredentialsError):
        await meeting.adapter("sk_" + "0" * 64).read([SKUS[0]])
