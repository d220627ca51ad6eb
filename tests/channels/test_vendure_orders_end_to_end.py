"""The whole loop with a real Vendure: orders placed in its shop API come in, and both sides end equal."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from tests.channels.shop_loop import FEED, FEED_ENVIRONMENT, ShopLoop
from tests.channels.vendure.shop import Order
from tests.channels.vendure_server import PASSWORD, SKUS, USERNAME, VENDURE_TIMEOUT_S, VendureServer
from tests.channels.webhook_receiver import WebhookReceiver
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.vendure.fixtures", "tests.support.http_fixtures")
pytestmark = pytest.mark.timeout(VENDURE_TIMEOUT_S)

CONFIGURED: Final = """
[channels.shop]
kind = "vendure"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0

[channels.shop.options]
base_url = "%s"

[channels.shop.credentials]
username = { env = "SHOP_USER" }
password = { env = "SHOP_PASSWORD" }
"""
FIRST: Final = 600
"""The variants before are those of other tests."""


class VendureLoop(ShopLoop):
    """The loop in the hands of a real Vendure."""

    def __init__(self, server: VendureServer) -> None:
        self._shop, self._ids = server.shop, server.ids
        self._bought: dict[str, Order] = {}

    def saleable(self, sku: str) -> int:
        return self._shop.level(self._ids[sku]).saleable

    def buy(self, sku: str, units: int) -> str:
        order = self._shop.order(self._ids[sku], units)
        self._bought[order.code] = order
        return order.code

    def cancel(self, key: str) -> None:
        self._shop.cancel(self._bought[key])

    def send_out(self, key: str, units: int) -> None:
        self._shop.move(self._shop.ship(self._bought[key], units, "DESK"), "Shipped")

    def parcels(self, key: str) -> list[tuple[str, str]]:
        return [(state.lower(), tracking) for state, tracking in self._shop.parcels(self._bought[key])]

    def line(self, key: str) -> str:
        return self._bought[key].line_id


@pytest.fixture
async def feed() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock(*SKUS)
        yield receiver


@pytest.fixture
async def api(vendure: VendureServer, feed: WebhookReceiver, start_server: Callable[..., Server]) -> AsyncIterator[Api]:
    secrets = {"SHOP_USER": USERNAME, "SHOP_PASSWORD": PASSWORD, **FEED_ENVIRONMENT}
    server = start_server(toml=CONFIGURED % vendure.admin_url + FEED % feed.hook, environment=secrets)
    async with opened(server) as api:
        listings = [{"sku": sku, "key": vendure.ids[sku]} for sku in SKUS[FIRST : FIRST + 4]]
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        yield api
    assert server.faults == []
    assert "a@example.com" not in server.stderr


@pytest.fixture
def loop(vendure: VendureServer) -> VendureLoop:
    return VendureLoop(vendure)


async def test_an_order_lowers_all_channels_and_its_cancel_raises_them(
    api: Api, feed: WebhookReceiver, loop: VendureLoop
) -> None:
    await loop.check_that_an_order_lowers_all_and_a_cancel_raises_all(api, feed, SKUS[FIRST])


async def test_what_is_shipped_here_is_shipped_there_once(api: Api, feed: WebhookReceiver, loop: VendureLoop) -> None:
    await loop.check_that_what_is_shipped_here_is_shipped_there_once(api, feed, SKUS[FIRST + 1])


async def test_what_is_shipped_there_leaves_here(api: Api, feed: WebhookReceiver, loop: VendureLoop) -> None:
    await loop.check_that_what_is_shipped_there_leaves_here(api, feed, SKUS[FIRST + 2])


async def test_what_is_refused_here_is_cancelled_there(api: Api, feed: WebhookReceiver, loop: VendureLoop) -> None:
    await loop.check_that_what_is_refused_here_is_cancelled_there(api, feed, SKUS[FIRST + 3])
