"""Expected receipts over HTTP: set, received in parts, cancelled; refusals are problems that change nothing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.http import Api, Key, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

SUPPLY = {"sku": "A", "quantity": 10, "expected_on": "2030-01-15", "location": "depo", "reference": "PO-9"}
PO = "/v1/supply/po-9"


async def receive(api: Api, quantity: int, **fields: object) -> Any:
    movement = {"kind": "receive", "sku": "A", "quantity": quantity, "supply_id": "po-9", **fields}
    [result] = (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
    return result


async def still_expected(api: Api) -> dict[str, int]:
    found = (await api.get("/v1/supply?sku=A")).ok()["supply"]
    return {each["supply_id"]: each["expected"] for each in found}


async def test_given_an_expected_receipt_when_it_goes_its_way_then_each_step_can_be_read(api: Api) -> None:
    answer = (await api.put(PO, SUPPLY)).ok()
    assert answer == {**SUPPLY, "supply_id": "po-9", "received": 0, "expected": 10}
    result = await receive(api, 4)
    assert (result["outcome"], result["stock"]["location"], result["stock"]["available"]) == ("moved", "depo", 4)
    assert (await api.get(PO)).ok() == {**answer, "received": 4, "expected": 6}
    assert await still_expected(api) == {"po-9": 6}
    assert (await api.get("/v1/supply?sku=A&location=main")).ok()["supply"] == []
    assert (await api.send("DELETE", PO)).ok()["expected"] == 6
    assert await still_expected(api) == {}
    assert await api.available("A") == 4


async def test_given_an_expected_receipt_when_the_sku_is_shown_then_it_is_listed(api: Api, server: Server) -> None:
    await api.count("A", 1)
    (await api.put(PO, SUPPLY)).ok()
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)
    shown = json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)["expected"]
    assert [(each["supply_id"], each["expected"], each["expected_on"]) for each in shown] == [
        ("po-9", 10, "2030-01-15")
    ]
    assert "10 expected at depo on 2030-01-15 (expected receipt po-9)" in holdfast(*words, cwd=server.data_dir).stdout


async def test_given_a_carton_that_was_expected_when_scanned_then_its_units_are_expected_no_longer(api: Api) -> None:
    (await api.put(PO, SUPPLY)).ok()
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "1", "sku": "A", "factor": 6}]})).ok()
    movement = {"kind": "receive", "barcode": "1", "quantity": 1, "supply_id": "po-9", "location": "main"}
    for _ in range(3):
        headers = {"Idempotency-Key": "scan"}
        (await api.post("/v1/stock/movements", {"movements": [movement]}, headers=headers)).ok()
    assert await still_expected(api) == {"po-9": 4}
    assert (await api.get("/v1/availability/A?location=main")).ok()["available"] == 6


async def test_given_a_file_of_what_came_when_run_then_it_is_expected_no_longer(
    api: Api, server: Server, tmp_path: Path
) -> None:
    (await api.put(PO, SUPPLY)).ok()
    file = tmp_path / "delivery.csv"
    file.write_text("kind,sku,quantity,supply_id\nreceive,A,4,po-9\nreceive,A,4,nobody\nadjust,A,1,po-9\n", "utf-8")
    words = ("move", file, "--partition", api.partition, "--data-dir", server.data_dir)
    for outcome in ("1 done, 0 unchanged", "0 done, 1 unchanged"):
        ended = holdfast(*words, cwd=tmp_path)
        assert ended.stdout.startswith(f"3 rows: {outcome} (same file run before), 2 bad")
        assert "line 3: the ledger refused it: unknown_supply" in ended.stderr
        assert "line 4: supply_id is not known here" in ended.stderr
    assert await still_expected(api) == {"po-9": 6}
    assert await api.available("A") == 4


async def test_given_a_receipt_without_a_name_when_received_then_nothing_expected_is_touched(api: Api) -> None:
    (await api.put(PO, SUPPLY)).ok()
    movement = {"kind": "receive", "sku": "A", "quantity": 3}
    [result] = (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
    assert result["stock"]["location"] == "main"
    assert await still_expected(api) == {"po-9": 10}


async def test_given_a_mistake_when_set_then_nothing_changes(api: Api, server: Server, key: Key) -> None:
    (await api.put(PO, SUPPLY)).ok()
    before = server.state(key.partition)
    (await api.put(PO, {**SUPPLY, "sku": "B"})).problem(422, "id_reused")
    assert (await receive(api, 1, sku="B"))["outcome"] == "unknown_supply"
    assert (await receive(api, 1, supply_id="nobody"))["outcome"] == "unknown_supply"
    (await api.get("/v1/supply/nobody")).problem(404, "unknown_supply")
    (await api.send("DELETE", "/v1/supply/nobody")).problem(404, "unknown_supply")
    assert server.state(key.partition) == before


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({**SUPPLY, "quantity": 0}, "quantity"),
        ({**SUPPLY, "expected_on": "tomorrow"}, "expected_on"),
        ({**SUPPLY, "expected_on": "2030-02-30"}, "expected_on"),
        ({"sku": "A", "quantity": 1}, "expected_on"),
        ({**SUPPLY, "sku": "a\nb"}, "sku"),
        ({**SUPPLY, "location": "a\nb"}, "location"),
        ({**SUPPLY, "reference": "a\nb"}, "reference"),
    ],
)
async def test_given_a_body_that_breaks_a_rule_when_put_then_the_field_is_named(
    api: Api, body: object, field: str
) -> None:
    assert (await api.put(PO, body)).problem(400, "invalid")["errors"][0]["field"] == field


@pytest.mark.parametrize("query", ["?sku=", "?location=", "?sku=a%0Ab", "?limit=0"])
async def test_given_a_list_without_a_right_sku_when_asked_for_then_it_is_invalid(api: Api, query: str) -> None:
    (await api.get("/v1/supply" + query)).problem(400, "invalid")


async def test_given_a_supply_id_that_cannot_be_one_when_received_against_then_the_field_is_named(api: Api) -> None:
    movement = {"kind": "receive", "sku": "A", "quantity": 1, "supply_id": "~ş"}
    answer = await api.post("/v1/stock/movements", {"movements": [movement]})
    assert answer.problem(400, "invalid")["errors"][0]["field"] == "movements[0].supply_id"


async def test_given_a_key_when_a_receipt_is_deleted_again_then_a_newer_one_stays(api: Api) -> None:
    headers = {"Idempotency-Key": "drop-1"}
    (await api.put(PO, SUPPLY)).ok()
    first = await api.send("DELETE", PO, headers=headers)
    (await api.put(PO, SUPPLY)).ok()

    again = await api.send("DELETE", PO, headers=headers)

    assert (again.ok(), again.headers["Idempotent-Replayed"]) == (first.ok(), "true")
    assert (await api.get(PO)).ok()["expected"] == first.ok()["expected"]


async def test_given_receipts_when_read_in_pages_then_each_comes_of_one_sku_by_day_and_of_all(api: Api) -> None:
    for n in range(7):
        body = {**SUPPLY, "sku": "A" if n < 5 else "B", "expected_on": f"2030-01-{20 - n}"}
        (await api.put(f"/v1/supply/po-{n}", body)).ok()

    async def paged(query: str) -> list[str]:
        found, after = list[str](), ""
        while True:
            page = (await api.get(f"/v1/supply?{query}&after={after}")).ok()
            found += [each["supply_id"] for each in page["supply"]]
            after = page["next"]
            if not after:
                return found

    assert await paged("sku=A&limit=2") == [f"po-{n}" for n in (4, 3, 2, 1, 0)]
    assert (await api.get("/v1/supply?sku=A")).ok()["next"] == ""
    assert sorted(await paged("limit=3")) == [f"po-{n}" for n in range(7)]
    assert sorted(await paged("location=depo")) == [f"po-{n}" for n in range(7)]
    assert await paged("location=main") == []
    (await api.get("/v1/supply?after=x")).problem(400, "invalid")
    (await api.get("/v1/supply?sku=A&after=WzFd")).problem(400, "invalid")
