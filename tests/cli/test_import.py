"""``holdfast import``: what a file may look like, how bad rows are reported, and that running it again is safe."""

import csv
import random
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server.cli.demo.sample import sample_file
from server.files.file_import import ReadFile
from server.files.reader import FileError, Row
from server.files.stock import Counted, stock_import
from tests.support.processes import END_S, Server, holdfast, start, stop_store
from tests.support.stores import start_valkey, wait_until

ROWS = 30_000


def read_stock_file(content: bytes) -> ReadFile[Counted]:
    return stock_import("a test").read(content)


def rows_of(text: str) -> list[tuple[str, str, int, int | None]]:
    found = read_stock_file(text.encode())
    assert found.bad == []
    return [row.value[:4] for row in found.rows]


def bad_of(content: str | bytes) -> list[tuple[int, str]]:
    found = read_stock_file(content if isinstance(content, bytes) else content.encode())
    return [(row.line, row.reason) for row in found.bad]


# -- what a file may look like


@pytest.mark.parametrize(
    "text",
    [
        "sku,on_hand,location,safety\nTEE,5,izmir,2\n",
        "sku;on_hand;location;safety\r\nTEE;5;izmir;2\r\n",
        "sku\ton_hand\tlocation\tsafety\nTEE\t5\tizmir\t2\n",
        "\ufeffsku,on_hand,location,safety\nTEE,5,izmir,2\n",
        "sep=;\r\nsku;on_hand;location;safety\r\nTEE;5;izmir;2\r\n",
        "safety,location,on_hand,sku\n2,izmir,5,TEE\n",
        "SKU, On Hand ,Location,Safety\n TEE , 5 , izmir , 2 \n",
        '"sku","on_hand","location","safety"\n"TEE","5","izmir","2"\n',
        '"sku", "on_hand", "location", "safety"\n"TEE" , "5" , "izmir" , "2"\n',
        "\nsku,on_hand,location,safety\n\n,,,\nTEE,5,izmir,2\n\n",
        "sku,on_hand,location,safety\rTEE,5,izmir,2\r",
        "name,sku,on_hand,location,safety\nTişört; siyah,TEE,5,izmir,2\n",
        'sku,on_hand,location,safety,note\nTEE,5,izmir,2,"two\nlines"\n',
        "sku,on_hand,location,safety\nTEE,5,izmir,2,,\n",
        "sku,on_hand,location,safety\nTEE,+5,izmir,02",
    ],
)
def test_one_row_however_it_is_written(text: str) -> None:
    assert rows_of(text) == [("TEE", "izmir", 5, 2)]


@pytest.mark.parametrize(
    ("row", "sku"),
    [
        ("ÇANTA-SİYAH/38,5", "ÇANTA-SİYAH/38"),
        ('"KABLO USB-C, 2M",5', "KABLO USB-C, 2M"),
        ('"TV-55""-4K",5', 'TV-55"-4K'),
        ('TV 55" 4K,5', 'TV 55" 4K'),
    ],
)
def test_a_sku_may_hold_what_real_ones_hold(row: str, sku: str) -> None:
    assert rows_of(f"sku,on_hand\n{row}\n") == [(sku, "main", 5, None)]


def test_location_and_safety_may_be_left_out() -> None:
    assert rows_of("sku,on_hand,location,safety\nA,1,,\nB,2\n") == [
        ("A", "main", 1, None),
        ("B", "main", 2, None),
    ]


def test_other_columns_are_ignored_and_named() -> None:
    found = read_stock_file(b"sku,name,on_hand,price\nTEE,Tee,5,9.90\n")

    assert found.other_columns == ["name", "price"]


def test_the_line_number_of_a_row_is_where_it_begins() -> None:
    found = read_stock_file(b'sku,on_hand,note\nA,1,"x\ny"\n\nB,2,\n')

    assert found.rows == [
        Row(2, 'A,1,"x', Counted("A", "main", 1, None)),
        Row(5, "B,2,", Counted("B", "main", 2, None)),
    ]


def test_a_row_that_says_again_what_one_said_counts_once() -> None:
    found = read_stock_file(b"sku,on_hand\nTEE,5\nTEE,5\n")

    assert ([row.line for row in found.rows], found.repeated, found.bad) == ([2], 1, [])


