"""Bad rows come back in the form in which they came, each with its reason, and go through once they are corrected."""

from pathlib import Path
from typing import Any, Final

import pytest

from server.files.file_import import FileImport
from server.files.movements import movements_import
from server.files.reader import AS_IT_IS, Reading
from server.files.returned_rows import returned_rows
from server.files.stock import stock_import

SAMPLES: Final = Path(__file__).parent / "samples"
STOCK: Final[FileImport[Any]] = stock_import("a test")


def back(content: bytes, reading: Reading = AS_IT_IS, kind: FileImport[Any] = STOCK) -> bytes:
    found = kind.read(content, reading)
    return returned_rows(found, found.bad)


def test_they_have_the_columns_the_encoding_the_separator_and_the_line_ends_of_the_file() -> None:
    content = "Stok Kodu;Renk;Adet\r\nŞAL-1;kırmızı;beş\r\nÇNT-2;siyah;3\r\n".encode("cp1254")

    assert back(content).decode("cp1254") == (
        "Stok Kodu;Renk;Adet;reason\r\nŞAL-1;kırmızı;beş;line 2: on_hand is 'beş', not a whole number of units\r\n"
    )


@pytest.mark.parametrize(
    ("bom", "encoding"), [(b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")]
)
def test_they_have_the_mark_of_the_encoding(bom: bytes, encoding: str) -> None:
    returned = back(bom + "sku,on_hand\nŞAL,x\n".encode(encoding))

    assert returned.startswith(bom)
    assert returned[len(bom) :].decode(encoding).startswith("sku,on_hand,reason\nŞAL,x,")


def test_they_have_the_line_in_which_excel_names_the_separator() -> None:
    assert back(b"sep=;\nsku;on_hand\nA;x\n").startswith(b"sep=;\nsku;on_hand;reason\n")


def test_corrected_they_go_through_and_the_reason_is_ignored() -> None:
    returned = back("Stok Kodu;Adet\nŞAL-1;1.200\nÇNT-2;3-\n".encode("cp1254"))

    found = STOCK.read(returned.replace(b";1.200;", b";1200;").replace(b";3-;", b";0;"))

    assert [row.value[:3] for row in found.rows] == [("ŞAL-1", "main", 1200), ("ÇNT-2", "main", 0)]
    assert (found.bad, found.other_columns) == ([], [])


def test_what_comes_back_twice_has_one_reason() -> None:
    once = back(b"sku,on_hand\nA,x\n")

    assert back(once) == once


def test_a_file_that_has_a_reason_of_its_own_gets_another_column() -> None:
    kind = movements_import("a test")

    returned = back(b"kind,sku,quantity,reason\nreceive,A,x,PO-1\n", kind=kind)

    assert returned.splitlines()[0] == b"kind,sku,quantity,reason,refused_because"
    corrected = kind.read(returned.replace(b",x,", b",5,"))
    assert [(row.value.body.reason) for row in corrected.rows] == ["PO-1"]


def test_no_cell_is_a_formula_and_a_name_that_looks_like_one_goes_through_when_corrected() -> None:
    returned = back(b"sku,on_hand\n+A-1,x\n")

    assert b"\n'+A-1,x," in returned
    assert [row.value.sku for row in STOCK.read(returned.replace(b",x,", b",5,")).rows] == ["+A-1"]


@pytest.mark.parametrize("sku", ["'-", "'=1", "''+1", "' -1"])
def test_a_name_with_an_apostrophe_of_its_own_does_not_lose_it(sku: str) -> None:
    returned = back(f"sku,on_hand\n{sku},5\n".encode())

    assert STOCK.read(returned).rows == []
    assert back(returned) == returned


def test_rows_that_do_not_tell_their_encoding_any_more_come_back_in_utf_8() -> None:
    content = "sku,on_hand\nşal,x\nağaç,3\n".encode("cp1254")

    returned = back(content)

    assert returned.decode("utf-8-sig").startswith("sku,on_hand,reason\nşal,x,")
    assert STOCK.read(returned.replace(b",x,", b",5,")).rows[0].value.sku == "şal"


def test_what_a_terminal_would_obey_stands_in_the_reason_alone() -> None:
    returned = back(b"sku,on_hand\nA\x1b[31m,5\n")

    assert b"\x1b" not in returned
    assert returned.splitlines()[1].startswith(b"########,5,line 2: sku must not hold control characters")
    assert b"\\x1b[31m" in returned
    assert STOCK.read(returned).rows == []


def test_a_row_that_cannot_be_split_comes_back_in_its_reason() -> None:
    returned = back(b'sku,on_hand\n"A,5\nB,6\n')

    assert returned == b'sku,on_hand,reason\n,,"line 2: a quotation mark is not closed: ""A,5"\n'
    assert [row.reason for row in STOCK.read(returned).bad] == ["sku is empty"]


def test_a_workbook_comes_back_as_a_workbook_in_which_barcodes_stay_text() -> None:
    content = (SAMPLES / "broken.xlsx").read_bytes()

    again = STOCK.read(back(content))

    assert again.rows == []
    assert again.sheet.source.form == "xlsx"
    assert again.sheet.source.read_as == "Sayfa1"
    assert [row.line for row in again.bad] == list(range(2, 10))


def test_a_place_that_was_lost_does_not_become_main() -> None:
    found = STOCK.read((SAMPLES / "broken.xlsx").read_bytes())

    text = returned_rows(found, [row for row in found.bad if row.line == 5], "csv").decode("utf-8-sig")

    assert "\r\nA-4,5,########," in text
    assert STOCK.read(text.encode()).rows == []


def test_a_workbook_may_come_back_as_text() -> None:
    found = STOCK.read((SAMPLES / "broken.xlsx").read_bytes())

    text = returned_rows(found, found.bad, "csv").decode("utf-8-sig")

    assert text.startswith('sku,on_hand,location,reason\r\nA-1,12.5,main,"line 2: on_hand is 12.5, a number')
