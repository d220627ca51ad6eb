"""One day in the shop: the page docs/how-to/day.md, followed as it is written, from an empty data directory."""

import re
import shlex
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from adapters.testing.order_side import PERSONAL, OrderSide
from tests.channels.n11_simulator import N11Simulator
from tests.channels.trendyol_simulator import TrendyolSimulator
from tests.channels.woocommerce_simulator import KEY, SECRET, WooCommerceSimulator
from tests.conftest import wait_until
from tests.console.day_page import Around, blocks, errands, follow
from tests.console.pages import faults_of, tab
from tests.support.browser import browser
from tests.support.http import Server, opened
from tests.support.processes import holdfast

pytestmark = pytest.mark.timeout(600)

QUICK: Final = "orders_per_min = 1000\nobey_short_window = false"
"""Trendyol allows its real sellers few requests, and the page has no hours to wait."""
KEYS: Final = {
    "trendyol": {"CEZVE": "8690000000012"},
    "n11": {"CEZVE": "CEZVE"},
    "shop": {"CEZVE": "CEZVE"},
}


@pytest.fixture
async def channels() -> AsyncIterator[dict[str, OrderSide]]:
    """Simulate the three channels of the page; n11 has switched the cups off."""
    trendyol = TrendyolSimulator(seller_id=123456, endpoint_requests_max=10_000)
    n11, shop = N11Simulator(), WooCommerceSimulator()
    made: dict[str, OrderSide] = {"trendyol": trendyol, "n11": n11, "shop": shop}
    async with AsyncExitStack() as stack:
        for each in made.values():
            await stack.enter_async_context(each)
        trendyol.stock("8690000000012")
        n11.stock("CEZVE", "FINCAN")
        n11.refusals["FINCAN"] = "Ürün satışa kapalı"
        shop.add("CEZVE", 17, sku="CEZVE")
        yield made
    assert {name: each.complaints for name, each in made.items()} == {"trendyol": [], "n11": [], "shop": []}


def configuration(channels: dict[str, OrderSide]) -> str:
    """The page's file; only where the channels are, how often they are asked, and since when, is ours."""
    [toml] = blocks("toml")
    since = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    toml = re.sub(
        r"^from = .+$", f"from = {since}\npull_every_s = 2\nopen_orders_every_s = 2", toml, flags=re.MULTILINE
    )
    toml = toml.replace('base_url = "https://shop.example"\n', "")
    toml = re.sub(r"^kind = .+$", r'\g<0>\nallow_private = ["127.0.0.1"]', toml, flags=re.MULTILINE)
    toml = toml.replace("seller_id = 123456", f"seller_id = 123456\n{QUICK}")
    for name, channel in channels.items():
        toml = toml.replace(f"[channels.{name}.options]", f'[channels.{name}.options]\nbase_url = "{channel.url}"')
    return toml


def new_key(data_dir: Path) -> str:
    """Make the key by the page's command, beside the data directory."""
    command = shlex.split(blocks("sh")[-1])
    made = holdfast(*command[1:], cwd=data_dir.parent)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


async def test_the_day_is_followed_as_it_is_written(channels: dict[str, OrderSide], tmp_path: Path) -> None:
    data_dir = tmp_path / ".holdfast"
    trendyol, n11 = channels["trendyol"], channels["n11"]
    assert isinstance(trendyol, TrendyolSimulator)
    assert isinstance(n11, N11Simulator)
    secrets = {
        "TRENDYOL_KEY": trendyol.api_key, "TRENDYOL_SECRET": trendyol.api_secret, "N11_KEY": n11.app_key,
        "N11_SECRET": n11.app_secret, "SHOP_KEY": KEY, "SHOP_SECRET": SECRET,
    }  # fmt: skip
    assert not data_dir.exists()
    settings = {"data_dir": data_dir, "toml": configuration(channels), "environment": secrets}
    with Server(**settings, publisher_lease_s=1) as server:  # type: ignore[arg-type]
        key = new_key(data_dir)
        await wait_until(lambda: _is_closed(server), "the server has the key")
        async with browser() as context:
            page, complaints = await tab(context)
            around = Around(page, server.url, key, channels, KEYS)
            done = []
            for errand, sentences in errands().items():
                for sentence in sentences:
                    await follow(around, sentence)
                done.append(errand)
            assert len(done) == 10
            assert faults_of(complaints) == []
        assert server.faults == []
        assert [word for word in PERSONAL if word in server.stderr] == []


async def _is_closed(server: Server) -> bool:
    async with opened(server) as api:
        return (await api.get("/v1/channels")).status == 401
