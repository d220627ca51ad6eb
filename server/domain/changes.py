"""What one operation changed, as an entry of the journal holds it (``lua/lib/journal.lua``)."""

from collections.abc import Sequence

import msgspec

from server.domain.allocations import Allocation


class ChangeLine(msgspec.Struct, array_like=True, frozen=True):
    """The change of one (SKU, location): signed units for each bucket, and what is available after it.

    ``line`` is the reservation's line, 0 outside of one. ``available``: units that are not reserved, negative where
    there is a shortage; ``allocations``: those of the channels, which set some of them aside. Of a (SKU, location) that
    several lines of a change are about, only the last has them; the journal of 0.1.0 has them in each.
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
    """Units that lines wait for, to be held when they arrive; in no bucket."""
    d_owed: int = 0
    """The same, to be committed."""
    allocations: list[Allocation] | None = None

    @property
    def deltas(self) -> tuple[int, int, int, int, int, int]:
        """The six deltas in the order of a stock record."""
        return (self.d_on_hand, self.d_held, self.d_committed, self.d_damaged, self.d_quality_control, self.d_safety)

    @property
    def d_available(self) -> int:
        """By how many units the change moved ``available``."""
        return self.d_on_hand - self.d_held - self.d_committed - self.d_damaged - self.d_quality_control - self.d_safety


class Change(msgspec.Struct, array_like=True, frozen=True):
    """One operation that took effect. ``at_ms`` is on the store's clock.

    ``reservation_id``, ``channel`` and ``state`` (the one reached) are empty for movements of stock.
    ``lines`` is empty for an extend. ``notes`` are (name, value) pairs. ``quota`` and ``customer_ref`` are of a new
    reservation that counts for the quota of a key.
    """

    operation: str
    at_ms: int
    actor: str
    channel: str
    reservation_id: str
    state: str
    lines: list[ChangeLine]
    notes: list[tuple[str, str]]
    quota: str = ""
    customer_ref: str = ""

    def allocations_at(self, line: ChangeLine) -> Sequence[Allocation]:
        """Return the allocations at the (SKU, location) of a line after the change; empty where there are none."""
        if line.allocations is not None:
            return line.allocations
        there = (line.sku, line.location)
        listed = (each.allocations for each in reversed(self.lines) if (each.sku, each.location) == there)
        return next(listed, None) or ()
