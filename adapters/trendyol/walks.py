"""The cursor of a walk over what changed at Trendyol, newest change first.

A walk that breaks has seen only the newest changes, so what it has read counts once the whole walk has ended. Then the
next one need not go further back than where the last one began: it stops at the first page that is older. The zone of
the channel's filters is doubtful, so they reach three hours further than is needed, on both sides. Once an hour a walk
goes to the end of its filter, for changes that come into view late.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import msgspec
from msgspec.structs import replace

from adapters.contract.errors import CursorRefusedError

ZONE_MS: Final = 3 * 3_600_000 + 600_000
"""Turkish time is UTC and three hours; and ten minutes for what comes into view late."""
LATE_MS: Final = 600_000
SPAN_MS: Final = 14 * 86_400_000
"""The longest filter that is allowed."""
HISTORY_MS: Final = 89 * 86_400_000
"""Three months can be read."""
WHOLE_EVERY_MS: Final = 3_600_000


class Walk(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far the walks have come. All but ``since`` and ``whole`` are of a walk that has begun.

    ``since``: all changes before it have been read, by the dates of the packages themselves. ``whole``: when the last
    walk began that went to the end of its filter. ``began``: when this one did; ``start`` and ``end`` are its filter,
    ``next`` names its next page, and ``newest`` is the newest change that it has met.
    """

    since: int
    whole: int = 0
    began: int = 0
    start: int = 0
    end: int = 0
    next: str = ""
    newest: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether this walk goes to the end of its filter."""
        return self.began - self.whole >= WHOLE_EVERY_MS


_decode: Final = msgspec.json.Decoder(Walk).decode


def written(walk: Walk) -> str:
    """Return a walk as a cursor."""
    return msgspec.json.encode(walk).decode()


def opened(cursor: str, now_ms: int) -> Walk:
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
        return walk
    start = max(walk.since - ZONE_MS, now_ms - HISTORY_MS)
    return replace(walk, began=now_ms, start=start, end=min(start + SPAN_MS, now_ms + ZONE_MS))


def went_on(walk: Walk, changed_ms: Sequence[int], next_page: str) -> tuple[str, bool]:
    """Return the cursor after a page with these times of change, and whether the walk goes on at once."""
    newest = max((walk.newest, *changed_ms))
    if next_page and not _is_behind(walk, changed_ms):
        return written(replace(walk, next=next_page, newest=newest)), True
    whole = walk.began if walk.is_whole else walk.whole
    if walk.end < walk.began:
        # An early part of a long time; the filter of the next part begins before this one's end.
        return written(Walk(since=walk.end - ZONE_MS, whole=walk.whole)), True
    return written(Walk(since=max(walk.since, min(walk.began, newest)), whole=whole)), False


def _is_behind(walk: Walk, changed_ms: Sequence[int]) -> bool:
    """Return whether a page has come to what is known: only where it is sorted as it should be."""
    is_sorted = all(one >= other for one, other in pairwise(changed_ms))
    return not walk.is_whole and is_sorted and bool(changed_ms) and changed_ms[-1] < walk.since - LATE_MS
