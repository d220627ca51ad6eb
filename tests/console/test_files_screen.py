"""Files on the page: looked at, read as they have to be, applied, taken back, and bad rows given back."""

from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import FilePayload, Locator, expect

from tests.console.accessible import assert_accessible
from tests.console.pages import KEYS, PHONE, READER, SOON_MS, Console, console
from tests.console.sold_orders import ON_A_CHANNEL
from tests.support.http import Api, Key, Server

pytestmark = pytest.mark.timeout(240)
STOCK = Key("stock", "default", ("read", "stock"))
SERVED: Final = {**ON_A_CHANNEL, "keys": (*KEYS, STOCK)}


def preview(opened: Console) -> Locator:
    return opened.page.locator("#preview")


async def look(opened: Console, content: bytes, *, name: str = "stock.csv", kind: str = "import") -> None:
    """Choose a file, and look at it."""
    await opened.page.locator("select[name=kind]").select_option(kind)
    file: FilePayload = {"name": name, "mimeType": "text/csv", "buffer": content}
    await opened.page.locator("input[type=file]").set_input_files([file])
    await opened.page.get_by_role("button", name="Look at it").click()


async def apply(opened: Console) -> None:
    """Apply the file, and say yes where that is asked for."""
    seen = opened.page.get_by_label("Yes, all of that is meant")
    if await seen.count():
        await seen.check()
    await preview(opened).get_by_role("button", name="Apply", exact=True).click()
    await expect(preview(opened).locator("h2")).to_contain_text(": applied", timeout=SOON_MS)


async def on_hand(api: Api, sku: str, location: str = "main") -> int:
    levels = (await api.get(f"/v1/stock/{sku}")).ok()["levels"]
    return next(int(level["on_hand"]) for level in levels if level["location"] == location)


async def test_a_file_is_looked_at_applied_and_taken_back(server: Server) -> None:
    async with console(server) as opened:
        for sku, units in (("TEA", 12), ("SUGAR", 20)):
            await opened.api.count(sku, units)
        await opened.show("#/files")
        await look(opened, b"sku,on_hand\nTEA,8\nSUGAR,20\nSALT,5\nPEPPER,?\n")
        for text in ("12 → 8", "1 less", "1 new", "1 left out", "SALT", "not a whole number"):
            await expect(preview(opened)).to_contain_text(text, timeout=SOON_MS)
        await assert_accessible(opened.page)
        assert await on_hand(opened.api, "TEA") == 12  # nothing is changed yet
        button = preview(opened).get_by_role("button", name="Apply", exact=True)
        await expect(preview(opened)).to_contain_text("Products that are not known")
        await expect(button).to_be_disabled()
        await opened.page.get_by_label("Yes, all of that is meant").check()
        await apply(opened)
        assert (await on_hand(opened.api, "TEA"), await on_hand(opened.api, "SALT")) == (8, 5)

        row = opened.page.locator("#imports tbody tr", has_text="stock.csv").first
        await expect(row).to_contain_text("owner/Ayşe", timeout=SOON_MS)
        await preview(opened).get_by_role("button", name="Undo").click()
        dialog = opened.page.locator("dialog")
        await expect(dialog).to_contain_text("TEA at main: 8 → 12", timeout=SOON_MS)
        await assert_accessible(opened.page)
        assert await on_hand(opened.api, "TEA") == 8
        await dialog.locator("[name=reason]").fill("of last week")
        await dialog.locator("button[type=submit]").click()
        await expect(dialog).to_have_count(0, timeout=SOON_MS)
        await expect(row).to_contain_text("taken back", timeout=SOON_MS)
        assert (await on_hand(opened.api, "TEA"), await on_hand(opened.api, "SALT")) == (12, 0)
        change = (await opened.api.get("/v1/history?sku=TEA&limit=1")).ok()["changes"][0]
        assert change["reason"].startswith("of last week (undo stock.csv)")


