"""Figures of several rounds: the median, and how far the rounds lie apart."""

from collections.abc import Iterable
from statistics import median

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One figure over several rounds."""

    rounds: list[float]

    @property
    def median(self) -> float:
        """The middle one."""
        return median(self.rounds)

    @property
    def low(self) -> float:
        """The smallest."""
        return min(self.rounds)

    @property
    def high(self) -> float:
        """The largest."""
        return max(self.rounds)

    @property
    def noise(self) -> float:
        """How far the rounds lie apart, as a share of the median."""
        return (self.high - self.low) / self.median if self.median else 0.0

    def over(self, other: "Figure") -> "Figure":
        """Divide round by round: what was taken at the same time shared the same noise."""
        return Figure([mine / theirs for mine, theirs in zip(self.rounds, other.rounds, strict=True)])


def figure(rounds: Iterable[float]) -> Figure:
    """Gather the rounds of one figure."""
    return Figure(list(rounds))
