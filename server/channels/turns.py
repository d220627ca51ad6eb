"""Loading very much in one process with others: they have turns, and the garbage collector does not stop them all."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

_ITEMS_AT_A_TIME: Final = 500
"""Some milliseconds of the event loop at most."""
_NEVER: Final = 1_000_000_000
"""Collections of the middle generation before a full one."""

T = TypeVar("T")


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Go through items, and let other tasks go on after each few hundred of them."""
    for number, item in enumerate(items):
        if number % _ITEMS_AT_A_TIME == 0:
            await asyncio.sleep(0)
        yield item


class FullCollections:
    """The full collections of garbage, each of which goes through all that a process holds."""

    def __init__(self) -> None:
        self._loading = 0
        self._usual = gc.get_threshold()

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Put them off while so much is loaded that each would take a second; what is loaded is no garbage.

        Several may load at once.
        """
        if not self._loading:
            self._usual = gc.get_threshold()
            gc.set_threshold(*self._usual[:2], _NEVER)
        self._loading += 1
        try:
            yield
        finally:
            self._loading -= 1
            if not self._loading:
                gc.set_threshold(*self._usual)


full_collections: Final = FullCollections()
