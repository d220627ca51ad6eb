"""Transfers over HTTP: refusals are problems that change nothing, and what is on its way can be seen."""

import json
from typing import Any

import pytest

from tests.support.http import Api, Key, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

SHIP = {"transfer_id": "t-1", "from": "main", "to": "shop", "lines": [{"sku": "A", "quantity": 4}]}
RECEIVE = "/v1/transfers/t-1/receive"


async def shipped(api: Api) -> Any:
    await api.count("A", 10)
    return (await api.post("/v1/transfers", SHIP)).ok(201)


async def test_given_a_transfer_when_it_goes_its_way_then_each_step_can_be_read(api: Api) -> None:
    answer = await shipped(api)
    assert (answer["state"], answer["from"], answer["to"], answer["availability"][0]["available"]) == (
        "in_transit", "main", "shop", 6,
    )  # fmt: skip
    first = (await api.post(RECEIVE, {"lines": [{"line": 1, "quantity": 3, "disposition": "quality_control"}]})).ok()
    assert first["lines"] == [{"line": 1, "sku": "A", "quantity": 4, "received": 3, "lost": 0, "in_transit": 1}]
    assert [each["transfer_id"] for each in (await api.get("/v1/transfers")).ok()["transfers"]] == ["t-1"]
    last = (await api.post(RECEIVE, {"lines": [], "close": True, "reason": "one is missing"})).ok()
    assert (last["state"], last["lines"][0]["lost"], last["lost_reason"]) == ("closed", 1, "one is missing")
    read = (await api.get("/v1/transfers/t-1")).ok()
    assert read == {name: value for name, value in last.items() if name != "availability"}
    assert (await api.get("/v1/transfers")).ok() == {"transfers": [], "next": ""}


async def test_given_units_on_their_way_when_the_stock_is_asked_for_then_they_are_shown_beside_the_locations(
    api: Api, server: Server
) -> None:
    await shipped(api)
    answer = (await api.get("/v1/stock/A")).ok()
    assert (answer["available"], [each["location"] for each in answer["levels"]]) == (6, ["main"])
    [moving] = answer["in_transit"]
    assert (moving["transfer_id"], moving["from"], moving["to"], moving["quantity"]) == ("t-1", "main", "shop", 4)
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)
    assert json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)["in_transit"][0]["quantity"] == 4
    assert "4 in transit from main to shop since " in holdfast(*words, cwd=server.data_dir).stdout


@pytest.mark.parametrize("by", ["key", "id"])
async def test_given_a_transfer_when_it_is_sent_again_then_it_is_replayed(api: Api, by: str) -> None:
    await api.count("A", 10)
    body = SHIP if by == "id" else {name: value for name, value in SHIP.items() if name != "transfer_id"}
    headers = {"Idempotency-Key": "k"} if by == "key" else {}
    first = await api.post("/v1/transfers", body, headers=headers)
    again = await api.post("/v1/transfers", body, headers=headers)
    assert (again.status, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.ok(201)["transfer_id"] == first.ok(201)["transfer_id"]
    (await api.post("/v1/transfers", {**body, "to": "elsewhere"}, headers=headers)).problem(422, "id_reused")
    assert await api.available("A") == 6


async def test_given_held_units_when_a_transfer_wants_them_then_nothing_changes(
    api: Api, server: Server, key: Key
) -> None:
    await api.count("A", 10)
    (await api.reserve("A", 7)).ok(201)
    before = server.state(key.partition)
    problem = (await api.post("/v1/transfers", SHIP)).problem(409, "exceeds_available")
    assert problem["lines"] == [{"line": 1, "sku": "A", "location": "main", "requested": 4, "available": 3}]
    (await api.post("/v1/transfers", {**SHIP, "from": "shop", "to": "main"})).problem(422, "unknown_sku")
    assert server.state(key.partition) == before


async def test_given_a_transfer_when_too_much_arrives_then_nothing_changes(api: Api, server: Server, key: Key) -> None:
    await shipped(api)
    before = server.state(key.partition)
    (await api.post(RECEIVE, {"lines": [{"line": 1, "quantity": 5}]})).problem(422, "exceeds_remaining")
    nowhere = (await api.post(RECEIVE, {"lines": [{"line": 9, "quantity": 1}]})).problem(422, "exceeds_remaining")
    assert "There is no such line: its " in nowhere["detail"]
    (await api.post("/v1/transfers/nobody/receive", {})).problem(404, "unknown_transfer")
    (await api.get("/v1/transfers/nobody")).problem(404, "unknown_transfer")
    assert server.state(key.partition) == before
    (await api.post(RECEIVE, {})).ok()
    (await api.post(RECEIVE, {})).problem(409, "transfer_closed")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/v1/transfers", {**SHIP, "to": "main"}, "to"),
        ("/v1/transfers", {**SHIP, "lines": []}, "lines"),
        ("/v1/transfers", {**SHIP, "lines": [{"sku": "a\nb", "quantity": 1}]}, "lines[0].sku"),
        ("/v1/transfers", {**SHIP, "transfer_id": "~ş"}, "transfer_id"),
        (RECEIVE, {"lines": []}, "lines"),
        (RECEIVE, {"lines": [], "close": True}, "reason"),
        (RECEIVE, {"lines": [{"line": 1, "quantity": 1, "disposition": "lost"}]}, "lines[0].disposition"),
    ],
)
async def test_given_a_body_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, path: str, body: object, field: str
) -> None:
    await shipped(api)
    assert (await api.post(path, body)).problem(400, "invalid")["errors"][0]["field"] == field


@pytest.mark.parametrize("after", ["x", "-1", "99999999999999999999"])
async def test_given_a_page_that_was_never_issued_when_asked_for_then_it_is_invalid(api: Api, after: str) -> None:
    (await api.get(f"/v1/transfers?after={after}")).problem(400, "invalid")


async def test_given_many_transfers_when_paged_through_then_each_is_met(api: Api) -> None:
    await api.count("A", 900)
    for number in range(700):
        body = {**SHIP, "transfer_id": f"t-{number}", "lines": [{"sku": "A", "quantity": 1}]}
        (await api.post("/v1/transfers", body)).ok(201)
    met, after = set(), ""
    while True:
        page = (await api.get(f"/v1/transfers?limit=100&after={after}")).ok()
        met |= {each["transfer_id"] for each in page["transfers"]}
        after = page["next"]
        if not after:
            break
    assert len(met) == 700
    assert len((await api.get("/v1/stock/A")).ok()["in_transit"]) == 700
