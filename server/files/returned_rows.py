"""Bad rows as a file of the form in which they came, with the reason beside each: to be corrected and sent again.

A row that nobody corrects is bad again. So what cannot come back as it was is a cell that no column takes: if it were
empty, a place could become ``main``. What it was stands in the reason.
"""

import io
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

from server.files.delimited import TextSource
from server.files.encodings import UTF_8, UTF_8_BOM, EncodingError, decoded
from server.files.file_import import ReadFile
from server.files.harmless_cells import harmless, write_rows
from server.files.headings import RETURNED
from server.files.reader import BadRow, OddCell, shown
from server.files.sheet import MARKED, Sheet
from server.files.workbook_writer import workbook
from server.telemetry.visible import visible

LOST: Final = "########"
"""What a spreadsheet shows where it cannot show a cell; it is refused in every column."""
_LINES: Final = "\t\n"


def returned_rows(file: ReadFile[Any], bad: Iterable[BadRow], form: Literal["csv", "xlsx", ""] = "") -> bytes:
    """Write the bad rows of a file; ``form``: if they are to have another than the file has."""
    sheet = file.sheet
    heading = RETURNED[1] if RETURNED[0] in sheet.columns.known else RETURNED[0]
    width = len(sheet.headings.head.cells) - sheet.came_back
    header = [visible(str(cell)) for cell in sheet.headings.head.cells[:width]]
    rows = [[*header, heading], *_rows(sheet, sorted(bad), width)]
    if (form or sheet.source.form) == "xlsx":
        name = sheet.source.read_as if sheet.source.form == "xlsx" else "rows"
        return workbook(visible(name), rows)
    return _text(sheet, rows)


def _rows(sheet: Sheet, bad: Sequence[BadRow], width: int) -> Iterator[list[str]]:
    lines = {row.line for row in bad}
    cells_of = {each.line: each.cells for each in sheet.source.records(sheet.headings.head) if each.line in lines}
    for row in bad:
        cells = list(cells_of.get(row.line, ()))
        reason = f"line {row.line}: {row.reason}"
        if not cells or any(cells[width + sheet.came_back :]):
            yield [*[""] * width, visible(f"{reason}: {row.text}")]
            continue
        cells = cells[:width] + [""] * (width - len(cells))
        lost = [at for at, cell in enumerate(cells) if _is_lost(cell)]
        told = [f"{sheet.headings.head.cells[at]} was {shown(visible(cells[at]))}" for at in lost]
        kept = [LOST if at in lost else _harmless(cell, was_marked=sheet.came_back) for at, cell in enumerate(cells)]
        yield [*kept, visible("; ".join((reason, *told)))]


def _is_lost(cell: str) -> bool:
    """Whether a cell cannot come back as it was: it would mean something else, or order a terminal about."""
    if isinstance(cell, OddCell):
        return cell.kind in {"date", "broken"}
    return visible(cell, keep=_LINES) != cell


def _harmless(cell: str, *, was_marked: bool) -> str:
    if isinstance(cell, OddCell):
        return cell
    if was_marked and cell.startswith("'"):
        return cell
    return f"'{cell}" if MARKED.match(cell) else str(harmless(cell))


def _text(sheet: Sheet, rows: Sequence[Sequence[str]]) -> bytes:
    source, separator = sheet.source, sheet.headings.head.separator or ","
    file = io.StringIO(newline="")
    if isinstance(source, TextSource):
        encoding, bom, line_end = source.text.encoding, source.text.bom, source.line_end
        if source.named_separator:
            file.write(f"sep={separator}{line_end}")
    else:
        encoding, bom, line_end = UTF_8_BOM, BOM_UTF8, "\r\n"
    write_rows(file, rows[0], rows[1:], line_end=line_end, keep=_LINES, separator=separator, is_harmless=True)
    text = file.getvalue()
    content = bom + text.encode(UTF_8 if encoding == UTF_8_BOM else encoding, "backslashreplace")
    return content if _is_found(content, encoding) else BOM_UTF8 + text.encode()


def _is_found(content: bytes, encoding: str) -> bool:
    """Whether the rows alone still tell their encoding: the letters that told it may be in others."""
    try:
        return decoded(content).encoding == encoding
    except EncodingError:
        return False
