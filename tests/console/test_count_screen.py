"""Counting and receiving on the page: with a scanner, on a phone, over a reload, and with an answer that is lost."""

import re
from typing import Any, Final

import pytest
from playwright.async_api import Page, Route, expect

from tests.console.counts import indexed
from tests.console.held import Held
from tests.console.pages import KEYS, NARROW, PHONE, SOON_MS, Console, console
from tests.support.http import Api, Key, Server

pytestmark = pytest.mark.timeout(240)

COUNTER: Final = Key("counter", "default", ("read", "stock", "reserve"))
MARKUP: Final = "<img src=x onerror=alert(1)><b>"
SERVED: Final = {"keys": (*KEYS, COUNTER)}
_ADD_ROWS: Final = """(rows) => {
  const begun = JSON.parse(sessionStorage.getItem("holdfast-count"));
  sessionStorage.setItem("holdfast-count", JSON.stringify({ ...begun, rows }));
}"""


async def begin(opened: Console, how: str, place: str = "main") -> Page:
    page = opened.page
    await opened.show("#/count")
    if place != "main":
        await page.get_by_label("Place").select_option("")
        await page.get_by_label("Name of the place").fill(place)
    await page.get_by_role("button", name=how, exact=True).click()
    await expect(page.locator("input[name=scan]")).to_be_visible(timeout=SOON_MS)
    return page


async def scan(page: Page, text: str) -> None:
    """Scan into the field, as somebody who has touched it."""
    await page.locator("input[name=scan]").fill(text)
    await page.keyboard.press("Enter")


async def type_units(page: Page, label: str, units: str) -> None:
    await page.get_by_label(label, exact=True).fill(units, timeout=SOON_MS)
    await page.keyboard.press("Enter")


async def approve(page: Page, button: str, why: str) -> None:
    await page.get_by_role("button", name=button, exact=True).click()
    await page.locator("dialog input[name=reason]").fill(why)
    await page.locator("dialog button[type=submit]").click()


async def barcode(api: Api, code: str, sku: str, factor: int = 1) -> str:
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": code, "sku": sku, "factor": factor}]})).ok()
    return code


async def level(api: Api, sku: str, location: str = "main") -> Any:
    levels = (await api.get(f"/v1/stock/{sku}")).ok()["levels"]
    return next(each for each in levels if each["location"] == location)


def row(page: Page, sku: str) -> Any:
    return page.locator("section").first.locator("tbody tr").filter(has_text=sku)


# -- counting


async def test_a_count_by_scanner_shows_the_differences_and_is_approved_with_a_reason(server: Server) -> None:
    async with console(server, COUNTER, person="Elif") as opened:
        api = opened.api
        await api.count("CUP", 10)
        single, carton = await barcode(api, "8690000000012", "CUP"), await barcode(api, "8690000000029", "CUP", 6)
        page = await begin(opened, "Count")
        await page.locator("main h1").click()

        await opened.scan(single)
        await expect(page.locator(".scanned")).to_have_text("CUP: 1", timeout=SOON_MS)
        await opened.scan(carton)
        await expect(page.locator(".scanned")).to_have_text("CUP: 7", timeout=SOON_MS)
        await scan(page, "CUP")
        await expect(page.locator(".scanned")).to_have_text("CUP: 8", timeout=SOON_MS)

        await expect(row(page, "CUP")).to_contain_text("-2")
        await expect(page.locator("section").nth(1)).to_contain_text("10 → 8")
        await approve(page, "Approve the count", "counted on Monday")
        await expect(page.locator(".said")).to_contain_text("1 line is booked", timeout=SOON_MS)
        assert (await level(api, "CUP"))["on_hand"] == 8
        [change] = (await api.get("/v1/history?sku=CUP&actor=counter/Elif")).ok()["changes"]
        assert (change["operation"], change["reason"]) == ("count", "counted on Monday")


