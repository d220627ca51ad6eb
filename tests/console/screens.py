"""Every screen of the console and every view of it: one list for all tests that go through them, and for pictures."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, NamedTuple

from playwright.async_api import expect

from tests.console.morning import Morning
from tests.console.pages import SOON_MS, Console

FILE: Final = "sku,on_hand\nÇAY-RİZE-1KG,360\nTS-1001-SİYAH-M,0\nMIERE-TEI-500G,24\nBAL-ÇAM-850G,many\n"
DIALOG_BUTTONS: Final = "main button[type=button]:not([aria-busy]):not(.link):not([aria-pressed]):visible:enabled"
"""Those that may open a dialog: no action that works at once, no link, no filter."""
SCANNED: Final = ("TAVA-28CM/GRANİT", "TAVA-28CM/GRANİT", "SNK-AIR 44", "ÇANTA-TABA/38")


class Screen(NamedTuple):
    """A view.

    Parameters
    ----------
    name
        Of its pictures; a view without a picture has one, too.
    address
        May name the orders of the morning: ``{short}``, ``{strange}``.
    shows
        What a person does there before there is something to see.
    pictured
        Whether the documentation has pictures of it.

    """

    name: str
    address: str
    shows: Callable[[Console], Awaitable[None]] | None = None
    pictured: bool = False


async def send_file(opened: Console) -> None:
    """Send a file with a new name, a number that falls to zero, and a row that cannot be read."""
    file = opened.page.locator("input[type=file]")
    await file.set_input_files({"name": "stock.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    await opened.page.locator("main form button[type=submit]").click()


async def look_at_a_file(opened: Console) -> None:
    """Send a file, and wait for what would come of it."""
    await send_file(opened)
    await expect(opened.page.locator("#preview")).to_contain_text("MIERE-TEI-500G", timeout=SOON_MS)


async def count(opened: Console) -> None:
    """Scan three products at main, one of them twice."""
    await opened.page.locator("button[value=count]").click()
    for text in SCANNED:
        await opened.page.locator("input[name=scan]").fill(text)
        await opened.page.keyboard.press("Enter")
        await expect(opened.page.locator(".scanned")).to_contain_text(text, timeout=SOON_MS)


SCREENS: Final = (
    Screen("today", "#/today", pictured=True),
    Screen("products", "#/product"),
    Screen("found", "#/product?q=siyah", pictured=True),
    Screen("sold-out", "#/product?state=out"),
    Screen("product", "#/product/SNK-AIR%2043%201%2F3", pictured=True),
    Screen("orders", "#/orders", pictured=True),
    Screen("reservations", "#/orders?tab=reservations"),
    Screen("short", "#/orders?tab=short"),
    Screen("inbox", "#/orders?tab=inbox", pictured=True),
    Screen("order", "#/orders/trendyol/{short}", pictured=True),
    Screen("strange", "#/orders/trendyol/{strange}"),
    Screen("reservation", "#/orders/till-17"),
    Screen("files", "#/files"),
    Screen("file", "#/files", look_at_a_file, pictured=True),
    Screen("channels", "#/channels", pictured=True),
    Screen("matrix", "#/channels?tab=matrix", pictured=True),
    Screen("channel", "#/channels/bazaar", pictured=True),
    Screen("step", "#/channels/bazaar?tab=step"),
    Screen("refused", "#/channels/bazaar?tab=refused"),
    Screen("listings", "#/channels/bazaar?tab=listings"),
    Screen("begin", "#/count"),
    Screen("count", "#/count", count, pictured=True),
    Screen("nothing-there", "#/product/NOBODY%20KNOWS%20IT"),
)


def address_of(screen: Screen, of: Morning) -> str:
    """Return where a screen is, for this morning's orders."""
    short, strange = of.orders
    return screen.address.format(short=short, strange=strange)


async def show(opened: Console, screen: Screen, of: Morning) -> None:
    """Go to a screen, do what has to be done there, and wait until all of it is read."""
    await opened.show(address_of(screen, of))
    await settled(opened)
    if screen.shows is not None:
        await screen.shows(opened)
        await settled(opened)


async def dialogs(opened: Console) -> AsyncIterator[str]:
    """Open each dialog of what is shown, one after the other, and close it again; gives the names of their buttons."""
    page = opened.page
    buttons = page.locator(DIALOG_BUTTONS)
    for name in dict.fromkeys(text.strip() for text in await buttons.all_inner_texts()):
        button = buttons.filter(has_text=re.compile(rf"^\s*{re.escape(name)}\s*$"))
        if await button.count() == 0:
            continue  # one before it led elsewhere
        await button.first.click()
        if await page.locator("dialog").count() == 0:
            continue
        await settled(opened)
        yield name
        await page.locator("dialog .actions button[type=button]").last.click()
        await expect(page.locator("dialog")).to_have_count(0, timeout=SOON_MS)


async def settled(opened: Console) -> None:
    """Wait until nothing is being read."""
    await expect(opened.page.locator("[aria-busy=true]")).to_have_count(0, timeout=SOON_MS)
