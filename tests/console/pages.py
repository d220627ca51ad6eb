"""The console in a real browser: opened, signed in, and watched for what it complains of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Response, ViewportSize, expect

from tests.console import hands
from tests.support.browser import browser
from tests.support.http import Api, Key, Server, opened

SOON_MS: Final = 40_000
expect.set_options(timeout=SOON_MS)  # also where a test names none: a machine that others use, too, is slow
DRAWN: Final = """() => {
  const main = document.querySelector('main');
  return Boolean(main && (main.matches('.sign-in') || main.dataset.at === location.hash));
}"""
OWNER: Final = Key("owner", "default")
READER: Final = Key("clerk", "default", ("read",))
KEYS: Final = (OWNER, READER)
DESK: Final[ViewportSize] = {"width": 1280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
NARROW: Final[ViewportSize] = {"width": 320, "height": 640}
"""A small phone, or a page that is enlarged four times on a desk."""


class Console(NamedTuple):
    """A page of the console, and the server behind it as its owner's programs see it."""

    page: Page
    api: Api
    server: Server
    complaints: list[str]

    async def show(self, address: str) -> None:
        """Go to a screen: ``#/product/ABC``."""
        await self.page.evaluate("address => { location.hash = address }", address)
        async with asyncio.timeout(SOON_MS / 1000):
            while not await self.page.evaluate(DRAWN):
                await asyncio.sleep(0.02)
        await expect(self.page.locator("main h1")).to_be_visible(timeout=SOON_MS)

    async def choose_theme(self, theme: str) -> None:
        """Choose light or dark at the bottom of the page; the second choice there, whatever its language."""
        await self.page.locator("footer select").nth(1).select_option(theme)

    async def scan(self, text: str) -> None:
        """Type as a scanner does: fast, and Enter at the end."""
        await hands.scan(self.page, text)


def watch(page: Page, complaints: list[str]) -> None:
    """Note what a page says of faults: in its console, of errors that nobody caught, of requests that fail."""

    def said(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    def answered(response: Response) -> None:
        if response.status >= 400:
            complaints.append(f"{response.status} {response.request.method} {response.url}")

    page.on("console", said)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("response", answered)
    page.on("requestfailed", lambda request: complaints.append(f"failed: {request.url} {request.failure}"))


@contextlib.asynccontextmanager
async def console(
    server: Server, key: Key | None = OWNER, *, person: str = "Ayşe", locale: str = "en-GB", faults: Sequence[str] = ()
) -> AsyncIterator[Console]:
    """Open the console in a browser of its own, signed in with ``key``; None: the server needs none.

    At the end, the page must have complained of nothing but ``faults``.
    """
    async with browser(locale=locale) as context, opened(server, OWNER if key else None) as api:
        page, complaints = await tab(context)
        await page.goto(f"{server.url}/console")
        if key is not None:
            await sign_in(page, key, person)
        await expect(page.locator("main h1")).to_be_visible(timeout=SOON_MS)
        yield Console(page, api, server, complaints)
        left = faults_of(complaints, faults)
        assert left == [], left


def faults_of(complaints: Sequence[str], meant: Sequence[str] = ()) -> list[str]:
    """Return what a page complained of, but for what is ``meant`` and for reads that were cut off, as by its end."""
    return [each for each in complaints if not any(fault in each for fault in (*meant, "ERR_ABORTED"))]


async def tab(context: BrowserContext) -> tuple[Page, list[str]]:
    """Open another window, and what it complains of."""
    page, complaints = await context.new_page(), list[str]()
    watch(page, complaints)
    return page, complaints


async def sign_in(page: Page, key: Key, person: str = "Ayşe") -> None:
    """Sign in by the form."""
    await page.locator("input[name=person]").fill(person)
    await page.locator("input[name=key]").fill(key.token)
    await page.locator("form button[type=submit]").click()
    await expect(page.locator("header.bar")).to_be_visible(timeout=SOON_MS)
