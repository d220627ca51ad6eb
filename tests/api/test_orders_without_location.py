"""Orders without a location over HTTP: every form takes from where the units are; channels only from their places."""

from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

WEB = {"channel": "web"}


def lines(quantity: int, **more: object) -> dict[str, Any]:
    return {**WEB, "lines": [{"sku": "S", "quantity": quantity, **more}]}


def places(view: Any) -> list[tuple[str, int]]:
    return [(line["location"], line["quantity"]) for line in view["lines"]]


@pytest.mark.parametrize("msgpack", [False, True])
async def test_given_units_elsewhere_only_when_ordered_in_any_form_then_they_are_taken_from_there(
    api: Api, msgpack: bool
) -> None:
    await api.count("S", 6, "izmir")

    async def sent(path: str, body: object, status: int = 201) -> Any:
        return (await api.post(path, body, msgpack=msgpack)).ok(status)

    order = await sent("/v1/orders", {**lines(1), "reservation_id": "o-1"})
    hold = await sent("/v1/reservations", lines(1))
    partial = await sent("/v1/reservations", {**lines(1), "policy": "partial"})
    sold = await sent("/v1/orders", {**lines(1), "on_shortage": "accept"})
    batch = await sent("/v1/reservations/batch", {"reservations": [lines(1), lines(1)]}, 200)

    assert [places(each) for each in (order, hold, partial, sold)] == [[("izmir", 1)]] * 4
    assert [places(each["reservation"]) for each in batch["results"]] == [[("izmir", 1)]] * 2
    assert (await api.get("/v1/availability/S")).ok()["available"] == 0
    problem = (await api.post("/v1/orders", lines(1))).problem(409, "out_of_stock")
    assert problem["lines"] == [{"line": 1, "sku": "S", "location": "izmir", "requested": 1, "available": 0}]


async def test_given_a_shipped_order_when_exchanged_then_the_new_one_is_taken_from_where_units_are(api: Api) -> None:
    await api.count("S", 2, "izmir")
    (await api.post("/v1/orders", {**lines(1), "reservation_id": "o-1"})).ok(201)
    (await api.post("/v1/reservations/o-1/fulfil", {})).ok()

    body = {"return": {"lines": [{"line": 1, "quantity": 1, "disposition": "damaged"}]}, "order": lines(1)}
    answer = (await api.post("/v1/reservations/o-1/exchange", body)).ok(201)

    assert places(answer["reservation"]) == [("izmir", 1)]


async def test_given_a_store_that_closes_when_ordered_then_nothing_is_sold_from_it_from_the_answer_on(api: Api) -> None:
    await api.count("S", 6, "izmir")
    await api.count("S", 1, "ankara")
    (await api.put("/v1/locations/izmir", {"open": False})).ok()

    (await api.post("/v1/orders", lines(2))).problem(409, "out_of_stock")
    (await api.post("/v1/orders", lines(1, location="izmir"))).problem(409, "location_closed")
    assert places((await api.post("/v1/orders", lines(1))).ok(201)) == [("ankara", 1)]
    (await api.put("/v1/locations/izmir", {"open": True})).ok()
    assert places((await api.post("/v1/orders", lines(6))).ok(201)) == [("izmir", 6)]


async def test_given_a_repeated_request_when_the_first_answer_was_split_then_it_is_that_answer(api: Api) -> None:
    await api.count("S", 2)
    await api.count("S", 3, "izmir")
    key = {"Idempotency-Key": "twice"}

    first = await api.post("/v1/orders", lines(4), headers=key)
    again = await api.post("/v1/orders", lines(4), headers=key)

    assert places(first.ok(201)) == [("izmir", 3), ("main", 1)]
    assert (again.ok(201), again.headers["Idempotent-Replayed"]) == (first.ok(201), "true")


async def test_given_an_expired_hold_at_a_store_that_closed_when_committed_then_nothing_is_sold_from_it(
    api: Api,
) -> None:
    await api.count("S", 1, "izmir")
    held = (await api.post("/v1/reservations", {**lines(1, location="izmir"), "ttl_s": 1})).ok(201)

    async def has_expired() -> bool:
        return bool((await api.get(f"/v1/reservations/{held['reservation_id']}")).ok()["state"] == "expired")

    await wait_until(has_expired)
    (await api.put("/v1/locations/izmir", {"open": False})).ok()

    problem = (await api.post(f"/v1/reservations/{held['reservation_id']}/commit", {})).problem(409, "expired")

    assert [(each["location"], each["available"]) for each in problem["lines"]] == [("izmir", 0)]
    (await api.put("/v1/locations/izmir", {"open": True})).ok()
    (await api.post(f"/v1/reservations/{held['reservation_id']}/commit", {})).ok()


async def test_given_a_location_that_has_not_the_sku_when_an_order_is_accepted_then_the_units_are_taken_elsewhere(
    api: Api,
) -> None:
    await api.count("S", 2, "izmir")
    await api.count("T", 1, "main")
    order: dict[str, Any] = {
        **WEB,
        "on_shortage": "accept",
        "lines": [{"sku": "S", "quantity": 1, "location": "nowhere"}, {"sku": "T", "quantity": 1}],
    }

    sold = (await api.post("/v1/orders", order)).ok(201)

    assert places(sold) == [("izmir", 1), ("main", 1)]
    (await api.post("/v1/orders", {**order, "on_shortage": "reject"})).problem(422, "unknown_sku")


@pytest.mark.parametrize("group", [{}, {"group": "shops"}])
async def test_given_no_open_candidate_when_a_sourced_order_is_accepted_then_no_line_of_it_is_lost(
    api: Api, group: dict[str, str]
) -> None:
    await api.count("S", 2, "izmir")
    await api.count("T", 5, "main")
    (await api.put("/v1/locations/izmir", {"open": False, "groups": ["shops"]})).ok()
    wanted = [{"sku": sku, "quantity": 1} for sku in ("S", "T", "GIFT-WRAP")]
    sourcing = {"strategy": "priority", **group}
    order: dict[str, Any] = {**WEB, "lines": wanted, "sourcing": sourcing, "on_shortage": "accept"}

    sold = (await api.post("/v1/orders", order)).ok(201)

    assert places(sold)[:2] == [("izmir", 1), ("main", 1)]
    assert [line.get("mode") for line in sold["lines"]][2] == "unmapped"
