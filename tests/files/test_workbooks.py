"""Workbooks: read as another reader reads them, and refused where they would cost more than any real one."""

import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook

from server.files import workbook_parts
from server.files.file_import import FileImport
from server.files.reader import COLUMNS_MAX, FileError, OddCell
from server.files.stock import stock_import
from server.files.workbook import WorkbookSource
from server.files.workbook_writer import workbook

SAMPLES: Final = sorted((Path(__file__).parent / "samples").glob("*.xlsx"))
STOCK: Final[FileImport[Any]] = stock_import("a test")
NAMESPACE: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def read(content: bytes, sheet: str = "") -> dict[int, list[str]]:
    return WorkbookSource(content, "", sheet)._rows


def changed(content: bytes, part: str, text: str) -> bytes:
    """Put another text into a part of a workbook."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as before, zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, text if name == part else before.read(name))
    return written.getvalue()


def sheet_of(cells: str, head: str = "") -> bytes:
    """Make a workbook whose sheet has these cells."""
    body = f'{head}<worksheet xmlns="{NAMESPACE}"><sheetData>{cells}</sheetData></worksheet>'
    return changed(workbook("S", [["x"]]), "xl/worksheets/sheet1.xml", body)


def as_ours(value: Any) -> str:
    """Bring a value of the other reader to the text that ours has for it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float | int):
        return f"{value:.15g}" if value != int(value) else str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return value.isoformat() if isinstance(value, date) else str(value).strip()


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_it_is_read_as_another_reader_reads_it(path: Path) -> None:
    """Ours says more of errors, of formulas without a result and of zeros that are shown: there the other has less."""
    content = path.read_bytes()
    other = CalamineWorkbook.from_filelike(io.BytesIO(content))
    for name in other.sheet_names:
        rows = read(content, name)
        for number, cells in enumerate(other.get_sheet_by_name(name).to_python(skip_empty_area=False), 1):
            ours = [*rows.get(number, []), *[""] * len(cells)][: len(cells)]
            for cell, theirs in zip(ours, map(as_ours, cells), strict=True):
                is_odd = isinstance(cell, OddCell) and cell.kind == "broken"
                assert cell == theirs or is_odd or (cell.isdecimal() and cell.lstrip("0") == theirs)


def test_each_sheet_is_a_file_of_its_own() -> None:
    """Two days of deliveries on two sheets: the second is no repeat of the first."""
    content = next(path for path in SAMPLES if path.stem == "tr_two_sheets").read_bytes()
    names = CalamineWorkbook.from_filelike(io.BytesIO(content)).sheet_names

    digests = [WorkbookSource(content, "of the bytes", name).digest for name in names]

    assert len(set(digests)) == len(names) > 1
    assert digests[0] == WorkbookSource(content, "of the bytes", names[0]).digest
    assert digests[0] != WorkbookSource(content, "of others", names[0]).digest


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.text("aİş0 ,;\"'&<>\n=", max_size=6).map(str.strip), min_size=1, max_size=5), max_size=6))
def test_what_is_written_is_read_by_both(rows: list[list[str]]) -> None:
    content = workbook("Sayfa & 1", rows)

    other = CalamineWorkbook.from_filelike(io.BytesIO(content))
    theirs = other.get_sheet_by_name("Sayfa & 1").to_python(skip_empty_area=False)

    ours = read(content) if any(map(any, rows)) else {}
    for number, cells in enumerate(theirs, 1):
        assert [*ours.get(number, []), *[""] * len(cells)][: len(cells)] == cells


