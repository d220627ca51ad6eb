"""Reads a CSV file, and tells of its rows that could not be taken: the first on the terminal, all in a report."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
from rich.console import Console

from server.cli.common import failure
from server.cli.csv.reader import BadRow, CsvError

T = TypeVar("T")

SHOWN_MAX: Final = 25
"""Bad rows on the terminal: about a screenful."""

report_option: Final = click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write all bad rows to this CSV file."
)


def read_csv(file: Path, take_apart: Callable[[bytes], T]) -> T:
    """Take a CSV file apart, or end with the reason why that cannot be."""
    try:
        return take_apart(file.read_bytes())
    except OSError as error:
        raise failure(f"{file}: {error.strerror}") from None
    except CsvError as error:
        raise failure(f"{file}: {error}") from None


def tell_bad_rows(bad: list[BadRow], report: Path | None, console: Console) -> None:
    """Print the first bad rows, and where the others are."""
    for row in bad[:SHOWN_MAX]:
        console.print(f"line {row.line}: {row.reason}", markup=False, soft_wrap=True)
    if len(bad) > SHOWN_MAX:
        where = f"all of them are in {report}" if report else "--report FILE writes all of them"
        console.print(f"… and {len(bad) - SHOWN_MAX:,} more bad rows; {where}", markup=False)


def write_report(report: Path, bad: list[BadRow]) -> None:
    """Write all bad rows to a CSV file, or end with the reason why that cannot be."""
    try:
        with report.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("line", "reason", "row"))
            writer.writerows(bad)
    except OSError as error:
        raise failure(f"The report cannot be written to {report}: {error.strerror}. Choose another path.") from None
