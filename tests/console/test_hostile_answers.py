"""Whatever the API answers stays text on the page: every field of every answer, made of the schemas, on every screen.

The page is the real one, in a real browser. The answers are not those of the server, since no store can hold all that
a schema allows; what a store holds is in ``test_stored_markup.py``.
"""

import re
from typing import Final

import pytest
from playwright.async_api import Error, expect

from tests.conftest import wait_until
from tests.console.harm import assert_unharmed, harm
from tests.console.hostile import ADDRESS, MARKUP, TEXTS, Hostile
from tests.console.pages import SOON_MS, Console, console
from tests.console.screens import SCREENS, dialogs, send_file
from tests.console.test_files import scripts
from tests.support.contract import contract
from tests.support.http import Server

pytestmark = pytest.mark.timeout(600)
ADDRESSES: Final = (
    *(screen.address.format(short="1001", strange="1002") for screen in SCREENS),
    "#/product?q=(01)08690000000036",
    "#/orders/trendyol/1001",
)
NOT_ASKED: Final = {
    "/v1/changes": "a stream, of which no text is shown",
    "/v1/files/{kind}/{token}": "asked while a file is applied; the same view as that of the look at it",
}
TURNS: Final = 3
"""Values of a field that are tried: the words of a state, yes and no."""


async def step(opened: Console, address: str) -> None:
    """Go there, and do what has to be done before there is something to see."""
    page = opened.page
    await opened.show(address)
    await expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
    if address == "#/files":
        await send_file(opened)
        await expect(page.locator("#preview, [role=alert]").first).to_be_visible(timeout=SOON_MS)


async def scan(opened: Console, mode: str, hostile: Hostile) -> None:
    """Begin to count or to receive, and scan a product, a label and a parcel."""
    await opened.show("#/count")
    await opened.page.evaluate("sessionStorage.clear()")
    await opened.page.reload()
    await opened.page.locator("select[name=location]").select_option(MARKUP.format(field="location"))
    await opened.page.locator(f"button[value={mode}]").click(timeout=SOON_MS)
    for text in ("TEA", "(01)08690000000036", "00123456789012345678"):
        await opened.page.locator("input[name=scan]").fill(text)
        await opened.page.keyboard.press("Enter")
    await expect(opened.page.locator("main td").first).to_be_visible(timeout=SOON_MS)
    units = opened.page.locator("main .units input").first

    async def is_less() -> bool:
        """Type fewer than expected; what was scanned before may still add to it."""
        await units.fill("0", timeout=SOON_MS)
        await opened.page.keyboard.press("Enter")
        return mode != "count" or "/v1/shortages/preview" in hostile.asked

    await wait_until(is_less, "it is asked who becomes short by a count", every_s=0.3)
    await expect(opened.page.locator("[aria-busy=true]")).to_have_count(0, timeout=SOON_MS)


async def walk(opened: Console, hostile: Hostile) -> None:
    """Go everywhere, open each dialog, and look for harm."""
    page = opened.page
    await hostile.stand_before(page)
    await page.reload()
    await expect(page.locator("header.bar")).to_be_visible(timeout=SOON_MS)
    for address in ADDRESSES:
        await step(opened, address)
        await assert_unharmed(page)
        async for _ in dialogs(opened):
            await assert_unharmed(page)
    await page.unroute("**/v1/**")


@pytest.mark.parametrize("turn", range(TURNS))
async def test_markup_in_every_field_of_every_answer_stays_text(server: Server, turn: int) -> None:
    hostile = Hostile(MARKUP, turn)
    async with console(server) as opened:
        await walk(opened, hostile)
        await hostile.stand_before(opened.page)
        for mode in ("count", "receive"):
            await scan(opened, mode, hostile)
            await assert_unharmed(opened.page)
            assert "<img class=planted" in await opened.page.locator("main").inner_text(), "it is shown as text"

    assert hostile.faults == []
    assert read_by_the_page() - hostile.asked == set(NOT_ASKED), "an answer that no screen of this test asks for"


