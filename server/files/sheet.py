"""Reads the rows of a file, whatever its form, and separates good ones from bad, losing none."""

import re
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import Final, TypeVar

from server.files.column_words import plain
from server.files.delimited import SEPARATORS, TextSource
from server.files.encodings import UTF_8, UTF_8_BOM, EncodingError, decoded
from server.files.headings import RETURNED, find_headings
from server.files.reader import (
    AS_IT_IS,
    CELL_CHARACTERS_MAX,
    COLUMNS_MAX,
    DIGEST_BYTES,
    FILE_BYTES_MAX,
    BadCellError,
    BadRow,
    Cells,
    Columns,
    FileError,
    Reading,
    Record,
    Row,
    Source,
)
from server.files.spreadsheet_faults import is_total
from server.files.workbook import WorkbookSource
from server.files.workbook_parts import UNPACKED_BYTES_MAX

T = TypeVar("T")

_ZIP: Final = b"PK"
_OLD: Final = b"\xd0\xcf\x11\xe0"
MARKED: Final = re.compile("'(?='* *[-=+@\t＝＋－＠])")
"""The apostrophe with which bad rows came back, so that no spreadsheet would calculate their cells."""


def open_file(content: bytes, reading: Reading = AS_IT_IS, *, unpacked_bytes_max: int = UNPACKED_BYTES_MAX) -> Source:
    """Find out what a file is, and read all its text; what its columns mean is another step.

    ``unpacked_bytes_max``: what a workbook may unpack to.

    Raises
    ------
    FileError
        It cannot be read, or is too big.

    """
    if len(content) > FILE_BYTES_MAX:
        raise FileError(f"It is bigger than {FILE_BYTES_MAX >> 20} MiB. Split the file.")
    digest = blake2b(content, digest_size=DIGEST_BYTES).hexdigest()
    if content.startswith((_ZIP, _OLD)):
        return WorkbookSource(content, digest, reading.sheet, unpacked_bytes_max)
    if reading.sheet:
        raise FileError("It is a text file and has no sheets. Leave out --sheet.")
    try:
        return TextSource(decoded(content, reading.encoding), digest)
    except EncodingError as error:
        raise FileError(str(error)) from None


class Sheet:
    """A file whose header was found. ``came_back``: its rows were bad once, and their reasons stand in the last column.

    Raises
    ------
    FileError
        Its header lacks a column, names one twice, or has one that may be meant for another.

    """

    def __init__(self, source: Source, columns: Columns, reading: Reading = AS_IT_IS) -> None:
        self.source = source
        self.columns = columns
        self.reading = reading
        self.headings = find_headings(source, columns, reading)
        self._width = len(self.headings.head.cells)
        if self._width > COLUMNS_MAX:
            raise FileError(f"It has more than {COLUMNS_MAX} columns. Remove those that are not needed.")
        self._others = self.headings.other_positions
        self.came_back = plain(self.headings.head.cells[-1]) in set(RETURNED) - set(columns.known)

    def rows(self, value_of: Callable[[Cells], T]) -> tuple[list[Row[T]], list[BadRow]]:
        """Make the value of each row; a row whose value cannot be made (BadCellError) is bad."""
        good: list[Row[T]] = []
        bad: list[BadRow] = []
        for record in self.source.records(self.headings.head):
            line = record.line
            try:
                good.append(Row(line, self.source.line(line), value_of(self._checked(record))))
            except BadCellError as error:
                bad.append(BadRow(line, str(error), self.source.line(line)))
                bad.extend(self._inside(record))
        return good, bad

    def _checked(self, record: Record) -> Cells:
        cells = record.cells
        if not cells:
            raise BadCellError("a quotation mark is not closed")
        if any(cells[self._width :]):
            raise BadCellError(
                f"has {len(cells)} cells, but the header names {self._width}: is a delimiter not quoted?"
            )
        if max(map(len, cells)) > CELL_CHARACTERS_MAX:
            raise BadCellError(f"has a cell of more than {CELL_CHARACTERS_MAX:,} characters")
        if is_total(cells) and not self.reading.as_written:
            raise BadCellError("is a total of other rows: remove it. If it is meant, add --as-written")
        if self.came_back:
            cells = [cell[1:] if cell[:1] == "'" and MARKED.match(cell) else cell for cell in cells]
        return Cells(cells[: self._width], self.headings.positions, self._others, self.reading)

    def _inside(self, record: Record) -> Iterator[BadRow]:
        """Report the further lines of a bad row, which may be rows of their own after a stray quotation mark."""
        for number in range(record.line + 1, record.line + record.lines):
            text = self.source.line(number)
            if text.strip():
                yield BadRow(number, f"stands inside the quotation marks of line {record.line}, which is bad", text)


def facts_of(sheet: Sheet) -> list[str]:
    """Say how a file was read where that had to be found out, for people to check."""
    source, headings = sheet.source, sheet.headings
    parts, head = [], headings.head
    first = 1
    if isinstance(source, TextSource):
        first = 2 if source.named_separator else 1
        if source.text.encoding not in {UTF_8, UTF_8_BOM}:
            parts.append(source.read_as)
    else:
        parts.append(f"sheet {source.read_as}")
    if head.line > first:
        parts.append(f"header on line {head.line}")
    named = {column: headings.heading(column) for column in headings.positions}
    told = [f"{column} = {heading}" for column, heading in named.items() if plain(column) != plain(heading)]
    if head.separator and (parts or told):
        parts.append(f"a {SEPARATORS.get(head.separator, head.separator)} between cells")
    lines = [f"Read as: {', '.join(parts)}."] if parts else []
    if told:
        lines.append(f"Columns: {', '.join(told)}")
    if headings.by_memory:
        lines.append(f"As was said of an earlier file: {', '.join(headings.by_memory)}; --forget-columns forgets it.")
    return lines
