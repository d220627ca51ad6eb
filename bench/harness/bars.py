"""The figures to reach, and whether a run reached them."""

from typing import Literal

import msgspec

from bench.harness.figures import Figure


class Bar(msgspec.Struct, frozen=True):
    """One figure to reach: at least or at most so much of something."""

    title: str
    sense: Literal["≥", "≤"]
    limit: float
    measured: Figure
    unit: str = "×"

    @property
    def reached(self) -> bool:
        """Whether the median of the rounds is on the right side."""
        middle = self.measured.median
        return middle >= self.limit if self.sense == "≥" else middle <= self.limit

    @property
    def wanted(self) -> str:
        """The bar in words."""
        return f"{self.sense} {shown(self.limit, self.unit)}"

    @property
    def found(self) -> str:
        """The measured figure in words, with the rounds' extremes where there are several."""
        middle = shown(self.measured.median, self.unit)
        if len(self.measured.rounds) == 1:
            return middle
        return f"{middle} ({shown(self.measured.low, self.unit)} – {shown(self.measured.high, self.unit)})"


def shown(value: float, unit: str) -> str:
    """Write a figure with its unit and no more digits than mean something."""
    digits = 2 if unit in ("×", "cores") else 1 if unit == "ms" and value < 10 and value % 1 else 0
    return f"{value:,.{digits}f} {unit}"
