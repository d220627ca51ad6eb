"""Tables of what the API says: columns by name, numbers to the right, the rest as text."""

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from server.cli.terminal import console, say


def print_table(names: Sequence[str], rows: Iterable[Sequence[object]], *, title: str = "") -> None:
    """Print rows under the names of their columns; a column of numbers stands to the right."""
    kept = [list(row) for row in rows]
    table = Table(title=title or None, title_justify="left")
    for at, name in enumerate(names):
        are_numbers = bool(kept) and all(isinstance(row[at], int | float) for row in kept)
        table.add_column(name, justify="right" if are_numbers else "left")
    for row in kept:
        table.add_row(*(Text(shown(value)) for value in row))
    console().print(table)


def shown(value: object) -> str:
    """Write a value for a person."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def minute(time: str | None) -> str:
    """Write a time of the API to the minute."""
    return (time or "")[:16].replace("T", " ")


def say_there_is_more(following: str, limit: int) -> None:
    """Say that a listing goes on, if it does."""
    if following:
        say(f"There are more than these {limit:,}; narrow it down, or raise --limit.")
