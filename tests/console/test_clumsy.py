"""A clumsy hand at the page: it clicks twice, leaves dialogs, goes back, and loses the network."""

import re
from typing import Final

import pytest
from playwright.async_api import FilePayload, Route, expect

from tests.console import hands
from tests.console.counts import counting, rows
from tests.console.held import Held
from tests.console.pages import READER, SOON_MS, Console, console
from tests.support.browser import browser
from tests.support.http import Server

pytestmark = pytest.mark.timeout(240)

FILE: Final = b"sku,on_hand\nFILED,7\n"


# -- the second click of a double click


async def test_a_double_click_drops_one_row_and_not_the_one_that_moves_up(server: Server) -> None:
    async with console(server) as opened:
        for sku in ("ONE", "TWO", "THREE"):
            await opened.api.count(sku, 5)
        page = await counting(opened, "ONE", "TWO", "THREE")

        await hands.click_twice(
            page.get_by_role("button", name="Remove THREE"),
            lambda: expect(rows(page)).to_have_count(2, timeout=SOON_MS),
        )

        await page.get_by_role("button", name="Units of ONE: one more").click()
        await expect(page.get_by_label("Units of ONE", exact=True)).to_have_value("2")
        await expect(rows(page)).to_have_count(2)


async def test_a_double_click_on_discard_asks_and_discards_nothing(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("KEPT", 5)
        page = await counting(opened, "KEPT")
        sure = page.get_by_role("button", name="Discard what was scanned")

        await hands.click_twice(
            page.get_by_role("button", name="Discard", exact=True), lambda: expect(sure).to_be_visible(timeout=SOON_MS)
        )

        await page.get_by_role("button", name="Units of KEPT: one more").click()
        await expect(page.get_by_label("Units of KEPT", exact=True)).to_have_value("2")
        await sure.click()
        await expect(page.locator("button[value=count]")).to_be_visible(timeout=SOON_MS)


async def test_a_double_click_on_a_dialog_s_button_sends_once(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SENT ONCE", 5)
        await adjust(opened, "SENT%20ONCE")
        page, sent = opened.page, list[str]()
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)

        await hands.click_twice(page.locator("dialog button[type=submit]"), hands.nothing)

        await expect(page.locator(".said")).to_contain_text("Done")
        assert [url for url in sent if url.endswith("/v1/stock/movements")] == [f"{server.url}/v1/stock/movements"]
        assert await opened.api.available("SENT%20ONCE") == 4


# -- dialogs that are left


async def adjust(opened: Console, sku: str) -> None:
    page = opened.page
    await opened.show(f"#/product/{sku}")
    await page.get_by_role("button", name="Adjust", exact=True).click(timeout=SOON_MS)
    await page.locator("dialog input[name=units]").fill("-1")
    await page.locator("dialog input[name=reason]").fill("broken")


async def leave_what_is_sent(opened: Console, sku: str) -> Held:
    """Close *Adjust* while its request is under way, and open *Count*; return what holds the request."""
    await adjust(opened, sku)
    page, slow = opened.page, Held()
    await page.route("**/v1/stock/movements", slow)
    await page.locator("dialog button[type=submit]").click()
    await slow.asked()
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Count", exact=True).click()
    return slow


async def test_what_comes_of_a_dialog_that_was_closed_is_said_and_closes_no_other(server: Server) -> None:
    async with console(server, faults=["failed:", "ERR_FAILED"]) as opened:
        await opened.api.count("CLOSED", 5)
        page, slow = opened.page, await leave_what_is_sent(opened, "CLOSED")

        slow.go(lost=True)

        await expect(page.locator(".said")).to_contain_text("Adjust: The server does not answer", timeout=SOON_MS)
        await expect(page.locator("dialog h2")).to_have_text("Count")


async def test_a_dialog_that_is_done_after_it_was_closed_closes_no_other(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("LATER", 5)
        page, slow = opened.page, await leave_what_is_sent(opened, "LATER")
        await page.locator("dialog input[name=units]").fill("7")

        slow.go()

        await expect(page.locator(".said")).to_contain_text("Done", timeout=SOON_MS)
        await expect(page.locator("dialog input[name=units]")).to_have_value("7")


async def test_back_leaves_a_dialog_and_changes_nothing(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("BACK", 5)
        await adjust(opened, "BACK")

        await opened.page.go_back()

        await expect(opened.page.locator("dialog")).to_have_count(0, timeout=SOON_MS)
        await opened.page.go_forward()
        await expect(opened.page.locator("h1")).to_have_text("BACK", timeout=SOON_MS)
        await expect(opened.page.locator("dialog")).to_have_count(0)
        assert await opened.api.available("BACK") == 5


async def test_a_session_that_ends_in_a_dialog_says_so_and_changes_nothing(server: Server) -> None:
    async with console(server, faults=["401"]) as opened:
        await opened.api.count("ENDED", 5)
        await adjust(opened, "ENDED")
        with server.store() as store:
            store.delete(*store.scan_iter("hf:session:*"))

        await opened.page.locator("dialog button[type=submit]").click()

        await expect(opened.page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)
        await expect(opened.page.locator(".said")).to_contain_text("Your session has ended", timeout=SOON_MS)
        assert await opened.api.available("ENDED") == 5


async def test_a_file_whose_answer_is_lost_after_it_was_put_away_says_so(server: Server) -> None:
    async with console(server, faults=["failed:", "ERR_FAILED"]) as opened:
        page, slow = opened.page, Held()
        await opened.api.count("FILED", 5)
        await opened.show("#/files")
        file: FilePayload = {"name": "stock.csv", "mimeType": "text/csv", "buffer": FILE}
        await page.locator("input[type=file]").set_input_files(file)
        await page.locator("main form button[type=submit]").click()
        await expect(page.locator("#preview")).to_contain_text("FILED", timeout=SOON_MS)
        await page.route("**/v1/files/import/*", slow)
        await page.locator("#preview button.main").click()
        await slow.asked()
        await page.get_by_role("link", name="Orders", exact=True).click()
        await expect(page.locator("h1")).to_have_text("Orders", timeout=SOON_MS)

        slow.go(lost=True)

        await expect(page.locator(".said")).to_contain_text("stock.csv: The server does not answer", timeout=SOON_MS)


async def test_a_file_whose_answer_is_lost_is_applied_once_however_often_it_is_pressed(server: Server) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the server, and is done
        await route.abort()

    async with console(server, faults=["failed:", "ERR_FAILED"]) as opened:
        page = opened.page
        await opened.api.count("LOST FILE", 5)
        await opened.show("#/files")
        await page.locator("select[name=kind]").select_option("move")
        content = b"kind,sku,quantity\nreceive,LOST FILE,3\n"
        await page.locator("input[type=file]").set_input_files(
            {"name": "delivery.csv", "mimeType": "text/csv", "buffer": content}
        )
        await page.locator("main form button[type=submit]").click()
        await expect(page.locator("#preview")).to_contain_text("LOST FILE")
        await page.route("**/v1/files/move/*", lose)
        await page.locator("#preview button.main").click()
        await expect(page.locator("#preview").get_by_role("alert")).to_contain_text("The server does not answer")
        await page.unroute("**/v1/files/move/*")

        await page.locator("#preview button.main").click()

        await expect(page.locator("#preview h2")).to_contain_text(": applied")
        assert await opened.api.available("LOST%20FILE") == 8


# -- what is typed stays


async def test_a_new_name_that_is_being_typed_outlives_a_sale(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SOLD", 5)
        await opened.show("#/product/SOLD")
        await expect(opened.page.locator("header.bar")).to_contain_text("Live", timeout=SOON_MS)
        await opened.page.get_by_role("button", name="Rename", exact=True).click(timeout=SOON_MS)
        await opened.page.locator("dialog input[name=name]").fill("SOLD-BLACK")

        (await opened.api.reserve("SOLD", 1, "a-sale")).ok(201)

        await expect(opened.page.locator("#sum")).to_contain_text("− 1", timeout=SOON_MS)
        await expect(opened.page.locator("dialog input[name=name]")).to_have_value("SOLD-BLACK")


async def test_a_name_outlives_a_wrong_key(server: Server) -> None:
    async with browser() as context:
        page = context.pages[0]
        await page.goto(f"{server.url}/console")
        await page.locator("input[name=person]").fill("Eve")
        await page.locator("input[name=key]").fill("hf_owner_guessed")
        await page.locator("button[type=submit]").click()

        await expect(page.get_by_role("alert")).to_be_visible(timeout=SOON_MS)

        await expect(page.locator("input[name=person]")).to_have_value("Eve")


# -- a network that is lost


async def test_who_is_not_signed_out_is_told_so(server: Server) -> None:
    async with console(server, READER, faults=["failed:", "ERR_FAILED"]) as opened:
        page = opened.page
        await page.route("**/v1/console/session", lambda route: route.abort())
        await page.get_by_role("button", name="Sign out").click()

        await expect(page.locator(".said")).to_contain_text("You are still signed in", timeout=SOON_MS)

        await expect(page.locator("header.bar")).to_contain_text("Live", timeout=SOON_MS)
        await page.unroute("**/v1/console/session")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)


async def test_a_screen_that_cannot_be_fetched_says_so_in_the_reader_s_words(server: Server) -> None:
    async with console(server, locale="tr-TR", faults=["failed:", "ERR_FAILED"]) as opened:
        await opened.page.route("**/screens/channels.js", lambda route: route.abort())

        await opened.page.locator("nav a").nth(4).click()

        await expect(opened.page.get_by_role("alert")).to_contain_text("Sunucu yanıt vermiyor", timeout=SOON_MS)


async def test_a_language_that_is_chosen_while_a_screen_is_opened_is_the_screen_s_too(server: Server) -> None:
    async with console(server) as opened:
        page, slow = opened.page, Held()
        await page.route("**/texts/tr/frame.json", slow)
        await page.get_by_label("Language").select_option("tr")
        await slow.asked()
        await opened.show("#/channels")
        slow.go()

        await expect(page.locator("h1")).to_have_text("Kanallar", timeout=SOON_MS)


async def test_of_two_languages_the_one_that_was_chosen_last_holds(server: Server) -> None:
    async with console(server) as opened:
        page, slow = opened.page, Held()
        await page.route("**/texts/tr/frame.json", slow)
        await page.get_by_label("Language").select_option("tr")
        await slow.asked()
        await page.get_by_label("Language").select_option("ro")
        await expect(page.locator("h1")).to_have_text("Astăzi", timeout=SOON_MS)
        async with page.expect_response("**/texts/tr/frame.json"):
            slow.go()

        await page.locator("nav a").nth(2).click()

        await expect(page.locator("h1")).to_have_text("Comenzi", timeout=SOON_MS)


# -- lists that change


async def test_a_page_that_is_asked_for_while_the_list_is_read_again_leaves_no_row_out(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("LONG LIST", 500)
        bodies = [{"channel": "long", "reservation_id": f"long-{number:03}",
                   "lines": [{"sku": "LONG LIST", "quantity": 1}]} for number in range(110)]  # fmt: skip
        (await opened.api.post("/v1/reservations/batch", {"reservations": bodies})).ok()
        page, slow = opened.page, Held()
        await opened.show("#/orders?tab=reservations&channel=long")
        await expect(page.locator("main tbody tr")).to_have_count(50)
        await page.route(re.compile(r"/v1/reservations\?.*after="), slow, times=1)
        await page.get_by_role("button", name="Show more").click()
        await slow.asked()
        (await opened.api.reserve("LONG LIST", 1, "long-new", channel="long")).ok(201)
        await expect(page.locator("main")).to_contain_text("long-new")

        slow.go()

        await expect(page.locator("main tbody tr")).to_have_count(100)
        shown = await page.locator("main tbody tr td:first-child").all_inner_texts()
        listed = (await opened.api.get("/v1/reservations?channel=long&sort=-created&limit=100")).ok()["reservations"]
        assert [name.strip() for name in shown] == [each["reservation_id"] for each in listed]
