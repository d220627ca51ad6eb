"""Stock as a process keeps a copy of it, to answer those who allow an age: see ``store/copies/stock_copy.py``."""

import msgspec

from server.domain.allocations import Allocation
from server.domain.changes import ChangeLine


class CopiedLevel(msgspec.Struct, array_like=True):
    """The units of a SKU at one location that are not reserved, set aside or not; ``is_closed``: nobody can.

    ``allocations`` False: none.
    """

    location: str
    free: int
    seq: int
    is_closed: bool
    allocations: list[Allocation] | bool = False

    def follow(self, line: ChangeLine) -> None:
        """Take over what a change of the journal has made of it, unless that is known."""
        if line.seq > self.seq:
            self.free, self.seq, self.allocations = line.available, line.seq, line.allocations or False

    @property
    def allocated(self) -> list[Allocation]:
        """The allocations of channels."""
        return self.allocations if isinstance(self.allocations, list) else []


class SkuLevels(msgspec.Struct, array_like=True):
    """A SKU by the name that it has now, and its levels; none: it is unknown."""

    name: str
    levels: list[CopiedLevel]


class FoundLevels(msgspec.Struct, array_like=True, frozen=True):
    """For each requested SKU, its levels; otherwise as :class:`~server.domain.stock.FoundAvailability`.

    ``is_moving``: a rename is under way, so changes of a SKU may stand in the journal under another name.
    ``has_old_names``: a location may be asked for by a name that it had.
    """

    as_of_ms: int
    skus: list[SkuLevels]
    locations_version: int
    seq: int
    next_from: int
    is_moving: bool
    has_old_names: bool
