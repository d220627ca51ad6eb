"""Barcodes: a scanned carton is as many units as it holds, over HTTP and from a CSV file."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.http import Api, Key, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

CARTON: dict[str, object] = {"barcode": "18690000000038", "sku": "A", "factor": 12}
PIECE: dict[str, object] = {"barcode": "8690000000031", "sku": "A"}


async def put(api: Api, *barcodes: dict[str, object]) -> Any:
    return await api.put("/v1/barcodes", {"barcodes": list(barcodes)})


async def move(api: Api, *movements: dict[str, object], **options: Any) -> list[Any]:
    results = (await api.post("/v1/stock/movements", {"movements": list(movements)}, **options)).ok()["results"]
    assert isinstance(results, list)
    return results


async def test_given_a_carton_of_twelve_when_received_by_its_barcode_then_available_grows_by_twelve(api: Api) -> None:
    assert (await put(api, CARTON, PIECE)).ok() == {"barcodes": 2}
    [carton, piece] = await move(
        api,
        {"kind": "receive", "barcode": CARTON["barcode"], "quantity": 2},
        {"kind": "receive", "barcode": PIECE["barcode"], "quantity": 1},
    )
    assert (carton["stock"]["sku"], carton["stock"]["available"]) == ("A", 24)
    assert piece["stock"]["available"] == 25


async def test_given_cartons_on_a_shelf_when_counted_by_their_barcode_then_on_hand_is_their_units(api: Api) -> None:
    (await put(api, CARTON)).ok()
    [result] = await move(api, {"kind": "count", "barcode": CARTON["barcode"], "on_hand": 3})
    assert result["stock"]["on_hand"] == 36


async def test_given_an_unknown_barcode_when_received_then_it_alone_is_refused(
    api: Api, server: Server, key: Key
) -> None:
    (await put(api, CARTON)).ok()
    before = server.state(key.partition)
    [result] = await move(api, {"kind": "receive", "barcode": "?", "quantity": 1})
    assert (result["status"], result["outcome"]) == (422, "unknown_barcode")
    assert server.state(key.partition) == before
    results = await move(
        api,
        {"kind": "receive", "barcode": "?", "quantity": 1},
        {"kind": "receive", "barcode": CARTON["barcode"], "quantity": 1},
        {"kind": "receive", "sku": "A", "quantity": 1},
    )
    assert [each["outcome"] for each in results] == ["unknown_barcode", "moved", "moved"]
    assert await api.available("A") == 13


async def test_given_a_key_when_a_carton_is_received_again_then_it_counts_once(api: Api) -> None:
    (await put(api, CARTON)).ok()
    movement = {"kind": "receive", "barcode": CARTON["barcode"], "quantity": 1}
    for _ in range(3):
        await move(api, movement, headers={"Idempotency-Key": "scan-1"})
    assert await api.available("A") == 12


async def test_given_a_barcode_when_put_anew_then_it_stands_for_the_new(api: Api) -> None:
    (await put(api, CARTON)).ok()
    (await put(api, {**CARTON, "sku": "B", "factor": 6})).ok()
    read = (await api.get(f"/v1/barcodes/{CARTON['barcode']}")).ok()
    assert read == {"barcode": CARTON["barcode"], "sku": "B", "factor": 6}
    (await api.get("/v1/barcodes/nobody")).problem(422, "unknown_barcode")


@pytest.mark.parametrize(
    ("movement", "field"),
    [
        ({"quantity": 1}, "movements[0].sku"),
        ({"quantity": 1, "sku": "A", "barcode": "1"}, "movements[0].sku"),
        ({"quantity": 1, "barcode": "a\tb"}, "movements[0].barcode"),
        ({"quantity": 100_000_000, "barcode": CARTON["barcode"]}, "movements[0].quantity"),
    ],
)
async def test_given_a_movement_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, movement: dict[str, object], field: str
) -> None:
    (await put(api, CARTON)).ok()
    body = {"movements": [{"kind": "receive", **movement}]}
    assert (await api.post("/v1/stock/movements", body)).problem(400, "invalid")["errors"][0]["field"] == field


@pytest.mark.parametrize(
    ("barcodes", "field"),
    [
        ([], "barcodes"),
        ([{**CARTON, "factor": 0}], "barcodes[0].factor"),
        ([CARTON, CARTON], "barcodes[1].barcode"),
        ([{**CARTON, "barcode": "a\nb"}], "barcodes[0].barcode"),
    ],
)
async def test_given_barcodes_that_break_a_rule_when_put_then_none_is_taken(
    api: Api, barcodes: list[dict[str, object]], field: str
) -> None:
    assert (await put(api, *barcodes)).problem(400, "invalid")["errors"][0]["field"] == field
    (await api.get(f"/v1/barcodes/{CARTON['barcode']}")).problem(422, "unknown_barcode")


async def test_given_a_file_of_barcodes_when_imported_then_good_rows_count_and_bad_ones_are_reported(
    api: Api, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "barcodes.csv"
    file.write_text(
        "barcode;sku;factor;note\n1;A;12;x\n2;A;;\n2;A;1;\n3;;1;\n4;A;none;\n5;A;1;\n5;B;1;\n", encoding="utf-8"
    )
    words = ("barcodes", "import", file, "--partition", api.partition, "--data-dir", server.data_dir)
    ended = holdfast(*words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "7 rows: 2 set, 0 unchanged, 1 repeated, 4 bad\n")
    assert "line 5: sku is empty" in ended.stderr
    assert "line 6: factor is 'none'" in ended.stderr
    assert (await api.get("/v1/barcodes/1")).ok() == {"barcode": "1", "sku": "A", "factor": 12}
    assert holdfast(*words, cwd=tmp_path).stdout.startswith("7 rows: 0 set, 2 unchanged")
