"""Parcels: what was announced with the SSCC on one opens when it is scanned; lines name barcodes in place of SKUs."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

GTIN = "8690000000036"
SSCC = "340123450000000017"


async def expect(api: Api, supply_id: str, **body: object) -> Any:
    return await api.put(f"/v1/supply/{supply_id}", {"quantity": 4, "expected_on": "2030-01-01", **body})


async def registered(api: Api, sku: str = "A", factor: int = 6) -> None:
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": GTIN, "sku": sku, "factor": factor}]})).ok()


@pytest.mark.parametrize("scanned", [SSCC, f"(00){SSCC}", f"]C100{SSCC}", f"00{SSCC}", f"(00){SSCC}(02)0{GTIN}(37)3"])
async def test_given_receipts_announced_in_a_parcel_when_it_is_scanned_then_they_are_listed(
    api: Api, scanned: str
) -> None:
    (await expect(api, "po-1", sku="B", sscc=scanned)).ok()
    (await expect(api, "po-2", sku="A", sscc=SSCC, quantity=2)).ok()
    (await expect(api, "po-3", sku="A")).ok()
    found = (await api.get(f"/v1/parcels/{quote(scanned)}")).ok()
    assert [(each["supply_id"], each["expected"], each["sscc"]) for each in found["supply"]] == [
        ("po-2", 2, SSCC),
        ("po-1", 4, SSCC),
    ]
    assert "sscc" not in (await api.get("/v1/supply/po-3")).ok()


async def test_given_a_parcel_when_its_receipts_arrive_are_forgone_or_change_then_it_is_up_to_date(api: Api) -> None:
    for supply_id in ("whole", "part", "gone", "moved"):
        (await expect(api, supply_id, sku="A", sscc=SSCC)).ok()
    movements = [
        {"kind": "receive", "sku": "A", "quantity": units, "supply_id": supply_id}
        for supply_id, units in (("whole", 4), ("part", 1))
    ]
    (await api.post("/v1/stock/movements", {"movements": movements})).ok()
    (await api.send("DELETE", "/v1/supply/gone")).ok()
    (await expect(api, "moved", sku="A", sscc="106141410000000019")).ok()
    found = (await api.get(f"/v1/parcels/{SSCC}")).ok()
    assert [(each["supply_id"], each["expected"]) for each in found["supply"]] == [("part", 3)]
    (await expect(api, "part", sku="A")).ok()
    (await api.get(f"/v1/parcels/{SSCC}")).problem(404, "unknown_parcel")
    assert len((await api.get("/v1/parcels/106141410000000019")).ok()["supply"]) == 1


async def test_given_a_transfer_with_the_number_of_a_parcel_when_scanned_then_it_opens(api: Api) -> None:
    await registered(api)
    movement = {"kind": "receive", "sku": "A", "quantity": 20}
    (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()
    body = {"from": "main", "to": "shop", "lines": [{"barcode": f"0{GTIN}", "quantity": 2}], "transfer_id": SSCC}
    sent = (await api.post("/v1/transfers", body)).ok(201)
    assert (sent["lines"][0]["sku"], sent["lines"][0]["quantity"]) == ("A", 12)
    found = (await api.get(f"/v1/parcels/{quote(f'(00){SSCC}')}")).ok()
    assert (found["supply"], found["transfer"]["transfer_id"], found["transfer"]["lines"]) == ([], SSCC, sent["lines"])
    await registered(api, "B", 1)
    again = await api.post("/v1/transfers", body)
    assert (again.ok(201)["lines"], again.headers["Idempotent-Replayed"]) == (sent["lines"], "true")
    (await api.post(f"/v1/transfers/{SSCC}/receive", {})).ok()
    (await api.get(f"/v1/parcels/{SSCC}")).problem(404, "unknown_parcel")


async def test_given_a_barcode_when_its_packs_are_expected_then_units_are_and_a_retry_is_a_replay(api: Api) -> None:
    await registered(api)
    body = {"barcode": f"(01)0{GTIN}(10)L1", "quantity": 3, "expected_on": "2030-01-01"}
    headers = {"Idempotency-Key": "asn-1"}
    first = await api.put("/v1/supply/po-1", body, headers=headers)
    assert (first.ok()["sku"], first.ok()["quantity"]) == ("A", 18)
    await registered(api, "B", 1)
    again = await api.put("/v1/supply/po-1", body, headers=headers)
    assert (again.ok(), again.headers["Idempotent-Replayed"]) == (first.ok(), "true")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"sku": "A", "sscc": "8690000000036"}, 400, "sscc"),
        ({"sku": "A", "sscc": SSCC[:-1] + "8"}, 400, "sscc"),
        ({"sku": "A", "barcode": GTIN}, 400, "sku"),
        ({}, 400, "sku"),
        ({"barcode": "8690000000037"}, 400, "barcode"),
        ({"barcode": f"(00){SSCC}"}, 400, "barcode"),
        ({"barcode": GTIN}, 422, "barcode"),
    ],
)
async def test_given_a_receipt_that_breaks_a_rule_when_put_then_the_field_is_named(
    api: Api, body: dict[str, object], status: int, field: str
) -> None:
    problem = (await expect(api, "po-1", **body)).problem(status, "invalid" if status == 400 else "unknown_barcode")
    assert problem["errors"][0]["field"] == field
    (await api.get("/v1/supply/po-1")).problem(404, "unknown_supply")


@pytest.mark.parametrize(
    ("line", "status", "field"),
    [
        ({"quantity": 1}, 400, "lines[1].sku"),
        ({"quantity": 1, "barcode": "8690000000037"}, 400, "lines[1].barcode"),
        ({"quantity": 1, "barcode": "96385074"}, 422, "lines[1].barcode"),
        ({"quantity": 900_000_000, "barcode": GTIN}, 400, "lines[1].quantity"),
    ],
)
async def test_given_a_transfer_line_that_breaks_a_rule_when_sent_then_nothing_is_sent(
    api: Api, line: dict[str, object], status: int, field: str
) -> None:
    await registered(api)
    (await api.post("/v1/stock/movements", {"movements": [{"kind": "receive", "sku": "A", "quantity": 9}]})).ok()
    body = {"from": "main", "to": "shop", "lines": [{"sku": "A", "quantity": 1}, line]}
    outcome = "invalid" if status == 400 else "unknown_barcode"
    assert (await api.post("/v1/transfers", body)).problem(status, outcome)["errors"][0]["field"] == field
    assert await api.available("A") == 9


@pytest.mark.parametrize("number", ["1", SSCC[:-1] + "8", GTIN, f"(01)0{GTIN}"])
async def test_given_another_number_when_a_parcel_is_asked_for_then_it_is_refused(api: Api, number: str) -> None:
    problem = (await api.get(f"/v1/parcels/{quote(number)}")).problem(400, "invalid")
    assert problem["errors"][0]["field"] == "sscc"
