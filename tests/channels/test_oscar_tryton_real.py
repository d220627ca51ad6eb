"""A real shop and a real ERP at once: Tryton's stock is sold in Oscar, its orders lower Tryton, kills lose nothing.

``make test-real`` with ``ARGS=-s`` prints how long each step took.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import msgspec
import pytest

from tests.channels.oscar.shop import BUYER
from tests.channels.oscar_server import SKUS as OFFERS
from tests.channels.oscar_server import OscarServer
from tests.channels.shop_loop import FEED, FEED_ENVIRONMENT
from tests.channels.test_oscar_end_to_end_real import CONFIGURED as SHOP
from tests.channels.test_oscar_end_to_end_real import OscarLoop
from tests.channels.tryton_server import LOGIN, SKUS, TRYTON_TIMEOUT_S, UNITS, TrytonServer
from tests.channels.webhook_receiver import WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.oscar.fixtures", "tests.channels.tryton.fixtures", "tests.support.http_fixtures")
pytestmark = [pytest.mark.real, pytest.mark.timeout(TRYTON_TIMEOUT_S)]

DONE_S: Final = 90.0
LOOK_S: Final = 0.05
ERP: Final = """
[sources.erp]
kind = "tryton"
allow_private = ["127.0.0.1"]
pull_every_s = 0.5
whole_every_s = 5

[sources.erp.options]
base_url = "%s"
database = "%s"
login = "%s"
customer_id = %d
company_id = %d
locations = { main = %d }

