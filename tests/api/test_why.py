"""Why: what people change over HTTP keeps the reason that they gave, and the history tells it."""

from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

WHY = "the buyer called"


async def reasons(api: Api, **asked: str) -> list[tuple[str, str]]:
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    changes: list[dict[str, Any]] = (await api.get(f"/v1/history?{query}")).ok()["changes"]
    return [(each["operation"], each["reason"]) for each in changes]


@pytest.mark.parametrize("body", [{}, {"lines": [{"line": 1, "quantity": 1}]}])
async def test_given_a_reason_when_units_are_released_shipped_or_moved_then_the_history_has_it(
    api: Api, body: dict[str, object]
) -> None:
    await api.count("A", 9)
    await api.count("A", 9, "depo")
    lines = {"lines": [{"sku": "A", "quantity": 2, "location": "main"}]}
    (await api.reserve("A", 2, "hold", **lines)).ok(201)
    (await api.post("/v1/orders", {"channel": "web", "reservation_id": "order", **lines})).ok(201)

    (await api.post("/v1/reservations/hold/release", {**body, "reason": WHY})).ok()
    moved = {"lines": [{"line": 1, "to": "depo", "quantity": 1}], "reason": "broken at main"}
    (await api.post("/v1/reservations/order/move", moved)).ok()
    (await api.post("/v1/reservations/order/fulfil", {**body, "reason": "picked up"})).ok()

    assert ("release", WHY) in await reasons(api, order="hold")
    told = await reasons(api, order="order")
    assert {("relocate", "broken at main"), ("fulfil", "picked up")} <= set(told)


async def test_given_a_reason_when_renamed_then_the_history_has_it(api: Api) -> None:
    await api.count("old", 3, "depo")
    await _indexed(api)

    (await api.post("/v1/skus/old/rename", {"to": "brandnew", "reason": "as on the box"})).ok()
    (await api.post("/v1/locations/depo/rename", {"to": "hub", "reason": "it moved"})).ok()

    assert ("renamed", "as on the box") in await reasons(api, sku="old")
    assert ("renamed", "it moved") in await reasons(api, location="depo")


async def test_given_a_reason_when_an_allocation_is_taken_away_then_the_history_has_it(api: Api) -> None:
    await api.count("A", 9)
    one = "/v1/stock/A/main/allocations/web"
    (await api.put(one, {"units": 3, "new": True})).ok()

    (await api.send("DELETE", f"{one}?reason=season%20ends")).ok()

    assert (await reasons(api, sku="A"))[0] == ("allocate", "season ends")


@pytest.mark.parametrize("reason", ["", "two\nlines", "ş" * 129])
@pytest.mark.parametrize("verb", ["release", "fulfil"])
async def test_given_a_reason_that_cannot_be_when_sent_then_it_is_named_and_nothing_changes(
    api: Api, verb: str, reason: str
) -> None:
    await api.count("A", 9)
    (await api.reserve("A", 2, "hold")).ok(201)

    problem = (await api.post(f"/v1/reservations/hold/{verb}", {"reason": reason})).problem(400, "invalid")

    assert [each["field"] for each in problem["errors"]] == ["reason"]
    assert (await api.get("/v1/reservations/hold")).ok()["state"] == "held"


async def test_given_a_key_when_the_same_release_comes_with_another_reason_then_the_key_is_taken(api: Api) -> None:
    await api.count("A", 9)
    (await api.reserve("A", 2, "hold")).ok(201)
    key = {"Idempotency-Key": "once"}

    (await api.post("/v1/reservations/hold/release", {"reason": "a"}, headers=key)).ok()
    again = await api.post("/v1/reservations/hold/release", {"reason": "a"}, headers=key)
    other = await api.post("/v1/reservations/hold/release", {"reason": "b"}, headers=key)

    assert (again.status, again.headers["Idempotent-Replayed"]) == (200, "true")
    other.problem(422, "id_reused")


async def _indexed(api: Api) -> None:
    """Wait until the names are indexed, before which no location is renamed."""

    async def is_read() -> bool:
        answer = await api.post("/v1/locations/nowhere/rename", {"to": "elsewhere"})
        return bool(answer.body["outcome"] != "names_unread")

    await wait_until(is_read, "the names are read")
