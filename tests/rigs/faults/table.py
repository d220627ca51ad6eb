"""The fault table: what each fault came to, on each store."""

from collections.abc import Sequence

from tests.rigs.faults.registry import Round
from tests.rigs.faults.run import Row

HEAD = ("fault", "store", "rounds", "acknowledged", "lost", "double", "verify", "channels", "recover (s)", "took (s)")


def table(rows: Sequence[Row]) -> str:
    """Show the rows as a table that is Markdown, too, and below it what needs more words."""
    cells = [HEAD, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [f"{row.fault}, {row.store}: {note}" for row in rows if (note := _skipped(row) or row.notes)]
    return "\n".join(lines + ([""] if notes else []) + notes)


def _skipped(row: Row) -> str:
    return f"skipped: {row.skipped}" if row.skipped else ""


def _cells(row: Row) -> tuple[str, ...]:
    name = f"{row.fault} ({row.guarantee})" if row.guarantee else row.fault
    if row.skipped:
        return (name, row.store, "skipped", *[""] * (len(HEAD) - 3))
    return (
        name,
        row.store,
        str(len(row.rounds)),
        f"{sum(each.acknowledged for each in row.rounds):,}",
        str(sum(len(each.lost) for each in row.rounds)),
        str(sum(len(each.double) for each in row.rounds)),
        _verify(row.rounds),
        _channels(row.rounds),
        _recover(row.rounds),
        f"{row.took_s:.0f}",
    )


def _recover(rounds: Sequence[Round]) -> str:
    longest_s = max((each.recover_s for each in rounds), default=0.0)
    return f"{longest_s:.2f}" if longest_s else "–"


def _verify(rounds: Sequence[Round]) -> str:
    found = sum(len(each.verify) for each in rounds)
    return f"{found} found" if found else "clean"


def _channels(rounds: Sequence[Round]) -> str:
    asked = [each.channels for each in rounds if each.channels is not None]
    if not asked:
        return "–"
    wrong = sum(map(len, asked))
    return f"{wrong} differ" if wrong else "equal"