[sources.erp.credentials]
password = { env = "ERP_PASSWORD" }
"""
FIRST: Final = 33
"""The SKUs of Tryton before are those of other tests."""
FIRST_OFFER: Final = 70
"""So are the offers of Oscar."""
SOLD: Final = {SKUS[FIRST + number]: OFFERS[FIRST_OFFER + number] for number in range(2)}
"""What Oscar calls each."""
AWAY: Final = frozenset({"channel_circuit_opened", "intake_circuit_opened"})


@pytest.fixture
async def feed() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock(*SKUS, quantity=-1)
        yield receiver


@pytest.fixture
def server(
    oscar: OscarServer, tryton: TrytonServer, feed: WebhookReceiver, start_server: Callable[..., Server]
) -> Server:
    ids = tryton.erp.ids
    toml = SHOP % oscar.url + FEED % feed.hook + ERP % (
        tryton.url, tryton.erp.database, LOGIN, ids.customer, ids.company, ids.warehouse
    )  # fmt: skip
    secrets = {"SHOP_USER": oscar.shop.keeper, "SHOP_PASSWORD": oscar.shop.password, "ERP_PASSWORD": tryton.password}
    return start_server(toml=toml, environment={**secrets, **FEED_ENVIRONMENT}, publisher_lease_s=1)


class Loop:
    """The shop, the ERP, another channel, and what is between them; each step says how long it took."""

    def __init__(
        self, server: Server, oscar: OscarServer, tryton: TrytonServer, feed: WebhookReceiver, sku: str
    ) -> None:
        self.server, self.oscar, self.tryton, self.feed, self.sku = server, oscar, tryton, feed, sku
        self.offer = SOLD[sku]
        self.shop = OscarLoop(oscar)
        self.orders: list[str] = []

    async def list(self) -> None:
        """Say what Oscar calls it."""
        async with opened(self.server) as api:
            listing = {"sku": self.sku, "key": self.offer, "price": "12.90", "currency": "GBP"}
            (await api.put("/v1/channels/shop/listings", {"listings": [listing]})).ok()

    async def buy(self, units: int) -> str:
        """Have somebody buy in Oscar."""
        key = await asyncio.to_thread(self.shop.buy, self.offer, units)
        self.orders.append(key)
        return key

    async def receive(self, units: int) -> None:
        """Have units arrive in Tryton."""
        await asyncio.to_thread(self.tryton.erp.receive, self.sku, units)

    # -- what each of them has

    async def oscar_has(self, units: int, what: str) -> None:
        await self._until(lambda: self._is(self.shop.saleable, self.offer, units), f"{what}: Oscar sells {units}")

    async def tryton_has(self, units: int, what: str) -> None:
        await self._until(lambda: self._is(self.tryton.erp.free, self.sku, units), f"{what}: Tryton has {units}")

    async def feed_has(self, units: int, what: str) -> None:
        await self._until(lambda: self.feed.shown[self.sku] == units, f"{what}: the other channel shows {units}")

    async def all_have(self, units: int, what: str) -> None:
        await self.feed_has(units, what)
        await self.oscar_has(units, what)
        await self.tryton_has(units, what)

    async def stays(self, units: int) -> None:
        """After some more readings of both, everybody has the same still, and each order is booked once."""
        async with opened(self.server) as api:
            await self._read_again(api)
            assert (await api.get(f"/v1/availability/{self.sku}")).ok()["available"] == units
            listed = (await api.get(f"/v1/reservations?channel=shop&sku={self.sku}&limit=200")).ok()["reservations"]
        assert sorted(each["order_ref"] for each in listed) == sorted(self.orders)
        assert await asyncio.to_thread(self.tryton.erp.free, self.sku) == units
        assert await asyncio.to_thread(self.shop.saleable, self.offer) == units

    async def told_once(self, api: Api, order: str, units: int) -> None:
        """Tryton has one shipment of an order, with its units."""
        listed = (await api.get(f"/v1/reservations?channel=shop&sku={self.sku}&limit=200")).ok()["reservations"]
        [key] = [each["reservation_id"] for each in listed if each["order_ref"] == order]
        shipments = await asyncio.to_thread(self.tryton.erp.shipments, key)
        assert [found for _, found in shipments] == [{self.sku: float(units)}]

    @staticmethod
    async def _read_again(api: Api) -> None:
        """Wait until Tryton was read whole twice from now on."""
        for _ in range(2):
            [before] = (await api.get("/v1/sources")).ok()["sources"]

            async def is_newer(before: str = before["whole_at"]) -> bool:
                [source] = (await api.get("/v1/sources")).ok()["sources"]
                return bool(source["whole_at"] > before)

            await wait_until(is_newer, "Tryton is read again", within_s=DONE_S, every_s=LOOK_S)

    @staticmethod
    async def _is(read: Callable[[str], float], name: str, units: int) -> bool:
        return await asyncio.to_thread(read, name) == units

    @staticmethod
    async def _until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> None:
        began_s = time.monotonic()
        await wait_until(condition, what, within_s=DONE_S, every_s=LOOK_S)
        print(f"{what} after {time.monotonic() - began_s:.2f} s")  # noqa: T201  # pytest shows it with -s


@pytest.fixture
async def loop(
    request: pytest.FixtureRequest, server: Server, oscar: OscarServer, tryton: TrytonServer, feed: WebhookReceiver
) -> AsyncIterator[Loop]:
    """Sell the SKU of one test: what Oscar has of it must not be what another test left."""
    loop = Loop(server, oscar, tryton, feed, request.param)
    await loop.list()
    yield loop
    assert [fault for fault in server.faults if msgspec.json.decode(fault)["event"] not in AWAY] == []
    assert BUYER not in server.stderr
    assert feed.complaints == []


@pytest.mark.parametrize("loop", list(SOLD)[:1], indirect=True)
async def test_stock_of_tryton_is_sold_in_oscar_and_an_order_there_lowers_both_and_every_other_channel(
    loop: Loop,
) -> None:
    await loop.all_have(UNITS, "from the start")
    await loop.receive(20)
    await loop.all_have(UNITS + 20, "after units arrived in Tryton")

    order = await loop.buy(3)
    await loop.all_have(UNITS + 17, "after an order in Oscar")
    await loop.stays(UNITS + 17)
    async with opened(loop.server) as api:
        await loop.told_once(api, order, 3)

    await asyncio.to_thread(loop.shop.cancel, order)
    await loop.all_have(UNITS + 20, "after its cancel in Oscar")


@pytest.mark.parametrize("loop", list(SOLD)[1:], indirect=True)
async def test_a_kill_of_each_in_turn_loses_nothing_and_doubles_nothing(loop: Loop) -> None:
    await loop.all_have(UNITS, "from the start")

    loop.tryton.kill()
    await loop.buy(2)
    await loop.feed_has(UNITS - 2, "after an order while Tryton is away")
    await asyncio.to_thread(loop.tryton.start)
    await loop.tryton_has(UNITS - 2, "after Tryton is back")

    await asyncio.to_thread(loop.oscar.kill)
    await loop.receive(5)
    await loop.feed_has(UNITS + 3, "after units arrived while Oscar is away")
    await asyncio.to_thread(loop.oscar.start)
    await loop.oscar_has(UNITS + 3, "after Oscar is back")

    loop.server.kill()
    await loop.buy(4)
    await loop.receive(10)
    loop.server.start()
    await loop.all_have(UNITS + 9, "after both went on while nobody was between them")
    await loop.stays(UNITS + 9)
