"""Counts what a histogram is to have in plain numbers, which are added to it a few times a second.

The library's own counting takes a lock for each bucket, which was a twelfth of the time of a whole reserve.
"""

from bisect import bisect_left
from collections.abc import Sequence

from prometheus_client import Histogram


class HistogramTally:
    """Counts for one histogram. ``edges``: those of its buckets but the last, which has no edge."""

    def __init__(self, histogram: Histogram, edges: Sequence[float]) -> None:
        self._histogram = histogram
        self._edges = edges
        self._counts = [0] * (len(edges) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._edges, value)] += 1
        self._sum += value

    def hand_over(self) -> None:
        """Add what was counted to the histogram."""
        if any(self._counts):
            counts, self._counts = self._counts, [0] * len(self._counts)
            total, self._sum = self._sum, 0.0
            add_counted(self._histogram, counts, total)


def add_counted(histogram: Histogram, counts: Sequence[float], total: float) -> None:
    """Add values to a histogram without labels, or to one of its children: how many for each bucket, and their sum."""
    for bucket, count in zip(histogram._buckets, counts, strict=True):  # noqa: SLF001  # it has no way to add many
        bucket.inc(count)
    histogram._sum.inc(total)  # noqa: SLF001
