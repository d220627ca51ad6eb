"""Writes a sheet as .xlsx in which Excel breaks nothing: every cell but a number or a yes is text, and stays text."""

import io
import zipfile
from collections.abc import Iterable, Sequence
from typing import Final
from xml.sax.saxutils import escape

from server.files.reader import OddCell

_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_AT: Final = (1980, 1, 1, 0, 0, 0)
"""The same rows make the same file."""
_PARTS: Final = {
    "[Content_Types].xml": (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPE}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>'
    ),
    "xl/styles.xml": (
        f'<styleSheet xmlns="{_MAIN}"><fonts count="1"><font/></fonts><fills count="2"><fill/><fill/></fills>'
        '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
        '<cellXfs count="2"><xf xfId="0"/><xf xfId="0" numFmtId="49" applyNumberFormat="1"/></cellXfs></styleSheet>'
    ),
}
"""Style 1 is text: who types a barcode over a cell keeps its zeros."""


def workbook(sheet: str, rows: Iterable[Sequence[str]]) -> bytes:
    """Write rows as a workbook of one sheet. The cells hold nothing that XML cannot, see :mod:`returned_rows`."""
    name = escape(sheet[:31], {'"': "&quot;"})
    book = (
        f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets>'
        "</workbook>"
    )
    body = "".join(_row(at, cells) for at, cells in enumerate(rows, 1))
    cols = '<cols><col min="1" max="256" width="20" style="1"/></cols>'
    data = f'<worksheet xmlns="{_MAIN}">{cols}<sheetData>{body}</sheetData></worksheet>'
    parts = _PARTS | {"xl/workbook.xml": book, "xl/worksheets/sheet1.xml": data}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as package:
        for path, text in parts.items():
            package.writestr(zipfile.ZipInfo(path, _AT), _DECLARATION + text, zipfile.ZIP_DEFLATED)
    return written.getvalue()


def _row(number: int, cells: Sequence[str]) -> str:
    return f'<row r="{number}">{"".join(_cell(_place(at, number), each) for at, each in enumerate(cells))}</row>'


def _cell(place: str, cell: str) -> str:
    if not cell:
        return ""
    if isinstance(cell, OddCell) and cell.kind == "fraction":
        return f'<c r="{place}"><v>{cell}</v></c>'
    if isinstance(cell, OddCell) and cell.kind == "yes_no":
        return f'<c r="{place}" t="b"><v>{int(cell == "TRUE")}</v></c>'
    return f'<c r="{place}" s="1" t="inlineStr"><is><t xml:space="preserve">{escape(cell)}</t></is></c>'


def _place(column: int, row: int) -> str:
    letters, left = "", column + 1
    while left:
        left, letter = divmod(left - 1, 26)
        letters = chr(65 + letter) + letters
    return f"{letters}{row}"
