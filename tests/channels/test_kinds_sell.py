"""Trendyol and a WooCommerce shop sell, on a real server: what one sells the other shows, and shipments are told."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from adapters.testing.order_side import PERSONAL, OrderSide
from tests.channels.trendyol_order_side import PASSWORD, USER
from tests.channels.trendyol_simulator import TrendyolSimulator
from tests.channels.woocommerce_order_side import WEBHOOK_SECRET
from tests.channels.woocommerce_simulator import KEY, SECRET, WooCommerceSimulator
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

SKU = "Bardak"


@pytest.fixture
async def market() -> AsyncIterator[TrendyolSimulator]:
    async with TrendyolSimulator(endpoint_requests_max=10_000) as market:
        market.stock(SKU)
        yield market
    assert market.complaints == []
    assert market.throttled == 0


@pytest.fixture
async def shop() -> AsyncIterator[WooCommerceSimulator]:
    async with WooCommerceSimulator() as shop:
        shop.add(SKU, 17, sku=SKU)
        yield shop
    assert shop.complaints == []


@pytest.fixture
def server(market: TrendyolSimulator, shop: WooCommerceSimulator, start_server: Callable[..., Server]) -> Server:
    secrets = {
        "T_KEY": market.api_key,
        "T_SECRET": market.api_secret,
        "T_USER": USER,
        "T_PASSWORD": PASSWORD,
        "W_KEY": KEY,
        "W_SECRET": SECRET,
        "W_WEBHOOK": WEBHOOK_SECRET,
    }
    return start_server(toml=_toml(market, shop), environment=secrets, publisher_lease_s=1, durability="fast")


def _toml(market: TrendyolSimulator, shop: WooCommerceSimulator) -> str:
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    orders = f'enabled = true\nfrom = {since}\npull_every_s = 5\nopen_orders_every_s = 2\nship = "when_fulfilled"'
    return f"""
[channels.bazaar]
kind = "trendyol"
listings = "all"
allow_private = ["127.0.0.1"]
[channels.bazaar.options]
seller_id = {market.seller_id}
base_url = "{market.url}"
orders_per_min = 1000
obey_short_window = false
carrier = "own"
[channels.bazaar.credentials]
api_key = {{ env = "T_KEY" }}
api_secret = {{ env = "T_SECRET" }}
notification_user = {{ env = "T_USER" }}
notification_password = {{ env = "T_PASSWORD" }}
[channels.bazaar.orders]
{orders}
[channels.shop]
kind = "woocommerce"
listings = "all"
allow_private = ["127.0.0.1"]
[channels.shop.options]
base_url = "{shop.url}"
key_is = "sku"
requests_per_s = 100
[channels.shop.credentials]
consumer_key = {{ env = "W_KEY" }}
consumer_secret = {{ env = "W_SECRET" }}
webhook_secret = {{ env = "W_WEBHOOK" }}
[channels.shop.orders]
{orders}
"""


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []
    assert [word for word in PERSONAL if word in server.stderr] == []


async def _all_show(quantity: int, *channels: OrderSide) -> None:
    await wait_until(lambda: all(each.shown[SKU] == quantity for each in channels), f"all show {quantity}")


async def _fulfil(api: Api, number: str, tracking: str) -> None:
    found: list[dict[str, Any]] = (await api.get("/v1/reservations")).ok()["reservations"]
    [mine] = [each["reservation_id"] for each in found if each["order_ref"] == number]
    (await api.post(f"/v1/reservations/{mine}/fulfil", {"tracking": tracking, "carrier": "Aras"})).ok()


async def test_what_one_sells_the_other_shows_and_what_is_shipped_is_told(
    api: Api, server: Server, market: TrendyolSimulator, shop: WooCommerceSimulator
) -> None:
    await api.count(SKU, 10)
    await _all_show(10, market, shop)

    found_by_reading = market.place((SKU, 2))
    await _all_show(8, market, shop)

    sold = shop.place((SKU, 3))
    assert await shop.send(f"{server.url}/v1/notifications/shop", sold) == [200]
    await _all_show(5, market, shop)

    one = market.place((SKU, 1))
    notify = f"{server.url}/v1/notifications/bazaar"
    assert await market.send(notify, one) == [200]
    await _all_show(4, market, shop)
    market.cancel(one, next(iter(market.truth[one])), 1)
    assert await market.send(notify, one) == [200]
    await _all_show(5, shop)  # to the marketplace, the number that it was told before goes in its cadence

    shop.cancel(sold, next(iter(shop.truth[sold])), 1)
    await _all_show(6, market, shop)

    await _fulfil(api, sold, "T-1")
    await wait_until(lambda: shop.orders[int(sold)].notes == ["Aras T-1"], "the shop and its buyer are told")
    assert shop.orders[int(sold)].status == "completed"
    await _fulfil(api, found_by_reading, "T-2")
    await wait_until(lambda: any(each.tracking == "T-2" for each in market.parcels.values()), "the marketplace is told")

    level = (await api.get(f"/v1/stock/{SKU}")).ok()["levels"][0]
    assert (level["on_hand"], level["committed"], level["held"]) == (6, 0, 0)
    await _all_show(6, market, shop)


async def test_a_forged_notification_changes_nothing(
    api: Api, server: Server, market: TrendyolSimulator, shop: WooCommerceSimulator
) -> None:
    await api.count(SKU, 10)
    await _all_show(10, market, shop)
    for name, channel in (("bazaar", market), ("shop", shop)):
        number = channel.place((SKU, 1))
        [delivery] = channel.deliveries(number)
        for forged in channel.forged(delivery):
            headers = {key: value for key, value in forged.headers.items() if value.isascii()}
            url = f"{server.url}/v1/notifications/{name}"
            async with aiohttp.request("POST", url, data=forged.body, headers=headers) as answer:
                assert answer.status == 401
