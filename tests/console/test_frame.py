"""The frame of the console in a real browser: signing in and out, languages, colours, keyboard, scanner."""

import re

import pytest
from playwright.async_api import expect

from tests.console.pages import OWNER, PHONE, READER, SOON_MS, console, sign_in
from tests.support.browser import browser
from tests.support.http import Server

pytestmark = pytest.mark.timeout(180)


async def test_a_person_signs_in_and_out_and_the_page_keeps_no_key(server: Server) -> None:
    async with console(server) as opened:
        page = opened.page
        await expect(page.locator("footer")).to_contain_text("Ayşe")
        kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        await page.reload()
        await expect(page.locator("footer")).to_contain_text("Owner", timeout=SOON_MS)

        await page.get_by_role("button", name="Sign out").click()

        await expect(page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)
        assert OWNER.secret not in kept + await page.content()


async def test_a_wrong_key_is_said_and_the_next_one_opens(server: Server) -> None:
    async with browser() as context:
        page = context.pages[0]
        await page.goto(f"{server.url}/console")
        await page.locator("input[name=person]").fill("Eve")
        await page.locator("input[name=key]").fill("hf_owner_guessed")
        await page.locator("button[type=submit]").click()
        await expect(page.get_by_role("alert")).to_contain_text("This key opens nothing", timeout=SOON_MS)

        await sign_in(page, OWNER)


async def test_a_session_that_has_ended_elsewhere_leads_to_the_form(server: Server) -> None:
    async with console(server, faults=["401"]) as opened:
        with server.store() as store:
            store.delete(*store.scan_iter("hf:session:*"))

        await opened.show("#/product")

        await expect(opened.page.locator("input[name=key]")).to_be_visible(timeout=SOON_MS)


@pytest.mark.parametrize(
    ("locale", "title", "number"),
    [("tr-TR", "Bugün", "1.234"), ("ro-RO", "Astăzi", "1.234"), ("en-GB", "Today", "1,234")],
)
async def test_the_page_speaks_the_browser_s_language(server: Server, locale: str, title: str, number: str) -> None:
    async with console(server, locale=locale) as opened:
        await expect(opened.page.get_by_role("navigation").get_by_role("link").first).to_have_text(title)
        assert await opened.page.evaluate("document.documentElement.lang") == locale[:2]
        await opened.api.count("TEA", 1234)
        await opened.show("#/product?q=TEA")
        await expect(opened.page.locator("main")).to_contain_text(number, timeout=SOON_MS)


async def test_a_language_and_colours_are_chosen_and_kept(server: Server) -> None:
    async with console(server) as opened:
        page = opened.page
        await page.get_by_label("Language").select_option("ro")
        await expect(page.locator("nav a").first).to_have_text("Astăzi", timeout=SOON_MS)
        await page.get_by_label("Culori").select_option("dark")
        await page.reload()

        await expect(page.locator("nav a").first).to_have_text("Astăzi", timeout=SOON_MS)
        dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.get_by_label("Culori").select_option("light")
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (dark, light) == ("rgb(18, 22, 26)", "rgb(246, 247, 248)")


async def test_plural_forms_are_those_of_the_language(server: Server) -> None:
    count = """async (language) => {
      const text = await import(document.querySelector('script[type=module]').src.replace('console.js', 'lib/text.js'));
      await text.loadTexts('product');
      return [1, 2, 20].map((n) => text.t('product.found', { count: n }));
    }"""
    async with console(server, locale="ro-RO") as opened:
        assert await opened.page.evaluate(count) == ["1 produs", "2 produse", "20 de produse"]
    async with console(server, locale="tr-TR") as opened:
        assert await opened.page.evaluate(count) == ["1 ürün", "2 ürün", "20 ürün"]


async def test_what_changes_before_a_drawing_is_followed_is_drawn(server: Server) -> None:
    changed = """async () => {
      const near = document.querySelector('script[type=module]').src.replace('console.js', '');
      const { html, render } = await import(`${near}vendor/htm-preact.js`);
      const { useValue, value } = await import(`${near}lib/value.js`);
      const made = value("before");
      const Shown = () => html`<b>${useValue(made)}</b>`;
      const place = document.createElement("div");
      render(html`<${Shown} />`, place);
      made.set("after"); // its effects run after this
      for (let frame = 0; frame < 10; frame += 1) await new Promise((drawn) => requestAnimationFrame(drawn));
      return place.textContent;
    }"""
    async with console(server) as opened:
        assert await opened.page.evaluate(changed) == "after"


async def test_a_slash_goes_to_the_search_and_enter_opens(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("GREEN TEA", 3)
        await opened.page.locator("main h1").click()
        await opened.page.keyboard.press("/")
        await opened.page.keyboard.type("green")
        await opened.page.keyboard.press("Enter")

        await expect(opened.page.locator("main")).to_contain_text("GREEN TEA", timeout=SOON_MS)


async def test_a_scan_anywhere_opens_what_was_scanned(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("SUGAR", 3)
        (await opened.api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690000000012", "sku": "SUGAR"}]})).ok()
        await opened.page.locator("main h1").click()

        await opened.scan("8690000000012")

        await expect(opened.page.locator("main")).to_contain_text("SUGAR", timeout=SOON_MS)


async def test_the_page_follows_what_changes(server: Server) -> None:
    async with console(server) as opened:
        await opened.api.count("PEPPER", 3)
        await opened.show("#/product?q=PEPPER")
        await expect(opened.page.locator("header.bar")).to_contain_text("Live", timeout=SOON_MS)
        await opened.api.count("PEPPER", 77)

        await expect(opened.page.locator("main")).to_contain_text("77", timeout=SOON_MS)


async def test_markup_stays_text(server: Server) -> None:
    name = "<img src=x onerror=alert(1)><b>"
    async with console(server, person="<i>Eve</i>") as opened:
        await opened.api.count(name, 3)
        await opened.show("#/product?q=img")

        await expect(opened.page.locator("main")).to_contain_text(name, timeout=SOON_MS)
        await expect(opened.page.locator("footer")).to_contain_text("<i>Eve</i>")
        assert await opened.page.locator("main img, main b, footer i").count() == 0


async def test_on_a_phone_nothing_is_wider_than_the_screen(server: Server) -> None:
    async with console(server) as opened:
        await opened.page.set_viewport_size(PHONE)
        await opened.show("#/product")

        wide = await opened.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= PHONE["width"]


async def test_who_may_only_read_is_told_so(server: Server) -> None:
    async with console(server, READER, person="Mehmet") as opened:
        await expect(opened.page.locator("footer")).to_contain_text("Reading only", timeout=SOON_MS)


async def test_a_server_without_keys_opens_at_once() -> None:
    with Server() as open_server:
        async with console(open_server, None) as opened:
            await expect(opened.page.locator("footer")).to_contain_text("This machine only")


async def test_files_are_kept_for_ever_by_their_hash_and_another_release_s_are_not(server: Server) -> None:
    async with browser() as context:
        page = await (await context.request.get(f"{server.url}/console")).text()
        [script] = re.findall(r'src="([^"]+console\.js)"', page)
        found = await context.request.get(server.url + script)
        other = await context.request.get(f"{server.url}/console/assets/another/console.js")
        none = await context.request.get(f"{server.url}/console/assets/another/../../../settings.py")

    assert "immutable" in found.headers["cache-control"]
    assert other.headers["cache-control"] == "no-cache"
    assert (found.status, other.status, none.status) == (200, 200, 404)