@pytest.mark.parametrize("kind", sorted(TEXTS.keys() - {"markup"}))
async def test_neither_does_an_address_that_runs_nor_a_name_that_objects_have(server: Server, kind: str) -> None:
    async with console(server) as opened:
        await walk(opened, Hostile(TEXTS[kind]))


@pytest.mark.parametrize("text", [MARKUP, ADDRESS])
async def test_neither_does_what_a_refusal_says(server: Server, text: str) -> None:
    async with console(server, faults=["40", "42"]) as opened:
        hostile = Hostile(text, refuses=True)
        await walk(opened, hostile)

    assert any(field.endswith(".detail") for field in hostile.fields)


async def test_neither_does_what_stands_in_the_address(server: Server) -> None:
    planted = MARKUP.format(field="address")
    escaped = encoded(planted)
    # A date that is none is not taken by its field, which says so.
    async with console(server, faults=["4", "does not conform"]) as opened:
        for screen in ("today", "product", "orders", "files", "channels", "count", planted):
            for address in (f"#/{screen}/{escaped}/{escaped}", f"#/{screen}/{planted}", f"#/{screen}?q={escaped}"):
                await opened.show(address)
                await assert_unharmed(opened.page)
        for name in ("q", "tab", "state", "channel", "number", "sku", "customer", "from", "to", "order_ref"):
            for screen in ("product", "orders", "channels"):
                await opened.show(f"#/{screen}?{name}={escaped}")
                await assert_unharmed(opened.page)


@pytest.mark.parametrize("address", ["#/product/..", "#/product/.", "#/channels/..", "#/orders/../reservations"])
async def test_dots_in_an_address_ask_for_no_other_path(server: Server, address: str) -> None:
    async with console(server, faults=["Refused"]) as opened:
        page, asked = await opened.page.context.new_page(), list[str]()
        page.on("request", lambda request: asked.append(request.url.removeprefix(server.url)))
        await page.goto(f"{server.url}/console{address}")

        await expect(page.get_by_role("alert").first).to_contain_text("There is no such thing", timeout=SOON_MS)

        known = ("/console", "/v1/console/session", "/v1/time-zone", "/v1/changes")
        assert [path for path in asked if not path.startswith(known)] == []


async def test_a_time_zone_that_the_browser_does_not_know_does_not_break_the_page(server: Server) -> None:
    async with console(server) as opened:
        await opened.page.route("**/v1/time-zone", lambda route: route.fulfill(json={"time_zone": "Mars/Olympus"}))

        await opened.page.reload()

        await expect(opened.page.locator("#books")).to_contain_text("The stock's books", timeout=SOON_MS)
        await expect(opened.page.locator("footer")).not_to_contain_text("Mars")


def encoded(text: str) -> str:
    """Encode a text for an address, every character of it."""
    return "".join(f"%{byte:02X}" for byte in text.encode())


def read_by_the_page() -> set[str]:
    """What the page's own modules read: the paths of the API's GET routes that stand in them."""
    source = "\n".join(scripts().values())
    written = {
        re.sub(r"\$\{[^}]*\}+", "{}", path).partition("?")[0] for path in re.findall(r"[`\"](/v1/[^`\"]*)", source)
    }
    paths = contract().document["paths"]
    readable = {re.sub(r"{\w+}", "{}", path): path for path, operations in paths.items() if "get" in operations}
    return {readable[path] for path in written if path in readable}


async def test_planted_harm_is_found(server: Server) -> None:
    async with console(server, faults=["x:", "Refused", "Content Security Policy", "violates", "Trusted"]) as opened:
        insert = "text => document.querySelector('main').insertAdjacentHTML('beforeend', text)"
        with pytest.raises(Error, match="TrustedHTML"):
            await opened.page.evaluate(insert, MARKUP.format(field="x"))
        await opened.page.evaluate("""() => {
          const planted = document.createElement('img');
          Object.assign(planted, { className: 'planted', src: 'x:', onerror: 'planted=1' });
          document.querySelector('main').append(planted);
        }""")

        found = await harm(opened.page)

        assert len(found["elements"]) == 1
        assert found["ran"] == 0, "the policy lets it do nothing, where the page has failed"
