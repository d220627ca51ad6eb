"""Long work in short turns: what else a process does gets the event loop in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

_ITEMS: Final = 250
"""Of one turn, where it is not said otherwise: a few milliseconds."""


async def in_turns(items: Iterable[T], at_once: int = _ITEMS) -> AsyncIterator[T]:
    """Go through items, and let others have their turn after each ``at_once``."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % at_once:
            await asyncio.sleep(0)