def test_the_sample_has_no_fault() -> None:
    sample = sample_file()

    assert (sample.bad, sample.repeated, sample.other_columns) == ([], 0, ["name"])
    assert len(sample.rows) >= 60
    assert sum(1 for row in sample.rows if row.value.on_hand <= 3) >= 3


# -- files and rows that cannot be taken


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"\n \n", "The file is empty"),
        (b"TEE,5\nMUG,3\n", "Line 1 must name the columns sku and on_hand"),
        (b"sku/on_hand\nTEE/5\n", "with a comma, semicolon, tab, pipe between them"),
        (b"sku,on_hand,sku\nTEE,5,X\n", "names the column sku twice"),
        ("sku,on_hand\nTEE,5\n".encode("utf-32"), "It is UTF-32"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_change(content: bytes, message: str) -> None:
    with pytest.raises(FileError, match=message):
        read_stock_file(content)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (",5", "sku is empty"),
        ("TEE,", "on_hand is empty"),
        ("TEE", "on_hand is empty"),
        ("TEE,-1", "on_hand is -1, less than none"),
        ("TEE,1.000", "on_hand is '1.000', which may be 1000 or 1 and a fraction"),
        ('TEE,"1,000"', "on_hand is '1,000', which may be 1000 or 1 and a fraction"),
        ("TEE,1.5", "on_hand is '1.5', not a whole number"),
        ("TEE,٥", "on_hand is '٥', not a whole number"),
        ("TEE,five", "on_hand is 'five', not a whole number"),
        ("TEE,1000000001", "on_hand is 1000000001, more than 1000000000"),
        ("TEE,5,main,x", "safety is 'x', not a whole number"),
        (f"{'x' * 129},5", "sku must have 1 to 128 bytes in UTF-8"),
        (f"{'Ş' * 65},5", "sku must have 1 to 128 bytes in UTF-8"),
        (f"TEE,5,{'x' * 65}", "location must have 1 to 64 bytes in UTF-8"),
        ("T\aEE,5", "sku must not hold control characters or line breaks"),
        ('"T\nEE",5', "sku must not hold control characters or line breaks"),
        ("TEE,5,main,1,9", "has 5 cells, but the header names 4"),
        ('"TEE,5', "a quotation mark is not closed"),
    ],
)
def test_a_bad_row_is_reported_with_its_line_and_the_reason(row: str, reason: str) -> None:
    (line, message), *_ = bad_of(f"sku,on_hand,location,safety\n{row}\n")

    assert line == 2
    assert message.startswith(reason)


def test_a_quotation_mark_that_is_not_closed_spoils_its_own_line_only() -> None:
    found = read_stock_file(b'sku,on_hand\nA,1\n"B,2\nC,3\n')

    assert [(row.value.sku, row.value.on_hand) for row in found.rows] == [("A", 1), ("C", 3)]
    assert [(row.line, row.reason) for row in found.bad] == [(3, "a quotation mark is not closed")]


def test_rows_between_two_stray_quotation_marks_are_reported_one_by_one() -> None:
    found = read_stock_file(b'sku,on_hand\nA,1\n"B,2\nC,3\nD,"4\nE,5\n')

    assert [(row.value.sku, row.value.on_hand) for row in found.rows] == [("A", 1), ("E", 5)]
    assert [row.line for row in found.bad] == [3, 4, 5]
    assert found.bad[1].reason == "stands inside the quotation marks of line 3, which is bad"
    assert found.rows_total == 5


def test_a_file_in_another_encoding_is_read_wholly_or_not_at_all() -> None:
    content = "sku,on_hand\nA,1\nŞAL,2\nB,3\n".encode("cp1254")

    with pytest.raises(FileError, match="may be windows-1254"):
        read_stock_file(content)


