"""Allocations of channels at a (SKU, location): units of their own, or a cap on those of the common pool.

``lua/lib/allocations.lua`` is the same arithmetic where units are reserved.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

AllocationKind = Literal["own", "cap"]
"""own: units that no other channel can reserve. cap: at most so many units of the common pool."""


class Allocation(msgspec.Struct, array_like=True, frozen=True):
    """The allocation of one channel, in units, as a stock record holds it.

    ``used`` is what its live reservations hold and have committed; ``units`` is that and what it can still reserve.
    Both fall by the units that it ships.
    """

    channel: str
    kind: AllocationKind
    units: int
    used: int

    @property
    def rest(self) -> int:
        """Units of it that the channel can still reserve."""
        return max(0, self.units - self.used)


Allocations = Sequence[Allocation]


def set_aside(allocations: Allocations) -> int:
    """Sum up the units that are kept for channels, and so are not in the common pool."""
    return sum(each.rest for each in allocations if each.kind == "own")


def left(free: int, allocations: Allocations, channel: str = "") -> int:
    """Return the units that a channel (empty: one without an allocation) can reserve; negative: a shortage.

    ``free``: the units that are not reserved, set aside or not. Where fewer are free than are set aside, the channels
    share them, first come, first served. A shortage is the same for all channels.
    """
    if free <= 0 or not allocations:
        return free
    own = sum(each.rest for each in allocations if each.kind == "own" and each.channel == channel)
    units = max(free - (set_aside(allocations) - own), min(own, free), 0)
    return min([units, *(each.rest for each in allocations if each.kind == "cap" and each.channel == channel)])


def followed(allocations: Allocations, channel: str, d_promised: int, d_on_hand: int) -> list[Allocation]:
    """Return all allocations after a channel's reserved units and ``on_hand`` changed by so many units, signed."""
    return [
        Allocation(each.channel, each.kind, max(0, each.units + min(0, d_on_hand)), each.used + d_promised)
        if each.channel == channel
        else each
        for each in allocations
    ]
