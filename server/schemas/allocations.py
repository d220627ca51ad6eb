"""Allocations over the wire: what callers send, and what they get."""

import msgspec

from server.domain import limits
from server.domain.allocations import AllocationKind
from server.schemas.common import Body, Channel, Location, Quantity, Reason, Reference, Sku, Units


class AllocationBody(Body, frozen=True):
    """The allocation of a channel: ``units`` in all, reserved and not yet shipped ones included.

    ``own``: units that no other channel can reserve; 0: none, and no cap either. ``cap``: so many from the common pool
    and no more; 0: nothing. ``new``: for a channel that is not known, although its name is like that of one that is.
    """

    units: Units
    kind: AllocationKind = "own"
    reason: Reference | None = None
    new: bool | msgspec.UnsetType = msgspec.UNSET


class DropQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why an allocation is taken away; the history keeps it."""

    reason: Reason = msgspec.UNSET


class AllocationMoveBody(Body, frozen=True):
    """Unreserved units of one channel's allocation become another's. ``new``: as in an allocation."""

    sku: Sku
    from_channel: Channel
    to_channel: Channel
    units: Quantity
    location: Location = limits.DEFAULT_LOCATION
    reason: Reference | None = None
    new: bool | msgspec.UnsetType = msgspec.UNSET


class AllocationView(msgspec.Struct, frozen=True):
    """The allocation of a channel; ``used`` of the ``units`` are reserved. ``available``: what it can still reserve."""

    channel: str
    kind: AllocationKind
    units: int
    used: int
    available: int


class AllocatedView(msgspec.Struct, frozen=True):
    """The allocations at one (SKU, location), and what they leave to everybody."""

    sku: str
    location: str
    available: int
    set_aside: int
    seq: int
    allocations: list[AllocationView]
