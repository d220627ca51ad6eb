"""The whole loop with a real Medusa: orders placed in its store API come in, and both sides end equal."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import pytest

from tests.channels.medusa.shop import Order
from tests.channels.medusa_server import MEDUSA_TIMEOUT_S, SKUS, MedusaServer
from tests.channels.shop_loop import FEED, FEED_ENVIRONMENT, ShopLoop
from tests.channels.webhook_receiver import WebhookReceiver
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.channels.medusa.fixtures", "tests.support.http_fixtures")
pytestmark = [pytest.mark.real, pytest.mark.timeout(MEDUSA_TIMEOUT_S)]

CONFIGURED: Final = """
[channels.shop]
kind = "medusa"
allow_private = ["127.0.0.1"]
reconcile_every_s = 0

[channels.shop.options]
base_url = "%s"

[channels.shop.credentials]
secret_key = { env = "SHOP_KEY" }
"""
FIRST: Final = 90
"""The SKUs before are those of other tests."""


class MedusaLoop(ShopLoop):
    """The loop in the hands of a real Medusa."""

    def __init__(self, server: MedusaServer) -> None:
        self._shop = server.shop
        self._bought: dict[str, Order] = {}

    def saleable(self, sku: str) -> int:
        return self._shop.level(sku).saleable

    def buy(self, sku: str, units: int) -> str:
        order = self._shop.order(sku, units)
        self._bought[order.id] = order
        return order.id

    def cancel(self, key: str) -> None:
        self._shop.cancel(self._bought[key])

    def send_out(self, key: str, units: int) -> None:
        order = self._bought[key]
        self._shop.ship(order, self._shop.fulfil(order, units), units)

    def parcels(self, key: str) -> list[tuple[str, str]]:
        return self._shop.parcels(self._bought[key])

    def line(self, key: str) -> str:
        return self._bought[key].line_id


@pytest.fixture
async def feed() -> AsyncIterator[WebhookReceiver]:
    async with WebhookReceiver() as receiver:
        receiver.stock(*SKUS)
        yield receiver


@pytest.fixture
async def api(medusa: MedusaServer, feed: WebhookReceiver, start_server: Callable[..., Server]) -> AsyncIterator[Api]:
    secrets = {"SHOP_KEY": medusa.shop.secret_key, **FEED_ENVIRONMENT}
    server = start_server(toml=CONFIGURED % medusa.url + FEED % feed.hook, environment=secrets)
    async with opened(server) as api:
        listings = [{"sku": sku, "key": sku} for sku in SKUS[FIRST : FIRST + 4]]
        (await api.put("/v1/channels/shop/listings", {"listings": listings})).ok()
        yield api
    assert server.faults == []
    assert "a@example.com" not in server.stderr


@pytest.fixture
def loop(medusa: MedusaServer) -> MedusaLoop:
    return MedusaLoop(medusa)


async def test_an_order_lowers_all_channels_and_its_cancel_raises_them(
    api: Api, feed: WebhookReceiver, loop: MedusaLoop
) -> None:
    await loop.check_that_an_order_lowers_all_and_a_cancel_raises_all(api, feed, SKUS[FIRST])


async def test_what_is_shipped_here_is_shipped_there_once(api: Api, feed: WebhookReceiver, loop: MedusaLoop) -> None:
    await loop.check_that_what_is_shipped_here_is_shipped_there_once(api, feed, SKUS[FIRST + 1])


async def test_what_is_shipped_there_leaves_here(api: Api, feed: WebhookReceiver, loop: MedusaLoop) -> None:
    await loop.check_that_what_is_shipped_there_leaves_here(api, feed, SKUS[FIRST + 2])


async def test_what_is_refused_here_is_cancelled_there(api: Api, feed: WebhookReceiver, loop: MedusaLoop) -> None:
    await loop.check_that_what_is_refused_here_is_cancelled_there(api, feed, SKUS[FIRST + 3])
