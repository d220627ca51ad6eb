"""What one operation changed, as it stands in the journal (``lua/lib/journal.lua``)."""

import msgspec

from server.domain.allocations import Allocation


class ChangeLine(msgspec.Struct, array_like=True, frozen=True):
    """What one change did to one (SKU, location): signed units for each bucket, and what was left.

    ``line`` is the reservation's line, 0 outside of one. ``available`` is what is promised to nobody, negative where
    there is a shortage; ``allocations`` say what of it is set aside for channels.
    ``seq`` is partition-wide and without gaps: each line has the number after that of the line before.
    """

    line: int
    sku: str
    location: str
    d_on_hand: int
    d_held: int
    d_committed: int
    d_damaged: int
    d_quality_control: int
    d_safety: int
    available: int
    seq: int
    d_waiting: int = 0
    """Units that are waited for, to be held when they come; in no bucket."""
    d_owed: int = 0
    """The same, to be committed."""
    allocations: list[Allocation] | None = None

    @property
    def deltas(self) -> tuple[int, int, int, int, int, int]:
        """The six deltas in the order of a stock record."""
        return (self.d_on_hand, self.d_held, self.d_committed, self.d_damaged, self.d_quality_control, self.d_safety)

    @property
    def d_available(self) -> int:
        """By how much the change moved what may be promised."""
        return self.d_on_hand - self.d_held - self.d_committed - self.d_damaged - self.d_quality_control - self.d_safety


class Change(msgspec.Struct, array_like=True, frozen=True):
    """One operation that took effect. ``at_ms`` is on the store's clock.

    ``reservation_id``, ``channel`` and ``state`` (the one reached) are empty for movements of stock.
    ``lines`` is empty for an extend. ``notes`` are (name, value) pairs.
    """

    operation: str
    at_ms: int
    actor: str
    channel: str
    reservation_id: str
    state: str
    lines: list[ChangeLine]
    notes: list[tuple[str, str]]
