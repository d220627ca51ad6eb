"""Splits text files into rows and cells: CSV with any of the usual separators.

Each row starts on a line of its own. A quoted field may hold line breaks; a quotation mark that is never closed spoils
its own line only, and one that is closed some lines later by another's makes all lines between bad, each by its number.
"""

import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from server.files.encodings import Text, shown_encoding
from server.files.reader import COLUMNS_MAX, ROWS_MAX, FileError, Head, Record

SEPARATORS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
LINES_PER_ROW_MAX: Final = 50
"""A longer field with line breaks is an unclosed quotation mark."""
HEADER_LINES_MAX: Final = 20
"""Lines with text among which the header is looked for: exports often begin with a title and a date."""
_HEADER_CHARACTERS_MAX: Final = 1 << 16
"""Of a line that is looked at as a header: more than any has."""
_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;\t|:^~])"?', re.IGNORECASE)
"""The first line of a file in which Excel names the separator."""
_LINE_END: Final = re.compile(r"\r\n|\r|\n")


class TextSource:
    """A text file, as lines."""

    form: Final = "csv"

    def __init__(self, text: Text, digest: str) -> None:
        self.digest = digest
        self.text = text
        found = _LINE_END.search(text.text)
        self.line_end = found[0] if found else "\r\n"
        self._lines = text.text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if len(self._lines) > ROWS_MAX:
            raise FileError(f"It has {len(self._lines):,} lines; {ROWS_MAX:,} are read at most. Split the file.")
        self._first, self.named_separator = self._separator_line()

    @property
    def read_as(self) -> str:
        """Name the encoding."""
        return shown_encoding(self.text.encoding)

    def heads(self) -> Iterator[Head]:
        """Yield each of the first lines that hold text, split by each separator, or by that which Excel names."""
        separators = [self.named_separator] if self.named_separator else list(SEPARATORS)
        filled = (at for at in range(self._first, len(self._lines)) if self._lines[at].strip())
        for at in islice(filled, HEADER_LINES_MAX):
            text = self._lines[at][:_HEADER_CHARACTERS_MAX]
            for separator in separators:
                cells = _cells(text, separator)[: COLUMNS_MAX + 1]
                yield Head(at + 1, [cell.strip() for cell in cells], separator)

    def records(self, head: Head) -> Iterator[Record]:
        """Yield the rows below the header that are not empty, without the blanks around their cells."""
        at = head.line
        while at < len(self._lines):
            text = self._lines[at]
            if '"' in text:
                cells, used = _quoted_record(self._lines, at, head.separator)
            else:
                cells, used = _split(text, head.separator), 1
            cells = [cell.strip() for cell in cells]
            if not cells or any(cells):
                yield Record(at + 1, cells, used)
            at += used

    def line(self, number: int) -> str:
        """Return a line as it stands in the file."""
        return self._lines[number - 1]

    def _separator_line(self) -> tuple[int, str]:
        """Return where the file goes on behind the line that names the separator, and the separator."""
        at = next((number for number, line in enumerate(self._lines) if line.strip()), 0)
        found = _SEPARATOR_LINE.fullmatch(self._lines[at].strip(" \ufeff"))
        return (at + 1, found[1]) if found else (0, "")


def _split(line: str, separator: str) -> list[str]:
    """Split a line; what stands behind the most columns that a file has is one cell, and empty if it has separators."""
    cells = line.split(separator, COLUMNS_MAX)
    if len(cells) > COLUMNS_MAX and not cells[-1].strip(f"{separator} "):
        cells[-1] = ""
    return cells


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=separator != "\t"), [])
    except csv.Error:
        return []


def _quoted_record(lines: list[str], at: int, separator: str) -> tuple[list[str], int]:
    """Read a row with quotation marks; its cells, and over how many lines it goes. No cells: it cannot be split."""
    window = (line + "\n" for line in islice(lines, at, at + LINES_PER_ROW_MAX))
    reader = csv.reader(window, delimiter=separator, skipinitialspace=separator != "\t")
    try:
        cells = next(reader)
    except csv.Error:
        return [], 1
    # The line break that ended the window is still inside the field: the quotation mark was never closed.
    if cells and cells[-1].endswith("\n"):
        return [], 1
    return cells, reader.line_num
