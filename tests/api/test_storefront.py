"""The shop of examples/storefront in a real browser: it shows what is left, sells it, and follows what others sell."""

import asyncio
import base64
import contextlib
import os
import re
import secrets
import socket
import sys
import time
from collections.abc import AsyncIterator
from csv import DictReader
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.browser import browser
from tests.support.http import ROOT, Api, Key, Server, opened

EXAMPLE = ROOT / "examples" / "storefront"
PICTURE = ROOT / "docs" / "img" / "storefront.png"
ADMIN = Key("admin", "default")
SHOP = Key("shop", "default", ("read", "reserve"))
AT = re.compile(rb"The shop is at (http://\S+)")
SOON_MS = 20_000
pytestmark = pytest.mark.timeout(180)


class Opened(NamedTuple):
    """The shop, opened: its page, and Holdfast behind it as its owner sees it."""

    page: Page
    api: Api
    server: Server
    complaints: list[str]

    def card(self, sku: str) -> Locator:
        return self.page.locator(f'[data-sku="{sku}"]')

    async def shows(self, sku: str, text: str) -> None:
        await expect(self.card(sku).locator(".left")).to_have_text(text, timeout=SOON_MS)


def rows(name: str) -> list[dict[str, str]]:
    return list(DictReader((EXAMPLE / name).read_text("utf-8").splitlines()))


async def filled(api: Api) -> None:
    """Have the stock and the stores of the example, as its README imports them."""
    for row in rows("stores.csv"):
        position = {"lat": float(row["lat"]), "lon": float(row["lon"])}
        (await api.put(f"/v1/locations/{row['name']}", {"kind": row["kind"], "position": position})).ok()
    for row in rows("stock.csv"):
        await api.count(row["sku"], int(row["on_hand"]), row["location"])


