"""What a copy says of one SKU: to whoever asks, worked out once after each change."""

from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from server.domain.allocations import left
from server.domain.changes import ChangeLine
from server.domain.copied_stock import CopiedLevel
from server.domain.stock import LocationAvailable

_SHOWN_MAX: Final = 8
"""Channels that what they are shown is kept of; beyond it, it is worked out anew."""


class Shown(NamedTuple):
    """What can be reserved at some locations.

    ``is_known`` False: at none of them. ``seq``: the newest; ``counted``: at how many of them it counts.
    """

    is_known: bool
    available: int
    seq: int
    counted: int
    listed: list[LocationAvailable]


class CopiedSku:
    """The levels of one SKU; none: it is unknown. ``as_of_ms``: when they were read, on the store's clock."""

    __slots__ = ("_levels", "_shown", "as_of_ms", "is_left_out")

    def __init__(self, levels: list[CopiedLevel], as_of_ms: int, *, is_left_out: bool = False) -> None:
        self.as_of_ms = as_of_ms
        self.is_left_out = is_left_out
        """The store is always asked for it: it is at very many places, or this is an old name."""
        self._levels = {each.location: each for each in levels}
        self._shown: dict[str, Shown] = {}

    @property
    def places(self) -> int:
        """How much it takes of what is kept."""
        return 1 + len(self._levels)

    def follow(self, line: ChangeLine) -> bool:
        """Take over a change of the journal; False: it is at a location that is not known, so read the SKU anew."""
        if self.is_left_out:
            return True
        level = self._levels.get(line.location)
        if level is None:
            return False
        level.follow(line)
        self._shown.clear()
        return True

    def has(self, location: str) -> bool:
        """Return whether it is known at a location."""
        return location in self._levels

    def shown(self, location: str, channel: str, among: AbstractSet[str] | None) -> Shown:
        """Return what a channel can reserve, at one location or at all; ``among``: those that count, None: all."""
        if location or among is not None:
            level = self._levels.get(location)
            levels = list(self._levels.values()) if not location else [level] if level is not None else []
            return _shown(levels, channel, among)
        known = self._shown.get(channel)
        if known is None:
            if len(self._shown) >= _SHOWN_MAX:
                self._shown.clear()
            known = self._shown[channel] = _shown(list(self._levels.values()), channel, None)
        return known


def _shown(levels: list[CopiedLevel], channel: str, among: AbstractSet[str] | None) -> Shown:
    listed = [
        LocationAvailable(each.location, _units(each, channel))
        for each in levels
        if among is None or each.location in among
    ]
    seq = max((each.seq for each in levels), default=0)
    return Shown(bool(levels), sum(each.available for each in listed), seq, len(listed), listed)


def _units(level: CopiedLevel, channel: str) -> int:
    if level.is_closed:
        return 0
    return left(level.free, level.allocated, channel) if level.allocations else level.free
