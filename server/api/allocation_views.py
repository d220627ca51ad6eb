"""What is told about allocations: types from which OpenAPI is generated."""

import msgspec

from server.domain.allotments import AllotmentKind


class AllocationView(msgspec.Struct, frozen=True):
    """What a channel has for itself; ``used`` of the ``units`` it has promised. ``available`` is its own number."""

    channel: str
    kind: AllotmentKind
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