async def test_of_a_long_count_the_newest_rows_are_drawn_and_all_are_sent(server: Server) -> None:
    async with console(server) as opened:
        skus = [f"SHELF-{number:03}" for number in range(130)]
        counts = [{"kind": "count", "sku": sku, "location": "main", "on_hand": 3, "reason": "the year before",
                   "allow_similar": True} for sku in skus]  # fmt: skip
        (await opened.api.post("/v1/stock/movements", {"movements": counts})).ok()
        seq = {sku: (await opened.api.get(f"/v1/stock/{sku}")).ok()["levels"][0]["seq"] for sku in skus[:-1]}
        page = await begin(opened, "Count")
        rows = [{"sku": sku, "counted": 2, "damaged": 0, "expected": 3, "baseline_seq": seq[sku]} for sku in skus[:-1]]
        await page.evaluate(_ADD_ROWS, rows)
        await page.reload()
        scanned, differing = page.locator("section").nth(0), page.locator("section").nth(1)
        await expect(scanned.locator(".count")).to_have_text("129", timeout=SOON_MS)
        await scan(page, skus[-1])
        await expect(scanned.locator("tbody tr")).to_have_count(50, timeout=SOON_MS)
        await expect(scanned.locator("tbody tr").first).to_contain_text(skus[-1])
        await expect(differing.locator("tbody tr")).to_have_count(50)

        await scanned.get_by_role("button", name="Show more").click()
        await expect(scanned.locator("tbody tr")).to_have_count(100)
        await approve(page, "Approve the count", "counted once a year")

        await expect(page.locator(".said")).to_contain_text("130 lines are booked", timeout=SOON_MS)
        assert await opened.api.available(skus[0]) == 2


