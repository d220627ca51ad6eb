"""A scanner and a hand at the browser: their keys and clicks carry times of their own, however busy the machine is.

The page tells a scan from typing by when each key was pressed, and a double click by the browser's count of clicks.
Playwright's keys are pressed when the machine gets to it, which under load is as slow as a person.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Final

from playwright.async_api import CDPSession, Locator, Page

GAP_S: Final = 0.001
"""Between two keys of a scan. Sending one takes longer, so no key is pressed in the future."""
GS: Final = "\x1d"
"""What a GS1 label has between two elements: scanners press F8 for it."""
CODES: Final = {" ": ("Space", 32, " "), "Enter": ("Enter", 13, "\r"), "F8": ("F8", 119, "")}


async def nothing() -> None:
    """Do nothing between two keys."""


async def scan(page: Page, text: str, *, between: Callable[[], Awaitable[object]] = nothing) -> None:
    """Type as a scanner does: fast, and Enter at the end; ``between`` any two keys something may happen."""
    hands = await page.context.new_cdp_session(page)
    at_s = time.time()
    for key in (*text, "Enter"):
        at_s += GAP_S
        await _press(hands, "F8" if key == GS else key, at_s)
        await between()
    await hands.detach()


async def _press(hands: CDPSession, key: str, at_s: float) -> None:
    code, number, typed = CODES.get(key, ("", 0, key))
    event = {"key": key, "code": code, "windowsVirtualKeyCode": number, "timestamp": at_s}
    await hands.send("Input.dispatchKeyEvent", {**event, "type": "keyDown" if typed else "rawKeyDown", "text": typed})
    await hands.send("Input.dispatchKeyEvent", {**event, "type": "keyUp"})


async def click_twice(button: Locator, between: Callable[[], Awaitable[object]]) -> None:
    """Click twice on one point, as fast as a hand does; ``between`` waits for what the first click brings there."""
    page = button.page
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    assert box is not None
    hands = await page.context.new_cdp_session(page)
    point = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2, "button": "left"}
    at_s = time.time()
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            at_s += GAP_S
            event = {**point, "type": kind, "clickCount": count, "timestamp": at_s}
            await hands.send("Input.dispatchMouseEvent", event)
        if count == 1:
            await between()
    await hands.detach()