async def test_bad_rows_come_back_as_a_file_and_are_imported_once_they_are_corrected(
    server: Server, tmp_path: Path
) -> None:
    async with console(server) as opened:
        await opened.show("#/files")
        await look(opened, b"sku;on_hand\nCUP;3\nPLATE;x\n", name="cups.csv")
        await expect(preview(opened)).to_contain_text("PLATE", timeout=SOON_MS)
        async with opened.page.expect_download() as waiting:
            await preview(opened).get_by_role("link", name="Download these rows").click()
        bad = tmp_path / "bad.csv"
        await (await waiting.value).save_as(bad)
        content = bad.read_bytes()
        assert b"PLATE" in content
        assert b"CUP;3" not in content
        await look(opened, content.replace(b"x", b"7", 1), name="corrected.csv")
        await expect(preview(opened)).to_contain_text("corrected.csv: what would change", timeout=SOON_MS)
        await apply(opened)

        assert await on_hand(opened.api, "PLATE") == 7


async def test_how_a_file_is_read_is_said_column_by_column(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("ÇAY", 12)
        await opened.show("#/files")
        await opened.page.get_by_text("How the file is read").click()
        await opened.page.get_by_label("Columns", exact=True).fill("sku=Bizim ad, on_hand=Kalan")
        await opened.page.get_by_label("Columns to leave out").fill("Fiyat")
        await opened.page.get_by_label("Encoding").select_option("windows-1254")
        await opened.page.get_by_label("Decimals").select_option(",")
        await look(opened, "Bizim ad;Kalan;Fiyat\nÇAY;1.200,00;5\n".encode("cp1254"), name="windows.csv")

        await expect(preview(opened)).to_contain_text("12 → 1,200", timeout=SOON_MS)
        await expect(preview(opened)).to_contain_text("Numbers that grow very far")


async def test_a_file_that_cannot_be_read_says_why(server: Server) -> None:
    async with console(server, faults=["/v1/files/", "Failed to load resource"]) as opened:
        await opened.show("#/files")
        await opened.page.get_by_role("button", name="Look at it").click()
        await expect(opened.page.get_by_role("alert")).to_contain_text("No file is chosen", timeout=SOON_MS)
        await look(opened, b"\x00\x01\x02 what is this")
        alert = opened.page.get_by_role("alert")
        await expect(alert).not_to_contain_text("No file is chosen", timeout=SOON_MS)
        await expect(alert).to_be_visible(timeout=SOON_MS)
        await expect(preview(opened)).to_have_count(0)


async def test_a_file_that_was_corrected_in_the_meantime_is_to_be_chosen_again(server: Server, tmp_path: Path) -> None:
    async with console(server) as opened:
        path = tmp_path / "stock.csv"
        path.write_text("sku,on_hand\nKETTLE,x\n")
        await opened.show("#/files")
        await opened.page.locator("input[type=file]").set_input_files(path)
        await opened.page.get_by_role("button", name="Look at it").click()
        await expect(preview(opened)).to_contain_text("1 left out", timeout=SOON_MS)

        path.write_text("sku,on_hand\nKETTLE,25\n")
        await opened.page.get_by_role("button", name="Look at it").click()
        await expect(opened.page.get_by_role("alert")).to_contain_text("Choose it again", timeout=SOON_MS)
        async with opened.page.expect_file_chooser() as choosing:
            await opened.page.locator("input[type=file]").click()
        await (await choosing.value).set_files(path)
        await opened.page.get_by_role("button", name="Look at it").click()

        await expect(preview(opened)).to_contain_text("KETTLE", timeout=SOON_MS)
        await expect(preview(opened)).to_contain_text("1 new")


async def test_a_file_is_dropped_on_the_page(server: Server) -> None:
    async with console(server) as opened:
        await opened.show("#/files")
        transfer = await opened.page.evaluate_handle("""() => {
          const held = new DataTransfer();
          held.items.add(new File(['sku,on_hand\\nDROPPED,3\\n'], 'dropped.csv', {type: 'text/csv'}));
          return held;
        }""")
        await opened.page.locator(".drop").dispatch_event("drop", {"dataTransfer": transfer})
        await opened.page.get_by_role("button", name="Look at it").click()

        await expect(preview(opened)).to_contain_text("dropped.csv", timeout=SOON_MS)
        await expect(preview(opened)).to_contain_text("DROPPED")


async def test_a_count_of_a_place_and_listings_of_a_channel_are_said_where_to(server: Server) -> None:
    async with console(server, faults=["/v1/files/listings", "Failed to load resource"]) as opened:
        await opened.api.count("COUNTED", 3, "izmir")
        await opened.show("#/files")
        await opened.page.locator("select[name=kind]").select_option("count")
        await opened.page.get_by_label("Place").fill("izmir")
        await look(opened, b"sku,on_hand\nCOUNTED,4\n", name="count.csv", kind="count")
        await expect(preview(opened)).to_contain_text("3 → 4", timeout=SOON_MS)
        await apply(opened)
        assert await on_hand(opened.api, "COUNTED", "izmir") == 4

        # No server that publishes has started with it, so the name may be a slip of the pen: the refusal names it.
        await look(opened, b"sku,key\nCOUNTED,8690000000017\n", name="listings.csv", kind="listings")
        await expect(opened.page.get_by_role("alert")).to_contain_text("Channel 'trendyol'", timeout=SOON_MS)


async def test_what_contradicts_an_undo_stays_and_is_said(server: Server) -> None:
    async with console(server) as opened:
        await opened.show("#/files")
        await look(opened, b"sku,on_hand\nRECOUNTED,100\n", name="wrong.csv")
        await expect(preview(opened)).to_contain_text("RECOUNTED", timeout=SOON_MS)
        await apply(opened)
        await opened.api.count("RECOUNTED", 7)
        row = opened.page.locator("#imports tbody tr", has_text="wrong.csv")
        await row.get_by_role("button", name="Undo").click(timeout=SOON_MS)

        dialog = opened.page.locator("dialog")
        await expect(dialog).to_contain_text("Not taken back", timeout=SOON_MS)
        await expect(dialog).to_contain_text("RECOUNTED at main")
        await opened.page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        assert await on_hand(opened.api, "RECOUNTED") == 7


async def test_a_key_for_stock_is_offered_no_listings_and_a_reader_no_files(server: Server) -> None:
    async with console(server, STOCK) as opened:
        await opened.show("#/files")
        kinds = opened.page.locator("select[name=kind] option")
        await expect(kinds).to_have_count(6, timeout=SOON_MS)
        await expect(opened.page.locator("select[name=kind]")).not_to_contain_text("Listings")
    async with console(server, READER) as opened:
        await expect(opened.page.get_by_role("link", name="Files")).to_have_count(0)


async def test_markup_in_a_file_and_in_its_name_stays_text(server: Server) -> None:
    evil = "<img src=x onerror=alert(1)><b>"
    async with console(server) as opened:
        await opened.show("#/files")
        await look(opened, f"sku,on_hand\n{evil},3\n{evil}x,{evil}\n".encode(), name=f"{evil}.csv")
        await expect(preview(opened)).to_contain_text(evil, timeout=SOON_MS)
        await apply(opened)
        await expect(opened.page.locator("#imports")).to_contain_text(evil, timeout=SOON_MS)
        await preview(opened).get_by_role("button", name="Undo").click()
        await expect(opened.page.locator("dialog li").first).to_contain_text(evil, timeout=SOON_MS)

        assert await opened.page.locator("main img, main b, dialog img, dialog b").count() == 0


@pytest.mark.parametrize(("locale", "title"), [("tr-TR", "Dosyalar"), ("ro-RO", "Fișiere")])
async def test_on_a_phone_in_each_language_nothing_is_wider_than_the_screen(
    server: Server, locale: str, title: str
) -> None:
    async with console(server, locale=locale) as opened:
        await opened.page.set_viewport_size(PHONE)
        await opened.show("#/files")
        await expect(opened.page.locator("main h1")).to_have_text(title, timeout=SOON_MS)
        content = b"sku,on_hand\nA-LONG-NAME-OF-A-SKU,3\nX,?\n"
        file: FilePayload = {"name": "phone.csv", "mimeType": "text/csv", "buffer": content}
        await opened.page.locator("input[type=file]").set_input_files([file])
        await opened.page.locator("form button[type=submit]").last.click()
        await expect(preview(opened)).to_contain_text("A-LONG-NAME-OF-A-SKU", timeout=SOON_MS)
        await assert_accessible(opened.page)

        assert await opened.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
