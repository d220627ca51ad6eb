"""The audit's part about channels: each allocation counts what its channel has reserved."""

from collections import Counter
from collections.abc import Iterator

from server.domain.allocations import Allocation


class AllocationsAtStart:
    """What each allocation counts as used, and what its channel's live reservations sum to, brought to one moment.

    Only locations with allocations count, so read the stock before the reservations. An allocation begins with the
    units that are reserved then, and follows every change. So both sides are rolled back by the same deltas, even if
    the allocation did not exist at that moment.
    """

    def __init__(self) -> None:
        self._read: dict[int, list[Allocation]] = {}
        self._used: dict[int, Counter[str]] = {}
        self._reserved: dict[int, Counter[str]] = {}

    def saw(self, row: int, allocations: list[Allocation]) -> None:
        """Add the allocations of a (SKU, location)."""
        self._read[row] = allocations
        self._used[row] = Counter({each.channel: each.used for each in allocations})
        self._reserved[row] = Counter()

    def read(self, row: int) -> list[Allocation]:
        """Return the allocations as they were read."""
        return self._read.get(row, [])

    def add_reserved(self, row: int, channel: str, units: int) -> None:
        """Add the units that a reservation holds, or (negative) did not hold yet."""
        reserved = self._reserved.get(row)
        if reserved is not None:
            reserved[channel] += units

    def roll_back(self, row: int, channel: str, units: int) -> None:
        """Subtract a change of a channel's reserved units from what its allocation counts."""
        used = self._used.get(row)
        if used is not None and channel in used:
            used[channel] -= units

    def compare(self, row: int) -> Iterator[tuple[int, int]]:
        """Return the reserved and the counted units, where they differ."""
        for channel, used in self._used.get(row, {}).items():
            reserved = self._reserved[row][channel]
            if reserved != used:
                yield reserved, used
