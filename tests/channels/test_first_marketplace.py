"""The page that leads from a marketplace account to the first booked order, followed word for word."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.channels.trendyol_order_side import PASSWORD, USER
from tests.channels.trendyol_simulator import TrendyolSimulator
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "first-marketplace.md").read_text("utf-8")
SKU, BARCODE = "MUG-RED", "8680001234567"
EARLIER = "2026-01-01T08:00:00+03:00"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
async def market() -> AsyncIterator[TrendyolSimulator]:
    async with TrendyolSimulator(seller_id=123456) as market:
        market.stock(BARCODE)
        yield market
    assert market.complaints == []


@pytest.fixture
def server(market: TrendyolSimulator, tmp_path: Path, start_server: Callable[..., Server]) -> Server:
    """Start a server with the tables of the page; only where the marketplace is, and since when, is ours."""
    for name, secret in {
        "key": market.api_key,
        "secret": market.api_secret,
        "user": USER,
        "password": PASSWORD,
    }.items():
        (tmp_path / name).write_text(secret + "\n")
    channel, orders, back = blocks("toml")
    toml = channel + orders + back
    toml = toml.replace("secrets/", f"{tmp_path}/").replace("2026-12-01T08:00:00+03:00", EARLIER)
    toml = toml.replace("seller_id = 123456", f'seller_id = 123456\ncarrier = "own"\nbase_url = "{market.url}"')
    toml = toml.replace('kind = "trendyol"', 'kind = "trendyol"\nallow_private = ["127.0.0.1"]')
    return start_server(toml=toml, publisher_lease_s=1, durability="fast")


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with opened(server) as api:
        yield api
    assert server.faults == []


async def test_the_page_leads_to_a_booked_order(api: Api, server: Server, market: TrendyolSimulator) -> None:
    await api.count(SKU, 10)
    [listings_file] = blocks("csv")
    header, row = listings_file.split()
    listing = dict(zip(header.split(","), row.split(","), strict=True))
    listings = {"listings": [{"sku": listing["sku"], "key": listing["key"], "listed": listing["listed"] == "yes"}]}
    (await api.put("/v1/channels/trendyol/listings", listings)).ok()
    await wait_until(lambda: market.shown[BARCODE] == 9, "it shows what is available, less the buffer")

    number = market.place((BARCODE, 1))
    assert await market.send(f"{server.url}/v1/notifications/trendyol", number) == [200]

    await wait_until(lambda: _is_booked(api, number), "the order is there")
    level = (await api.get(f"/v1/stock/{SKU}")).ok()["levels"][0]
    assert (level["committed"], level["available"]) == (1, 9)
    market.cancel(number, next(iter(market.truth[number])), 1)
    assert await market.send(f"{server.url}/v1/notifications/trendyol", number) == [200]
    await wait_until(lambda: _is_available(api, 10), "the unit comes back")


async def _is_booked(api: Api, number: str) -> bool:
    orders = (await api.get("/v1/orders?channel=trendyol")).ok()["orders"]
    return number in {each["number"] for each in orders}


async def _is_available(api: Api, units: int) -> bool:
    available: int = (await api.get(f"/v1/stock/{SKU}")).ok()["levels"][0]["available"]
    return available == units
