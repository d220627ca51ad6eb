"""Every screen of the console before axe-core, from npm: none breaks WCAG 2.2 AA, light or dark, desk or phone."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.async_api import Page, expect

from tests.channels import npm
from tests.console.morning import Morning
from tests.console.pages import DESK, KEYS, PHONE, READER, SOON_MS, console
from tests.console.screens import SCREENS, address_of, dialogs, show
from tests.support.browser import browser
from tests.support.http import ROOT, Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
HERE: Final = Path(__file__).parent / "axe"
RULES: Final = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LISTED: Final = ROOT / "server" / "console" / "assets" / "screens.js"
DIALOGS_MIN: Final = 20
"""That are looked at, of the 23 that this morning has."""


async def violations(page: Page, axe: str) -> list[Any]:
    # Through the debugger: the page's own policy lets nobody add a script.
    session = await page.context.new_cdp_session(page)
    await session.send("Runtime.evaluate", {"expression": axe})
    await session.detach()
    run = "rules => axe.run({ runOnly: rules }).then((all) => all.violations.map((v) => [v.id, v.nodes[0].html]))"
    return list(await page.evaluate(run, RULES))


def axe_core() -> str:
    folder = npm.installed(npm.Shop("axe", HERE, npm.user_cache("axe"), 120, node="20"))
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


async def faults_of(page: Page, axe: str, what: str) -> dict[str, list[Any]]:
    """Look at what is shown, in each width and theme; what breaks a rule is returned."""
    found: dict[str, list[Any]] = {}
    await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
    for size in (DESK, PHONE):
        await page.set_viewport_size(size)
        for theme in ("light", "dark"):
            await page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
            found[f"{what} {size['width']} {theme}"] = await violations(page, axe)
    await page.set_viewport_size(DESK)
    return {where: faults for where, faults in found.items() if faults}


async def test_no_screen_and_no_dialog_breaks_a_rule(bad: Morning) -> None:
    axe, count = axe_core(), 0
    found: dict[str, list[Any]] = {}
    views: set[str] = set()
    async with console(bad.server, faults=["422"]) as opened:
        for screen in SCREENS:
            await show(opened, screen, bad)
            found |= await faults_of(opened.page, axe, screen.name)
            views |= set(await opened.page.locator("nav a").evaluate_all("all => all.map((a) => a.hash)"))
            async for name in dialogs(opened):
                found |= await faults_of(opened.page, axe, f"{screen.name}: {name}")
                count += 1

    assert found == {}
    assert count >= DIALOGS_MIN
    seen = {address_of(screen, bad) for screen in SCREENS}
    assert {view for view in views if view not in seen and not is_tab_of_a_channel(view)} == set()
    assert {name for name in listed() if f"#/{name}" not in seen} == set()


def listed() -> list[str]:
    """The screens of the console."""
    return re.findall(r'name: "(\w+)"', LISTED.read_text("utf-8"))


def is_tab_of_a_channel(view: str) -> bool:
    """Whether this is looked at on one channel, and is the same on another."""
    return view.partition("?")[0] in ("#/channels/trendyol", "#/channels/bazaar")


async def test_a_planted_fault_is_found(bad: Morning) -> None:
    axe = axe_core()
    async with console(bad.server) as opened:
        await opened.page.locator("main").evaluate("main => main.append(document.createElement('input'))")

        assert "label" in str(await violations(opened.page, axe))


async def test_neither_does_the_form_that_signs_in_nor_what_a_reader_sees(bad: Morning) -> None:
    axe = axe_core()
    async with browser() as context:
        page = context.pages[0]
        await page.goto(f"{bad.server.url}/console")
        await page.locator("input[name=person]").fill("Eve")
        await page.locator("input[name=key]").fill("hf_owner_guessed")
        await page.locator("button[type=submit]").click()
        await expect(page.get_by_role("alert")).to_be_visible(timeout=SOON_MS)
        assert await faults_of(page, axe, "sign in") == {}
    async with console(bad.server, READER) as opened:
        for address in ("#/today", "#/product/TS-1001-BEYAZ-M", "#/channels/bazaar"):
            await opened.show(address)
            assert await faults_of(opened.page, axe, f"reader {address}") == {}


@pytest.mark.parametrize("mode", ["count", "receive"])
async def test_neither_does_a_count_that_goes_on(mode: str) -> None:
    axe = axe_core()
    with Server(keys=KEYS) as server:
        async with console(server) as opened:
            page = opened.page
            await opened.api.count("TEA", 5)
            (await opened.api.reserve("TEA", 5, "hold-1")).ok(201)
            due = {"sku": "TEA", "quantity": 3, "expected_on": "2031-01-15"}
            (await opened.api.put("/v1/supply/PO-1", due)).ok()
            await opened.show("#/count")
            await page.locator(f"button[value={mode}]").click()
            await page.locator("input[name=scan]").fill("TEA")
            await page.keyboard.press("Enter")
            await expect(page.locator(".scanned")).to_have_text("TEA: 1", timeout=SOON_MS)
            assert await faults_of(page, axe, mode) == {}

            await page.locator("main button.main").first.click()

            await expect(page.locator("dialog")).to_be_visible(timeout=SOON_MS)
            assert await faults_of(page, axe, f"{mode} is approved") == {}
