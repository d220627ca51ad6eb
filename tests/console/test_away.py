"""The page and its server lose each other: a restart, a session that ends, a clock that is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from server.store.keys import SESSION
from tests.console.counts import counting
from tests.console.pages import KEYS, OWNER, SOON_MS, Console, console, sign_in
from tests.support.http import Server

pytest_plugins = ("tests.support.http_fixtures",)
pytestmark = pytest.mark.timeout(240)
AWAY = ["failed:", "ERR_", "401"]


async def live(opened: Console, sku: str) -> Page:
    """Show a product that is followed."""
    await opened.show(f"#/product/{sku}")
    await expect(opened.page.locator("main .big")).to_be_visible()
    await expect(opened.page.locator("header.bar")).to_contain_text("Live")
    return opened.page


async def test_what_could_not_be_read_is_shown_once_the_server_is_back(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=KEYS)
    async with console(server, faults=AWAY) as opened:
        await opened.api.count("HERE", 5)
        await opened.api.count("THERE", 7)
        page = await live(opened, "HERE")
        server.stop()
        await opened.show("#/product/THERE")
        await expect(page.get_by_role("alert").first).to_contain_text("does not answer")
        await expect(page.locator("header.bar")).to_contain_text("Reconnecting")

        server.start()

        await expect(page.locator("main .big")).to_have_text("7", timeout=SOON_MS)
        await expect(page.get_by_role("alert")).to_have_count(0)


async def test_what_was_sold_while_the_server_restarted_is_shown(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=KEYS)
    async with console(server, faults=AWAY) as opened:
        await opened.api.count("SOLD", 5)
        page = await live(opened, "SOLD")
        await page.route("**/v1/changes?*", lambda route: route.abort())
        server.stop()
        await expect(page.locator("header.bar")).to_contain_text("Reconnecting")
        server.start()
        (await opened.api.reserve("SOLD", 1, "meanwhile")).ok(201)

        await page.unroute("**/v1/changes?*")

        await expect(page.locator("main .big")).to_have_text("4")


async def test_a_dialog_outlives_a_restart_and_changes_once(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=KEYS)
    async with console(server, faults=AWAY) as opened:
        await opened.api.count("KEPT", 5)
        page = await live(opened, "KEPT")
        await page.get_by_role("button", name="Adjust").click()
        dialog = page.locator("dialog")
        await dialog.locator("[name=units]").fill("3")
        await dialog.locator("[name=reason]").fill("found behind the shelf")
        server.stop()
        await dialog.locator("button[type=submit]").click()
        await expect(dialog.get_by_role("alert")).to_contain_text("does not answer")

        server.start()
        await dialog.locator("button[type=submit]").click()

        await expect(dialog).to_have_count(0)
        await expect(page.locator("main .big")).to_have_text("8")
        assert await opened.api.available("KEPT") == 8


async def test_who_only_looks_at_a_product_hears_that_the_session_has_ended(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=KEYS)
    async with console(server, faults=AWAY) as opened:
        await opened.api.count("LOOKED AT", 5)
        page = await live(opened, "LOOKED%20AT")

        with server.store() as store:
            assert store.delete(*store.scan_iter(f"{SESSION}*")) == 1

        await expect(page.locator("input[name=key]")).to_be_visible()
        await expect(page.locator(".said")).to_contain_text("Your session has ended")


async def test_how_long_ago_something_was_is_told_by_the_server_s_clock(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("HELD", 5)
        (await opened.api.reserve("HELD", 1, "for-ten-minutes", ttl_s=600)).ok(201)
        await opened.page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=3))

        await opened.page.reload()

        await expect(opened.page.locator("#holds")).to_contain_text("in 10 minutes", timeout=SOON_MS)


async def test_what_somebody_else_approved_is_sent_in_no_other_name_by_itself(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=KEYS)
    async with console(server, faults=AWAY, person="Ayşe") as opened:
        await opened.api.count("SHARED", 5)
        page = await counting(opened, "SHARED")
        await page.get_by_role("button", name="Approve the count").click()
        await page.locator("dialog [name=reason]").fill("counted on Monday")
        with server.store() as store:
            store.delete(*store.scan_iter(f"{SESSION}*"))
        await page.locator("dialog button[type=submit]").click()
        await sign_in(page, OWNER, "Mehmet")
        await expect(page.locator("main")).to_contain_text("Ayşe approved this, and it was not sent")
        assert await opened.api.available("SHARED") == 5

        await page.get_by_role("button", name="Send it in my name").click()

        await expect(page.locator(".said")).to_contain_text("1 line is booked")
        [last, *_] = (await opened.api.get("/v1/history?sku=SHARED")).ok()["changes"]
        assert (last["actor"], last["reason"]) == ("owner/Mehmet", "counted on Monday")
