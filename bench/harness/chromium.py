"""The system's Chromium without a window, driven by Playwright."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

INSTALL: Final = "apt-get install chromium, or make chromium"
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_QUIET: Final = (
    "--no-sandbox",  # tests run as root, where there is no sandbox to be had
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Without these it calls home, and each of these calls fails where there is no network."""


def find() -> str | None:
    """Return the path of the system's Chromium; None: there is none, see :data:`INSTALL`."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


@contextlib.asynccontextmanager
async def opened(path: str, locale: str = "en-GB", *, any_certificate: bool = False) -> AsyncIterator["BrowserContext"]:
    """Open a browser with a profile of its own, which is gone at the end. ``any_certificate``: it trusts any."""
    from playwright.async_api import async_playwright  # noqa: PLC0415  # only who opens one needs it

    with tempfile.TemporaryDirectory(prefix="hf-chromium-", ignore_cleanup_errors=True) as profile:
        async with async_playwright() as playwright:
            context = await playwright.chromium.launch_persistent_context(
                Path(profile),
                executable_path=path,
                headless=True,
                args=list(_QUIET),
                viewport={"width": 1180, "height": 760},
                locale=locale,
                ignore_https_errors=any_certificate,
            )
            try:
                yield context
            finally:
                await context.close()
