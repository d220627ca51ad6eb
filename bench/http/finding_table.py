"""What came of the questions of :mod:`bench.http.finding`, as a table."""

from collections.abc import Sequence
from statistics import median
from typing import Any

from bench.harness.report import Table
from bench.http.finding_fill import Filled


class Found:
    """How many entries the pages had that answered each question, and what was not answered."""

    def __init__(self) -> None:
        self.entries: dict[str, list[int]] = {}
        self.failed: list[str] = []

    def note(self, name: str, page: dict[str, Any]) -> None:
        """Note a page."""
        lists = [len(each) for each in page.values() if isinstance(each, list)]
        self.entries.setdefault(name, []).append(max(lists, default=1))

    def of(self, name: str) -> str:
        """Return how many a page has mostly."""
        return f"{median(self.entries[name]):.0f}" if name in self.entries else ""


def table_of(filled: Filled, taken: dict[str, list[float]], cost: dict[str, list[float]], found: Found) -> Table:
    """Make the table. ``taken``: how long pages took while orders came; ``cost``: processor time without orders."""
    table = Table(
        f"Finding among {filled.skus:,} SKUs, {filled.reservations:,} reservations and {filled.changes:,} rows of"
        " history: while orders come, and the processor time of server and store without orders",
        ["GET /v1/…", "entries", "pages", "p50 ms", "p99 ms", "cpu p50", "cpu p99"],
    )
    for name in {**taken, **cost}:
        took_ms = taken.get(name, [])
        row = [f"{len(took_ms):,}", *_percentiles(took_ms), *_percentiles(cost.get(name, []))]
        table.add(name, found.of(name), *row)
    return table


def _percentiles(taken: Sequence[float]) -> list[str]:
    took = sorted(taken)
    return [f"{took[min(len(took) - 1, len(took) * percent // 100)]:.1f}" if took else "" for percent in (50, 99)]
