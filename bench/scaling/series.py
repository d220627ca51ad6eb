"""One thing that grows, and the rate at each of its sizes, as a ratio to the smallest."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from bench.harness.bars import Bar
from bench.harness.figures import Figure, figure
from bench.harness.report import Table, interval

FLAT: Final = 0.85
"""Of the rate at the smallest size: where cost should not depend on the size at all."""


class Series(msgspec.Struct):
    """The rounds of each size, in the order in which it grows. ``flat``: whether the rate should stay what it is."""

    title: str
    unit: str
    points: dict[str, list[float]]
    flat: bool = False

    def add(self, size: str, rate: float) -> None:
        """Add a round of one size."""
        self.points.setdefault(size, []).append(rate)

    @property
    def sizes(self) -> list[str]:
        """The sizes, smallest first."""
        return list(self.points)

    def rate(self, size: str) -> Figure:
        """So many a second."""
        return figure(self.points[size])

    def ratio(self, size: str) -> Figure:
        """Of the smallest size's rate, round by round."""
        return self.rate(size).over(self.rate(self.sizes[0]))


def table(found: Iterable[Series]) -> Table:
    """Lay the figures out; the rounds' extremes stand behind the median."""
    made = Table("How cost grows", ["what grows", "size", "per s", "of", "of the smallest"])
    for series in found:
        for size in series.sizes:
            rate, ratio = interval(series.rate(size), ",.0f"), f"{series.ratio(size).median:.2f}"
            made.add(series.title, size, rate, series.unit, ratio)
        made.end_section()
    return made


def bars(found: Iterable[Series]) -> Iterator[Bar]:
    """Compare what should stay flat with the bar, at its largest."""
    for series in found:
        if series.flat:
            smallest, largest = series.sizes[0], series.sizes[-1]
            yield Bar(f"{series.title}: {largest} against {smallest}", "≥", FLAT, series.ratio(largest))
