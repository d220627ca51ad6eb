"""What callers send about allocations: types that validate it, and from which OpenAPI is generated."""

from server.api.bodies import Body, Channel, Location, Quantity, Reference, Sku, Units
from server.domain import limits
from server.domain.allotments import AllotmentKind


class AllocationBody(Body, frozen=True):
    """What a channel has for itself: ``units`` in all, what it has promised and not shipped included.

    ``own``: units that nobody else may be promised; 0: none, and no cap either. ``cap``: so many from the common pool
    and no more; 0: nothing.
    """

    units: Units
    kind: AllotmentKind = "own"
    reason: Reference | None = None


class AllocationMoveBody(Body, frozen=True):
    """Units that one channel has for itself, and has not promised, become another's."""

    sku: Sku
    from_channel: Channel
    to_channel: Channel
    units: Quantity
    location: Location = limits.DEFAULT_LOCATION
    reason: Reference | None = None
