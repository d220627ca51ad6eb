"""The rows of the table of targets: what is to be reached, against what, and what was found."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from bench.harness.bars import Bar
from bench.harness.figures import Figure
from bench.harness.report import Table

NOT_RUN: Final = "not run"
_WHY_MAX: Final = 160
_LINES_MAX: Final = 2


class Row(msgspec.Struct, frozen=True):
    """One figure to reach. ``key`` chooses it on the command line; ``against``: what it is compared to."""

    key: str
    title: str
    against: str
    sense: Literal["≥", "≤"]
    limit: float
    unit: str = "×"

    def judged(self, measured: Figure) -> Bar:
        """Hold what was measured against the limit."""
        return Bar(self.title, self.sense, self.limit, measured, self.unit)


class NotRun(msgspec.Struct, frozen=True):
    """Stands in for a figure that could not be taken."""

    why: str

    @property
    def line(self) -> str:
        """The reason as one cell of a table; of a long one its first line, and its last, which says most."""
        lines = self.why.strip().splitlines()
        lines = [lines[0], "…", lines[-1]] if len(lines) > _LINES_MAX else lines
        words = " ".join(" ".join(lines).split()).replace("|", "/")
        return words if len(words) <= _WHY_MAX else words[: _WHY_MAX - 1] + "…"


NOT_ASKED: Final = NotRun("not asked for")
Result = Figure | NotRun


def cells(row: Row, result: Result) -> tuple[str, str, str]:
    """Write what was wanted, what was found, and whether the row is held."""
    if isinstance(result, NotRun):
        return row.judged(Figure([0.0])).wanted, f"{NOT_RUN}: {result.line}", NOT_RUN
    bar = row.judged(result)
    return bar.wanted, bar.found, "yes" if bar.reached else "NO"


def table(rows: tuple[Row, ...], results: Mapping[str, Result]) -> Table:
    """Lay the rows out in their order; a row without a result was not asked for."""
    made = Table("Targets", ["figure", "compared to", "wanted", "found", "held"])
    for row in rows:
        made.add(row.title, row.against, *cells(row, results.get(row.key, NOT_ASKED)))
    return made
