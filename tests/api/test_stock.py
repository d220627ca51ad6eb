"""Stock and availability over HTTP: movements, counts, why the number is what it is, ETags, a thousand SKUs."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.http import JSON, MSGPACK, Api

pytest_plugins = ("tests.support.http_fixtures",)

MOVEMENTS = "/v1/stock/movements"
REAL = ["Çay Bardağı 6'lı / kırmızı", "ROCHIE-ÎNTÂRZIATĂ-Ș", "8690000000017", "a+b&c=d?#%20", "‘ok’ 100% ;:@", "."]


async def move(api: Api, *movements: dict[str, object], **options: Any) -> list[Any]:
    results = (await api.post(MOVEMENTS, {"movements": list(movements)}, **options)).ok()["results"]
    assert isinstance(results, list)
    return results


@pytest.mark.parametrize("msgpack", [False, True], ids=["json", "msgpack"])
async def test_given_movements_of_one_sku_when_sent_then_they_happen_in_order(api: Api, msgpack: bool) -> None:
    results = await move(
        api,
        {"kind": "receive", "sku": "A", "quantity": 10, "reason": "PO-1"},
        {"kind": "adjust", "sku": "A", "quantity": -3, "reason": "broken"},
        {"kind": "adjust", "sku": "A", "quantity": 2, "bucket": "damaged", "reason": "dent"},
        {"kind": "count", "sku": "A", "on_hand": 8, "safety": 1},
        {"kind": "adjust", "sku": "A", "quantity": -9, "reason": "too many"},
        {"kind": "receive", "sku": "A", "quantity": 1},
        msgpack=msgpack,
    )
    assert [result["status"] for result in results] == [200, 200, 200, 200, 422, 200]
    assert results[4]["problem"]["outcome"] == "exceeds_remaining"
    levels = [result["stock"] for result in results if result["status"] == 200]
    assert [level["on_hand"] for level in levels] == [10, 7, 7, 8, 9]
    assert [level["available"] for level in levels] == [10, 7, 5, 5, 6]
    assert [level["seq"] for level in levels] == sorted(level["seq"] for level in levels)


async def test_given_1_000_movements_of_few_skus_when_sent_then_none_overtakes_another(api: Api) -> None:
    movements = [{"kind": "count", "sku": f"S{number % 7}", "on_hand": number} for number in range(1000)]
    results = await move(api, *movements)
    assert [result["stock"]["on_hand"] for result in results] == list(range(1000))
    assert [await api.available(f"S{sku}") for sku in range(7)] == [max(range(sku, 1000, 7)) for sku in range(7)]


async def test_given_movements_with_a_key_when_repeated_then_each_is_replayed(api: Api) -> None:
    movements = [{"kind": "receive", "sku": "A", "quantity": 5}, {"kind": "receive", "sku": "B", "quantity": 6}]
    headers = {"Idempotency-Key": "delivery-7"}
    first = await move(api, *movements, headers=headers)
    for _ in range(10):
        again = await move(api, *movements, headers=headers)
        assert all(result.pop("replayed") for result in again)
        assert again == first
    assert await api.available("A") == 5


async def test_given_a_baseline_when_counted_then_what_moved_since_is_kept(api: Api) -> None:
    seq = (await api.count("A", 10))["seq"]
    await move(api, {"kind": "receive", "sku": "A", "quantity": 5})
    counted = (await api.put("/v1/stock/A/main", {"on_hand": 9, "baseline_seq": seq, "reason": "cycle"})).ok()
    assert counted["on_hand"] == 14


async def test_given_an_adjustment_of_an_unknown_sku_when_sent_then_it_is_unknown(api: Api) -> None:
    [result] = await move(api, {"kind": "adjust", "sku": "?", "quantity": 1, "reason": "x"})
    assert (result["status"], result["outcome"], result["problem"]["lines"][0]["sku"]) == (422, "unknown_sku", "?")


@pytest.mark.parametrize("sku", REAL)
async def test_given_a_real_sku_when_used_in_a_path_then_it_is_found(api: Api, sku: str) -> None:
    path = quote(sku, safe="")
    (await api.put(f"/v1/stock/{path}/{quote('Depo / Şişli', safe='')}", {"on_hand": 3})).ok()
    body = {"channel": "web", "lines": [{"sku": sku, "quantity": 1, "location": "Depo / Şişli"}]}
    assert (await api.post("/v1/reservations", body)).ok(201)["lines"][0]["sku"] == sku
    assert (await api.get(f"/v1/availability/{path}")).ok()["locations"] == [
        {"location": "Depo / Şişli", "available": 2}
    ]
    assert (await api.get(f"/v1/stock/{path}")).ok()["sku"] == sku


async def test_given_holders_when_asked_why_then_buckets_and_holders_add_up_to_the_number(api: Api) -> None:
    await api.count("A", 20)
    await api.count("A", 7, "shop")
    await move(
        api,
        {"kind": "count", "sku": "A", "on_hand": 20, "safety": 2},
        {"kind": "adjust", "sku": "A", "quantity": 3, "bucket": "damaged", "reason": "wet"},
        {"kind": "adjust", "sku": "A", "quantity": 1, "bucket": "quality_control", "reason": "check"},
    )
    (await api.reserve("A", 4, "held", ttl_s=600)).ok(201)
    (await api.reserve("A", 5, "done")).ok(201)
    (await api.post("/v1/reservations/done/commit", {})).ok()
    why = (await api.get("/v1/stock/A")).ok()
    main, shop = sorted(why["levels"], key=lambda level: str(level["location"]))
    assert main["because"] == (
        "available 5 = on_hand 20 − damaged 3 − quality_control 1 − safety 2 − held 4 − committed 5"
    )
    assert (main["available"], shop["available"], why["available"]) == (5, 7, 12)
    holders = {each["reservation_id"]: each for each in why["holders"]}
    assert why["holders_complete"] is True
    assert (holders["held"]["held"], holders["done"]["committed"]) == (4, 5)
    assert holders["held"]["expires_at"] is not None
    assert holders["done"]["expires_at"] is None


# -- availability


async def test_given_an_etag_when_nothing_changed_then_304_and_nothing_else(api: Api) -> None:
    await api.count("A", 10)
    first = await api.get("/v1/availability/A")
    etag = first.headers["ETag"]
    for asked in (etag, "*", f'"other", {etag}', f'"other",{etag}'):
        again = await api.get("/v1/availability/A", headers={"If-None-Match": asked})
        assert (again.status, again.raw, again.headers["ETag"]) == (304, b"", etag), asked


async def test_given_an_etag_when_something_changed_then_the_new_value_comes(api: Api) -> None:
    await api.count("A", 10)
    etag = (await api.get("/v1/availability/A")).headers["ETag"]
    (await api.reserve("A", 1)).ok(201)
    answer = await api.get("/v1/availability/A", headers={"If-None-Match": etag})
    assert answer.ok()["available"] == 9
    assert answer.headers["ETag"] != etag


async def test_given_locations_when_asked_for_one_then_only_its_units_count(api: Api) -> None:
    await api.count("A", 10)
    await api.count("A", 5, "shop")
    assert await api.available("A") == 15
    one = (await api.get("/v1/availability/A?location=shop&channel=web")).ok()
    assert (one["available"], one["locations"]) == (5, [{"location": "shop", "available": 5}])


async def test_given_a_thousand_skus_when_asked_then_all_answer_in_order(api: Api) -> None:
    skus = [f"Kazak-{number:04}" for number in range(1000)]
    for first in range(0, 900, 300):
        await move(api, *({"kind": "receive", "sku": sku, "quantity": 7} for sku in skus[first : first + 300]))
    answer = (await api.post("/v1/availability/query", {"skus": skus})).ok()
    assert [each["sku"] for each in answer["availability"]] == skus[:900]
    assert answer["unknown"] == skus[900:]
    assert {each["available"] for each in answer["availability"]} == {7}


@pytest.mark.parametrize(
    ("sent", "accept", "comes"),
    [
        (JSON, "", JSON),
        (MSGPACK, "", MSGPACK),
        (MSGPACK, "*/*", MSGPACK),
        (MSGPACK, JSON, JSON),
        (JSON, MSGPACK, MSGPACK),
        (JSON, "application/x-msgpack", MSGPACK),
        ("application/json; charset=UTF-8", "text/html", JSON),
        ("application/vnd.msgpack", "", MSGPACK),
    ],
)
async def test_given_what_is_sent_and_accepted_when_answered_then_the_encoding_follows(
    api: Api, sent: str, accept: str, comes: str
) -> None:
    await api.count("A", 10)
    headers = {"Content-Type": sent, "Accept": accept}
    answer = await api.post("/v1/availability/query", {"skus": ["A"]}, headers=headers, msgpack="msgpack" in sent)
    assert answer.headers["Content-Type"] == comes
    assert answer.ok()["availability"][0]["available"] == 10


async def test_given_racers_when_they_want_the_last_units_then_exactly_those_are_sold(api: Api) -> None:
    await api.count("A", 5)
    answers = await asyncio.gather(*(api.reserve("A", 1) for _ in range(100)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 95
    assert await api.available("A") == 0
