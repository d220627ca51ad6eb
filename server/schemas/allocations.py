"""Allocations over the wire: what callers send, and what they get."""

import msgspec

from server.domain import limits
from server.domain.allocations import AllocationKind
from server.schemas.common import Body, Channel, Location, Quantity, Reference, Sku, Units


class AllocationBody(Body, frozen=True):
    """What a channel has for itself: ``units`` in all, what it has promised and not shipped included.

    ``own``: units that nobody else may be promised; 0: none, and no cap either. ``cap``: so many from the common pool
    and no more; 0: nothing.
    """

    units: Units
    kind: AllocationKind = "own"
    reason: Reference | None = None


class AllocationMoveBody(Body, frozen=True):
    """Units that one channel has for itself, and has not promised, become another's."""

    sku: Sku
    from_channel: Channel
    to_channel: Channel
    units: Quantity
    location: Location = limits.DEFAULT_LOCATION
    reason: Reference | None = None


class AllocationView(msgspec.Struct, frozen=True):
    """What a channel has for itself; ``used`` of the ``units`` it has promised. ``available`` is its own number."""

    channel: str
    kind: AllocationKind
    units: int
    used: int
    available: int


class AllocatedView(msgspec.Struct, frozen=True):
    """What channels have for themselves at one (SKU, location), and what that leaves to everybody."""

    sku: str
    location: str
    available: int
    set_aside: int
    seq: int
    allocations: list[AllocationView]
