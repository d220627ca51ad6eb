"""What the page reads by itself: what changes faster than it is answered, and what will be opened next."""

import asyncio

import pytest
from playwright.async_api import Route, expect

from tests.console.pages import SOON_MS, console
from tests.support.http import Server

pytestmark = pytest.mark.timeout(180)
ON_HAND = 900
_LOADED = """async (end) => {
  const isThere = () => performance.getEntriesByType("resource").some((each) => each.name.endsWith(end));
  while (!isThere()) await new Promise((passed) => setTimeout(passed, 50));
}"""


async def test_a_product_that_is_sold_faster_than_it_is_read_is_shown_meanwhile(server: Server) -> None:
    async with console(server, faults=["failed: "]) as opened:
        await opened.api.count("FAST", ON_HAND)

        async def answer_late(route: Route) -> None:
            await asyncio.sleep(1.5)
            await route.continue_()

        async def sell() -> None:
            while True:
                (await opened.api.reserve("FAST", 1)).ok(201)
                await asyncio.sleep(0.2)

        await opened.show("#/product/FAST")
        number = opened.page.locator("main .big")
        await expect(number).to_have_text(str(ON_HAND), timeout=SOON_MS)
        await opened.page.route("**/v1/stock/FAST", answer_late)

        selling = asyncio.create_task(sell())
        try:
            await expect(number).not_to_have_text(str(ON_HAND), timeout=SOON_MS)
        finally:
            selling.cancel()
            await opened.page.unroute_all(behavior="wait")


async def test_what_the_search_opens_is_there_before_anybody_searches(server: Server) -> None:
    async with console(server) as opened, asyncio.timeout(SOON_MS / 1000):
        for end in ("/screens/product.js", "/texts/en/product.json"):
            await opened.page.evaluate(_LOADED, end)
