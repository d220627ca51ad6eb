"""docs/how-to/shop-in-javascript.md is followed as it is written; Chromium opens its page, and its number falls."""

import asyncio
import re
import shutil
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from playwright.async_api import Locator, expect

import holdfast
from holdfast.types import LineBody
from tests.clients.js_types import JS
from tests.clients.node import node
from tests.conftest import wait_until
from tests.support.browser import browser
from tests.support.followed_page import ROOT, Reader
from tests.support.own_processes import OwnProcesses
from tests.support.stores import free_port

PAGE: Final = (ROOT / "docs" / "how-to" / "shop-in-javascript.md").read_text("utf-8")
SHOP_PORT: Final = "8000"
SKU: Final = "TS-1001-BEYAZ-M"
SOON_MS: Final = 20_000


@pytest.mark.timeout(300)
async def test_the_page_leads_to_a_shop_whose_page_shows_what_is_left(tmp_path: Path) -> None:
    node()
    assert shutil.which("curl"), "the page uses curl: apt-get install curl"
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "holdfast-client").symlink_to(JS)
    shop_port = str(free_port())
    complaints = list[str]()
    async with browser() as context:
        with OwnProcesses() as own, Reader(tmp_path, own.environment) as reader:
            wrong = await asyncio.to_thread(reader.follow, PAGE.replace(SHOP_PORT, shop_port))
            assert wrong == [], (tmp_path / "shop.log").read_text("utf-8")
            url = reader.environment["HOLDFAST_URL"]
            await wait_until(partial(_asks_for_a_key, url), "the server knows that there is a key", every_s=0.05)
            page = context.pages[0]
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
            await page.goto(f"http://127.0.0.1:{shop_port}/?url={url}")
            row = page.locator(f'[data-sku="{SKU}"]')
            await _shown(row, 53, complaints)

            async with holdfast.AsyncClient(url, reader.environment["HOLDFAST_KEY"]) as elsewhere:
                await elsewhere.reservations.order(channel="bazaar", lines=[LineBody(sku=SKU, quantity=4)])
            await _shown(row, 49, complaints)
            assert await page.locator("li").count() == 2
    assert complaints == []


async def _asks_for_a_key(url: str) -> bool:
    """Whether nobody may ask without one any more. It takes a second; a token that was made before is nobody's then."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/availability/{SKU}") as answer:
        return answer.status == HTTPStatus.UNAUTHORIZED


async def _shown(row: Locator, left: int, complaints: list[str]) -> None:
    """Expect a number on the page; where it is not there, show what the page said."""
    try:
        await expect(row).to_have_text(f"{SKU}: {left} left", timeout=SOON_MS)
    except AssertionError as error:
        error.add_note(f"the page said {complaints}")
        raise


def test_the_page_uses_the_client_as_it_is() -> None:
    assert re.search(r'import \{ Client, Refused \} from "holdfast-client"', PAGE)
    assert 'import { Client } from "/holdfast/index.js"' in PAGE
