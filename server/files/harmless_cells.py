"""CSV that is written for people: no cell is a formula to a spreadsheet, or an order to a terminal that shows it."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TextIO

from server.store.embedded.private_files import private_file
from server.telemetry.visible import visible

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""How a cell begins that spreadsheets calculate; the wide ones count in the editions of East Asia."""
_PARTS_OF_A_ROW: Final = "\t\n"
"""A report repeats the rows of a file that was read: they can be copied, put right and imported."""


def harmless(cell: object) -> object:
    """Return a cell as it may be exported: an apostrophe marks what looks like a formula as text."""
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell


def write_rows(
    file: TextIO,
    names: Iterable[str],
    rows: Iterable[Sequence[object]],
    *,
    line_end: str,
    keep: str = "",
    separator: str = ",",
    is_harmless: bool = False,
) -> None:
    """Write a header and rows; a missing value is empty. What a terminal would obey is escaped, but for ``keep``.

    That is so in files, too: sooner or later somebody looks at them in a terminal. ``is_harmless``: no cell of the rows
    looks like a formula, or it has its apostrophe already.
    """
    writer = csv.writer(file, lineterminator=line_end, delimiter=separator)
    writer.writerow(names)
    for row in rows:
        cells = list(row) if is_harmless else [harmless(cell) for cell in row]
        writer.writerow([visible(cell, keep=keep) if isinstance(cell, str) else cell for cell in cells])


def write_csv(path: Path, names: Iterable[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file that only this user can read.

    Raises
    ------
    OSError
        It cannot be written.

    """
    with private_file(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", newline="")
        write_rows(file, names, rows, line_end="\r\n", keep=_PARTS_OF_A_ROW)
        file.flush()
        file.detach()


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user can read.

    Raises
    ------
    OSError
        It cannot be written.

    """
    with private_file(path) as raw:
        raw.write(content)
