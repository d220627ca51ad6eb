"""A walk over what changed at a channel whose lists are cut by time, and whose rows are in no certain order.

A page by number moves while it is read: what leaves the list moves the rest, and some row is jumped over. So pages are
not turned where it can be helped. A list that has more rows than an answer holds is asked for again with half of the
time, until its answer is whole. What changes meanwhile is found further on, or by the next walk, which reaches back.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.contract.errors import CursorRefusedError

LATE_MS: Final = 600_000
"""For what comes into view late."""
WHOLE_EVERY_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
PAGES_MAX: Final = 1_000
"""Of one list in one walk: a channel that repeats its last page for ever is left at some time."""
_GROWS: Final = 4


class SpanWalk(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the walks have come. All but ``since`` and ``whole`` are of a walk that has begun.

    ``since``: all changes before it have been read, by the times of the rows themselves. ``whole``: when the last walk
    began that took in all that it met. ``began``: when this one did; ``start``: where its filter begins; ``newest``:
    the newest change that it has met. ``number`` is the list, ``at`` and ``step`` the time, ``page`` the page in it.
    """

    since: int
    whole: int = 0
    began: int = 0
    start: int = 0
    newest: int = 0
    number: int = 0
    at: int = 0
    step: int = 0
    page: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether this walk takes in all that it meets."""
        return self.began - self.whole >= WHOLE_EVERY_MS

    def is_new(self, changed_ms: int) -> bool:
        """Whether a row is taken in: it changed since the last walk, or shortly before."""
        return self.is_whole or changed_ms >= self.since - LATE_MS

    @property
    def cursor(self) -> str:
        """Write it as text."""
        return msgspec.json.encode(self).decode()


_decode: Final = msgspec.json.Decoder(SpanWalk).decode


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """How a channel's lists are walked, one after another.

    ``lists``: how many; ``turned`` are those that know no times, and whose pages are turned. ``span_ms``: the longest
    filter; ``shortest_ms``: where that is too much still, pages are turned. ``reach_ms``: how much further than needed
    a filter goes on both sides; ``whole_reach_ms``: how far a walk goes back that takes in all. ``history_ms``: how far
    back there is something to read.
    """

    lists: int = 1
    turned: frozenset[int] = frozenset()
    span_ms: int
    shortest_ms: int = 60_000
    reach_ms: int
    whole_reach_ms: int = DAY_MS
    history_ms: int

    def first(self, since_ms: int) -> str:
        """Return the cursor of a walk over what changed since a time."""
        return SpanWalk(since=since_ms).cursor

    def opened(self, cursor: str, now_ms: int) -> SpanWalk:
        """Read a cursor; a walk that has ended begins anew.

        Raises
        ------
        CursorRefusedError
            It is none.

        """
        try:
            walk = _decode(cursor)
        except msgspec.MsgspecError:
            raise CursorRefusedError("this is no cursor of a walk over changes") from None
        if walk.began:
            if not 0 <= walk.number < self.lists or walk.step <= 0:
                raise CursorRefusedError("this cursor is of another walk")
            return walk
        begun = replace(walk, began=now_ms)
        reach_ms = max(self.reach_ms, self.whole_reach_ms) if begun.is_whole else self.reach_ms
        start = max(min(walk.since, now_ms) - reach_ms, now_ms - self.history_ms)
        return replace(begun, start=start, at=start, step=self.span_ms)

    def window(self, walk: SpanWalk) -> tuple[int, int]:
        """Return from when to when the next answer goes, both included."""
        return walk.at, min(walk.at + walk.step, self._end(walk))

    def halved(self, walk: SpanWalk) -> SpanWalk | None:
        """Return the walk with half of the time, for an answer that is full; None: its pages are to be turned."""
        start, end = self.window(walk)
        if walk.number in self.turned or walk.page or end - start <= self.shortest_ms:
            return None
        return replace(walk, step=max(1, (end - start) // 2))

    def went_on(self, walk: SpanWalk, changed_ms: Sequence[int], *, is_full: bool) -> tuple[str, bool]:
        """Return the cursor after an answer with rows of these times, and whether the walk goes on at once."""
        walk = replace(walk, newest=max((walk.newest, *changed_ms)))
        if is_full and walk.page + 1 < PAGES_MAX:
            return replace(walk, page=walk.page + 1).cursor, True
        _, end = self.window(walk)
        if walk.number not in self.turned and end < self._end(walk):
            step = min(walk.step * _GROWS, self.span_ms)
            return replace(walk, at=end, step=step, page=0).cursor, True
        if walk.number + 1 < self.lists:
            return replace(walk, number=walk.number + 1, at=walk.start, step=self.span_ms, page=0).cursor, True
        return self._ended(walk).cursor, False

    def _ended(self, walk: SpanWalk) -> SpanWalk:
        """Return where the next walk begins: not in times to come, since the clock of a channel can go back."""
        since = max(walk.since, min(walk.began, walk.newest), walk.began - DAY_MS)
        return SpanWalk(since=min(since, walk.began), whole=walk.began if walk.is_whole else walk.whole)

    def _end(self, walk: SpanWalk) -> int:
        return walk.began + self.reach_ms