@pytest.mark.parametrize(
    ("cell", "text", "kind"),
    [
        ('<c r="A1"><v>12</v></c>', "12", None),
        ('<c r="A1"><v>12.0</v></c>', "12", None),
        ('<c r="A1"><v>8.690000000036E12</v></c>', "8690000000036", None),
        ('<c r="A1"><v>0.1</v></c>', "0.1", "fraction"),
        ('<c r="A1"><v>129.90000000000001</v></c>', "129.9", "fraction"),
        ('<c r="A1"><v>-3</v></c>', "-3", None),
        ('<c r="A1" t="b"><v>1</v></c>', "TRUE", "yes_no"),
        ('<c r="A1" t="e"><v>#N/A</v></c>', "#N/A", "broken"),
        ('<c r="A1" t="str"><f>B1</f><v>ŞAL</v></c>', "ŞAL", None),
        ('<c r="A1"><f>B1</f></c>', "=", "broken"),
        ('<c r="A1"><f>B1</f><v>7</v></c>', "7", None),
        ('<c r="A1"><v>1234567890123456</v></c>', "1234567890123456", "broken"),
        ('<c r="A1"><v>NaN</v></c>', "NaN", "broken"),
        ('<c r="A1"><v>twelve</v></c>', "twelve", "broken"),
        (
            '<c r="A1" t="inlineStr"><is><r><t>two </t></r><r><t>runs</t></r><rPh><t>no</t></rPh></is></c>',
            "two runs",
            None,
        ),
        ("<c><v>5</v></c>", "5", None),
    ],
)
def test_a_cell(cell: str, text: str, kind: str | None) -> None:
    [found] = read(sheet_of(f"<row>{cell}</row>"))[1]

    assert found == text
    assert (found.kind if isinstance(found, OddCell) else None) == kind


# -- what is no workbook, or more than one


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04 and no more", "damaged"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "xls file of old, or has a password"),
        (sheet_of("<row><c><v>1</v></row>"), "damaged"),
        (sheet_of('<row><c r="ZZZZ1"><v>1</v></c></row>'), "damaged"),
        (sheet_of('<row><c t="s"><v>7</v></c></row>'), "damaged"),
        (sheet_of("", '<!DOCTYPE a [<!ENTITY b "c">]>'), "damaged"),
        (changed(workbook("S", [["x"]]), "_rels/.rels", "<Relationships/>"), "no .xlsx file"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read(content)


def test_a_sheet_without_cells_is_an_empty_file() -> None:
    with pytest.raises(FileError, match="The file is empty"):
        STOCK.read(sheet_of("<row/>"))


def test_a_cell_far_to_the_right_costs_nothing_and_is_refused() -> None:
    with pytest.raises(FileError, match=f"more than {COLUMNS_MAX} columns"):
        read(sheet_of('<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'))


def test_a_cell_far_below_costs_nothing() -> None:
    assert list(read(sheet_of('<row r="1048576"><c r="A1048576"><v>1</v></c></row>'))) == [1048576]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook_parts, "UNPACKED_BYTES_MAX", 1 << 20)
    bomb = sheet_of("<row><c><v>1</v></c></row>" * 50_000)

    assert len(bomb) < 20_000
    with pytest.raises(FileError, match="unpacks to more than any workbook of its size"):
        read(bomb)


def test_a_list_of_more_parts_than_any_workbook_has_is_refused_before_it_is_read() -> None:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as package:
        for number in range(20_000):
            package.writestr(f"part{number}", b"")

    with pytest.raises(FileError, match="more parts than any workbook"):
        read(written.getvalue())


def test_a_text_is_shared_and_not_copied() -> None:
    """A cell that refers to a long text costs no more of it, however many do."""
    long = "x" * 10_000
    book = changed(workbook("S", [["x"]]), "xl/worksheets/sheet1.xml", "")
    cells = '<row><c t="s"><v>0</v></c></row>' * 1_000
    body = f'<worksheet xmlns="{NAMESPACE}"><sheetData>{cells}</sheetData></worksheet>'
    rels = (
        '<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="worksheets/sheet1.xml"/>'
        '<Relationship Id="rId9" Type="x/sharedStrings" Target="shared.xml"/></Relationships>'
    )
    book = changed(changed(book, "xl/worksheets/sheet1.xml", body), "xl/_rels/workbook.xml.rels", rels)
    written = io.BytesIO(book)
    with zipfile.ZipFile(written, "a") as package:
        package.writestr("xl/shared.xml", f"<sst><si><t>{long}</t></si></sst>")

    rows = read(written.getvalue())

    assert len(rows) == 1_000
    assert len({id(row[0]) for row in rows.values()}) == 1
