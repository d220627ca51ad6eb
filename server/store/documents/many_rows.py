"""Statements about many rows: some at a time, as each product can take."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final, TypeVar

from server.store.documents.database import Session

T = TypeVar("T")

ROWS_AT_ONCE: Final = 100
"""Rows of one statement."""


async def insert(session: Session, into: str, rows: Iterable[tuple[Any, ...]], on_conflict: str) -> None:
    """Insert rows; no two of them may be the same where a conflict changes what is there."""
    for some in parts(rows):
        one = f"({marks(some[0])})"
        values = [value for row in some for value in row]
        await session.execute(f"INSERT INTO {into} VALUES {', '.join([one] * len(some))}{on_conflict}", *values)


def parts(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield as many values at a time as one statement takes."""
    left = iter(values)
    while some := list(islice(left, ROWS_AT_ONCE)):
        yield some


def marks(values: Sequence[object]) -> str:
    """Return the marks of values in a statement."""
    return ", ".join("?" * len(values))
