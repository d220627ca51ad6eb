"""Barcodes: a scanned carton is as many units as it holds, over HTTP and from a CSV file."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.msgpack import encode as packed

from server.domain.gtin import check_digit
from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.support.http import Api, Key, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

CARTON: dict[str, object] = {"barcode": "18690000000033", "sku": "A", "factor": 12}
PIECE: dict[str, object] = {"barcode": "8690000000036", "sku": "A"}


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
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (1, "7 rows: 2 set, 0 unchanged, 1 repeated, 4 bad")
    assert "line 5: sku is empty" in ended.stderr
    assert "line 6: factor is 'none'" in ended.stderr
    assert (await api.get("/v1/barcodes/1")).ok() == {"barcode": "1", "sku": "A", "factor": 12}
    assert holdfast(*words, cwd=tmp_path).stdout.startswith("7 rows: 0 set, 2 unchanged")


# -- GTINs are one number, with or without leading zeros

GTIN: str = "8690000000036"


@pytest.mark.parametrize(
    ("registered", "scanned"),
    [
        (GTIN, f"0{GTIN}"),
        (f"0{GTIN}", GTIN),
        ("614141000036", "0614141000036"),
        ("00614141000036", "614141000036"),
        ("96385074", "0000096385074"),
        ("00000096385074", "96385074"),
        (GTIN, f"(01)0{GTIN}(10)A-1"),
        (GTIN, f"]C1010{GTIN}10A-1\x1d17261231"),
        (f"(01)0{GTIN}", GTIN),
        (f"]E0{GTIN}", f"010{GTIN}"),
    ],
)
async def test_given_a_gtin_when_scanned_in_another_spelling_then_it_is_found(
    api: Api, registered: str, scanned: str
) -> None:
    (await put(api, {"barcode": registered, "sku": "A", "factor": 6})).ok()
    [result] = await move(api, {"kind": "receive", "barcode": scanned, "quantity": 2})
    assert (result["outcome"], result["stock"]["on_hand"]) == ("moved", 12)
    assert (await api.get(f"/v1/barcodes/{quote(scanned)}")).ok()["sku"] == "A"


async def test_given_a_gtin_when_put_in_another_spelling_then_it_is_replaced_and_not_there_twice(
    api: Api, server: Server, key: Key
) -> None:
    (await put(api, {"barcode": f"0{GTIN}", "sku": "A"})).ok()
    (await put(api, {"barcode": GTIN, "sku": "B", "factor": 3})).ok()
    for spelling in (GTIN, f"0{GTIN}"):
        assert (await api.get(f"/v1/barcodes/{spelling}")).ok() == {"barcode": GTIN, "sku": "B", "factor": 3}
    twice = await put(api, {"barcode": GTIN, "sku": "A"}, {"barcode": f"0{GTIN}", "sku": "B"})
    assert twice.problem(400, "invalid")["errors"][0]["field"] == "barcodes[1].barcode"
    stored = server.state(key.partition)[Keyspace(key.partition).barcodes]
    assert isinstance(stored, dict)
    assert list(stored) == [GTIN.encode()]


@pytest.mark.parametrize("wrong", ["8690000000037", "96385075", "614141000037", "18690000000034"])
async def test_given_a_last_digit_that_does_not_fit_when_put_then_it_is_refused_with_the_mend(
    api: Api, wrong: str
) -> None:
    problem = (await put(api, {"barcode": wrong, "sku": "A"})).problem(400, "invalid")
    mended = wrong[:-1] + check_digit(wrong[:-1])
    assert mended in problem["errors"][0]["rule"]
    (await api.get(f"/v1/barcodes/{wrong}")).problem(400, "invalid")
    (await put(api, {"barcode": mended, "sku": "A"})).ok()


async def test_given_a_misread_barcode_in_a_batch_when_moved_then_it_alone_is_refused(api: Api) -> None:
    (await put(api, {"barcode": GTIN, "sku": "A"})).ok()
    wrong, fine, label, parcel = await move(
        api,
        {"kind": "receive", "barcode": "8690000000037", "quantity": 1},
        {"kind": "receive", "barcode": GTIN, "quantity": 1},
        {"kind": "receive", "barcode": "(10)LOT", "quantity": 1},
        {"kind": "receive", "barcode": "(00)340123450000000017", "quantity": 1},
    )
    assert [each["status"] for each in (wrong, fine, label, parcel)] == [400, 200, 400, 400]
    assert wrong["problem"]["errors"][0]["field"] == "movements[0].barcode"
    assert GTIN in wrong["problem"]["errors"][0]["rule"]
    assert "/v1/parcels/" in parcel["problem"]["errors"][0]["rule"]
    assert await api.available("A") == 1


async def test_given_barcodes_of_an_earlier_release_when_scanned_or_put_then_they_are_reachable(
    api: Api, server: Server, key: Key
) -> None:
    stored = {"8690000000037": ["A", 2], f"0{GTIN}": ["B", 3], f"(01)0{GTIN}": ["C", 5]}
    with server.store() as client:
        client.hset(Keyspace(key.partition).barcodes, mapping={name: packed(row) for name, row in stored.items()})
    results = await move(
        api,
        {"kind": "receive", "barcode": "8690000000037", "quantity": 1},
        {"kind": "receive", "barcode": GTIN, "quantity": 1},
        {"kind": "receive", "barcode": f"(01)0{GTIN}", "quantity": 1},
    )
    assert [(each["stock"]["sku"], each["stock"]["on_hand"]) for each in results] == [("A", 2), ("B", 3), ("C", 5)]
    (await put(api, {"barcode": "8690000000037", "sku": "D"}, {"barcode": GTIN, "sku": "E"})).ok()
    for spelling, sku in (("8690000000037", "D"), (GTIN, "E"), (f"0{GTIN}", "E")):
        assert (await api.get(f"/v1/barcodes/{spelling}")).ok()["sku"] == sku


async def test_given_a_carton_with_contents_when_received_then_what_it_holds_counts(api: Api) -> None:
    (await put(api, {"barcode": GTIN, "sku": "A", "factor": 2})).ok()
    carton = f"(02)0{GTIN}(37)24(00)340123450000000017"
    [result] = await move(api, {"kind": "receive", "barcode": carton, "quantity": 3})
    assert result["stock"]["on_hand"] == 3 * 24 * 2
    refused = await put(api, {"barcode": carton, "sku": "A"})
    assert refused.problem(400, "invalid")["errors"][0]["field"] == "barcodes[0].barcode"


async def test_given_a_label_when_read_then_it_says_lot_dates_and_weight(api: Api) -> None:
    (await put(api, {"barcode": GTIN, "sku": "A"})).ok()
    text = quote(f"(01)0{GTIN}(10)L-7(21)S1(11)260101(15)261100(17)261231(3103)001250", safe="")
    assert (await api.get(f"/v1/barcodes/{text}")).ok() == {
        "barcode": GTIN,
        "sku": "A",
        "factor": 1,
        "label": {
            "gtin": f"0{GTIN}",
            "elements": {
                "01": f"0{GTIN}", "10": "L-7", "21": "S1", "11": "260101", "15": "261100", "17": "261231",
                "3103": "001250",
            },
            "lot": "L-7",
            "serial": "S1",
            "produced_on": "2026-01-01",
            "best_before": "2026-11-30",
            "expires_on": "2026-12-31",
            "net_weight_kg": "1.250",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    "movement",
    [
        {"kind": "adjust", "quantity": -1, "reason": "broken"},
        {"kind": "move", "from": "available", "to": "damaged", "quantity": 1, "reason": "broken"},
        {"kind": "receive", "quantity": 1},
        {"kind": "count", "on_hand": 1},
    ],
    ids=lambda movement: str(movement["kind"]),
)
async def test_given_a_barcode_that_changed_hands_when_a_movement_is_repeated_then_it_is_a_replay(
    api: Api, movement: dict[str, object]
) -> None:
    (await put(api, {"barcode": GTIN, "sku": "A", "factor": 4})).ok()
    await move(api, {"kind": "receive", "sku": "A", "quantity": 40}, {"kind": "receive", "sku": "B", "quantity": 40})
    sent = {**movement, "barcode": f"0{GTIN}"}
    [first] = await move(api, sent, headers={"Idempotency-Key": "scan"})
    assert (first["stock"]["sku"], first["outcome"]) == ("A", "moved")
    (await put(api, {"barcode": GTIN, "sku": "B", "factor": 3})).ok()
    [again] = await move(api, sent, headers={"Idempotency-Key": "scan"})
    assert (again["stock"], again["replayed"]) == (first["stock"], True)
    assert await api.available("B") == 40


async def test_given_a_file_with_spellings_and_misread_digits_when_imported_then_each_row_has_its_result(
    api: Api, server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "barcodes.csv"
    file.write_text(
        f"barcode,sku,factor\n{GTIN},A,2\n0{GTIN},A,2\n96385075,B,1\n(01)00614141000036,C,1\n96385074,B,1\n"
        "096385074,D,1\n",
        encoding="utf-8",
    )
    words = ("barcodes", "import", file, "--partition", api.partition, "--data-dir", server.data_dir)
    ended = holdfast(*words, cwd=tmp_path)
    assert (ended.returncode, ended.stdout.splitlines()[0]) == (1, "6 rows: 4 set, 0 unchanged, 1 repeated, 1 bad")
    assert "line 4: barcode has a last digit that does not fit" in ended.stderr
    assert (await api.get("/v1/barcodes/614141000036")).ok()["sku"] == "C"
    assert holdfast(*words, cwd=tmp_path).stdout.startswith("6 rows: 0 set, 4 unchanged")


# -- those of a SKU


async def barcodes(api: Api, sku: str, query: str = "") -> list[tuple[str, int]]:
    """Read all pages of the barcodes of a SKU."""
    found, after = list[tuple[str, int]](), ""
    while True:
        page = (await api.get(f"/v1/skus/{sku}/barcodes?{query}&after={after}")).ok()
        found += [(each["barcode"], each["factor"]) for each in page["barcodes"]]
        after = page["next"]
        if not after:
            return found


async def test_given_barcodes_when_one_is_removed_then_the_others_are_its_skus_and_the_history_has_why(
    api: Api,
) -> None:
    (await api.put("/v1/barcodes", {"barcodes": [CARTON, PIECE], "reason": "from the supplier"})).ok()
    await api.count("A", 5)

    async def are(*wanted: tuple[str, int]) -> None:
        async def so() -> bool:
            return await barcodes(api, "A", "limit=1") == sorted(wanted)

        await wait_until(so, f"its barcodes are {wanted}")

    await are((str(CARTON["barcode"]), 12), (str(PIECE["barcode"]), 1))
    removed = (await api.send("DELETE", f"/v1/barcodes/0{PIECE['barcode']}?reason=of%20another%20article")).ok()

    assert removed == {"barcode": PIECE["barcode"], "sku": "A", "factor": 1}
    (await api.get(f"/v1/barcodes/{PIECE['barcode']}")).problem(422, "unknown_barcode")
    (await api.send("DELETE", f"/v1/barcodes/{PIECE['barcode']}")).problem(422, "unknown_barcode")
    await are((str(CARTON["barcode"]), 12))
    changes = (await api.get("/v1/history?sku=A")).ok()["changes"]
    told = [(each["key"], each["reason"]) for each in changes if each["operation"] == "barcodes"]
    assert told == [
        (PIECE["barcode"], "of another article"), (PIECE["barcode"], "from the supplier"),
        (CARTON["barcode"], "from the supplier"),
    ]  # fmt: skip


async def test_given_a_sku_that_was_renamed_when_its_barcodes_are_read_then_those_of_each_name_come(api: Api) -> None:
    await api.count("OLD", 5)
    (await put(api, {"barcode": "one", "sku": "OLD"})).ok()
    (await api.post("/v1/skus/OLD/rename", {"to": "QUITE ANOTHER"})).ok()
    (await put(api, {"barcode": "two", "sku": "QUITE ANOTHER"}, {"barcode": "three", "sku": "ELSE"})).ok()

    async def so() -> bool:
        return await barcodes(api, "OLD") == await barcodes(api, "QUITE%20ANOTHER") == [("one", 1), ("two", 1)]

    await wait_until(so, "both are found under both names")
    (await put(api, {"barcode": "one", "sku": "ELSE"})).ok()
    assert await barcodes(api, "OLD") == [("two", 1)]  # the index may not know it yet: the store does


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "after=x", "after=WzFd", "colour=red"])
async def test_a_query_of_barcodes_that_cannot_be_meant_is_refused(api: Api, query: str) -> None:
    (await api.get(f"/v1/skus/A/barcodes?{query}")).problem(400, "invalid")


async def test_given_a_barcode_that_cannot_be_when_removed_then_it_is_refused(api: Api) -> None:
    (await api.send("DELETE", "/v1/barcodes/8690000000037")).problem(400, "invalid")
    (await api.send("DELETE", "/v1/barcodes/x?reason=two%0Alines")).problem(400, "invalid")
