"""Files as merchants have them, of three languages, many programs and every accident: what is read of each.

What is expected stands here in full: which rows, which are bad and why, and how the file was read.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from server.files.barcodes import BARCODES
from server.files.categories import CATEGORIES
from server.files.file_import import FileImport, ReadFile
from server.files.listings import listings_import
from server.files.locations import LOCATIONS
from server.files.movements import movements_import
from server.files.reader import AS_IT_IS, FileError, Reading
from server.files.sheet import facts_of
from server.files.stock import stock_import

SAMPLES: Final = Path(__file__).parent / "samples"
STOCK: Final[FileImport[Any]] = stock_import("a test")


def read(name: str, reading: Reading = AS_IT_IS, kind: FileImport[Any] = STOCK) -> ReadFile[Any]:
    return kind.read((SAMPLES / name).read_bytes(), reading)


def stock_of(found: ReadFile[Any]) -> list[tuple[str, str, int]]:
    return [row.value[:3] for row in found.rows]


def bad_of(found: ReadFile[Any]) -> dict[int, str]:
    return {row.line: row.reason for row in found.bad}


@pytest.mark.parametrize(
    ("name", "rows", "read_as", "ignored"),
    [
        (
            "tr_erp_windows1254.csv",
            [("TŞÖ-1001", "İzmir", 12), ("ÇNT-22", "Kadıköy", 3), ("GÖM-7", "İzmir", 0)],
            "Windows-1254, a semicolon between cells",
            ["Stok Adı", "Birim"],
        ),
        (
            "tr_excel_utf8_bom.csv",
            [("ŞAL-İPEK", "main", 5), ("KABLO USB-C, 2M", "main", 110)],
            "a semicolon between cells",
            [],
        ),
        ("tr_excel_unicode_text_utf16.txt", [("TŞÖ-1", "main", 7), ("İĞNE-2", "main", 5)], "UTF-16, a tab", []),
        (
            "ro_erp_windows1250.csv",
            [("TRI-ROŞU", "Iaşi", 9), ("RCH-2", "Bucureşti", 4)],
            "Windows-1250, a semicolon between cells",
            ["Denumire", "UM"],
        ),
        (
            "ro_excel_sep_line.csv",
            [("IE-BRODATĂ", "București", 8), ("ȘAL-LÂNĂ", "București", 20)],
            "a semicolon between cells",
            [],
        ),
        ("ro_utf16_be.csv", [("FUSTĂ-1", "main", 6), ("CREMĂ 50ml, SPF 30", "main", 11)], "UTF-16, a comma", []),
        ("en_quotes.csv", [('TV-55"-4K', "main", 5), ("CABLE, 2M", "main", 7)], "", ["note"]),
        ("en_pipes.csv", [("TEE", "main", 5), ("MUG", "main", 1200)], "a pipe between cells", []),
        ("tr_dotted_heading.csv", [("A-1", "izmir", 5)], "", []),
    ],
)
def test_a_whole_file_is_read(name: str, rows: list[tuple[str, str, int]], read_as: str, ignored: list[str]) -> None:
    found = read(name)

    assert stock_of(found) == rows
    assert bad_of(found) == {}
    assert found.other_columns == ignored
    told = next((line for line in facts_of(found.sheet) if line.startswith("Read as")), "")
    assert told.startswith(f"Read as: {read_as}" if read_as else "")


def test_a_report_of_an_erp_has_a_title_above_and_a_total_below() -> None:
    found = read("tr_report_with_title_and_total.csv")

    assert stock_of(found) == [("M-1", "Merkez", 1200), ("M-2", "Merkez", 40)]
    assert bad_of(found) == {7: "is a total of other rows: remove it. If it is meant, add --as-written"}
    assert facts_of(found.sheet) == [
        "Read as: Windows-1254, header on line 4, a semicolon between cells.",
        "Columns: sku = Malzeme Kodu, location = Depo Adı, on_hand = Miktar",
    ]


def test_a_workbook_has_texts_numbers_and_zeros_that_its_format_shows() -> None:
    found = read("tr_excel.xlsx")

    assert stock_of(found) == [("TŞÖ-1", "İzmir", 12), ("8690000000036", "İzmir", 3), ("00123", "İzmir", 4)]
    assert list(bad_of(found)) == [5]
    assert facts_of(found.sheet)[0] == "Read as: sheet Stok."


def test_of_several_sheets_one_has_to_be_named() -> None:
    with pytest.raises(FileError, match=r"several sheets: 'Merkez', 'Kadıköy'\. Say which is meant, with --sheet"):
        read("tr_two_sheets.xlsx")

    assert stock_of(read("tr_two_sheets.xlsx", Reading(sheet="Kadıköy"))) == [("A-1", "main", 2)]
    with pytest.raises(FileError, match=r"no sheet 'Kadikoy'\. It has 'Merkez', 'Kadıköy'"):
        read("tr_two_sheets.xlsx", Reading(sheet="Kadikoy"))


# -- numbers


def test_numbers_that_may_be_two_are_refused_unless_the_mark_is_said() -> None:
    found = read("tr_ambiguous_numbers.csv")

    assert stock_of(found) == [("A-3", "main", 12), ("A-4", "main", 1_200_000)]
    assert {line: reason.partition(":")[0] for line, reason in bad_of(found).items()} == {
        2: "on_hand is '1.200', which may be 1200 or 1 and a fraction",
        3: "on_hand is '1,200', which may be 1200 or 1 and a fraction",
    }
    turkish = read("tr_ambiguous_numbers.csv", Reading(decimal=","))
    assert stock_of(turkish) == [("A-1", "main", 1200), ("A-4", "main", 1_200_000)]
    english = read("tr_ambiguous_numbers.csv", Reading(decimal="."))
    assert stock_of(english) == [("A-2", "main", 1200), ("A-3", "main", 12)]


def test_an_erp_s_negatives_are_refused_or_none() -> None:
    found = read("tr_erp_negative.csv")

    assert stock_of(found) == [("A-3", "main", 4)]
    assert bad_of(found) == {
        2: "on_hand is -3,00, less than none: count what is there. To take it for 0, add --negative zero",
        3: "on_hand is 5-, less than none: count what is there. To take it for 0, add --negative zero",
    }
    as_none = read("tr_erp_negative.csv", Reading(negative_is_zero=True))
    assert stock_of(as_none) == [("A-1", "main", 0), ("A-2", "main", 0), ("A-3", "main", 4)]


# -- what Excel broke


def test_names_that_a_spreadsheet_made_are_refused_each_with_its_mend() -> None:
    found = read("broken_names.csv")

    assert stock_of(found) == [("IYI-1", "main", 10)]
    starts = {
        2: "sku is 01.Şub, of which a spreadsheet made a date: format the column as text",
        3: "sku is 02.05.2026, of which a spreadsheet made a date",
        4: "sku begins with an apostrophe, as spreadsheets mark text: remove it",
        5: "sku is #AD?, an error of a spreadsheet",
        6: "sku is a formula: copy the column, and paste it as values",
        7: "sku is ########, an error of a spreadsheet: correct it there, or widen the column",
        8: "sku is 8,69E+12, a number that a spreadsheet rounded: format the column as text",
    }
    assert {line: reason[: len(starts[line])] for line, reason in bad_of(found).items()} == starts
    meant = read("broken_names.csv", Reading(as_written=True))
    assert [sku for sku, _, _ in stock_of(meant)] == ["01.Şub", "02.05.2026", "'00123", "=A2+1", "IYI-1"]


def test_cells_of_a_workbook_that_are_no_names_and_no_units_are_refused_each_with_its_mend() -> None:
    found = read("broken.xlsx")

    assert stock_of(found) == [("A-9", "main", 10)]
    starts = {
        2: "on_hand is 12.5, a number with decimals to Excel",
        3: "sku is 2026-02-01, a date to Excel: format the column as text",
        4: "on_hand is #N/A, an error of a spreadsheet",
        5: "location is #REF!, an error of a spreadsheet",
        6: "sku is a formula without its result: open the file in Excel, and save it",
        7: "sku is '1.234567890123457e+18', of which Excel keeps 15 digits only",
        8: "sku is a yes or no to Excel",
        9: "sku is 12.5, a number with decimals to Excel",
    }
    assert {line: reason[: len(starts[line])] for line, reason in bad_of(found).items()} == starts


def test_barcodes_that_lost_digits_or_zeros_are_refused() -> None:
    found = read("broken_barcodes.csv", kind=BARCODES)

    assert [(row.value.pack.sku, row.value.pack.factor) for row in found.rows] == [("A-2", 1), ("A-3", 6)]
    assert bad_of(found)[2].startswith("barcode is 8,69E+12, a number that a spreadsheet rounded")
    assert bad_of(found)[5].startswith(
        "barcode is 12345678905: a spreadsheet seems to have dropped its zeros. Write 01"
    )


def test_numbers_of_the_merchant_s_own_are_no_lost_zeros() -> None:
    own = b"barcode,sku\n8690000000036,A-1\n12345678905,A-2\n12345678906,A-3\n"

    assert bad_of(BARCODES.read(own)) == {}


def test_letters_that_became_two_are_refused() -> None:
    found = read("broken_letters.csv")

    assert stock_of(found) == [("ok-1", "main", 5)]
    assert set(bad_of(found).values()) == {
        "sku was saved in a wrong encoding, some letters are two now: export the file again, as “CSV UTF-8”"
    }


def test_a_barcode_that_was_scanned_as_a_quantity_is_more_than_there_can_be() -> None:
    found = read("barcode_as_quantity.csv")

    assert bad_of(found) == {2: "on_hand is 8690000000036, more than 1000000000: is it a barcode?"}


# -- files that are not read at all


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mixed_encodings.csv", "Line 5 is not UTF-8, and other lines are"),
        ("unsure_encoding.csv", r"may be windows-1254 \(Turkish\) or windows-1250 \(Romanian\)"),
        ("tr_dos_cp857.csv", "encoding is not sure"),
        ("tr_near_miss.csv", 'did you mean location.*--columns "location=locaton".*--ignore-columns "locaton"'),
        ("tr_place_not_known.csv", "'2. Depo' is not known, and looks like a place. If it is location"),
    ],
)
def test_a_file_is_read_wholly_or_not_at_all(name: str, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read(name)


def test_what_a_person_says_is_heeded() -> None:
    assert stock_of(read("tr_dos_cp857.csv", Reading(encoding="cp857"))) == [("TŞÖ-1", "main", 5), ("ÇIĞ-İ", "main", 7)]
    assert stock_of(read("unsure_encoding.csv", Reading(encoding="Windows-1254"))) == [("şal", "main", 3)]
    assert stock_of(read("tr_near_miss.csv", Reading(columns={"location": "locaton"}))) == [("A-1", "izmir", 5)]
    assert stock_of(read("tr_near_miss.csv", Reading(ignored=("Locaton",)))) == [("A-1", "main", 5)]
    remembered = {"2_depo": "location"}
    assert stock_of(read("tr_place_not_known.csv", Reading(remembered=remembered))) == [("A-1", "izmir", 5)]


# -- files of the other kinds


def test_listings_in_turkish() -> None:
    found = read("tr_listings.csv", kind=listings_import("a-channel"))

    assert bad_of(found) == {}
    assert [
        (each.value.sku, each.value.key, each.value.listed, each.value.price, each.value.list_price)
        for each in found.rows
    ] == [("TŞÖ-1", "8690000000036", True, "129.90", "1159.90"), ("ÇNT-2", "8690000000043", False, "", "")]


def test_barcodes_in_turkish() -> None:
    found = read("tr_barcodes.csv", kind=BARCODES)

    assert [(row.value.barcode, row.value.pack.sku, row.value.pack.factor) for row in found.rows] == [
        ("8690000000036", "TŞÖ-1", 1),
        ("18690000000033", "TŞÖ-1", 12),
    ]


def test_locations_in_romanian() -> None:
    found = read("ro_locations.csv", kind=LOCATIONS)

    assert [(row.value.name, row.value.kind, row.value.open, row.value.priority) for row in found.rows] == [
        ("București", "warehouse", True, 10),
        ("Iași", "store", False, 5),
    ]
    assert found.rows[0].value.position is not None
    assert found.rows[0].value.position.lat == 44.4268


def test_movements_in_turkish() -> None:
    found = read("tr_movements.csv", kind=movements_import("a test"))

    assert bad_of(found) == {}
    kinds = [type(row.value.body).__name__ for row in found.rows]
    assert kinds == ["ReceiveMovement", "CountMovement", "AdjustMovement"]
    assert [row.value.body.reason for row in found.rows] == ["PO-2041", "a test", "kırık"]


def test_categories_in_romanian() -> None:
    assert [row.value for row in read("ro_categories.csv", kind=CATEGORIES).rows] == [
        ("TRI-1", "Tricouri"),
        ("RCH-2", ""),
    ]


def test_every_sample_is_looked_at() -> None:
    source = Path(__file__).read_text("utf-8")

    assert [path.name for path in SAMPLES.iterdir() if f'"{path.name}"' not in source] == []
    assert len(list(SAMPLES.iterdir())) >= 20
