"""Operations on allocations: units of a channel's own, or a cap."""

from server.domain.allocations import AllocationKind
from server.domain.operations.base import Operation


class AllocationOperation(Operation, frozen=True):
    """A change of a channel's allocation at one (SKU, location)."""


class Allocate(AllocationOperation, tag="allocate", frozen=True):
    """Set a channel's units of its own, or its cap; ``units`` in all, those that it has reserved included.

    own and 0: remove the allocation. The units that a channel without an allocation has reserved there must be counted:
    ``used`` is their number when the journal ended with ``seen_id`` (empty: not counted).
    """

    key: str
    sku: str
    location: str
    channel: str
    kind: AllocationKind
    units: int
    reason: str = ""
    seen_id: str = ""
    used: int = 0


class AllocateMove(AllocationOperation, tag="allocate_move", frozen=True):
    """Move units that a channel has not reserved to another one. ``used`` and ``seen_id`` are the taker's."""

    key: str
    sku: str
    location: str
    channel: str
    taker: str
    units: int
    reason: str = ""
    seen_id: str = ""
    used: int = 0