async def test_who_becomes_short_is_said_before_the_count_is_sent(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SHORT", 3)
        await opened.api.count("SHORT", 5, "izmir")
        lines = [{"sku": "SHORT", "quantity": 3, "location": "main"}]
        (await opened.api.reserve("SHORT", 3, "hold-of-mehmet", lines=lines)).ok(201)
        page = await begin(opened, "Count")

        await scan(page, "SHORT")

        differences = page.locator("section").nth(1)
        await expect(differences).to_contain_text("hold-of-mehmet (web) lacks 2", timeout=SOON_MS)
        await expect(differences).to_contain_text("could come from izmir")
        assert (await level(opened.api, "SHORT"))["on_hand"] == 3


async def test_a_count_survives_a_reload_and_what_was_shipped_meanwhile_is_kept(server: Server) -> None:
    async with console(server) as opened:
        api = opened.api
        await api.count("MOVES", 10)
        page = await begin(opened, "Count")
        await scan(page, "MOVES")
        await expect(row(page, "MOVES")).to_be_visible(timeout=SOON_MS)
        received = {"kind": "receive", "sku": "MOVES", "quantity": 4}
        (await api.post("/v1/stock/movements", {"movements": [received]})).ok()

        await page.reload()
        await expect(row(page, "MOVES")).to_contain_text("10", timeout=SOON_MS)
        await type_units(page, "Units of MOVES", "9")
        await page.get_by_role("button", name="Units of MOVES: one less").click()
        await approve(page, "Approve the count", "after a reload")

        await expect(page.locator(".said")).to_contain_text("booked", timeout=SOON_MS)
        assert (await level(api, "MOVES"))["on_hand"] == 12
        assert await page.evaluate("sessionStorage.length") == 0


async def test_a_product_that_was_never_there_and_one_that_is_gone(server: Server) -> None:
    async with console(server) as opened:
        api = opened.api
        await api.count("HERE", 4, "bursa")
        code = await barcode(api, "8690000000036", "BRAND-NEW")
        await indexed(api, "HERE", "bursa")
        page = await begin(opened, "Count", "bursa")
        await scan(page, code)
        await expect(page.locator(".scanned")).to_have_text("BRAND-NEW: 1", timeout=SOON_MS)

        await page.get_by_role("button", name="Show", exact=True).click()
        await page.get_by_role("button", name="There is no HERE").click(timeout=SOON_MS)
        await expect(row(page, "HERE")).to_contain_text("-4", timeout=SOON_MS)
        await approve(page, "Approve the count", "moved out")

        await expect(page.locator(".said")).to_contain_text("2 lines are booked", timeout=SOON_MS)
        assert (await level(api, "HERE", "bursa"))["on_hand"] == 0
        assert (await level(api, "BRAND-NEW", "bursa"))["on_hand"] == 1


async def test_an_unknown_scan_is_said_and_counts_nothing(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:
        page = await begin(opened, "Count")

        await scan(page, "8690000009992")

        await expect(page.locator("main .note")).to_contain_text("This barcode is not known", timeout=SOON_MS)
        await expect(page.locator("main")).to_contain_text("Scan the first product")


async def test_a_scan_that_goes_into_a_field_for_units_changes_none(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("PLATE", 4)
        page = await begin(opened, "Count")
        await scan(page, "PLATE")
        units = page.get_by_label("Units of PLATE", exact=True)
        await units.click(timeout=SOON_MS)

        await opened.scan("8690000000012")

        await expect(units).to_have_value("1")
        await expect(page.locator("input[name=scan]")).to_be_focused()


async def test_what_is_refused_comes_back_with_its_reason(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("BOWL", 4)
        page = await begin(opened, "Count", "Maın")
        await scan(page, "BOWL")
        await approve(page, "Approve the count", "a typo")

        await expect(row(page, "BOWL")).to_contain_text("main", timeout=SOON_MS)
        assert len((await opened.api.get("/v1/stock/BOWL")).ok()["levels"]) == 1


# -- what a scanner does at a counter


async def test_a_scan_into_the_reason_approves_nothing(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("GLASS", 4)
        page = await begin(opened, "Count")
        await scan(page, "GLASS")
        await page.get_by_role("button", name="Approve the count", exact=True).click()
        await expect(page.locator("dialog input[name=reason]")).to_be_focused()

        await opened.scan("8690000000012")

        await expect(page.locator("dialog")).to_contain_text("No scan is expected here", timeout=SOON_MS)
        await expect(page.locator("dialog input[name=reason]")).to_have_value("")
        assert (await level(opened.api, "GLASS"))["on_hand"] == 4
        await page.keyboard.press("Escape")


async def test_a_short_barcode_that_goes_into_a_field_for_units_is_scanned(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SPOON", 4)
        code = await barcode(opened.api, "123457", "FORK")
        page = await begin(opened, "Count")
        await scan(page, "SPOON")
        await page.get_by_label("Units of SPOON", exact=True).click(timeout=SOON_MS)

        await opened.scan(code)

        await expect(page.locator(".scanned")).to_have_text("FORK: 1", timeout=SOON_MS)
        await expect(page.get_by_label("Units of SPOON", exact=True)).to_have_value("1")


async def test_a_barcode_that_nobody_knows_is_said_once_and_then_counts(server: Server) -> None:
    async with console(server, COUNTER, person="Elif", faults=["422"]) as opened:
        api, code = opened.api, "8690000000043"
        await api.count("TRAY", 12)
        page = await begin(opened, "Count")
        await scan(page, code)

        await page.get_by_role("button", name="Name the product").click(timeout=SOON_MS)
        await page.get_by_label("Product", exact=True).fill("TRAY")
        await page.get_by_label("Units in a scan").fill("6")
        await page.locator("dialog button[type=submit]").click()

        await expect(page.locator(".scanned")).to_have_text("TRAY: 6", timeout=SOON_MS)
        await scan(page, code)
        await expect(page.locator(".scanned")).to_have_text("TRAY: 12", timeout=SOON_MS)
        assert (await api.get(f"/v1/barcodes/{code}")).ok() == {"barcode": code, "sku": "TRAY", "factor": 6}


async def test_a_product_that_is_new_is_received_though_another_is_like_it(server: Server) -> None:
    async with console(server, faults=["422"]) as opened:
        await opened.api.count("CANDLE RED", 4)
        page = await begin(opened, "Receive")
        await scan(page, "8690000000050")
        await page.get_by_role("button", name="Name the product").click(timeout=SOON_MS)
        await page.get_by_label("Product", exact=True).fill("Candle Red")
        await page.get_by_label("It is a new product").check()
        await page.locator("dialog button[type=submit]").click()
        await expect(page.locator(".scanned")).to_have_text("Candle Red: 1", timeout=SOON_MS)
        await approve(page, "Receive", "a new line")

        await row(page, "Candle Red").get_by_role("button", name="Use this name").click(timeout=SOON_MS)
        await approve(page, "Receive", "a new line")

        await expect(page.locator(".said")).to_contain_text("1 line is booked", timeout=SOON_MS)
        assert (await level(opened.api, "Candle%20Red"))["on_hand"] == 1


async def test_a_scan_that_was_not_read_well_is_said(server: Server) -> None:
    async with console(server, faults=["400"]) as opened:
        page = await begin(opened, "Count")

        await scan(page, "8690000000013")

        await expect(page.locator(".said")).to_contain_text("The scanner misread it", timeout=SOON_MS)


async def test_a_place_at_which_something_lies_need_not_be_typed_again(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("ANYTHING", 4, "depo 7")
        await indexed(opened.api, "ANYTHING", "depo%207")
        await opened.show("#/count")

        await opened.page.get_by_label("Place").select_option("depo 7", timeout=SOON_MS)
        await opened.page.get_by_role("button", name="Count", exact=True).click()

        await expect(opened.page.locator("h1")).to_have_text("Counting: depo 7", timeout=SOON_MS)


# -- receiving


async def test_a_delivery_and_a_transfer_are_received_with_damaged_units(server: Server) -> None:
    async with console(server, COUNTER, person="Elif") as opened:
        api = opened.api
        await api.count("VASE", 5, "depo")
        due = {"sku": "VASE", "quantity": 3, "expected_on": "2031-01-15", "location": "store", "reference": "PO-77"}
        (await api.put("/v1/supply/PO-77:1", due)).ok()
        sent = {"from": "depo", "to": "store", "transfer_id": "T-1", "lines": [{"sku": "VASE", "quantity": 2}]}
        (await api.post("/v1/transfers", sent)).ok(201)
        page = await begin(opened, "Receive", "store")
        await expect(page.locator("section").nth(1)).to_contain_text("PO-77", timeout=SOON_MS)

        await scan(page, "VASE")
        await type_units(page, "Units of VASE", "4")
        await type_units(page, "Damaged units of VASE", "1")
        await expect(row(page, "VASE")).to_contain_text("3 on delivery PO-77", timeout=SOON_MS)
        await expect(row(page, "VASE")).to_contain_text("2 on the transfer from depo")
        await approve(page, "Receive", "note 4711")

        await expect(page.locator(".said")).to_contain_text("2 lines are booked", timeout=SOON_MS)
        stands = await level(api, "VASE", "store")
        assert (stands["on_hand"], stands["damaged"]) == (5, 1)
        assert (await api.get("/v1/supply/PO-77:1")).ok()["expected"] == 0
        assert (await api.get("/v1/transfers/T-1")).ok()["state"] == "closed"
        reasons = {each["reason"] for each in (await api.get("/v1/history?actor=counter/Elif")).ok()["changes"]}
        assert "note 4711" in reasons


async def test_what_was_renamed_on_its_way_is_received_once_whatever_its_label_says(server: Server) -> None:
    async with console(server) as opened:
        api = opened.api
        await api.count("CUP-OLD", 9, "depo")
        await api.count("CUP-OLD", 0, "shop")
        due = {"sku": "CUP-OLD", "quantity": 3, "expected_on": "2031-01-15", "location": "shop", "reference": "PO-CUP"}
        (await api.put("/v1/supply/PO-CUP:1", due)).ok()
        sent = {"from": "depo", "to": "shop", "transfer_id": "T-CUP", "lines": [{"sku": "CUP-OLD", "quantity": 2}]}
        (await api.post("/v1/transfers", sent)).ok(201)
        (await api.post("/v1/skus/CUP-OLD/rename", {"to": "CUP-NEW"})).ok()
        (await api.post("/v1/locations/shop/rename", {"to": "corner"})).ok()
        await barcode(api, "8690000000999", "CUP-NEW")
        page = await begin(opened, "Receive", "corner")
        await expect(page.locator("section").nth(1)).to_contain_text("PO-CUP", timeout=SOON_MS)

        for number, text in enumerate(("CUP-OLD", "CUP-NEW", "8690000000999", "CUP-NEW", "CUP-OLD"), 1):
            await scan(page, text)
            await expect(page.locator(".scanned")).to_have_text(f"CUP-NEW: {number}", timeout=SOON_MS)
        await expect(row(page, "CUP-NEW")).to_contain_text("2 on the transfer from depo", timeout=SOON_MS)
        await approve(page, "Receive", "note 4712")

        await expect(page.locator(".said")).to_contain_text("2 lines are booked", timeout=SOON_MS)
        assert (await level(api, "CUP-NEW", "corner"))["on_hand"] == 5
        assert (await api.get("/v1/supply/PO-CUP:1")).ok()["expected"] == 0
        assert (await api.get("/v1/transfers/T-CUP")).ok()["state"] == "closed"


async def test_old_and_new_labels_of_a_product_are_counted_together(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("MUG-OLD", 9)
        (await opened.api.post("/v1/skus/MUG-OLD/rename", {"to": "MUG-NEW"})).ok()
        page = await begin(opened, "Count")

        for number, text in enumerate(("MUG-OLD", "MUG-NEW", "MUG-OLD"), 1):
            await scan(page, text)
            await expect(page.locator(".scanned")).to_have_text(f"MUG-NEW: {number}", timeout=SOON_MS)
        await approve(page, "Approve the count", "the shelf")

        await expect(page.locator(".said")).to_contain_text("1 line is booked", timeout=SOON_MS)
        assert (await level(opened.api, "MUG-NEW"))["on_hand"] == 3


async def test_a_scan_before_the_deliveries_are_read_is_of_them(server: Server) -> None:
    async with console(server) as opened:
        due = {"sku": "NEVER-SEEN-BEFORE", "quantity": 3, "expected_on": "2031-01-15", "location": "main"}
        (await opened.api.put("/v1/supply/PO-EARLY", due)).ok()
        slow = Held()
        await opened.page.route("**/v1/supply?*", slow)
        page = await begin(opened, "Receive")
        await slow.asked()
        await scan(page, "NEVER-SEEN-BEFORE")

        slow.go()

        await expect(page.locator(".scanned")).to_have_text("NEVER-SEEN-BEFORE: 1", timeout=SOON_MS)


async def test_what_nobody_expected_is_received_and_broken_units_are_not_sold(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("LAMP", 1)
        page = await begin(opened, "Receive")
        await scan(page, "LAMP")
        await type_units(page, "Units of LAMP", "5")
        await type_units(page, "Damaged units of LAMP", "2")
        await expect(row(page, "LAMP")).to_contain_text("7 that nobody expected", timeout=SOON_MS)

        await approve(page, "Receive", "found in the cellar")

        await expect(page.locator(".said")).to_contain_text("1 line is booked", timeout=SOON_MS)
        stands = await level(opened.api, "LAMP")
        assert (stands["on_hand"], stands["damaged"], stands["available"]) == (8, 2, 6)


async def test_the_label_of_a_parcel_takes_all_that_was_announced_in_it(server: Server) -> None:
    parcel = "340123450000000017"
    async with console(server) as opened:
        due = {"sku": "SOAP", "quantity": 24, "expected_on": "2031-01-15", "location": "kiosk", "sscc": parcel}
        (await opened.api.put("/v1/supply/PO-9:1", due)).ok()
        page = await begin(opened, "Receive", "kiosk")

        await scan(page, f"(00){parcel}")

        await expect(page.get_by_label("Units of SOAP", exact=True)).to_have_value("24", timeout=SOON_MS)
        await approve(page, "Receive", "whole")
        await expect(page.locator(".said")).to_contain_text("booked", timeout=SOON_MS)
        assert (await level(opened.api, "SOAP", "kiosk"))["on_hand"] == 24


async def test_an_answer_that_is_lost_books_nothing_twice_not_even_after_a_reload(server: Server) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the server, and is done
        await route.abort()

    async with console(server, faults=["ERR_FAILED", "net::"]) as opened:
        await opened.api.count("ONCE", 1)
        page = await begin(opened, "Receive")
        await scan(page, "ONCE")
        await expect(row(page, "ONCE")).to_be_visible(timeout=SOON_MS)
        await page.route("**/v1/stock/movements", lose)
        await approve(page, "Receive", "the network is bad")
        await expect(page.locator("main")).to_contain_text("books nothing twice", timeout=SOON_MS)
        assert (await level(opened.api, "ONCE"))["on_hand"] == 2
        await page.unroute("**/v1/stock/movements")

        await page.reload()

        await expect(page.locator(".said")).to_contain_text("1 line is booked", timeout=SOON_MS)
        assert (await level(opened.api, "ONCE"))["on_hand"] == 2


# -- markup, languages, widths


async def test_markup_stays_text(server: Server) -> None:
    async with console(server) as opened:
        due = {"sku": MARKUP, "quantity": 3, "expected_on": "2031-01-15", "location": MARKUP, "reference": MARKUP}
        (await opened.api.put("/v1/supply/PO-M", due)).ok()
        page = await begin(opened, "Receive", MARKUP)
        await scan(page, MARKUP)

        await expect(page.locator(".said, .scanned").first).to_contain_text(MARKUP, timeout=SOON_MS)
        await expect(page.locator("section").nth(1)).to_contain_text(MARKUP, timeout=SOON_MS)
        assert await page.locator("main img, main b, .said img").count() == 0


@pytest.mark.parametrize(("locale", "title"), [("tr-TR", "Sayım ve mal kabul"), ("ro-RO", "Numărare și recepție")])
async def test_every_text_is_there_in_every_language(server: Server, locale: str, title: str) -> None:
    async with console(server, locale=locale) as opened:
        page = opened.page
        await opened.api.count("TONGUE", 4)
        await opened.show("#/count")
        await expect(page.locator("h1")).to_have_text(title, timeout=SOON_MS)
        for mode in ("count", "receive"):
            await page.locator(f"button[value={mode}]").click()
            await scan(page, "TONGUE")
            await expect(page.locator(".scanned")).to_have_text("TONGUE: 1", timeout=SOON_MS)
            assert re.findall(r"\bcount\.\w+", await page.locator("main").inner_text()) == []
            await page.evaluate("sessionStorage.clear()")
            await page.reload()
            await expect(page.locator("h1")).to_have_text(title, timeout=SOON_MS)


async def test_on_a_phone_nothing_is_wider_than_the_screen(server: Server) -> None:
    async with console(server) as opened:
        await opened.page.set_viewport_size(PHONE)
        sku = "LONG-" + "x" * 100
        await opened.api.count(sku, 4)
        page = await begin(opened, "Count")
        await scan(page, sku)
        await expect(row(page, sku)).to_be_visible(timeout=SOON_MS)

        for size in (PHONE, NARROW):
            await opened.page.set_viewport_size(size)
            assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
