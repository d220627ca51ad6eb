"""The whole way with a real Tryton: its stock reaches a shop, an order lowers it, a kill of either loses nothing."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import pytest

from tests.channels.tryton_server import LOGIN, SKUS, TRYTON_TIMEOUT_S, UNITS, TrytonServer
from tests.channels.webhook_receiver import SECRET, WebhookReceiver
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.tryton.fixtures", "tests.support.http_fixtures")
pytestmark = [pytest.mark.real, pytest.mark.timeout(TRYTON_TIMEOUT_S)]

DONE_S: Final = 90.0
LOOK_S: Final = 0.05
CONFIGURED: Final = """
[channels.feed]
kind = "webhook"
listings = "all"
allow_private = ["127.0.0.1"]

[channels.feed.options]
url = "%s"

[channels.feed.credentials]
secret = { env = "FEED_SECRET" }

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


@pytest.fixture
async def feed() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock(*SKUS, quantity=-1)
        yield receiver
        assert (receiver.complaints, receiver.refused) == ([], [])


@pytest.fixture
def server(tryton: TrytonServer, feed: WebhookReceiver, start_server: Callable[..., Server]) -> Server:
    ids = tryton.erp.ids
    toml = CONFIGURED % (
        feed.hook, tryton.url, tryton.erp.database, LOGIN, ids.customer, ids.company, ids.warehouse
    )  # fmt: skip
    environment = {"FEED_SECRET": SECRET, "ERP_PASSWORD": tryton.password}
    return start_server(toml=toml, environment=environment, publisher_lease_s=1)


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api


async def until(condition: Callable[[], bool | Awaitable[bool]], what: str) -> float:
    """Wait for it; return and print how long that took."""
    began_s = time.monotonic()
    await wait_until(condition, what, within_s=DONE_S, every_s=LOOK_S)
    took_s = time.monotonic() - began_s
    print(f"{what}: {took_s:.2f} s")  # noqa: T201  # pytest shows it with -s
    return took_s


async def shows(feed: WebhookReceiver, sku: str, units: int, what: str) -> None:
    await until(lambda: feed.shown[sku] == units, what)


async def has(tryton: TrytonServer, sku: str, units: float, what: str) -> None:
    async def is_so() -> bool:
        return await asyncio.to_thread(tryton.erp.free, sku) == units

    await until(is_so, what)


async def order(api: Api, key: str, sku: str, units: int) -> None:
    body = {"reservation_id": key, "channel": "till", "lines": [{"sku": sku, "quantity": units}]}
    (await api.post("/v1/orders", body)).ok(201)


async def test_stock_of_tryton_reaches_a_shop_and_an_order_lowers_tryton(
    api: Api, tryton: TrytonServer, feed: WebhookReceiver
) -> None:
    sku = SKUS[30]
    await shows(feed, sku, UNITS, "the first numbers reach the shop")
    await asyncio.to_thread(tryton.erp.receive, sku, 20)
    await shows(feed, sku, UNITS + 20, "units that arrived in Tryton reach the shop")

    await order(api, "till-1", sku, 3)

    await shows(feed, sku, UNITS + 17, "an order reaches the shop")
    await has(tryton, sku, UNITS + 17, "an order lowers Tryton")
    await asyncio.to_thread(tryton.erp.send_out, "till-1")
    (await api.post("/v1/reservations/till-1/fulfil", {})).ok()
    await asyncio.to_thread(tryton.erp.receive, sku, 1)
    await shows(feed, sku, UNITS + 18, "it was sent out by both, and is counted once")


async def test_a_cancelled_order_comes_back_in_both(api: Api, tryton: TrytonServer, feed: WebhookReceiver) -> None:
    sku = SKUS[31]
    await shows(feed, sku, UNITS, "the first numbers reach the shop")
    await order(api, "till-2", sku, 5)
    await has(tryton, sku, UNITS - 5, "an order lowers Tryton")

    (await api.post("/v1/reservations/till-2/cancel", {})).ok()

    await has(tryton, sku, UNITS, "its cancel raises Tryton")
    await shows(feed, sku, UNITS, "and the shop")


async def test_a_kill_of_each_in_turn_loses_nothing_and_sells_nothing_twice(
    api: Api, server: Server, tryton: TrytonServer, feed: WebhookReceiver
) -> None:
    sku = SKUS[32]
    await shows(feed, sku, UNITS, "the first numbers reach the shop")
    tryton.kill()
    await order(api, "till-3", sku, 4)
    await shows(feed, sku, UNITS - 4, "an order reaches the shop while Tryton is away")
    assert (await api.get(f"/v1/availability/{sku}")).ok()["available"] == UNITS - 4

    server.kill()
    await asyncio.to_thread(tryton.start)
    assert await asyncio.to_thread(tryton.erp.free, sku) == UNITS
    server.start()

    async with opened(server) as again:
        await has(tryton, sku, UNITS - 4, "the order is told once both are back")
        await asyncio.to_thread(tryton.erp.receive, sku, 10)
        await shows(feed, sku, UNITS + 6, "and numbers come again")
        assert (await again.get(f"/v1/availability/{sku}")).ok()["available"] == UNITS + 6
    assert await asyncio.to_thread(tryton.erp.shipments, "till-3") == [("assigned", {sku: 4.0})]
