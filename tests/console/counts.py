"""A count or a delivery that has begun on the page."""

from playwright.async_api import Locator, Page, expect

from tests.console.pages import SOON_MS, Console
from tests.support.http import Api


async def counting(opened: Console, *skus: str, mode: str = "count") -> Page:
    """Begin to count, and scan."""
    page = opened.page
    await opened.show("#/count")
    await page.locator(f"button[value={mode}]").click(timeout=SOON_MS)
    for sku in skus:
        await page.locator("input[name=scan]").fill(sku, timeout=SOON_MS)
        await page.keyboard.press("Enter")
        await expect(page.locator(".scanned")).to_have_text(f"{sku}: 1", timeout=SOON_MS)
    return page


def rows(page: Page) -> Locator:
    """Return what was scanned, a row each."""
    return page.locator("section").first.locator("tbody tr")


async def indexed(api: Api, sku: str, location: str) -> None:
    """Wait until the index knows that a SKU lies somewhere."""
    skus: list[str] = []
    while sku not in skus:
        skus = [each["sku"] for each in (await api.get(f"/v1/skus?location={location}")).ok()["skus"]]
