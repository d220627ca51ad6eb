"""The table: a line for each variant, and below it what needs more words."""

from collections.abc import Sequence

from tests.rigs.neighbours.ground import Measured
from tests.rigs.neighbours.registry import Line

HEAD = (
    "row", "variant", "alone p50/p99 (ms)", "attacked p50/p99 (ms)", "refused", "memory (MB)", "script (ms)", "verdict",
)  # fmt: skip


def table(lines: Sequence[Line]) -> str:
    """Show the lines as a table that is Markdown, too. Memory and script are the worst of the rounds."""
    cells = [HEAD, *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    shown = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    below = [f"{line.row} {line.variant}: {each}" for line in lines for each in (*line.failures, *line.notes)]
    return "\n".join(shown + ([""] if below else []) + below)


def _cells(line: Line) -> tuple[str, ...]:
    verdict = "FAILED" if line.failures else "held"
    if not line.rounds:
        return (line.row, line.variant, "–", "–", "–", "–", "–", verdict)
    highest: Measured = max(line.rounds, key=lambda each: each.memory_mb)
    return (
        line.row,
        line.variant,
        _pair(line, "alone"),
        _pair(line, "under"),
        f"{line.refused} of {sum(each.under.asked for each in line.rounds)}",
        f"{highest.memory_mb:.0f} (+{highest.grown_mb:.0f})",
        f"{max(each.longest_script_ms for each in line.rounds):.1f}",
        verdict,
    )


def _pair(line: Line, part: str) -> str:
    return f"{line.middle('p50_ms', part):.1f} / {line.middle('p99_ms', part):.1f}"
