"""What channels have of a (SKU, location) for themselves: units of their own, or a cap on what they may take.

``lua/lib/allocations.lua`` says the same where promises are made.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

AllocationKind = Literal["own", "cap"]
"""own: units that nobody else may be promised. cap: so many from the common pool, and no more."""


class Allocation(msgspec.Struct, array_like=True, frozen=True):
    """What one channel has, in units, as it stands in a stock record.

    ``units`` counts what its live promises hold and have committed, which is ``used``, and what it may still be
    promised. What it ships is used up: both fall by it.
    """

    channel: str
    kind: AllocationKind
    units: int
    used: int

    @property
    def rest(self) -> int:
        """What the channel may still be promised of it."""
        return max(0, self.units - self.used)


Allocations = Sequence[Allocation]


def set_aside(allocations: Allocations) -> int:
    """Sum up what is kept for channels, and so not there for everybody."""
    return sum(each.rest for each in allocations if each.kind == "own")


def left(free: int, allocations: Allocations, channel: str = "") -> int:
    """Tell what a channel (empty: anybody) may be promised; negative is a shortage, and the same for all.

    ``free`` is what is promised to nobody, set aside or not. Where that is less than was set aside, the channels share
    what is there, first come, first served.
    """
    if free <= 0 or not allocations:
        return free
    own = sum(each.rest for each in allocations if each.kind == "own" and each.channel == channel)
    units = max(free - (set_aside(allocations) - own), min(own, free), 0)
    return min([units, *(each.rest for each in allocations if each.kind == "cap" and each.channel == channel)])


def followed(allocations: Allocations, channel: str, d_promised: int, d_on_hand: int) -> list[Allocation]:
    """Tell what a change of a channel's promises leaves of all allocations; ``d_on_hand`` is what it shipped."""
    return [
        Allocation(each.channel, each.kind, max(0, each.units + min(0, d_on_hand)), each.used + d_promised)
        if each.channel == channel
        else each
        for each in allocations
    ]
