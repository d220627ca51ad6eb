"""Two windows of one browser, side by side: they have one session, and none undoes what the other has done."""

import pytest
from playwright.async_api import Page, expect

from tests.console.counts import counting
from tests.console.pages import OWNER, SOON_MS, Console, console, faults_of, sign_in, tab
from tests.console.sold_orders import ON_A_CHANNEL
from tests.support.http import Server

pytestmark = pytest.mark.timeout(240)
SERVED = ON_A_CHANNEL


async def another(opened: Console) -> tuple[Page, list[str]]:
    """Open a second window of the console."""
    page, complaints = await tab(opened.page.context)
    await page.goto(f"{opened.server.url}/console")
    await expect(page.locator("header.bar")).to_be_visible(timeout=SOON_MS)
    return page, complaints


async def test_who_signs_in_again_in_one_window_goes_on_in_the_other(server: Server) -> None:
    async with console(server, faults=["401"]) as opened:
        await opened.api.count("BOTH", 5)
        other, complaints = await another(opened)
        with server.store() as store:
            store.delete(*store.scan_iter("hf:session:*"))
        for page in (opened.page, other):
            await page.reload()
            await expect(page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)

        await sign_in(other, OWNER)

        await expect(opened.page.locator("header.bar")).to_be_visible(timeout=SOON_MS)
        await opened.show("#/product/BOTH")
        await opened.page.get_by_role("button", name="Adjust", exact=True).click(timeout=SOON_MS)
        await opened.page.locator("dialog input[name=units]").fill("-1")
        await opened.page.locator("dialog input[name=reason]").fill("broken")
        await opened.page.locator("dialog button[type=submit]").click()
        await expect(opened.page.locator(".said")).to_contain_text("Done", timeout=SOON_MS)
        assert await opened.api.available("BOTH") == 4
        assert faults_of(complaints, ["401"]) == []


async def test_who_signs_out_in_one_window_is_out_in_the_other(server: Server) -> None:
    async with console(server, faults=["401"]) as opened:
        other, _ = await another(opened)

        await other.get_by_role("button", name="Sign out").click()

        await expect(opened.page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)
        await expect(opened.page.locator(".said")).to_contain_text("Your session has ended", timeout=SOON_MS)


async def test_colours_and_language_that_are_chosen_in_one_window_hold_in_the_other(server: Server) -> None:
    async with console(server) as opened:
        other, _ = await another(opened)
        await other.get_by_label("Colours").select_option("dark")
        await expect(opened.page.locator("html")).to_have_attribute("data-theme", "dark", timeout=SOON_MS)

        await opened.page.get_by_label("Language").select_option("ro")

        await expect(other.locator("h1")).to_have_text("Astăzi", timeout=SOON_MS)
        await other.reload()
        await expect(other.locator("h1")).to_have_text("Astăzi", timeout=SOON_MS)
        await expect(other.locator("html")).to_have_attribute("data-theme", "dark")


async def test_what_is_received_in_a_window_that_was_doubled_is_booked_once(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("DOUBLED", 5)
        first = await counting(opened, "DOUBLED", mode="receive")
        other, complaints = await another(opened)
        begun = await first.evaluate("sessionStorage.getItem('holdfast-count')")
        await other.evaluate("begun => sessionStorage.setItem('holdfast-count', begun)", begun)
        await other.goto(f"{opened.server.url}/console#/count")
        await other.reload()

        for page in (first, other):
            await page.get_by_role("button", name="Receive", exact=True).click()
            await page.locator("dialog input[name=reason]").fill("two windows")
            await page.locator("dialog button[type=submit]").click()
            await expect(page.locator(".said")).to_contain_text("1 line is booked")

        assert await opened.api.available("DOUBLED") == 6
        assert faults_of(complaints) == []


async def test_a_rule_that_another_window_has_set_stays_when_one_is_set_here(server: Server) -> None:
    async with console(server) as opened:
        api, page = opened.api, opened.page
        await opened.show("#/channels/trendyol")
        await page.get_by_role("button", name="Change rules").click(timeout=SOON_MS)
        (await api.put("/v1/channels/trendyol", {"percent": 50, "reason": "elsewhere"})).ok()

        await page.locator("dialog input[name=buffer]").fill("3")
        await page.locator("dialog input[name=reason]").fill("here")
        await page.locator("dialog button[type=submit]").click()

        await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)
        rules = (await api.get("/v1/channels/trendyol")).ok()["rules"]
        assert (rules["percent"], rules["buffer"]) == (50, 3)


async def test_a_channel_that_was_paused_elsewhere_is_offered_to_be_resumed(server: Server) -> None:
    async with console(server) as opened:
        await opened.show("#/channels/trendyol")
        await expect(opened.page.get_by_role("button", name="Pause", exact=True)).to_be_visible(timeout=SOON_MS)

        (await opened.api.post("/v1/channels/trendyol/pause", {"reason": "elsewhere"})).ok()

        await expect(opened.page.get_by_role("button", name="Resume", exact=True)).to_be_visible(timeout=SOON_MS)
