"""A walk over what has changed at a channel, oldest first, that misses nothing where rows move while they are read.

Each page begins at the time of the last row of the page before, that row included: what changes meanwhile moves behind
it and is read there. A new walk begins somewhat before the newest change that was seen, since a channel's transactions
do not end in the order of their times. What is read twice is the same snapshot twice.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Self

import msgspec

from adapters.contract.errors import CursorRefusedError
from adapters.contract.orders import Order, Pulled, Unreadable

OVERLAP_MS: Final = 60_000
"""Longer than a transaction of a shop takes."""


class Row(NamedTuple):
    """A row of a page: its key, and when it changed; None: it cannot be read."""

    key: str
    changed_ms: int | None


class Walk(msgspec.Struct, frozen=True):
    """Where a page begins: at ``since_ms``. No walk begins before ``floor_ms``.

    Where more rows than a page holds have one and the same time, ``passed`` of them were read, the last one ``last``.
    That one is asked for again: another in its place says that rows have left, and that some may have been jumped over.
    """

    since_ms: int
    floor_ms: int = 0
    passed: int = 0
    last: str = ""

    @classmethod
    def first(cls, since_ms: int) -> Self:
        """Begin the first of all walks."""
        return cls(since_ms, since_ms)

    @classmethod
    def at(cls, cursor: str) -> Self:
        """Read a cursor.

        Raises
        ------
        CursorRefusedError
            It is not of this form.

        """
        *numbers, last = cursor.split(":", 3)
        try:
            since_ms, floor_ms, passed = map(int, numbers)
        except ValueError:
            raise CursorRefusedError("this is no cursor of a walk by time") from None
        return cls(since_ms, floor_ms, passed, last)

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return f"{self.since_ms}:{self.floor_ms}:{self.passed}:{self.last}"

    @property
    def skip(self) -> int:
        """How many rows from its time on are left out."""
        return max(0, self.passed - 1)

    def after(self, page: Sequence[Row], *, is_full: bool, now_s: float, overlap_ms: int = OVERLAP_MS) -> "Step":
        """Return where the next page begins; after one that is not full, the next walk.

        No walk begins in times to come: the clock of a channel can go back.
        """
        if self.passed and (not page or page[0].key != self.last):
            return Step(Walk(self.since_ms, self.floor_ms), more=True)
        changed_ms = [row.changed_ms for row in page if row.changed_ms is not None]
        last_ms = max(changed_ms, default=self.since_ms)
        if not is_full:
            back_ms = overlap_ms if changed_ms else 0
            since_ms = max(self.floor_ms, min(last_ms, round(now_s * 1000)) - back_ms)
            return Step(Walk(since_ms, self.floor_ms), more=False)
        if last_ms <= self.since_ms:  # all of one and the same time, or unreadable
            return Step(Walk(self.since_ms, self.floor_ms, self.skip + len(page), page[-1].key), more=True)
        return Step(Walk(last_ms, self.floor_ms), more=True)


class Step(NamedTuple):
    """Where a walk goes on, and whether it does so at once."""

    walk: Walk
    more: bool

    def pulled(self, orders: Iterable[Order], unreadable: Iterable[Unreadable], hints: Iterable[str] = ()) -> Pulled:
        """Return a page of orders, from which this step goes on. One that is unreadable there is read alone, too."""
        unreadable = tuple(unreadable)
        return Pulled(
            cursor=self.walk.cursor,
            orders=tuple(orders),
            hints=(*hints, *(each.key for each in unreadable if each.key)),
            unreadable=unreadable,
            more=self.more,
        )
