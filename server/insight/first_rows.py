"""The first rows in an order of very many, without sorting them all at once.

The interpreter runs one thread at a time, and a sort does not let go of it on the way. So a sort of a hundred thousand
rows would hold everybody up for tenths of a second, in another thread as well.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from server.insight.rests import Rests

T = TypeVar("T")

_SURPLUS: Final = 500
"""Rows beyond those that are wanted, before they are sorted out."""


async def first_rows(rows: Iterable[T], place: Callable[[T], Any], limit: int) -> list[T]:
    """Return the first ``limit`` rows in the order of ``place``, letting others have their turn on the way."""
    first: list[T] = []
    rests = Rests()
    for row in rows:
        first.append(row)
        if len(first) >= limit + _SURPLUS:
            first.sort(key=place)
            del first[limit:]
        if rests.is_due():
            await rests.take()
    first.sort(key=place)
    return first[:limit]
