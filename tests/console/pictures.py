"""Takes the pictures of the documentation: each screen of a bad morning, light and dark, on a desk and on a phone.

``python -m tests.console.pictures`` writes them to ``docs/img``.
"""

import asyncio
import base64
from itertools import product
from pathlib import Path
from typing import Final

from playwright.async_api import CDPSession, ViewportSize

from tests.console.morning import morning
from tests.console.pages import DESK, PHONE, Console, console
from tests.console.screens import SCREENS, show
from tests.support.http import ROOT

FOLDER: Final = ROOT / "docs" / "img"
QUALITY: Final = 60
"""Of WebP: letters stay sharp, and a picture has some 30 kB."""
DEVICES: Final[dict[str, ViewportSize]] = {"desk": DESK, "phone": PHONE}
THEMES: Final = ("light", "dark")
HIGHEST: Final = {"desk": 1_000, "phone": 1_400}
"""Pixels: what is below is more of the same."""


def file_of(screen: str, device: str, theme: str) -> str:
    """Return the name of a picture."""
    return f"console-{screen}-{device}-{theme}.webp"


def wanted() -> set[str]:
    """Return the names of all pictures."""
    screens = [screen.name for screen in SCREENS if screen.pictured]
    return {file_of(*each) for each in product(screens, DEVICES, THEMES)}


async def take(opened: Console, screen: str, folder: Path) -> None:
    """Take the pictures of what is shown."""
    session = await opened.page.context.new_cdp_session(opened.page)
    for device, size in DEVICES.items():
        await opened.page.set_viewport_size(size)
        for theme in THEMES:
            await opened.choose_theme(theme)
            await opened.page.evaluate("scrollTo(0, 0)")
            (folder / file_of(screen, device, theme)).write_bytes(await _picture(session, opened, device))
    await opened.page.set_viewport_size(DESK)


async def _picture(session: CDPSession, opened: Console, device: str) -> bytes:
    height = await opened.page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": DEVICES[device]["width"], "height": min(height, HIGHEST[device]), "scale": 1}
    asked = {"format": "webp", "quality": QUALITY, "clip": clip, "captureBeyondViewport": True}
    return base64.b64decode((await session.send("Page.captureScreenshot", asked))["data"])


async def main() -> None:
    """Take all, in place of those that are there."""
    for old in FOLDER.glob("console-*"):
        old.unlink()
    async with morning() as now, console(now.server) as opened:
        for screen in SCREENS:
            if screen.pictured:
                await show(opened, screen, now)
                await take(opened, screen.name, FOLDER)
    taken = sorted(FOLDER.glob("console-*"))
    print(f"{len(taken)} pictures, {sum(each.stat().st_size for each in taken) / 1e6:.2f} MB, in {FOLDER}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main())
