"""Long work in short turns: who serves others meanwhile gets the event loop in between."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from typing import Final, TypeVar

from server.files.file_import import FileImport
from server.files.reader import Cells

T = TypeVar("T")

_ITEMS: Final = 250
"""Of one turn: a few milliseconds."""
_ROWS: Final = 32
"""Rows of a turn of a thread: a fraction of a millisecond."""


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Go through items, and let others have their turn every few milliseconds."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % _ITEMS:
            await asyncio.sleep(0)


def yielding(kind: FileImport[T]) -> FileImport[T]:
    """Return the same kind of file, for a thread: its reading lets the other threads go on every few rows."""
    rows = 0

    def row(cells: Cells) -> T:
        nonlocal rows
        rows += 1
        if not rows % _ROWS:
            time.sleep(0)  # the interpreter is another thread's meanwhile, not only after its switch interval
        return made(cells)

    made: Callable[[Cells], T] = kind.row
    return replace(kind, row=row)
