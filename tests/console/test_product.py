"""Products on the page: found however they are typed or scanned, explained, and changed with a reason."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.console.counts import indexed
from tests.console.pages import PHONE, READER, SOON_MS, Console, console
from tests.support.http import Api, Server

pytestmark = pytest.mark.timeout(180)
SKU = "TS-1001-SİYAH-M"


async def stocked(api: Api, sku: str, on_hand: int = 20) -> None:
    await api.count(sku, on_hand)
    await api.count(sku, 6, "izmir")


async def done(opened: Console, button: str, **values: str) -> None:
    """Open a dialog, fill in its fields by their names, and press its button."""
    await opened.page.get_by_role("button", name=button, exact=True).click(timeout=SOON_MS)
    for name, value in values.items():
        field = opened.page.locator(f"dialog [name={name}]")
        if await field.evaluate("element => element.tagName") == "SELECT":
            await field.select_option(value, timeout=SOON_MS)
        else:
            await field.fill(value)
    await opened.page.locator("dialog button[type=submit]").click()
    await expect(opened.page.locator("dialog")).to_have_count(0, timeout=SOON_MS)


@pytest.mark.parametrize("sought", ["ts1001", "sıyah", "SIYAH", "8690000000135", "siyha-m"])
async def test_a_product_is_found_however_it_is_written(server: Server, sought: str) -> None:
    async with console(server) as opened:
        await stocked(opened.api, SKU)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000135", "sku": SKU}]})).ok()
        await opened.page.locator("[data-search]").fill(sought)
        await opened.page.keyboard.press("Enter")

        await expect(opened.page.locator("main")).to_contain_text(SKU, timeout=SOON_MS)


async def test_a_page_with_one_of_several_products_opens_none(server: Server) -> None:
    async with console(server) as opened:
        for sku in ("SEVERAL-1", "SEVERAL-2"):
            await opened.api.count(sku, 1)
            await indexed(opened.api, sku, "main")
        page = opened.page
        await page.route("**/v1/skus?q=several", lambda route: route.continue_(url=f"{route.request.url}&limit=1"))

        await page.locator("[data-search]").fill("several")
        await page.keyboard.press("Enter")

        await expect(page.locator("tbody tr")).to_have_count(1)
        await page.get_by_role("button", name="Show more", exact=True).click()
        await expect(page.locator("tbody tr")).to_have_count(2)


async def test_a_label_is_scanned(server: Server) -> None:
    async with console(server) as opened:
        await stocked(opened.api, "LABELLED")
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000142", "sku": "LABELLED"}]})).ok()
        await opened.page.locator("main h1").click()

        await opened.scan("(01)08690000000142(10)LOT-7")

        await expect(opened.page.locator("main h1")).to_have_text("LABELLED", timeout=SOON_MS)


async def test_why_the_number_is_what_it_is(server: Server) -> None:
    async with console(server) as opened:
        api = opened.api
        await stocked(api, "SUM")
        (await api.reserve("SUM", 2, "hold-1")).ok(201)
        (
            await api.put(
                "/v1/supply/PO-1", {"sku": "SUM", "location": "izmir", "quantity": 40, "expected_on": "2031-05-01"}
            )
        ).ok()
        (await api.post("/v1/transfers", {"from": "main", "to": "izmir", "lines": [{"sku": "SUM", "quantity": 3}]})).ok(
            201
        )

        await opened.show("#/product/SUM")

        page = opened.page
        await expect(page.locator(".big")).to_have_text("21", timeout=SOON_MS)
        await expect(page.locator("#sum tbody tr").filter(has_text="main")).to_contain_text("15")
        await expect(page.locator("#holders")).to_contain_text("hold-1")
        await expect(page.locator("#coming")).to_contain_text("40")
        await expect(page.locator("#coming")).to_contain_text("from main to izmir")
        await expect(page.locator("#channels")).to_contain_text("No channel is configured")


async def test_what_is_changed_has_who_and_why(server: Server) -> None:
    async with console(server) as opened:
        await stocked(opened.api, "CHANGED")
        await opened.show("#/product/CHANGED")

        await done(opened, "Adjust", location="main", bucket="damaged", units="3", reason="fell down")
        await done(opened, "Count", location="izmir", units="9", reason="shelf 4")
        await done(
            opened,
            "Good / damaged",
            location="main",
            **{"from": "damaged", "to": "available"},
            units="1",
            reason="clean",
        )
        await done(opened, "Send elsewhere", **{"from": "main", "to": "izmir"}, units="2", reason="sold better there")

        await expect(opened.page.locator(".big")).to_have_text("25", timeout=SOON_MS)
        history = opened.page.locator("#history")
        for text in ("fell down", "shelf 4", "clean", "sold better there", "owner/Ayşe"):
            await expect(history).to_contain_text(text, timeout=SOON_MS)


async def test_a_refused_change_says_why_and_the_dialog_stays(server: Server) -> None:
    async with console(server, faults=["409", "Failed to load resource"]) as opened:
        await stocked(opened.api, "REFUSED")
        await opened.show("#/product/REFUSED")
        page = opened.page
        await page.get_by_role("button", name="Send elsewhere").click(timeout=SOON_MS)
        await page.locator("dialog [name=to]").select_option("izmir")
        await page.locator("dialog [name=units]").fill("500")
        await page.locator("dialog [name=reason]").fill("all of them")
        await page.locator("dialog button[type=submit]").click()

        await expect(page.locator("dialog [role=alert]")).to_be_visible(timeout=SOON_MS)
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog")).to_have_count(0)


async def test_a_product_gets_another_name(server: Server) -> None:
    # Where not all names are known yet, as on a young server, the dialog says so and can be sent again.
    async with console(server, faults=["409"]) as opened:
        await stocked(opened.api, "OLD NAME")
        await opened.show("#/product/OLD%20NAME")
        await opened.page.get_by_role("button", name="Rename", exact=True).click(timeout=SOON_MS)
        await opened.page.locator("dialog [name=name]").fill("QUITE ANOTHER")
        await opened.page.locator("dialog [name=reason]").fill("as it is on the box")

        renamed = opened.page.locator("main h1", has_text="QUITE ANOTHER")
        refused = opened.page.locator("dialog").get_by_role("alert")
        async with asyncio.timeout(SOON_MS / 1000):
            while not await renamed.count():
                await opened.page.locator("dialog button[type=submit]").click()
                await expect(renamed.or_(refused).first).to_be_visible()

        await expect(opened.page.locator("main h1")).to_have_text("QUITE ANOTHER", timeout=SOON_MS)
        await expect(opened.page.locator(".big")).to_have_text("26", timeout=SOON_MS)
        await expect(opened.page.locator("#history")).to_contain_text("as it is on the box", timeout=SOON_MS)


async def test_a_barcode_is_scanned_to_a_product_taken_from_another_and_removed(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:  # a barcode that is free is known for nothing
        page, code = opened.page, "8690000000159"
        for sku in ("POT", "PAN"):
            await opened.api.count(sku, 3)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": code, "sku": "PAN"}]})).ok()
        await opened.show("#/product/POT")
        part = page.locator("#barcodes")
        await expect(part).to_contain_text("It has no barcode", timeout=SOON_MS)

        await part.get_by_role("button", name="Add a barcode").click()
        await expect(page.locator("dialog [name=barcode]")).to_be_focused(timeout=SOON_MS)
        await opened.scan(code)
        await expect(page.get_by_label("Units in a scan")).to_be_focused()
        await page.keyboard.type("6")
        await page.keyboard.press("Enter")
        await expect(page.locator("dialog")).to_contain_text(f"{code} is a barcode of PAN", timeout=SOON_MS)
        await page.get_by_label("Take it from PAN").check()
        await page.locator("dialog button[type=submit]").click()
        await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)
        row = part.locator("tbody tr")
        await expect(row).to_contain_text(code, timeout=SOON_MS)
        assert (await opened.api.get(f"/v1/barcodes/{code}")).ok()["factor"] == 6

        await part.get_by_role("button", name=f"Remove {code}").click()
        await page.locator("dialog [name=reason]").fill("printed on another product")
        await page.locator("dialog button[type=submit]").click()
        await expect(part).to_contain_text("It has no barcode", timeout=SOON_MS)
        (await opened.api.get(f"/v1/barcodes/{code}")).problem(422, "unknown_barcode")
        await expect(page.locator("#history")).to_contain_text("printed on another product", timeout=SOON_MS)


async def test_who_may_only_read_is_offered_no_change(server: Server) -> None:
    async with console(server, READER) as opened:
        await stocked(opened.api, "READ ONLY")
        await opened.show("#/product/READ%20ONLY")

        await expect(opened.page.locator(".big")).to_be_visible(timeout=SOON_MS)
        assert await opened.page.locator(".title button").count() == 0


async def test_on_a_phone_a_product_fits(server: Server) -> None:
    async with console(server) as opened:
        await stocked(opened.api, "NARROW-" + "X" * 100)
        await opened.page.set_viewport_size(PHONE)
        await opened.show("#/product/NARROW-" + "X" * 100)
        await expect(opened.page.locator(".big")).to_be_visible(timeout=SOON_MS)

        assert await opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_a_name_that_no_product_has_leads_to_those_that_are_like_it(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:
        await opened.api.count("KNOWN NAME", 3)
        await indexed(opened.api, "KNOWN NAME", "main")
        await opened.show("#/product/KNOWN%20NAM")
        alert = opened.page.get_by_role("alert")
        await expect(alert).to_contain_text("No product has this name", timeout=SOON_MS)
        await expect(alert).not_to_contain_text("PUT")

        await alert.get_by_role("link", name="Look for products like").click()

        await expect(opened.page.locator("main table")).to_contain_text("KNOWN NAME", timeout=SOON_MS)
