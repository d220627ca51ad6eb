"""Takes a CSV file apart: finds its delimiter and columns, and tells the good rows from the bad, losing none.

Each row starts on a line of its own. A quoted field may hold line breaks; a quotation mark that is never closed spoils
its own line only, and one that is closed some lines later by another's makes all lines between bad, each by its number.
"""

import codecs
import csv
import re
from collections.abc import Callable, Hashable, Iterable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple, Protocol, TypeVar

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}
LINES_PER_ROW_MAX: Final = 50
"""A longer field with line breaks is an unclosed quotation mark."""
SHOWN_CHARACTERS_MAX: Final = 60
_DIGEST_BYTES: Final = 12
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)")
"""What Excel writes first, if asked to, to tell itself the delimiter."""
_LONE_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_UNCLOSED: Final = "\ufdd0"
"""A noncharacter that stands for a row which could not be taken apart."""


class CsvError(Exception):
    """The file as a whole cannot be read; the message says what to change."""


class BadCellError(Exception):
    """A cell breaks its rule."""


class BadRow(NamedTuple):
    """A row that cannot be taken, and why."""

    line: int
    reason: str
    text: str


class HasLine(Protocol):
    """What a row is made into: it knows its line, counted from 1."""

    @property
    def line(self) -> int:
        """The line that the row starts on."""


Made = TypeVar("Made", bound=HasLine)


class Columns(NamedTuple):
    """The columns that a file must have, and those that it may have."""

    required: tuple[str, ...]
    optional: tuple[str, ...]

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.required, *self.optional)


class Cells:
    """The cells of one row, by the name of the column."""

    def __init__(self, line: int, cells: list[str], places: dict[str, int], width: int) -> None:
        self.line = line
        self._cells = cells
        self._places = places
        self._end = min(len(cells), width)

    def get(self, column: str) -> str:
        """Read a cell; empty where there is none.

        Raises
        ------
        BadCellError
            It is not UTF-8.

        """
        place = self._places.get(column, self._end)
        value = self._cells[place] if place < self._end else ""
        if _LONE_SURROGATES.search(value):
            raise BadCellError(f"{column} is not UTF-8: save the file as “CSV UTF-8”")
        return value


class Sheet:
    """A file whose header was found. ``others`` are its columns that are not known, as they are written.

    ``digest`` is of the file's bytes: the same file has the same digest.

    Raises
    ------
    CsvError
        It is not UTF-8 text, or its header lacks a column or names one twice.

    """

    def __init__(self, content: bytes, columns: Columns) -> None:
        self.digest = blake2b(content, digest_size=_DIGEST_BYTES).hexdigest()
        self._lines = _lines(content)
        self._header_at, self._delimiter, header = _header(self._lines, columns)
        names = [column_name(cell) for cell in header]
        self._places = {name: names.index(name) for name in columns.known if name in names}
        self._width = len(header)
        self.others = [cell for cell, name in zip(header, names, strict=True) if name and name not in columns.known]
        self._places |= {cell: header.index(cell) for cell in self.others}

    def sort(self, make: Callable[[Cells], Made]) -> tuple[list[Made], list[BadRow]]:
        """Make something of each row; a row of which nothing can be made (BadCellError) is bad."""
        good: list[Made] = []
        bad: list[BadRow] = []
        for line, cells, used in _records(self._lines, self._header_at + 1, self._delimiter):
            try:
                good.append(make(self._whole(line, cells)))
            except BadCellError as error:
                bad.append(BadRow(line, str(error), self.text(line)))
                bad.extend(self._inside(line, used))
        return good, bad

    def one_for_each(
        self,
        rows: Iterable[Made],
        what: Callable[[Made], Hashable],
        said: Callable[[Made], Hashable],
        told: Callable[[Made, str], str],
    ) -> tuple[list[Made], list[BadRow], int]:
        """Keep one row for each ``what``, and count those that say the same again.

        Rows that contradict each other all become bad; ``told`` makes the reason of a row and the others' lines.
        """
        by_what: dict[Hashable, list[Made]] = {}
        for row in rows:
            by_what.setdefault(what(row), []).append(row)
        kept: list[Made] = []
        bad: list[BadRow] = []
        repeated = 0
        for same in by_what.values():
            if len({said(row) for row in same}) == 1:
                kept.append(same[0])
                repeated += len(same) - 1
                continue
            for row in same:
                others = ", ".join(str(other.line) for other in same if other is not row)
                bad.append(BadRow(row.line, told(row, others), self.text(row.line)))
        return kept, bad, repeated

    def text(self, line: int) -> str:
        """Read a line as it stands in the file."""
        return self._lines[line - 1]

    def _whole(self, line: int, cells: list[str]) -> Cells:
        if cells[0] == _UNCLOSED:
            raise BadCellError("a quotation mark is not closed")
        if any(cells[self._width :]):
            told = f"has {len(cells)} cells, but the header names {self._width}: is a delimiter not quoted?"
            raise BadCellError(told)
        return Cells(line, cells, self._places, self._width)

    def _inside(self, line: int, used: int) -> Iterator[BadRow]:
        """Name the further lines of a bad row: rows of their own, perhaps, with a stray quotation mark before them."""
        for number in range(line + 1, line + used):
            if self.text(number).strip():
                reason = f"stands inside the quotation marks of line {line}, which is bad"
                yield BadRow(number, reason, self.text(number))


def _lines(content: bytes) -> list[str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:1000]:
        raise CsvError("The file is not UTF-8 text (it looks like UTF-16). Save it as “CSV UTF-8”.")
    # Bytes that are not UTF-8 become lone surrogates, so that only their own rows are bad.
    text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _header(lines: list[str], columns: Columns) -> tuple[int, str, list[str]]:
    """Find the header: where it stands, the delimiter, the cells."""
    at = next((number for number, line in enumerate(lines) if line.strip()), None)
    if at is not None and _SEPARATOR_LINE.fullmatch(lines[at].strip().lower()):
        at += 1
    if at is None or at >= len(lines):
        raise CsvError(f"The file is empty. Its first line must name the columns: {','.join(columns.known)}")
    for delimiter in DELIMITERS:
        cells = [cell.strip() for cell in _cells(lines[at], delimiter)]
        names = [column_name(cell) for cell in cells]
        if set(columns.required) <= set(names):
            for name in columns.known:
                if names.count(name) > 1:
                    raise CsvError(f"Line {at + 1} names the column {name} twice. Remove one of them.")
            return at, delimiter, cells
    raise CsvError(
        f"Line {at + 1} must name the columns {_both(columns.required)} (and may name {_both(columns.optional)}),"
        f" with a {', '.join(DELIMITERS.values())} between them. It is: {shown(lines[at])}"
    )


def _both(names: tuple[str, ...]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def column_name(cell: str) -> str:
    """Bring a heading such as ``On Hand`` to the form of a column's name."""
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


def shown(text: str) -> str:
    """Show a piece of the file in a message: what cannot be printed is escaped, what is long is cut."""
    cut = text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"
    return repr(cut)
