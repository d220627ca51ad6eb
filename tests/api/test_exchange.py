"""Exchange over HTTP: one call, both halves or neither, and what ``holdfast show --history`` shows of it."""

import json
from typing import Any

import pytest

from tests.support.http import Api, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

URL = "/v1/reservations/o-1/exchange"


async def shipped(api: Api, units: int = 5) -> None:
    await api.count("A", units)
    line = {"sku": "A", "quantity": 2, "location": "main"}
    (await api.post("/v1/orders", {"reservation_id": "o-1", "channel": "web", "lines": [line]})).ok(201)
    (await api.post("/v1/reservations/o-1/fulfil", {})).ok()


def back(quantity: int = 1, disposition: str = "damaged", **more: object) -> dict[str, Any]:
    return {"lines": [{"line": 1, "quantity": quantity, "disposition": disposition, **more}], "reason": "cracked"}


def wanted(quantity: int = 1, **more: object) -> dict[str, Any]:
    return {"channel": "web", "lines": [{"sku": "A", "quantity": quantity}], **more}


async def test_given_a_damaged_unit_when_exchanged_then_the_history_shows_both_halves(api: Api, server: Server) -> None:
    await shipped(api)
    answer = (await api.post(URL, {"return": back(location="shop"), "order": wanted(reservation_id="o-2")})).ok(201)

    assert (answer["returned"]["reservation_id"], answer["returned"]["lines"][0]["returned"]) == ("o-1", 1)
    assert (answer["reservation"]["reservation_id"], answer["reservation"]["state"]) == ("o-2", "committed")
    assert answer["returned"]["notes"] == {"return_reason": "cracked", "exchanged_for": "o-2"}
    assert (await api.get("/v1/reservations/o-2")).ok()["notes"] == {"exchange_of": "o-1"}
    shown = holdfast(
        "show", "A", "--history", "--json", "--partition", api.partition, "--data-dir", server.data_dir,
        cwd=server.data_dir,
    )  # fmt: skip
    last = json.loads(shown.stdout)["history"][-2:]
    assert [(each["operation"], each["reservation_id"], each["location"]) for each in last] == [
        ("return", "o-1", "shop"),
        ("order", "o-2", "main"),
    ]
    assert [each["notes"] for each in last] == [{"reason": "cracked", "exchanged_for": "o-2"}, {"exchange_of": "o-1"}]
    assert last[0]["at"] == last[1]["at"]


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "x-1"}, {}])
async def test_given_a_key_or_a_new_id_when_sent_again_then_both_halves_are_answered_as_the_first_time(
    api: Api, headers: dict[str, str]
) -> None:
    await shipped(api)
    new = wanted() if headers else wanted(reservation_id="o-2")
    first = await api.post(URL, {"return": back(), "reservation": new}, headers=headers)
    new_id = first.ok(201)["reservation"]["reservation_id"]
    (await api.post(f"/v1/reservations/{new_id}/release", {})).ok()

    again = await api.post(URL, {"return": back(), "reservation": new}, headers=headers)
    other = await api.post(URL, {"return": back(2), "reservation": new}, headers=headers)

    assert again.ok(201) == first.ok(201)
    assert again.headers["Idempotent-Replayed"] == "true"
    other.problem(422, "id_reused")
    assert (await api.get("/v1/reservations/o-1")).ok()["lines"][0]["returned"] == 1


@pytest.mark.parametrize(
    ("body", "half", "status", "outcome"),
    [
        ({"return": back(3), "reservation": wanted()}, "return", 422, "exceeds_remaining"),
        ({"return": back(), "reservation": wanted(4)}, "reservation", 409, "out_of_stock"),
        ({"return": back(), "order": wanted(4)}, "order", 409, "out_of_stock"),
        ({"return": back(), "order": wanted(reservation_id="o-1")}, "order", 422, "id_reused"),
    ],
)
async def test_given_a_half_that_cannot_be_when_exchanged_then_the_problem_names_it_and_nothing_changes(
    api: Api, body: dict[str, Any], half: str, status: int, outcome: str
) -> None:
    await shipped(api)
    before = (await api.get("/v1/stock/A")).ok()["levels"], (await api.get("/v1/reservations/o-1")).ok()

    problem = (await api.post(URL, body)).problem(status, outcome)

    assert problem["half"] == half
    assert half in problem["detail"]
    assert ((await api.get("/v1/stock/A")).ok()["levels"], (await api.get("/v1/reservations/o-1")).ok()) == before


async def test_given_a_closed_location_when_wanted_from_there_then_the_exchange_is_refused(api: Api) -> None:
    await shipped(api)
    (await api.put("/v1/locations/main", {"open": False})).ok()

    problem = (await api.post(URL, {"return": back(), "order": wanted()})).problem(409, "location_closed")

    assert problem["half"] == "order"


async def test_given_sourcing_when_exchanged_then_the_new_reservation_is_planned(api: Api) -> None:
    await shipped(api, 2)
    (await api.put("/v1/locations/shop", {})).ok()
    await api.count("A", 1, "shop")

    new = wanted(sourcing={"strategy": "most_stock"})
    answer = (await api.post(URL, {"return": back(), "reservation": new})).ok(201)

    assert answer["reservation"]["lines"][0]["location"] == "shop"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"return": back()}, "reservation"),
        ({"return": back(), "reservation": wanted(), "order": wanted()}, "reservation"),
        ({"reservation": wanted()}, "return"),
        ({"return": back(location="a\nb"), "order": wanted()}, "return.lines[0].location"),
        ({"return": back(), "order": wanted(order_ref="a\nb")}, "order.order_ref"),
        ({"return": back(), "order": wanted(0)}, "order.lines[0].quantity"),
    ],
)
async def test_given_a_body_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, body: dict[str, Any], field: str
) -> None:
    await shipped(api)
    assert (await api.post(URL, body)).problem(400, "invalid")["errors"][0]["field"] == field
