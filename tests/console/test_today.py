"""Today on the page: a bad morning has each of its faults on the screen, and a good one has none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from playwright.async_api import expect

from server.domain.channels import ChannelStatus
from server.store.keys import Keyspace
from tests.console.pages import KEYS, SOON_MS, Console, console
from tests.support.http import Api, Server

pytestmark = pytest.mark.timeout(180)
CHANNELS = """
[channels.trendyol]
kind = "trendyol"
options = { seller_id = 42 }
credentials = { api_key = { env = "SHOP_KEY" }, api_secret = { env = "SHOP_KEY" } }

[channels.bazaar]
kind = "trendyol"
options = { seller_id = 43 }
credentials = { api_key = { env = "SHOP_KEY" }, api_secret = { env = "SHOP_KEY" } }
"""


@pytest.fixture
def server() -> Iterator[Server]:
    """Serve two channels whose publisher is away: what it would have written is put into the store."""
    made_up = {"SHOP_KEY": "made-up"}
    with Server(keys=KEYS, toml=CHANNELS, environment=made_up, role="api", audit_interval_s=0) as started:
        yield started
        assert started.faults == []


STATES: dict[str, dict[str, object]] = {
    "trendyol": {"circuit": "halted", "reason": "the key was revoked"},
    "bazaar": {"dead_letters": 3},
}


@contextlib.asynccontextmanager
async def publishing(server: Server, states: dict[str, dict[str, object]] = STATES) -> AsyncIterator[None]:
    """Say each second how the channels are, as a publisher does: one refuses our access, one some values."""

    async def say() -> None:
        with server.store() as store:
            while True:
                now_ms = store.time()[0] * 1000
                for channel, fields in states.items():
                    about: dict[str, object] = {
                        "publisher": "shop-1:7",
                        "written_ms": now_ms,
                        "last_confirmed_ms": now_ms - 3_600_000,
                    }
                    status = msgspec.convert(about | fields, ChannelStatus)
                    store.hset(Keyspace("default").channel_status, channel, msgspec.json.encode(status))
                await asyncio.sleep(1)

    saying = asyncio.create_task(say())
    try:
        yield
    finally:
        saying.cancel()


async def spoil(api: Api) -> None:
    """Plant five faults."""
    await api.count("Cezve", 5)
    await api.count("Cezve", 9, "izmir")
    order = {
        "channel": "web",
        "order_ref": "#1001",
        "flags": ["vip"],
        "lines": [{"sku": "Cezve", "quantity": 5, "location": "main"}],
    }
    (await api.post("/v1/orders", order)).ok(201)
    await api.count("Cezve", 3)
    (await api.put("/v1/stock/Vazo/main", {"on_hand": 0, "allow_similar": True})).ok()
    late = (datetime.now(UTC).date() - timedelta(days=2)).isoformat()
    expected = {"sku": "Vazo", "location": "main", "quantity": 12, "expected_on": late, "reference": "PO-7"}
    (await api.put("/v1/supply/PO-7", expected)).ok()


async def says(opened: Console, part: str, *texts: str) -> None:
    for text in texts:
        await expect(opened.page.locator(f"#{part}")).to_contain_text(text, timeout=SOON_MS)


async def test_a_bad_morning_has_each_of_its_faults_on_the_screen(server: Server) -> None:
    async with publishing(server), console(server) as opened:
        await spoil(opened.api)

        await says(opened, "short", "Cezve", "#1001", "VIP", "lacks 2", "could come from izmir (9 there)")
        await says(
            opened, "channels", "trendyol", "refuses our access", "the key was revoked", "bazaar", "refuses some"
        )
        await says(opened, "deliveries", "Vazo", "12", "PO-7", "late")
        await says(opened, "books", "Not checked yet")


async def test_a_channel_that_is_paused_is_not_shown_as_fine(server: Server) -> None:
    async with publishing(server, {"bazaar": {"paused": True}}), console(server) as opened:
        row = opened.page.locator("#channels tr").filter(has_text="bazaar")
        await expect(row).to_contain_text("paused: shows its old quantities", timeout=SOON_MS)
        await expect(row.locator(".light.warn")).to_have_text("bazaar")


async def test_what_is_sold_out_and_that_the_books_agree_are_on_the_screen() -> None:
    with Server(keys=KEYS, audit_interval_s=0.5) as server:
        async with console(server) as opened:
            (await opened.api.put("/v1/stock/Vazo/main", {"on_hand": 0, "allow_similar": True})).ok()

            await says(opened, "out", "Vazo")
            await says(opened, "books", "The stock's books agree")


async def test_what_is_sold_elsewhere_appears_by_itself(server: Server) -> None:
    async with console(server) as opened:
        await says(opened, "holds", "No hold lapses")
        await opened.api.count("Cezve", 5)

        (await opened.api.reserve("Cezve", 1, "basket-7", ttl_s=300)).ok(201)

        await says(opened, "holds", "basket-7", "web")


async def test_a_product_is_one_press_away(server: Server) -> None:
    async with console(server) as opened:
        await spoil(opened.api)

        await opened.page.locator("#short td a").first.click(timeout=SOON_MS)

        await expect(opened.page.locator("main h1")).to_have_text("Cezve", timeout=SOON_MS)
