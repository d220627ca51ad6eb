"""Orders and reservations that name barcodes in place of SKUs: packs are units, and a retry means what it meant."""

from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

GTIN, CARTON, FREE = "8690000000036", "18690000000033", "S-1"
LINES: dict[str, Any] = {"lines": [{"barcode": GTIN, "quantity": 2}, {"barcode": CARTON, "quantity": 1}]}


@pytest.fixture(autouse=True)
async def goods(api: Api) -> None:
    await registered(api, "A", "A")
    for sku in ("A", "B"):
        await api.count(sku, 100)


async def registered(api: Api, sku: str, carton: str, factor: int = 12) -> None:
    rows = [
        {"barcode": GTIN, "sku": sku},
        {"barcode": CARTON, "sku": carton, "factor": factor},
        {"barcode": FREE, "sku": "B"},
    ]
    (await api.put("/v1/barcodes", {"barcodes": rows})).ok()


async def sent(api: Api, route: str, **body: Any) -> Any:
    return await api.post(route, {"channel": "web", **body})


@pytest.mark.parametrize("route", ["/v1/orders", "/v1/reservations"])
async def test_given_barcodes_when_ordered_then_their_units_are_and_a_retry_means_the_same(
    api: Api, route: str
) -> None:
    body = {"reservation_id": "o-1", "lines": [*LINES["lines"], {"sku": "B", "quantity": 3}]}

    made = (await sent(api, route, **body)).ok(201)

    assert [(each["sku"], each["quantity"]) for each in made["lines"]] == [("A", 2), ("A", 12), ("B", 3)]
    assert [await api.available(sku) for sku in "AB"] == [86, 97]
    await registered(api, "B", "B", 5)
    again = await sent(api, route, **body)
    assert (again.ok(201), again.headers["Idempotent-Replayed"]) == (made, "true")
    other = {**body, "lines": [{"barcode": FREE, "quantity": 1}]}
    (await sent(api, route, **other)).problem(422, "id_reused")
    assert [await api.available(sku) for sku in "AB"] == [86, 97]


@pytest.mark.parametrize(
    ("barcode", "units"),
    [(f"0{GTIN}", 1), (f"(01)0{GTIN}(10)L-1", 1), (f"(02){CARTON}(37)3", 36), (f"]C101{CARTON}10L\x1d17261231", 12)],
)
async def test_given_another_spelling_or_a_label_when_reserved_then_it_is_the_same_article(
    api: Api, barcode: str, units: int
) -> None:
    made = (await sent(api, "/v1/reservations", lines=[{"barcode": barcode, "quantity": 1}])).ok(201)
    assert [(each["sku"], each["quantity"]) for each in made["lines"]] == [("A", units)]


@pytest.mark.parametrize(
    ("line", "status", "field"),
    [
        ({"barcode": GTIN, "sku": "A"}, 400, "lines[0].sku"),
        ({"barcode": GTIN, "key": "k"}, 400, "lines[0].barcode"),
        ({}, 400, "lines[0].sku"),
        ({"barcode": "8690000000037"}, 400, "lines[0].barcode"),
        ({"barcode": "(00)340123450000000017"}, 400, "lines[0].barcode"),
        ({"barcode": "96385074"}, 422, "lines[0].barcode"),
        ({"barcode": CARTON, "quantity": 900_000_000}, 400, "lines[0].quantity"),
    ],
)
@pytest.mark.parametrize("route", ["/v1/orders", "/v1/reservations"])
async def test_given_a_line_that_breaks_a_rule_when_sent_then_nothing_is_held(
    api: Api, route: str, line: dict[str, Any], status: int, field: str
) -> None:
    outcome = "invalid" if status == 400 else "unknown_barcode"
    problem = (await sent(api, route, lines=[{"quantity": 1, **line}])).problem(status, outcome)
    assert problem["errors"][0]["field"] == field
    assert await api.available("A") == 100


async def test_given_a_batch_when_one_barcode_is_unknown_then_it_alone_is_refused(api: Api) -> None:
    lines = [[{"barcode": barcode, "quantity": 1}] for barcode in (GTIN, "96385074", "8690000000037", FREE)]
    body = {"reservations": [{"channel": "web", "lines": each} for each in lines]}
    results = (await api.post("/v1/reservations/batch", body, headers={"Idempotency-Key": "b"})).ok()["results"]
    assert [each["outcome"] for each in results] == ["held", "unknown_barcode", "invalid", "held"]
    await registered(api, "B", "B")
    again = (await api.post("/v1/reservations/batch", body, headers={"Idempotency-Key": "b"})).ok()["results"]
    assert [each["outcome"] for each in again] == [each["outcome"] for each in results]
    assert again[0]["reservation"]["lines"] == results[0]["reservation"]["lines"]


@pytest.mark.parametrize(
    ("barcode", "text"),
    [("96385074", "96385074"), ("8690000000037", "8690000000037"), ("(01)00614141000036(10)X", "00614141000036")],
)
async def test_given_an_order_that_is_sold_when_its_barcode_is_unknown_then_it_waits_to_be_mapped(
    api: Api, barcode: str, text: str
) -> None:
    lines = [{"barcode": barcode, "quantity": 2}, {"barcode": GTIN, "quantity": 1}]
    made = (await sent(api, "/v1/orders", on_shortage="accept", lines=lines)).ok(201)
    assert [(each["sku"], each.get("mode", "")) for each in made["lines"]] == [(text, "unmapped"), ("A", "")]
    assert await api.available("A") == 99


async def test_given_a_pack_when_a_part_of_a_line_may_be_taken_then_it_is_refused_and_a_piece_is_not(api: Api) -> None:
    refused = await sent(api, "/v1/reservations", policy="partial", lines=[{"barcode": CARTON, "quantity": 1}])
    assert refused.problem(400, "invalid")["errors"][0]["field"] == "policy"
    made = await sent(api, "/v1/reservations", policy="partial", lines=[{"barcode": GTIN, "quantity": 150}])
    assert made.ok(201)["lines"][0]["held"] == 100


async def test_given_an_exchange_when_the_new_line_names_a_barcode_then_it_is_reserved(api: Api) -> None:
    (await sent(api, "/v1/orders", reservation_id="old", lines=[{"sku": "B", "quantity": 1}])).ok(201)
    (await api.post("/v1/reservations/old/fulfil", {})).ok()
    wanted = {
        "return": {"lines": [{"line": 1, "quantity": 1, "disposition": "restock"}]},
        "order": {"channel": "web", "lines": [{"barcode": CARTON, "quantity": 1}]},
    }
    (await api.post("/v1/reservations/old/exchange", wanted)).ok(201)
    assert [await api.available(sku) for sku in "AB"] == [88, 100]


async def test_given_barcodes_when_a_sourcing_is_explained_then_their_units_are_looked_for(api: Api) -> None:
    body = {"lines": [{"barcode": CARTON, "quantity": 1}]}
    found = (await api.post("/v1/sourcing/explain", body)).ok()
    assert [(each["sku"], each["quantity"]) for each in found["lines"]] == [("A", 12)], found
