"""A scanner at the page: it does not wait until the page has drawn, read, or opened what was scanned before."""

import itertools
from typing import Final

import pytest
from playwright.async_api import expect

from tests.console import hands
from tests.console.counts import counting, indexed, rows
from tests.console.held import Held
from tests.console.pages import KEYS, SOON_MS, console
from tests.support.http import Key, Server

pytestmark = pytest.mark.timeout(240)

ELSEWHERE: Final = Key("elsewhere", "other")
BUSY: Final = "() => { const until = performance.now() + 150; while (performance.now() < until); }"
LABEL: Final = "(01)08690000000067"
SERVED: Final = {"keys": (*KEYS, ELSEWHERE)}


async def test_a_scan_is_whole_though_the_page_is_busy_meanwhile(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("BUSY", 3)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000074", "sku": "BUSY"}]})).ok()
        await opened.page.locator("main h1").click()

        await hands.scan(opened.page, "8690000000074", between=lambda: opened.page.evaluate(BUSY))

        await expect(opened.page.locator("h1")).to_have_text("BUSY", timeout=SOON_MS)


async def test_a_space_in_a_scan_presses_no_button_that_has_the_focus(server: Server) -> None:
    async with console(server) as opened:
        for sku in ("FIRST", "SNK-AIR 44"):
            await opened.api.count(sku, 5)
        page = await counting(opened, "FIRST")
        await page.get_by_role("button", name="Remove FIRST").focus()

        await opened.scan("SNK-AIR 44")

        await expect(page.locator(".scanned")).to_have_text("SNK-AIR 44: 1", timeout=SOON_MS)
        await expect(rows(page)).to_have_count(2)


async def test_a_scan_that_is_too_short_presses_no_button_that_has_the_focus(server: Server) -> None:
    async with console(server) as opened:
        for sku in ("FIRST", "SHORT-SCAN"):
            await opened.api.count(sku, 5)
        page = await counting(opened, "FIRST")
        await page.get_by_role("button", name="Remove FIRST").focus()

        await opened.scan("A12")
        await opened.scan("SHORT-SCAN")

        await expect(page.locator(".scanned")).to_have_text("SHORT-SCAN: 1", timeout=SOON_MS)
        await expect(rows(page)).to_have_count(2)


async def test_a_space_in_a_scan_presses_no_button_of_a_dialog(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("PARCEL", 5)
        order = {"channel": "web", "reservation_id": "web-1", "lines": [{"sku": "PARCEL", "quantity": 1}]}
        (await opened.api.post("/v1/orders", order)).ok(201)
        await opened.show("#/orders/web-1")
        await opened.page.get_by_role("button", name="Ship", exact=True).click()
        await opened.page.locator("dialog button[type=submit]").focus()

        await opened.scan("TR 777 0001234567")

        await expect(opened.page.locator("dialog")).to_contain_text("No scan is expected here")
        [line] = (await opened.api.get("/v1/reservations/web-1")).ok()["lines"]
        assert (line["committed"], line["fulfilled"]) == (1, 0)


async def test_a_label_that_is_read_late_takes_nobody_away_from_what_was_scanned_since(server: Server) -> None:
    async with console(server) as opened:
        for code, sku in (("8690000000067", "SLOW"), ("8690000000081", "FAST")):
            await opened.api.count(sku, 3)
            (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": code, "sku": sku}]})).ok()
        page, slow = opened.page, Held()
        await page.route("**/v1/barcodes/*", slow)
        await page.locator("main h1").click()
        await opened.scan(LABEL)
        await slow.asked()
        await opened.scan("8690000000081")
        await expect(page.locator("h1")).to_have_text("FAST", timeout=SOON_MS)

        async with page.expect_response("**/v1/barcodes/*"):
            slow.go()
        await page.get_by_role("link", name="Orders", exact=True).click()

        await expect(page.locator("h1")).to_have_text("Orders", timeout=SOON_MS)
        await expect(page.locator("main .busy")).to_have_count(0, timeout=SOON_MS)
        await expect(page.locator("h1")).to_have_text("Orders")


@pytest.mark.parametrize("place", ["main h1", "input[name=scan]", "tbody input[type=number]"])
async def test_a_label_keeps_what_its_elements_are_parted_by_wherever_it_is_scanned(server: Server, place: str) -> None:
    async with console(server) as opened:
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "08690000000067", "sku": "CRATED"}]})).ok()
        await opened.api.count("FIRST", 5)
        page = await counting(opened, "FIRST")
        await page.locator(place).focus()

        await opened.scan(f"02086900000000673712{hands.GS}1055")

        await expect(page.locator(".scanned")).to_have_text("CRATED: 12", timeout=SOON_MS)
        await expect(rows(page)).to_have_count(2)


async def test_a_label_that_is_scanned_into_the_search_opens_its_product(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("CRATED", 5)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "08690000000067", "sku": "CRATED"}]})).ok()
        await opened.page.locator("[data-search]").focus()

        await opened.scan(f"010869000000006710L7{hands.GS}21SERIAL")

        await expect(opened.page.locator("h1")).to_have_text("CRATED", timeout=SOON_MS)


