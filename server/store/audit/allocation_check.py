"""The audit's part about channels: each allocation says what its channel has promised."""

from collections import Counter
from collections.abc import Iterator

from server.domain.allocations import Allocation


class AllocationsAtStart:
    """What each allocation counts as used, and what its channel's live reservations promise, brought to one moment.

    Only locations with allocations are read, so the stock is to be read before the reservations. An allocation is made
    with the promises that are there, and follows them from then on; so both sides are rolled back by the same
    deltas, whether or not it was there already at that moment.
    """

    def __init__(self) -> None:
        self._read: dict[int, list[Allocation]] = {}
        self._used: dict[int, Counter[str]] = {}
        self._promised: dict[int, Counter[str]] = {}

    def saw(self, row: int, allocations: list[Allocation]) -> None:
        """Take in the allocations of a place."""
        self._read[row] = allocations
        self._used[row] = Counter({each.channel: each.used for each in allocations})
        self._promised[row] = Counter()

    def read(self, row: int) -> list[Allocation]:
        """Give them as they were read."""
        return self._read.get(row, [])

    def promise(self, row: int, channel: str, units: int) -> None:
        """Take in what a reservation promises, or (negative) did not promise yet."""
        promised = self._promised.get(row)
        if promised is not None:
            promised[channel] += units

    def roll_back(self, row: int, channel: str, units: int) -> None:
        """Take a change of a channel's promises out of what its allocation counts."""
        used = self._used.get(row)
        if used is not None and channel in used:
            used[channel] -= units

    def compare(self, row: int) -> Iterator[tuple[int, int]]:
        """Give what is promised and what is counted, where they differ."""
        for channel, used in self._used.get(row, {}).items():
            promised = self._promised[row][channel]
            if promised != used:
                yield promised, used
