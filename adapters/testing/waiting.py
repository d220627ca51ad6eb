"""Waiting in a test for what comes true by itself, and failing where it does not."""

import asyncio
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final

DEADLINE_S: Final = 60.0
"""When waiting becomes failing: long enough for a machine that does ten other things."""


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]],
    what: str = "the condition",
    within_s: float = DEADLINE_S,
    every_s: float = 0.001,
) -> None:
    """Wait for a condition, plain or awaitable, and fail if it does not come true. ``every_s``: how often to look."""
    deadline = asyncio.timeout(within_s)
    try:
        async with deadline:
            while True:
                holds = condition()
                if await holds if isawaitable(holds) else holds:
                    return
                await asyncio.sleep(every_s)
    except TimeoutError:
        if not deadline.expired():
            raise
    raise AssertionError(f"still not so after {within_s:g} s: {what}")