def test_rows_that_contradict_each_other_are_all_bad_and_name_each_other() -> None:
    found = read_stock_file(b"sku,on_hand\nTEE,5\nMUG,1\nTEE,6\nTEE,5\n")

    assert [row.value.sku for row in found.rows] == ["MUG"]
    assert [(row.line, row.reason) for row in found.bad] == [
        (2, "'TEE' at main is on line 4, 5 too, with other figures"),
        (4, "'TEE' at main is on line 2, 5 too, with other figures"),
        (5, "'TEE' at main is on line 2, 4 too, with other figures"),
    ]


# -- the import itself, as a process


def stock(cwd: Path, sku: str) -> Any:
    ended = holdfast("show", sku, "--json", cwd=cwd)
    assert ended.returncode == 0, ended.stderr
    return msgspec.json.decode(ended.stdout)


def on_hand(cwd: Path, sku: str) -> int:
    [level] = stock(cwd, sku)["levels"]
    return int(level["on_hand"])


def test_the_good_rows_are_imported_and_the_bad_ones_reported(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand,safety\nTEE,5,1\nMUG,x,\nCAP,-3,\n")

    ended = holdfast("import", "stock.csv", cwd=tmp_path)

    assert ended.returncode == 1
    assert ended.stdout.splitlines()[0] == "3 rows: 1 set, 0 unchanged (same file imported before), 2 bad"
    assert ended.stderr.splitlines() == [
        "line 3: on_hand is 'x', not a whole number of units",
        "line 4: on_hand is -3, less than none: count what is there. To take it for 0, add --negative zero",
    ]
    assert stock(tmp_path, "TEE")["available"] == 4


def test_more_bad_rows_than_a_screenful_are_all_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\n" + "".join(f"S{n},x\n" for n in range(100)))

    ended = holdfast("import", "stock.csv", "--report", "bad.csv", cwd=tmp_path)

    assert "… and 75 more bad rows; all of them are in bad.csv" in ended.stderr
    with (tmp_path / "bad.csv").open(encoding="utf-8", newline="") as report:
        rows = list(csv.DictReader(report))
    assert [(row["sku"], row["on_hand"]) for row in rows] == [(f"S{n}", "x") for n in range(100)]
    assert rows[7]["reason"] == "line 9: on_hand is 'x', not a whole number of units"


def test_a_report_that_cannot_be_written_is_said_before_anything_is_imported(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\n")

    ended = holdfast("import", "stock.csv", "--report", "none/bad.csv", cwd=tmp_path)

    assert ended.returncode == 1
    assert "The report cannot be written" in ended.stderr
    assert not (tmp_path / ".holdfast").exists()


def test_the_same_file_again_changes_nothing_even_after_sales(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\n")
    holdfast("import", "stock.csv", cwd=tmp_path)
    with Server(cwd=tmp_path) as server:
        order = server.post("/v1/orders", {"channel": "n11", "lines": [{"sku": "TEE", "quantity": 2}]})
        server.post(f"/v1/reservations/{order['reservation_id']}/fulfil", {})

        again = holdfast("import", "stock.csv", cwd=tmp_path)

    assert again.returncode == 0
    assert again.stdout.splitlines()[0] == "1 row: 0 set, 1 unchanged (same file imported before), 0 bad"
    assert "--again" in again.stderr
    assert on_hand(tmp_path, "TEE") == 3


@pytest.mark.soak
def test_again_counts_anew(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\n")
    (tmp_path / "other.csv").write_text("sku,on_hand\nTEE,9\n")
    holdfast("import", "stock.csv", cwd=tmp_path)
    holdfast("import", "other.csv", cwd=tmp_path)

    again = holdfast("import", "stock.csv", "--again", cwd=tmp_path)

    assert again.stdout.startswith("1 row: 1 set")
    assert on_hand(tmp_path, "TEE") == 5


def test_the_same_file_is_counted_in_each_partition(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\nTEE,5\n")
    holdfast("import", "stock.csv", cwd=tmp_path)

    other = holdfast("import", "stock.csv", "--partition", "other", cwd=tmp_path)

    assert other.stdout.startswith("1 row: 1 set")


# -- a big file


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, int]]:
    """Write 30,000 rows, each SKU once."""
    chance = random.Random(20)
    figures = {f"ÜRÜN-{number:06}/M": chance.randint(0, 999) for number in range(ROWS)}
    path = tmp_path_factory.mktemp("big") / "stock.csv"
    path.write_text("sku;on_hand\r\n" + "".join(f"{sku};{units}\r\n" for sku, units in figures.items()), "utf-8")
    return path, figures


def everything(url: str) -> dict[str, int]:
    """Read on_hand of every SKU from the store itself."""
    import redis  # noqa: PLC0415

    with redis.Redis.from_url(url) as client:
        packed: Any = client.hgetall("hf:{default}:stock")
    return {field.decode().partition("\0")[0]: msgspec.msgpack.decode(record)[0] for field, record in packed.items()}


@pytest.mark.soak
def test_an_import_that_was_killed_is_finished_by_running_it_again(
    big_file: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    path, figures = big_file
    with start_valkey() as store:
        words = ("import", path, "--store-url", store.url)
        with start(*words, cwd=tmp_path) as killed:
            wait_until(lambda: int(store.command("HLEN", "hf:{default}:stock")) > ROWS // 10, "a part is imported")
            killed.kill()
        done = int(store.command("HLEN", "hf:{default}:stock"))

        again = holdfast(*words, cwd=tmp_path)

        assert done < ROWS
        assert again.returncode == 0, again.stderr
        assert f"{ROWS:,} rows: {ROWS - done:,} set, {done:,} unchanged" in again.stdout
        assert everything(store.url) == figures
        assert holdfast("verify", "--store-url", store.url, cwd=tmp_path).returncode == 0


@pytest.mark.soak
def test_an_import_that_was_interrupted_says_how_to_go_on(
    big_file: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    path, figures = big_file
    with start_valkey() as store:
        with start("import", path, "--store-url", store.url, cwd=tmp_path) as interrupted:
            wait_until(lambda: int(store.command("HLEN", "hf:{default}:stock")) > ROWS // 10, "a part is imported")
            interrupted.send_signal(signal.SIGINT)
            code = interrupted.wait(END_S)

        assert code == 130
        said = (tmp_path / "err").read_text("utf-8")
        assert said.startswith("Interrupted. ")
        assert "Run the same command again" in said
        assert "Traceback" not in said
        assert set(everything(store.url).items()) <= set(figures.items())


@pytest.mark.soak
def test_an_import_outlives_a_store_that_crashes_and_comes_back(
    big_file: tuple[Path, dict[str, int]], tmp_path: Path
) -> None:
    path, figures = big_file
    with start_valkey() as store:
        with start("import", path, "--store-url", store.url, cwd=tmp_path) as running:
            wait_until(lambda: int(store.command("HLEN", "hf:{default}:stock")) > ROWS // 10, "a part is imported")
            store.kill()
            store.start()
            code = running.wait(END_S)

        said = (tmp_path / "out").read_text("utf-8") + (tmp_path / "err").read_text("utf-8")
        assert code == 0, said[-2000:]
        assert everything(store.url) == figures


def test_an_import_into_the_store_of_a_running_server(big_file: tuple[Path, dict[str, int]], tmp_path: Path) -> None:
    path, figures = big_file
    with Server(cwd=tmp_path) as server:
        ended = holdfast("import", path, cwd=tmp_path)

        assert ended.stdout.startswith(f"{ROWS:,} rows: {ROWS:,} set")
        some = list(figures)[:100]
        answer = server.post("/v1/availability/query", {"skus": some})
        assert {each["sku"]: each["available"] for each in answer["availability"]} == {
            sku: figures[sku] for sku in some
        }


def test_a_killed_import_into_an_embedded_store_leaves_one_that_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "stock.csv").write_text("sku,on_hand\n" + "".join(f"S{n},1\n" for n in range(30_000)))
    try:
        with start("import", "stock.csv", cwd=tmp_path) as killed:
            wait_until(lambda: any((tmp_path / ".holdfast").glob("appendonlydir/*.incr.aof")), "the store runs")
            killed.kill()

        again = holdfast("import", "stock.csv", cwd=tmp_path)

        assert again.returncode == 0, again.stderr
        assert again.stdout.startswith("30,000 rows: ")
        assert holdfast("verify", cwd=tmp_path).returncode == 0
    finally:
        stop_store(tmp_path / ".holdfast")
