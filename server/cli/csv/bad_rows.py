"""Prints the bad rows of a CSV file, and writes them all to a report."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
from rich.console import Console

from server.cli.common import counted, failure
from server.cli.csv.harmless_cells import write_csv
from server.cli.csv.reader import BadRow, CsvError

T = TypeVar("T")

SHOWN_MAX: Final = 25
"""Bad rows on the terminal: about a screenful."""

report_option: Final = click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write all bad rows to this CSV file."
)


def read_csv(file: Path, read: Callable[[bytes], T]) -> T:
    """Read a CSV file, or end the command with the reason why it cannot be read."""
    try:
        return read(file.read_bytes())
    except OSError as error:
        raise failure(f"{file} cannot be read: {error.strerror}.") from None
    except CsvError as error:
        raise failure(f"{file}: {error}") from None


def print_bad_rows(bad: list[BadRow], report: Path | None, console: Console) -> None:
    """Print the first bad rows, and where the others are."""
    for row in bad[:SHOWN_MAX]:
        console.print(f"line {row.line}: {row.reason}", soft_wrap=True)
    if len(bad) > SHOWN_MAX:
        where = f"all of them are in {report}" if report else "--report FILE writes all of them"
        console.print(f"… and {counted(len(bad) - SHOWN_MAX, 'more bad row')}; {where}")


def write_report(report: Path, bad: list[BadRow]) -> None:
    """Write all bad rows to a CSV file, or end the command with the reason why that cannot be."""
    try:
        write_csv(report, ("line", "reason", "row"), bad)
    except OSError as error:
        raise failure(f"The report cannot be written to {report}: {error.strerror}. Choose another path.") from None
