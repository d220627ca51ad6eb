"""Prints the bad rows of a file, and writes them all to a report that can be corrected and imported."""

from pathlib import Path
from typing import Any, Final, Literal

import click
from rich.console import Console

from server.cli.common import failure
from server.files.file_import import ReadFile
from server.files.harmless_cells import write_private
from server.files.reader import BadRow
from server.files.returned_rows import returned_rows
from server.files.wording import counted

SHOWN_MAX: Final = 25
"""Bad rows on the terminal: about a screenful."""

report_option: Final = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all bad rows to this file, as they were, with a column reason: correct it, and import it.",
)


def print_bad_rows(bad: list[BadRow], report: Path | None, console: Console) -> None:
    """Print the first bad rows, and where the others are."""
    for row in bad[:SHOWN_MAX]:
        console.print(f"line {row.line}: {row.reason}", soft_wrap=True)
    if len(bad) > SHOWN_MAX:
        where = f"all of them are in {report}" if report else "--report FILE writes all of them"
        console.print(f"… and {counted(len(bad) - SHOWN_MAX, 'more bad row')}; {where}")


def write_report(report: Path, file: ReadFile[Any], bad: list[BadRow]) -> None:
    """Write all bad rows as a file to be corrected, or end the command with the reason why that cannot be."""
    form: Literal["csv", "xlsx"] = "xlsx" if report.suffix.lower() == ".xlsx" else "csv"
    try:
        write_private(report, returned_rows(file, bad, form))
    except OSError as error:
        raise failure(f"The report cannot be written to {report}: {error.strerror}. Choose another path.") from None
