"""Reads the rows of a sheet of an .xlsx file: texts, numbers and dates as Excel holds them."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from hashlib import blake2b
from itertools import islice
from typing import Final

from server.files.delimited import HEADER_LINES_MAX
from server.files.reader import (
    CELL_CHARACTERS_MAX,
    COLUMNS_MAX,
    DIGEST_BYTES,
    ROWS_MAX,
    FileError,
    Head,
    OddCell,
    Record,
    shown,
)
from server.files.workbook_parts import (
    UNPACKED_BYTES_MAX,
    UNREADABLE,
    Attributes,
    Format,
    Package,
    SheetPart,
    Text,
    formats,
    shared_texts,
    workbook_of,
)

DIGITS_MAX: Final = 15
"""Of which Excel keeps a number; it makes zeros of further ones."""
_PLAIN: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
_PLACE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # a spreadsheet knows no zones
_DAYS_BEFORE_1904: Final = 1462
_DAYS_MAX: Final = 2_958_465
"""The last day that Excel knows."""
_AGAIN: Final = "format the column as text, and enter it again"


class WorkbookSource:
    """A sheet of a workbook, as rows.

    Raises
    ------
    FileError
        It cannot be read, is too big, or it has to be said which sheet is meant.

    """

    form: Final = "xlsx"

    def __init__(
        self, content: bytes, digest: str, sheet: str = "", unpacked_bytes_max: int = UNPACKED_BYTES_MAX
    ) -> None:
        package = Package(content, unpacked_bytes_max)
        book = workbook_of(package)
        strings, styles = shared_texts(package, book.strings), formats(package, book.styles)
        reader = _SheetReader(package, strings, styles, since_1904=book.since_1904)
        self.read_as, self._rows = _chosen(book.sheets, reader, sheet)
        # Another sheet of the same workbook is another file: a delivery in it is no repeat.
        self.digest = blake2b(f"{digest}\0{self.read_as}".encode(), digest_size=DIGEST_BYTES).hexdigest()

    def heads(self) -> Iterator[Head]:
        """Yield each of the first rows that hold text."""
        filled = ((line, cells) for line, cells in self._rows.items() if any(cells))
        for line, cells in islice(filled, HEADER_LINES_MAX):
            yield Head(line, [str(cell) for cell in cells])

    def records(self, head: Head) -> Iterator[Record]:
        """Yield the rows below the header that are not empty."""
        for line, cells in self._rows.items():
            if line > head.line and any(cells):
                yield Record(line, cells)

    def line(self, number: int) -> str:
        """Return a row as text."""
        return ", ".join(self._rows.get(number, ()))


def _chosen(sheets: list[SheetPart], reader: "_SheetReader", named: str) -> tuple[str, dict[int, list[str]]]:
    """Read the sheet that is named, or the only one that is not empty."""
    known = ", ".join(shown(each.name) for each in sheets) or "none"
    if named:
        found = next((each for each in sheets if each.name == named), None)
        if found is None:
            raise FileError(f"It has no sheet {shown(named)}. It has {known}.")
        return found.name, reader.rows(found.path)
    seen = [each for each in sheets if not each.is_hidden]
    filled = [each for each in seen if reader.has_text(each.path)] if len(seen) > 1 else seen
    if len(filled) > 1:
        names = ", ".join(shown(each.name) for each in filled)
        raise FileError(f"It has several sheets: {names}. Say which is meant, with --sheet.")
    if not filled:
        raise FileError(f"Every sheet that is not hidden is empty. It has {known}.")
    return filled[0].name, reader.rows(filled[0].path)


class _FoundError(Exception):
    """A cell that holds something."""


class _SheetReader:
    """Makes rows of the XML of a sheet."""

    def __init__(self, package: Package, strings: list[str], styles: list[Format], *, since_1904: bool) -> None:
        self._package = package
        self._strings = strings
        self._styles = styles
        self._first_day = _DAYS_BEFORE_1904 if since_1904 else 0

    def has_text(self, path: str) -> bool:
        """Whether any cell of a sheet holds something."""

        def start(tag: str, _given: Attributes) -> None:
            if tag in {"v", "is"}:
                raise _FoundError

        try:
            self._package.parse(path, start)
        except _FoundError:
            return True
        return False

    def rows(self, path: str) -> dict[int, list[str]]:
        """Read a sheet: row number -> cells."""
        found = _Rows(self._value)
        self._package.parse(path, found.start, found.end, found.add)
        return dict(sorted(found.rows.items()))

    def _value(self, cell: Attributes, value: str, inline: str, has_formula: bool) -> str:
        """Make the text of a cell, or what stands for something that is none."""
        kind = cell.get("t", "n")
        if kind == "s":
            at = int(value) if value.isdecimal() and len(value) < DIGITS_MAX else -1
            if not 0 <= at < len(self._strings):
                raise FileError(UNREADABLE)
            return _text(self._strings[at])
        if kind in {"inlineStr", "str", "d"}:
            return _text(inline or value)
        if kind == "e":
            return OddCell(value, "broken", f"is {value}, an error of a spreadsheet: correct it there")
        if kind == "b":
            return OddCell("TRUE" if value == "1" else "FALSE", "yes_no", f"is a yes or no to Excel: {_AGAIN}")
        if not value:
            why = "is a formula without its result: open the file in Excel, and save it"
            return OddCell("=", "broken", why) if has_formula else ""
        style = int(cell["s"]) if cell.get("s", "").isdecimal() and len(cell["s"]) < DIGITS_MAX else 0
        return self._number(value, self._styles[style] if style < len(self._styles) else Format())

    def _number(self, value: str, form: Format) -> str:
        if form.is_date:
            return self._date(value)
        if _PLAIN.fullmatch(value):
            return value.zfill(form.width)
        try:
            number = Decimal(value)
        except InvalidOperation:
            return OddCell(value, "broken", f"is {shown(value)}, which is no number")
        if not number.is_finite() or number.adjusted() > DIGITS_MAX - 1:
            why = f"is {shown(value)}, of which Excel keeps {DIGITS_MAX} digits only: {_AGAIN}, with all its digits"
            return OddCell(value, "broken", why)
        number = Decimal(f"{float(value):.15g}")
        if number == number.to_integral_value():
            return str(int(number)).zfill(form.width)
        text = f"{number:f}"
        return OddCell(text, "fraction", f"is {text}, a number with decimals to Excel: {_AGAIN}")

    def _date(self, value: str) -> str:
        try:
            days = float(value) + self._first_day
        except ValueError:
            days = -1.0
        if not 0 <= days <= _DAYS_MAX:
            return OddCell(value, "broken", "shows #### since it is no date: correct it")
        at = _DAY_ZERO + timedelta(seconds=round(days * 86_400))
        text = at.isoformat(sep=" ", timespec="minutes").removesuffix(" 00:00")
        return OddCell(text, "date", f"is {text}, a date to Excel: {_AGAIN}")


class _Rows:
    """Gathers the rows while the XML of a sheet goes by. ``value_of`` makes the text of a cell."""

    def __init__(self, value_of: Callable[[Attributes, str, str, bool], str]) -> None:
        self.rows: dict[int, list[str]] = {}
        self._value_of = value_of
        self._row: dict[int, str] = {}
        self._line = self._column = 0
        self._cell: Attributes = {}
        self._value: list[str] = []
        self._in_value = self._has_formula = False
        self._text = Text()

    def start(self, tag: str, given: Attributes) -> None:
        """Begin an element."""
        if tag == "c":
            self._cell = given
            self._column = _column(given.get("r", ""), self._column)
            self._value.clear()
            self._has_formula = False
        elif tag == "v":
            self._in_value = True
        elif tag == "row":
            self._line = _line(given.get("r", ""), self._line)
            self._column = 0
        elif tag == "f":
            self._has_formula = True
        else:
            self._text.start(tag)

    def end(self, tag: str) -> None:
        """End an element."""
        if tag == "c":
            read = self._value_of(self._cell, "".join(self._value), self._text.take(), self._has_formula)
            if read:
                self._row[self._column] = read
        elif tag == "v":
            self._in_value = False
        elif tag == "row":
            self._end_row()
        else:
            self._text.end(tag)

    def add(self, piece: str) -> None:
        """Take text."""
        if self._in_value:
            self._value.append(piece)
        else:
            self._text.add(piece)

    def _end_row(self) -> None:
        if not self._row:
            return
        last = max(self._row)
        if last > COLUMNS_MAX:
            raise FileError(f"It has more than {COLUMNS_MAX} columns. Remove those that are not needed.")
        self.rows[self._line] = [self._row.get(at, "") for at in range(1, last + 1)]
        self._row.clear()
        if len(self.rows) > ROWS_MAX:
            raise FileError(f"It has more than {ROWS_MAX:,} rows. Split the file.")


def _column(place: str, before: int) -> int:
    found = _PLACE.fullmatch(place)
    if not found:
        if place:
            raise FileError(UNREADABLE)
        return before + 1
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - 64
    return number


def _line(number: str, before: int) -> int:
    return int(number) if number.isdecimal() and len(number) < DIGITS_MAX else before + 1


def _text(value: str) -> str:
    text = value.strip()
    if len(text) > CELL_CHARACTERS_MAX:
        raise FileError(UNREADABLE)
    return text
