"""The system's Chromium, driven by Playwright; a test that wants it says so, and is skipped where there is none."""

import contextlib
import os
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import BrowserContext

from bench.harness.chromium import INSTALL, find, opened


def chromium() -> str:
    """Return the path of the system's Chromium. Without one the test is skipped, and fails where CI=true."""
    found = find()
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"there is no Chromium: {INSTALL}")
        pytest.skip(f"there is no Chromium: {INSTALL}")
    return found


@contextlib.asynccontextmanager
async def browser(locale: str = "en-GB", *, any_certificate: bool = False) -> AsyncIterator[BrowserContext]:
    """Open a browser with a profile of its own, which is gone at the end. ``any_certificate``: it trusts any."""
    async with opened(chromium(), locale, any_certificate=any_certificate) as context:
        yield context
