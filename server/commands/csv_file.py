"""Reads a CSV file of stock: finds its delimiter and columns, and tells the good rows from the bad, losing none.

Each row starts on a line of its own. A quoted field may hold line breaks; a quotation mark that is never closed spoils
its own line only, and one that is closed some lines later by another's makes all lines between bad, each by its number.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple

from server.api.rules import InvalidError, check_location, check_sku
from server.domain.limits import DEFAULT_LOCATION, QUANTITY_MAX

REQUIRED: Final = ("sku", "on_hand")
COLUMNS: Final = (*REQUIRED, "location", "safety")
DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}
LINES_PER_ROW_MAX: Final = 50
"""A longer field with line breaks is an unclosed quotation mark."""
SHOWN_CHARACTERS_MAX: Final = 60
_DIGEST_BYTES: Final = 12
_WHOLE_NUMBER: Final = re.compile(r"\+?[0-9]{1,18}", re.ASCII)
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)")
"""What Excel writes first, if asked to, to tell itself the delimiter."""
_LONE_SURROGATES: Final = re.compile("[\ud800-\udfff]")


class CsvError(Exception):
    """The file as a whole cannot be read; the message says what to change."""


class Row(NamedTuple):
    """A count of one (SKU, location). ``safety`` None: leave it as it is. ``line`` counts from 1."""

    line: int
    sku: str
    location: str
    on_hand: int
    safety: int | None


class BadRow(NamedTuple):
    """A row that cannot be taken, and why."""

    line: int
    reason: str
    text: str


class StockFile(NamedTuple):
    """What a file says. ``repeated`` counts rows that say again what an earlier one said.

    ``digest`` is of the file's bytes: the same file has the same digest.
    """

    digest: str
    rows: list[Row]
    bad: list[BadRow]
    repeated: int
    ignored_columns: list[str]

    @property
    def rows_total(self) -> int:
        """How many rows the file has, without its header and empty lines."""
        return len(self.rows) + len(self.bad) + self.repeated


class _BadCellError(Exception):
    """A cell breaks its rule."""


def read_stock_file(content: bytes) -> StockFile:
    """Read a whole file.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """
    lines = _lines(content)
    header_at, delimiter, header = _header(lines)
    columns: dict[str, int] = {name: header.index(name) for name in COLUMNS if name in header}
    good: list[Row] = []
    bad: list[BadRow] = []
    for line, cells, used in _records(lines, header_at + 1, delimiter):
        try:
            good.append(_row(line, cells, columns, len(header)))
        except _BadCellError as error:
            bad.append(BadRow(line, str(error), lines[line - 1]))
            bad.extend(_inside(lines, line, used))
    rows, repeated = _apart(good, bad, lines)
    bad.sort()
    ignored = [name for name in header if name and name not in COLUMNS]
    return StockFile(blake2b(content, digest_size=_DIGEST_BYTES).hexdigest(), rows, bad, repeated, ignored)


def _lines(content: bytes) -> list[str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:1000]:
        raise CsvError("The file is not UTF-8 text (it looks like UTF-16). Save it as “CSV UTF-8”.")
    # Bytes that are not UTF-8 become lone surrogates, so that only their own rows are bad.
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _header(lines: list[str]) -> tuple[int, str, list[str]]:
    """Find the header: where it stands, the delimiter, the names of the columns."""
    at = next((number for number, line in enumerate(lines) if line.strip()), None)
    if at is not None and _SEPARATOR_LINE.fullmatch(lines[at].strip().lower()):
        at += 1
    if at is None or at >= len(lines):
        raise CsvError("The file is empty. Its first line must name the columns: sku,on_hand,location,safety")
    for delimiter in DELIMITERS:
        names = [_column_name(cell) for cell in _cells(lines[at], delimiter)]
        if set(REQUIRED) <= set(names):
            for name in COLUMNS:
                if names.count(name) > 1:
                    raise CsvError(f"Line {at + 1} names the column {name} twice. Remove one of them.")
            return at, delimiter, names
    raise CsvError(
        f"Line {at + 1} must name the columns sku and on_hand (and may name location and safety), with a"
        f" {', '.join(DELIMITERS.values())} between them. It is: {_shown(lines[at])}"
    )


def _column_name(cell: str) -> str:
    return re.sub(r"[\s-]+", "_", cell.strip().lower())


def _cells(line: str, delimiter: str) -> list[str]:
    return next(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter != "\t"), [])


def _records(lines: list[str], first: int, delimiter: str) -> Iterator[tuple[int, list[str], int]]:
    """Yield each row that is not empty: its line number, its cells without the spaces around, how many lines it has."""
    at = first
    while at < len(lines):
        text = lines[at]
        cells, used = _quoted_record(lines, at, delimiter) if '"' in text else (text.split(delimiter), 1)
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield at + 1, cells, used
        at += used


def _quoted_record(lines: list[str], at: int, delimiter: str) -> tuple[list[str], int]:
    """Read a row with quotation marks; its cells, and over how many lines it goes."""
    window = (line + "\n" for line in islice(lines, at, at + LINES_PER_ROW_MAX))
    reader = csv.reader(window, delimiter=delimiter, skipinitialspace=delimiter != "\t")
    try:
        cells = next(reader)
    except csv.Error:
        return [_UNCLOSED], 1
    # The line break that ended the window is still inside the field: the quotation mark was never closed.
    if cells and cells[-1].endswith("\n"):
        return [_UNCLOSED], 1
    return cells, reader.line_num


_UNCLOSED: Final = "\ufdd0"
"""A noncharacter that stands for a row which could not be taken apart."""


def _inside(lines: list[str], line: int, used: int) -> Iterator[BadRow]:
    """Name the further lines of a bad row: rows of their own, perhaps, with a stray quotation mark before them."""
    for number in range(line + 1, line + used):
        if lines[number - 1].strip():
            reason = f"stands inside the quotation marks of line {line}, which is bad"
            yield BadRow(number, reason, lines[number - 1])


def _row(line: int, cells: list[str], columns: dict[str, int], width: int) -> Row:
    if cells[0] == _UNCLOSED:
        raise _BadCellError("a quotation mark is not closed")
    if any(cells[width:]):
        raise _BadCellError(f"has {len(cells)} cells, but the header names {width}: is a delimiter not quoted?")

    def cell(name: str) -> str:
        place = columns.get(name, width)
        return cells[place] if place < min(len(cells), width) else ""

    sku, location = _text("sku", cell("sku")), _text("location", cell("location") or DEFAULT_LOCATION)
    safety = cell("safety")
    return Row(line, sku, location, _units("on_hand", cell("on_hand")), _units("safety", safety) if safety else None)


def _text(name: str, value: str) -> str:
    if _LONE_SURROGATES.search(value):
        raise _BadCellError(f"{name} is not UTF-8: save the file as “CSV UTF-8”")
    if not value:
        raise _BadCellError(f"{name} is empty")
    try:
        return check_sku(name, value) if name == "sku" else check_location(name, value)
    except InvalidError as error:
        raise _BadCellError(f"{error.field} {error.rule}") from None


def _units(name: str, value: str) -> int:
    if not value:
        raise _BadCellError(f"{name} is empty")
    if not _WHOLE_NUMBER.fullmatch(value):
        raise _BadCellError(f"{name} is {_shown(value)}, not a whole number of units (no dots, commas or minus)")
    units = int(value)
    if units > QUANTITY_MAX:
        raise _BadCellError(f"{name} is {units}, more than {QUANTITY_MAX}")
    return units


def _apart(good: list[Row], bad: list[BadRow], lines: list[str]) -> tuple[list[Row], int]:
    """Keep one row for each (SKU, location); rows that contradict each other all become bad."""
    by_place: dict[tuple[str, str], list[Row]] = {}
    for row in good:
        by_place.setdefault((row.sku, row.location), []).append(row)
    kept, repeated = [], 0
    for (sku, location), rows in by_place.items():
        if len({row[3:] for row in rows}) == 1:
            kept.append(rows[0])
            repeated += len(rows) - 1
            continue
        for row in rows:
            others = ", ".join(str(other.line) for other in rows if other is not row)
            reason = f"{_shown(sku)} at {location} stands on line {others} too, with other figures"
            bad.append(BadRow(row.line, reason, lines[row.line - 1]))
    return kept, repeated


def _shown(text: str) -> str:
    """Show a piece of the file in a message: what cannot be printed is escaped, what is long is cut."""
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"
    return repr(cut)