async def test_what_is_scanned_after_an_unknown_label_is_shown_alone(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:
        await opened.api.count("PLAIN A", 3)
        await opened.api.count("PLAIN B", 3)
        await opened.show("#/product?q=(01)08690000009992")
        await expect(opened.page.get_by_role("alert")).to_contain_text("not known", timeout=SOON_MS)

        await opened.show("#/product?q=PLAIN")

        await expect(opened.page.locator("main tbody tr")).to_have_count(2, timeout=SOON_MS)
        await expect(opened.page.get_by_role("alert")).to_have_count(0)


async def test_a_scan_after_a_search_takes_its_place(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SOUGHT", 3)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000098", "sku": "SOUGHT"}]})).ok()
        field = opened.page.locator("[data-search]")
        await field.fill("nothing like that")
        await opened.page.keyboard.press("Enter")
        await expect(opened.page.locator("h1")).to_contain_text("nothing like that", timeout=SOON_MS)
        await field.focus()

        await opened.scan("8690000000098")

        await expect(opened.page.locator("h1")).to_have_text("SOUGHT", timeout=SOON_MS)


async def test_a_screen_that_comes_late_leaves_a_scan_in_the_field_where_it_began(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SOUGHT", 3)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000098", "sku": "SOUGHT"}]})).ok()
        page, slow, keys = opened.page, Held(), itertools.count(1)
        await page.route("**/screens/orders.js", slow)
        await page.get_by_role("link", name="Orders", exact=True).click()
        await slow.asked()
        await page.locator("[data-search]").focus()

        async def comes() -> None:
            if next(keys) == 4:
                slow.go()
                await expect(page.locator("h1")).to_have_text("Orders", timeout=SOON_MS)

        await hands.scan(page, "8690000000098", between=comes)

        await expect(page.locator("h1")).to_have_text("SOUGHT", timeout=SOON_MS)


async def test_a_scan_that_is_read_when_the_count_was_left_is_in_no_other_count(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("LATE", 5)
        page, slow = await counting(opened), Held()
        await page.route("**/v1/availability/query", slow)
        await page.locator("input[name=scan]").fill("LATE")
        await page.keyboard.press("Enter")
        await slow.asked()
        await page.get_by_role("button", name="Discard", exact=True).click()
        await page.get_by_label("Place").select_option("", timeout=SOON_MS)
        await page.get_by_label("Name of the place").fill("izmir")
        await page.locator("button[value=count]").click()

        slow.go()

        await opened.api.count("IZMIR", 5, "izmir")
        await page.locator("input[name=scan]").fill("IZMIR")
        await page.keyboard.press("Enter")
        await expect(page.locator(".scanned")).to_have_text("IZMIR: 1", timeout=SOON_MS)
        await expect(rows(page)).to_have_count(1)
        await expect(page.locator(".said p")).to_have_count(0)


async def test_who_says_that_there_is_none_of_what_is_being_scanned_has_it_once(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("TWICE", 5)
        await indexed(opened.api, "TWICE", "main")
        page = await counting(opened)
        await page.get_by_role("button", name="Show", exact=True).click()
        none = page.get_by_role("button", name="There is no TWICE")
        await expect(none).to_be_visible(timeout=SOON_MS)
        slow = Held()
        await page.route("**/v1/stock/TWICE", slow)
        await none.click()
        await slow.asked()
        await page.locator("input[name=scan]").fill("TWICE")
        await page.keyboard.press("Enter")
        slow.go()

        await expect(page.locator(".scanned")).to_contain_text("TWICE", timeout=SOON_MS)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
        await expect(rows(page)).to_have_count(1)


async def test_a_barcode_of_one_partition_means_nothing_in_another(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:
        code = "8690000000104"
        await opened.api.count("OURS", 5)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": code, "sku": "OURS"}]})).ok()
        page = await counting(opened)
        await page.locator("input[name=scan]").fill(code)
        await page.keyboard.press("Enter")
        await expect(page.locator(".scanned")).to_have_text("OURS: 1", timeout=SOON_MS)
        await page.get_by_role("button", name="Sign out").click()
        await page.locator("input[name=key]").fill(ELSEWHERE.token)
        await page.locator("form button[type=submit]").click()

        await page.locator("button[value=count]").click(timeout=SOON_MS)
        await page.locator("input[name=scan]").fill(code, timeout=SOON_MS)
        await page.keyboard.press("Enter")

        await expect(page.locator("main .note")).to_contain_text("This barcode is not known", timeout=SOON_MS)


async def test_units_that_are_being_typed_outlive_another_row(server: Server) -> None:
    async with console(server) as opened:
        for sku in ("SLOWLY", "QUICKLY"):
            await opened.api.count(sku, 5)
        page = await counting(opened, "SLOWLY")
        slow = Held()
        await page.route("**/v1/availability/query", slow)
        await page.locator("input[name=scan]").fill("QUICKLY")
        await page.keyboard.press("Enter")
        await slow.asked()
        units = page.get_by_label("Units of SLOWLY", exact=True)
        await units.fill("12")

        slow.go()

        await expect(page.locator(".scanned")).to_have_text("QUICKLY: 1", timeout=SOON_MS)
        await expect(units).to_have_value("12")
        await page.keyboard.press("Enter")
        await expect(page.locator("section").nth(1)).to_contain_text("5 → 12", timeout=SOON_MS)
