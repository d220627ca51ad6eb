"""holdfast move: a CSV file of movements has its effect once, in order, and no row is lost silently."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.processes import holdfast, stop_store


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Path]:
    """Return a directory with a store of its own, in which 18690000000033 is a carton of twelve A."""
    barcodes = tmp_path / "barcodes.csv"
    barcodes.write_text("barcode,sku,factor\n18690000000033,A,12\n", encoding="utf-8")
    ended = holdfast("barcodes", "import", barcodes, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    yield tmp_path
    stop_store(tmp_path / ".holdfast")


def moved(shop: Path, text: str, *words: str) -> Any:
    (shop / "moves.csv").write_text(text, encoding="utf-8")
    return holdfast("move", "moves.csv", *words, cwd=shop)


def levels(shop: Path, sku: str) -> dict[str, Any]:
    shown = json.loads(holdfast("show", sku, "--json", cwd=shop).stdout)
    return {each["location"]: each for each in shown["levels"]}


GOOD = """kind;sku;barcode;quantity;location;from;to;bucket;reason
receive;;18690000000033;2;;;;;PO-1
receive;B;;5;store-b;;;;
adjust;A;;-1;;;;;stolen
move;A;;3;;available;damaged;;torn
count;B;;7;store-b;;;;
adjust;A;;2;;;;quality_control;odd
"""


def test_given_movements_of_each_kind_when_run_then_each_has_its_effect_in_order(shop: Path) -> None:
    ended = moved(shop, GOOD)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (
        0,
        "6 rows: 6 done, 0 unchanged (same file run before), 0 bad",
    )
    at_main = levels(shop, "A")["main"]
    assert (at_main["on_hand"], at_main["damaged"], at_main["quality_control"]) == (23, 3, 2)
    assert levels(shop, "B")["store-b"]["on_hand"] == 7
    assert holdfast("verify", cwd=shop).returncode == 0


@pytest.mark.soak
def test_given_the_same_file_when_run_again_then_nothing_changes_unless_asked(shop: Path) -> None:
    text = "kind,sku,quantity\nreceive,A,5\n"
    assert moved(shop, text).returncode == 0
    assert moved(shop, text).stdout.splitlines()[0] == "1 row: 0 done, 1 unchanged (same file run before), 0 bad"
    assert levels(shop, "A")["main"]["on_hand"] == 5
    assert moved(shop, text, "--again").returncode == 0
    assert levels(shop, "A")["main"]["on_hand"] == 10


def test_given_bad_rows_when_run_then_each_is_reported_and_the_good_ones_are_done(shop: Path) -> None:
    ended = moved(
        shop,
        "kind,sku,barcode,quantity,from,to\n"
        "receive,A,,5,,\n"
        "receive,,999,1,,\n"
        "receive,A,18690000000033,1,,\n"
        "steal,A,,1,,\n"
        "receive,A,,1.5,,\n"
        "move,A,,9,available,damaged\n"
        "move,A,,1,damaged,damaged\n"
        "receive,A,,-1,,\n",
        "--report",
        "bad.csv",
    )
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (
        1,
        "8 rows: 1 done, 0 unchanged (same file run before), 7 bad",
    )
    for line in (
        "line 3: this barcode is not registered",
        "line 4: sku must be there, or a barcode instead",
        "line 5: kind ",
        "line 6: quantity is '1.5', not a whole number",
        "line 7: the ledger refused it: exceeds_bucket",
        "line 8: to must be another bucket than from",
        "line 9: quantity ",
    ):
        assert line in ended.stderr
    assert len((shop / "bad.csv").read_text("utf-8").splitlines()) == 8
    assert levels(shop, "A")["main"]["on_hand"] == 5


def test_given_a_file_without_its_columns_when_run_then_it_is_said_what_it_must_name(shop: Path) -> None:
    ended = moved(shop, "sku,on_hand\nA,1\n")
    assert ended.returncode == 1
    assert "must name the columns kind and quantity" in ended.stderr


def test_given_what_a_scanner_read_when_asked_for_then_the_article_or_the_parcel_is_printed(shop: Path) -> None:
    ended = holdfast("barcodes", "scan", "(01)18690000000033(10)L-1", cwd=shop)
    assert (ended.returncode, ended.stdout) == (0, "18690000000033: 12 units of A\n")
    for code, says in (
        ("18690000000034", "18690000000033"),
        ("96385074", "Barcode is not registered: 96385074"),
        ("(00)340123450000000017", "Nothing that is still to come"),
        ("340123450000000018", "Barcode is not registered"),
    ):
        ended = holdfast("barcodes", "scan", code, cwd=shop)
        assert (ended.returncode, ended.stdout) == (1, "")
        assert says in ended.stderr
