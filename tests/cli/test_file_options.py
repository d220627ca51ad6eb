"""What is said of a file on the command line: heeded, shown, remembered for the next of its kind, and forgotten."""

from pathlib import Path

import msgspec
import pytest

from server.files.workbook_writer import workbook
from tests.support.processes import holdfast

SHELVES = "sku,on_hand,Raf\nTEE,5,izmir\n"


def run(cwd: Path, *words: str, text: str | bytes = SHELVES, code: int = 0, name: str = "rows.csv") -> str:
    """Run a command on a file, and agree with what it would change; return all that it says."""
    (cwd / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    ended = holdfast(*words, *(() if "--dry-run" in words else ("--yes",)), cwd=cwd)
    assert ended.returncode == code, (ended.stdout, ended.stderr)
    assert "Traceback" not in ended.stderr
    return ended.stderr + ended.stdout


def on_hand(cwd: Path, sku: str) -> dict[str, int]:
    ended = holdfast("show", sku, "--json", cwd=cwd)
    levels = msgspec.json.decode(ended.stdout)["levels"]
    return {each["location"]: each["on_hand"] for each in levels}


def test_a_file_that_is_not_read_leaves_no_store_behind(tmp_path: Path) -> None:
    said = run(tmp_path, "import", "rows.csv", text="sku,on_hand,locaton\nTEE,5,izmir\n", code=1)

    assert "did you mean location" in said
    assert not (tmp_path / ".holdfast").exists()


def test_what_was_said_of_columns_is_remembered_shown_and_forgotten(tmp_path: Path) -> None:
    first = run(tmp_path, "import", "rows.csv", "--columns", "location=Raf")
    assert "Columns: location = Raf" in first
    assert "As was said" not in first

    again = run(tmp_path, "import", "rows.csv", text="sku,on_hand,RAF\nMUG,7,izmir\n")
    assert "Columns: location = RAF" in again
    assert "As was said of an earlier file: RAF; --forget-columns forgets it." in again
    assert on_hand(tmp_path, "MUG") == {"izmir": 7}

    forgotten = run(tmp_path, "import", "rows.csv", "--forget-columns", text="sku,on_hand,Raf\nCAP,1,izmir\n")
    assert "Ignored columns: Raf" in forgotten
    assert on_hand(tmp_path, "CAP") == {"main": 1}


def test_what_does_not_matter_is_remembered_too(tmp_path: Path) -> None:
    text = "sku,on_hand,Aktif\nTEE,5,Evet\n"
    assert "looks like a yes or no" in run(tmp_path, "import", "rows.csv", text=text, code=1)

    run(tmp_path, "import", "rows.csv", "--ignore-columns", "Aktif", text=text)

    run(tmp_path, "import", "rows.csv", text="sku,on_hand,Aktif\nTEE,6,Hayır\n")
    assert on_hand(tmp_path, "TEE") == {"main": 6}


def test_each_kind_of_file_and_each_partition_has_a_memory_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", "--columns", "location=Raf")

    other = run(tmp_path, "import", "rows.csv", "--partition", "other")
    moved = run(tmp_path, "move", "rows.csv", text="kind,sku,quantity,Raf\nreceive,TEE,5,izmir\n")

    assert "Ignored columns: Raf" in other
    assert "Ignored columns: Raf" in moved


def test_a_count_remembers_with_the_imports(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", "--columns", "sku=Ref", text="Ref,on_hand\nTEE,5\n")

    said = run(tmp_path, "count", "rows.csv", text="Ref,on_hand\nTEE,4\n")

    assert "As was said of an earlier file: Ref" in said
    assert on_hand(tmp_path, "TEE") == {"main": 4}


def test_a_dry_run_remembers_nothing(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", "--columns", "location=Raf", "--dry-run")

    assert "Ignored columns: Raf" in run(tmp_path, "import", "rows.csv")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--columns", "place=Raf"), "There is no column 'place' here. Known: sku, on_hand"),
        (("--columns", "location=Shelf"), "has no column 'Shelf'. It has 'sku', 'on_hand', 'Raf'"),
        (("--ignore-columns", "Shelf"), "has no column 'Shelf'"),
        (("--encoding", "klingon"), "Encoding 'klingon' is not known. Choose one of utf-8"),
        (("--sheet", "Stok"), "It is a text file and has no sheets"),
    ],
)
def test_what_is_said_amiss_is_said_in_words(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    assert message in run(tmp_path, "import", "rows.csv", *words, code=1)


def test_columns_that_are_said_without_a_heading_are_a_wrong_use(tmp_path: Path) -> None:
    assert "'location' is not column=heading" in run(tmp_path, "import", "rows.csv", "--columns", "location", code=2)


def test_a_heading_with_a_comma_stands_in_quotation_marks(tmp_path: Path) -> None:
    text = '"Kod, stok",on_hand\nTEE,5\n'

    run(tmp_path, "import", "rows.csv", "--columns", '"sku=Kod, stok"', text=text)

    assert on_hand(tmp_path, "TEE") == {"main": 5}


def test_an_old_encoding_is_found_and_said_and_the_whole_file_is_imported(tmp_path: Path) -> None:
    text = "Stok Kodu;Adet\r\nŞAL-İPEK;5,00\r\nTEE;3\r\n".encode("cp1254")

    said = run(tmp_path, "import", "rows.csv", text=text)

    assert "Read as: Windows-1254, a semicolon between cells." in said
    assert "2 rows: 2 set" in said
    assert on_hand(tmp_path, "ŞAL-İPEK") == {"main": 5}


def test_a_workbook_is_imported_and_its_bad_rows_come_back_as_one(tmp_path: Path) -> None:
    book = workbook("Sayım", [["Stok Kodu", "Adet"], ["0012345", "5"], ["MUG", "1.200"], ["TOPLAM", "1205"]])

    said = run(tmp_path, "import", "rows.xlsx", "--report", "bad.xlsx", text=book, code=1, name="rows.xlsx")

    assert "Read as: sheet Sayım." in said
    assert on_hand(tmp_path, "0012345") == {"main": 5}
    again = run(tmp_path, "import", "bad.xlsx", "--decimal", ",", code=1)
    assert "line 3: is a total of other rows" in again
    assert on_hand(tmp_path, "MUG") == {"main": 1200}


def test_bad_rows_are_corrected_and_imported(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", "--report", "bad.csv", text="sku;on_hand\nTEE;x\nMUG;3-\nCAP;1\n", code=1)

    corrected = (tmp_path / "bad.csv").read_text("utf-8").replace(";x;", ";5;").replace(";3-;", ";0;")
    run(tmp_path, "import", "bad.csv", text=corrected, name="bad.csv")

    assert [on_hand(tmp_path, sku) for sku in ("TEE", "MUG", "CAP")] == [{"main": 5}, {"main": 0}, {"main": 1}]


def test_a_barcode_that_was_scanned_as_a_quantity_is_refused_by_what_there_is(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", text="sku,on_hand\nTEE,5\nBOLT,20000\n")

    said = run(tmp_path, "import", "rows.csv", text="sku,on_hand\nTEE,86900001\nMUG,12345678\n", code=1)
    assert "line 2: 86900001 units look like a barcode, the most of any place are 20,000" in said
    assert "line 3" not in said
    assert (on_hand(tmp_path, "TEE"), on_hand(tmp_path, "MUG")) == ({"main": 5}, {"main": 12_345_678})

    run(tmp_path, "import", "rows.csv", "--as-written", text="sku,on_hand\nCAP,86900001\n")
    assert on_hand(tmp_path, "CAP") == {"main": 86_900_001}


def test_a_barcode_that_was_scanned_as_the_quantity_of_a_movement_is_refused(tmp_path: Path) -> None:
    run(tmp_path, "import", "rows.csv", text="sku,on_hand\nTEE,5\n")

    said = run(tmp_path, "move", "rows.csv", text="kind,sku,quantity\nreceive,TEE,86900001\nreceive,TEE,2\n", code=1)

    assert "line 2: 86900001 units look like a barcode" in said
    assert on_hand(tmp_path, "TEE") == {"main": 7}


# -- keys and rules


def test_the_first_key_says_what_it_closes_and_asks_for_one_that_may_do_everything(tmp_path: Path) -> None:
    without = holdfast("keys", "new", cwd=tmp_path)
    first = holdfast("keys", "new", "--scope", "read", cwd=tmp_path)
    second = holdfast("keys", "new", "--scope", "read", cwd=tmp_path)

    assert without.returncode == 2
    assert "the first key with --scope admin" in without.stderr
    assert "This is the first key. From now on the server answers no request without one" in first.stderr
    assert "It may not do everything. Make one that may, too: holdfast keys new --scope admin" in first.stderr
    assert "first key" not in second.stderr


def test_a_first_key_for_admin_asks_for_no_other(tmp_path: Path) -> None:
    first = holdfast("keys", "new", "--scope", "admin", cwd=tmp_path)

    assert "This is the first key" in first.stderr
    assert "It may not" not in first.stderr


def test_a_rule_of_safety_stock_says_how_it_is_undone(tmp_path: Path) -> None:
    first = holdfast("rules", "safety", "--percent", "10", cwd=tmp_path)
    second = holdfast("rules", "safety", "--percent", "20", "--units", "3", cwd=tmp_path)
    at = holdfast("rules", "safety", "--category", "big shoes", "--units", "0", cwd=tmp_path)
    same = holdfast("rules", "safety", "--percent", "20", "--units", "3", cwd=tmp_path)

    assert "To undo it: holdfast rules safety --remove\n" in first.stderr
    assert "To undo it: holdfast rules safety --percent 10\n" in second.stderr
    assert "To undo it: holdfast rules safety --category 'big shoes' --remove\n" in at.stderr
    assert "To undo it" not in same.stderr
