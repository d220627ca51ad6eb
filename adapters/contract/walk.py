"""A walk over what has changed at a channel, oldest first, that misses nothing where rows move while they are read.

Each page begins at the time of the last row of the page before, that row included: what changes meanwhile moves behind
it and is read there. A new walk begins somewhat before the newest change that was seen, since a channel's transactions
do not end in the order of their times. What is read twice is the same snapshot twice.
"""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from adapters.contract.errors import CursorRefusedError

OVERLAP_MS: Final = 60_000
"""Longer than a transaction of a shop takes."""


class Walk(msgspec.Struct, frozen=True):
    """Where a page begins: at ``since_ms``, without the first ``skip`` rows. No walk begins before ``floor_ms``."""

    since_ms: int
    skip: int = 0
    floor_ms: int = 0

    @classmethod
    def first(cls, since_ms: int) -> Self:
        """Begin the first of all walks."""
        return cls(since_ms, 0, since_ms)

    @classmethod
    def at(cls, cursor: str) -> Self:
        """Read a cursor.

        Raises
        ------
        CursorRefusedError
            It is not of this form.

        """
        try:
            since_ms, skip, floor_ms = (int(part) for part in cursor.split(":"))
        except ValueError:
            raise CursorRefusedError(f"not a cursor of this channel: {cursor[:50]!r}") from None
        return cls(since_ms, skip, floor_ms)

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return f"{self.since_ms}:{self.skip}:{self.floor_ms}"

    def after(
        self, changed_ms: Sequence[int], *, rows: int, more: bool, now_s: float, overlap_ms: int = OVERLAP_MS
    ) -> "Walk":
        """Return where the next page begins, by when the rows of this one changed; without ``more``, the next walk.

        ``rows``: how many the page had, with those that cannot be read. No walk begins in times to come: the clock of a
        channel can go back.
        """
        last_ms = max(changed_ms, default=self.since_ms)
        if not more:
            back_ms = overlap_ms if changed_ms else 0
            return Walk(max(self.floor_ms, min(last_ms, round(now_s * 1000)) - back_ms), 0, self.floor_ms)
        if last_ms <= self.since_ms:  # all of one and the same time, or unreadable
            return Walk(self.since_ms, self.skip + rows, self.floor_ms)
        return Walk(last_ms, 0, self.floor_ms)
