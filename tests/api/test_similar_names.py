"""Names over HTTP that are like known ones: refused where they would be new, at every door, unless they are meant."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.http import Answer, Api

pytest_plugins = ("tests.support.http_fixtures",)

KEY = {"Idempotency-Key": "one"}


def at(sku: str, location: str) -> str:
    return f"/v1/stock/{quote(sku, safe='')}/{quote(location, safe='')}"


def similar(reply: Answer) -> list[str]:
    """Return which known names a refusal says the others are like."""
    assert (reply.status, reply.body["outcome"]) == (422, "similar_name"), reply.body
    return [line["similar"] for line in reply.body["lines"]]


async def test_given_ten_at_main_when_counted_at_its_look_alikes_then_no_more_is_available(api: Api) -> None:
    (await api.put(at("S", "main"), {"on_hand": 10})).ok()

    for other in ("Main", "MAIN", "MAİN"):
        refused = await api.put(at("S", other), {"on_hand": 10})
        assert similar(refused) == ["main"]
        assert f"Location {other} is not known, and is like main; did you mean main?" in refused.body["detail"]

    assert (await api.get("/v1/stock/S")).ok()["available"] == 10


async def test_given_known_names_when_each_door_is_sent_a_look_alike_then_it_is_refused_and_with_a_word_let_in(
    api: Api,
) -> None:
    await api.count("Şal-1", 9, "Depo")
    order = {"channel": "web", "lines": [{"sku": "Şal-1", "quantity": 2, "location": "Depo"}], "reservation_id": "o"}
    (await api.post("/v1/orders", order)).ok(201)
    (await api.post("/v1/reservations/o/fulfil", {})).ok()
    back = {"lines": [{"line": 1, "quantity": 1, "disposition": "restock", "location": "ＤＥＰＯ"}]}
    new = {"channel": "web", "lines": [{"sku": "Şal-1", "quantity": 1, "location": "Depo"}]}

    doors: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", at("şal‐1", "Depo"), {"on_hand": 1}),
        ("PUT", at("Şal-1", "depo") + "/backorder", {"mode": "backorder", "limit": 1}),
        ("POST", "/v1/transfers", {"from": "Depo", "to": "DEPO", "lines": [{"sku": "Şal-1", "quantity": 1}]}),
        ("PUT", "/v1/supply/s", {"sku": "Şal–1", "quantity": 1, "expected_on": "2030-01-01", "location": "Depo"}),
        ("POST", "/v1/reservations/o/return", back),
    ]
    for method, where, body in doors:
        assert similar(await api.send(method, where, body)) != [""]
        meant = await api.send(method, where, body | {"allow_similar": True})
        assert meant.status in (200, 201), meant.body
    refused = await api.put("/v1/locations/dEPO", {})
    assert (refused.status, refused.body["outcome"]) == (422, "similar_name")
    assert "did you mean Depo?" in refused.body["detail"]
    (await api.put("/v1/locations/dEPO", {"allow_similar": True})).ok()
    refused = await api.put(f"/v1/skus/{quote('ŞAL-1')}", {"tracked": False})
    assert refused.body["outcome"] == "similar_name"
    (await api.put(f"/v1/skus/{quote('ŞAL-1')}", {"tracked": False, "allow_similar": True})).ok()
    half = await api.post(
        "/v1/reservations/o/exchange",
        {"return": {"lines": [back["lines"][0] | {"location": "DEPo"}]}, "order": new},
    )
    assert (half.status, half.body["half"], half.body["outcome"]) == (422, "return", "similar_name")


async def test_given_a_list_of_movements_when_some_are_of_look_alikes_then_only_those_are_refused(api: Api) -> None:
    movements = [
        {"kind": "receive", "sku": "a b", "quantity": 1},
        {"kind": "receive", "sku": "A  B", "quantity": 1},
        {"kind": "count", "sku": "A\u00a0B", "on_hand": 1, "allow_similar": True},
    ]
    results = (await api.post("/v1/stock/movements", {"movements": movements[:1]})).ok()["results"]
    results += (await api.post("/v1/stock/movements", {"movements": movements[1:]})).ok()["results"]

    assert [each["outcome"] for each in results] == ["moved", "similar_name", "moved"]


async def test_given_a_refused_look_alike_when_sent_again_as_meant_under_its_key_then_it_counts_once(api: Api) -> None:
    await api.count("A", 1)
    movement = {"kind": "receive", "sku": "a", "quantity": 5}

    async def send(**more: Any) -> Any:
        reply = await api.post("/v1/stock/movements", {"movements": [movement | more]}, headers=KEY)
        return reply.ok()["results"][0]

    assert (await send())["outcome"] == "similar_name"
    assert not (await send(allow_similar=True)).get("replayed")
    assert (await send(allow_similar=True))["replayed"]
    assert (await send())["replayed"]
    assert (await api.get("/v1/stock/a")).ok()["available"] == 5


async def test_given_registered_locations_when_stock_comes_to_a_mistyped_one_then_a_near_one_is_named(api: Api) -> None:
    await api.count("A", 1, "old")
    (await api.put("/v1/locations/izmir", {})).ok()

    refused = await api.put(at("A", "izmr"), {"on_hand": 2})

    assert (refused.status, refused.body["outcome"]) == (422, "unregistered_location")
    assert "izmr is not registered and has no stock; did you mean izmir?" in refused.body["detail"]
    assert refused.body["lines"][0]["similar"] == "izmir"
    for location in ("izmir", "main", "old"):
        (await api.put(at("B", location), {"on_hand": 2})).ok()
    (await api.put(at("A", "izmr"), {"on_hand": 2, "allow_similar": True})).ok()
    (await api.put(at("B", "izmr"), {"on_hand": 2})).ok()


@pytest.mark.parametrize("kind", ["adjust", "move"])
async def test_given_a_movement_that_makes_nothing_known_when_it_says_so_then_it_is_refused(
    api: Api, kind: str
) -> None:
    movement = {"kind": kind, "sku": "A", "quantity": 1, "reason": "r", "allow_similar": True}
    more = {"from": "available", "to": "damaged"} if kind == "move" else {}

    refused = await api.post("/v1/stock/movements", {"movements": [movement | more]})

    assert (refused.status, refused.body["outcome"]) == (400, "invalid")
