"""Reads the rows of a CSV file: finds its delimiter and columns, and separates good rows from bad, losing none.

Each row starts on a line of its own. A quoted field may hold line breaks; a quotation mark that is never closed spoils
its own line only, and one that is closed some lines later by another's makes all lines between bad, each by its number.
"""

import codecs
import csv
import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from itertools import islice
from typing import Final, Generic, NamedTuple, TypeVar

T = TypeVar("T")

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab"}
LINES_PER_ROW_MAX: Final = 50
"""A longer field with line breaks is an unclosed quotation mark."""
SHOWN_CHARACTERS_MAX: Final = 60
_DIGEST_BYTES: Final = 12
_SEPARATOR_LINE: Final = re.compile(r"sep=(.)")
"""The first line of a file in which Excel names the delimiter."""
_LONE_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_UNCLOSED: Final = "\ufdd0"
"""A noncharacter that stands for a row which could not be split into cells."""


class CsvError(Exception):
    """The file as a whole cannot be read; the message names what to change."""


class BadCellError(Exception):
    """A cell breaks its rule."""


class BadRow(NamedTuple):
    """A row that cannot be imported, and why."""

    line: int
    reason: str
    text: str


class Row(NamedTuple, Generic[T]):
    """A good row: the line that it starts on, counted from 1, that line as it stands there, and its value."""

    line: int
    text: str
    value: T


class Columns(NamedTuple):
    """The columns that a file must have, and those that it may have.

    A row must fill each required column that is not in ``may_be_empty``.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    may_be_empty: tuple[str, ...] = ()

    @property
    def known(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.required, *self.optional)

    @property
    def filled(self) -> tuple[str, ...]:
        """Those that no row may leave empty."""
        return tuple(name for name in self.required if name not in self.may_be_empty)


class Cells:
    """The cells of one row, by the name of the column. ``positions`` counts columns from 0."""

    def __init__(self, cells: list[str], positions: dict[str, int], others: list[str]) -> None:
        self._cells = cells
        self._positions = positions
        self._others = others

    def others(self) -> dict[str, str]:
        """Read the cells of unknown columns that are not empty, by the header's spelling.

        Raises
        ------
        BadCellError
            One is not UTF-8.

        """
        return {name: value for name in self._others if (value := self.get(name))}

    def get(self, column: str) -> str:
        """Read a cell; empty where there is none.

        Raises
        ------
        BadCellError
            It is not UTF-8.

        """
        position = self._positions.get(column, len(self._cells))
        value = self._cells[position] if position < len(self._cells) else ""
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
        self._positions = {name: names.index(name) for name in columns.known if name in names}
        self._width = len(header)
        self.others = [cell for cell, name in zip(header, names, strict=True) if name and name not in columns.known]
        self._positions |= {cell: header.index(cell) for cell in self.others}

    def rows(self, value_of: Callable[[Cells], T]) -> tuple[list[Row[T]], list[BadRow]]:
        """Make the value of each row; a row whose value cannot be made (BadCellError) is bad."""
        good: list[Row[T]] = []
        bad: list[BadRow] = []
        for line, cells, used in _records(self._lines, self._header_at + 1, self._delimiter):
            try:
                good.append(Row(line, self.text(line), value_of(self._checked(cells))))
            except BadCellError as error:
                bad.append(BadRow(line, str(error), self.text(line)))
                bad.extend(self._inside(line, used))
        return good, bad

    def text(self, line: int) -> str:
        """Read a line as it stands in the file."""
        return self._lines[line - 1]

    def _checked(self, cells: list[str]) -> Cells:
        if cells[0] == _UNCLOSED:
            raise BadCellError("a quotation mark is not closed")
        if any(cells[self._width :]):
            raise BadCellError(
                f"has {len(cells)} cells, but the header names {self._width}: is a delimiter not quoted?"
            )
        return Cells(cells[: self._width], self._positions, self.others)

    def _inside(self, line: int, used: int) -> Iterator[BadRow]:
        """Report the further lines of a bad row, which may be rows of their own after a stray quotation mark."""
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
    optional = f" (and may name {_both(columns.optional)})" if columns.optional else ""
    raise CsvError(
        f"Line {at + 1} must name the columns {_both(columns.required)}{optional},"
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
