"""Reading in a thread, in short turns: the interpreter serves others meanwhile."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, TypeVar

from server.files.file_import import FileImport
from server.files.reader import Cells

T = TypeVar("T")

_ROWS: Final = 32
"""Rows of a turn of a thread: a fraction of a millisecond."""


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