@contextlib.asynccontextmanager
async def shop(server: Server, key_file: Path, port: int) -> AsyncIterator[str]:
    """Run the shop's server; yields its address."""
    words = [EXAMPLE / "storefront.py", "--key-file", key_file, "--holdfast", server.url, "--port", str(port)]
    process = await asyncio.create_subprocess_exec(sys.executable, *map(str, words), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            found = AT.search(await process.stdout.readline())
        assert found is not None, "the shop did not start"
        yield found[1].decode()
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
async def opened_shop(tmp_path: Path) -> AsyncIterator[Opened]:
    key_file, port = tmp_path / "shop.key", free_port()
    key_file.write_text(SHOP.token + "\n", "utf-8")
    settings: dict[str, Any] = {
        "secret_key": base64.b64encode(secrets.token_bytes(32)).decode(),
        "cors_origins": f"http://127.0.0.1:{port}",
    }
    async with contextlib.AsyncExitStack() as started:
        context = await started.enter_async_context(browser())
        server = started.enter_context(Server(keys=[ADMIN, SHOP], **settings))
        api = await started.enter_async_context(opened(server, ADMIN))
        await filled(api)
        url = await started.enter_async_context(shop(server, key_file, port))
        page, complaints = context.pages[0], list[str]()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await page.goto(url)
        await expect(page.locator("#live")).to_have_text("live", timeout=SOON_MS)
        yield Opened(page, api, server, complaints)
        assert server.faults == []
        assert "hfb_" not in server.stderr


async def test_the_page_shows_what_is_left_and_a_sale_elsewhere_within_a_moment(opened_shop: Opened) -> None:
    shown, api = opened_shop, opened_shop.api
    await shown.shows("MUG-BLUE", "15 left")
    await shown.shows("TOTE-SAND", "7 left")
    await shown.shows("CAP-RED", "The last one")

    began_s = time.monotonic()
    (await api.post("/v1/orders", {"channel": "bazaar", "lines": [{"sku": "MUG-BLUE", "quantity": 4}]})).ok(201)
    await shown.shows("MUG-BLUE", "11 left")
    print(f"a sale elsewhere is on the page after {(time.monotonic() - began_s) * 1000:.0f} ms")  # noqa: T201

    (await api.post("/v1/orders", {"channel": "bazaar", "lines": [{"sku": "CAP-RED", "quantity": 1}]})).ok(201)
    await shown.shows("CAP-RED", "Sold out")
    await expect(shown.card("CAP-RED").locator(".hold")).to_be_disabled()
    assert shown.complaints == []


async def test_a_visitor_holds_pays_and_the_order_is_there(opened_shop: Opened) -> None:
    shown, page = opened_shop, opened_shop.page
    await shown.shows("TOTE-SAND", "7 left")
    await shown.card("TOTE-SAND").locator(".quantity").fill("2")
    await shown.card("TOTE-SAND").locator(".hold").click()
    await expect(page.locator("#basket .what")).to_have_text("2 × Tote bag, sand", timeout=SOON_MS)
    await shown.shows("TOTE-SAND", "5 left")
    if os.environ.get("PICTURE"):  # the one in the documentation is made by PICTURE=1
        await page.screenshot(path=PICTURE)

    await page.locator("#basket .pay").click()

    await expect(page.locator("#said")).to_have_text("Thank you! It is yours.", timeout=SOON_MS)
    await expect(page.locator("#basket")).to_be_hidden()
    found = (await shown.api.get("/v1/reservations?channel=storefront")).ok()["reservations"]
    assert [(each["state"], each["lines"][0]["committed"]) for each in found] == [("committed", 2)]
    assert shown.complaints == []


async def test_what_a_visitor_lets_go_of_is_there_for_others(opened_shop: Opened) -> None:
    shown, page = opened_shop, opened_shop.page
    await shown.card("TEE-GREEN-M").locator(".hold").click()
    await shown.shows("TEE-GREEN-M", "4 left")

    await page.locator("#basket .let-go").click()

    await shown.shows("TEE-GREEN-M", "5 left")
    await expect(page.locator("#said")).to_have_text("Others can have it again.", timeout=SOON_MS)


async def test_more_than_there_is_is_said_and_holds_nothing(opened_shop: Opened) -> None:
    shown, page = opened_shop, opened_shop.page
    await shown.shows("CAP-RED", "The last one")
    await shown.card("CAP-RED").locator(".quantity").fill("2")
    await shown.card("CAP-RED").locator(".hold").click()

    await expect(page.locator("#said")).to_have_text("Insufficient stock", timeout=SOON_MS)
    await expect(page.locator("#basket")).to_be_hidden()
    assert await shown.api.available("CAP-RED") == 1


async def test_the_page_says_which_stores_have_it_the_nearest_first(opened_shop: Opened) -> None:
    shown = opened_shop
    card = shown.card("MUG-BLUE")
    await card.locator(".find").click()
    await expect(card.locator(".stores li")).to_have_text(
        re.compile(r"^kadikoy, [\d.]+ km\s*3 there$"), timeout=SOON_MS
    )

    card = shown.card("TEE-GREEN-M")
    await card.locator(".place").select_option(label="Karşıyaka, İzmir")
    await card.locator(".find").click()
    await expect(card.locator(".stores li")).to_have_text(re.compile(r"^besiktas"), timeout=SOON_MS)


async def test_the_page_goes_on_after_the_server_was_away_and_has_what_changed_meanwhile(opened_shop: Opened) -> None:
    shown = opened_shop
    await shown.shows("TOTE-SAND", "7 left")

    shown.server.kill()
    await expect(shown.page.locator("#live")).to_have_text("connecting …", timeout=SOON_MS)
    shown.server.start()
    await shown.api.count("TOTE-SAND", 40)

    await shown.shows("TOTE-SAND", "42 left")
    await expect(shown.page.locator("#live")).to_have_text("live", timeout=SOON_MS)


async def test_the_page_has_no_key_and_only_a_token_that_reads(opened_shop: Opened) -> None:
    page = opened_shop.page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(str(request.headers) + request.url))
    await page.reload()
    await expect(page.locator("#live")).to_have_text("live", timeout=SOON_MS)

    assert SHOP.secret not in await page.content()
    assert not any(SHOP.secret in each for each in asked)
    token = await page.evaluate("fetch('/api/token', { method: 'POST' }).then((a) => a.json()).then((a) => a.token)")
    async with opened(opened_shop.server) as stranger:
        bearer = {"Authorization": f"Bearer {token}"}
        assert (await stranger.get("/v1/availability/MUG-BLUE", headers=bearer)).status == 200
        assert (await stranger.get("/v1/stock/MUG-BLUE", headers=bearer)).status == 401
