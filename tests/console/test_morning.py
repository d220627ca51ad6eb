"""A prepared bad morning on *Today*: five faults among a normal day, each named in words, and in one look."""

from typing import Final

import pytest
from playwright.async_api import expect

from tests.console.accessible import assert_accessible
from tests.console.morning import Morning
from tests.console.pages import DESK, KEYS, PHONE, SOON_MS, console
from tests.support.http import Server

pytestmark = pytest.mark.timeout(240)
LOOKED_AT: Final = {
    "an order is short": "Orders lack units of 1 product: SNK-AIR 43 1/3",
    "a line is not mapped": "(product not known)",
    "a product is sold out": "ELB-2204/BORDO/38",
    "a delivery is late": "1 delivery is late: PO-2231 (ŞARJ-65W-GAN)",
    "a channel refuses our access": "1 channel takes nothing: bazaar",
}


async def test_each_of_the_five_faults_is_named_in_words_on_the_screen(bad: Morning) -> None:
    async with console(bad.server) as opened:
        for fault in bad.faults:
            for text in fault.words:
                await expect(opened.page.locator(f"#{fault.part}")).to_contain_text(text, timeout=SOON_MS)
            first = opened.page.locator("#needs")
            await expect(first).to_contain_text(LOOKED_AT[fault.name], timeout=SOON_MS)
        await assert_accessible(opened.page)

        for size in (DESK, PHONE):
            await opened.page.set_viewport_size(size)
            box = await opened.page.locator("#needs").bounding_box()
            assert box is not None
            assert box["y"] + box["height"] <= size["height"], "all is said before anybody scrolls"


async def test_a_line_leads_to_its_part(bad: Morning) -> None:
    async with console(bad.server) as opened:
        await opened.page.get_by_role("button", name="1 delivery is late").click(timeout=SOON_MS)

        await expect(opened.page.locator("#deliveries-title")).to_be_focused(timeout=SOON_MS)
        await expect(opened.page.locator("#deliveries")).to_be_in_viewport()


async def test_on_a_good_morning_nothing_needs_anybody() -> None:
    with Server(keys=KEYS) as server:
        async with console(server) as opened:
            await opened.api.count("TEA", 5)

            await expect(opened.page.locator("#needs")).to_contain_text("Nothing needs you now.", timeout=SOON_MS)
            await expect(opened.page.locator("#needs button")).to_have_count(0)
