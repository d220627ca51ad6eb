"""Operations on what a channel has for itself, or may take at most."""

from server.domain.allocations import AllocationKind
from server.domain.operations.base import Operation


class AllocationOperation(Operation, frozen=True):
    """A change of what a channel has for itself at one (SKU, location)."""


class Allocate(AllocationOperation, tag="allocate", frozen=True):
    """Give a channel units of its own, or a cap on what it may take; ``units`` in all, what it has promised included.

    own and 0: it has nothing for itself any more. What a channel without an allocation has promised there must be
    counted: it was ``used`` when the journal ended with ``seen_id`` (empty: not counted).
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
    """Give units that a channel has, and has not promised, to another. ``used`` and ``seen_id`` are the taker's."""

    key: str
    sku: str
    location: str
    channel: str
    taker: str
    units: int
    reason: str = ""
    seen_id: str = ""
    used: int = 0
