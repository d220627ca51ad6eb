"""Returns and moves between buckets over HTTP, and what ``holdfast show --history`` shows of them."""

import json
from typing import Any

import pytest

from tests.support.http import Api, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

LINES = [{"sku": "A", "quantity": 3, "location": "main"}]


async def shipped(api: Api) -> None:
    await api.count("A", 10)
    body = {"reservation_id": "o-1", "channel": "trendyol", "lines": LINES}
    (await api.post("/v1/orders", body)).ok(201)
    (await api.post("/v1/reservations/o-1/fulfil", {})).ok()


def part(quantity: int, disposition: str = "restock", **more: object) -> dict[str, object]:
    return {"line": 1, "quantity": quantity, "disposition": disposition, **more}


async def test_given_an_order_of_one_channel_when_returned_damaged_in_a_store_then_the_history_shows_the_story(
    api: Api, server: Server
) -> None:
    await shipped(api)
    body = {"lines": [part(1, "damaged", location="store-b")], "reason": "cracked"}
    answer = (await api.post("/v1/reservations/o-1/return", body)).ok()
    assert (answer["state"], answer["lines"][0]["returned"], answer["notes"]) == (
        "fulfilled", 1, {"return_reason": "cracked"},
    )  # fmt: skip
    [left] = answer["availability"]
    assert (left["location"], left["available"]) == ("store-b", 0)
    levels = {each["location"]: each for each in (await api.get("/v1/stock/A")).ok()["levels"]}
    assert (levels["main"]["on_hand"], levels["store-b"]["on_hand"], levels["store-b"]["damaged"]) == (7, 1, 1)
    shown = holdfast(
        "show", "A", "--history", "--json", "--partition", api.partition, "--data-dir", server.data_dir,
        cwd=server.data_dir,
    )  # fmt: skip
    last = json.loads(shown.stdout)["history"][-1]
    assert (last["operation"], last["channel"], last["reservation_id"]) == ("return", "trendyol", "o-1")
    assert (last["location"], last["deltas"]) == ("store-b", {"on_hand": 1, "damaged": 1})
    assert last["notes"] == {"reason": "cracked"}


async def test_given_a_key_when_a_return_is_sent_again_then_it_is_replayed(api: Api) -> None:
    await shipped(api)
    headers = {"Idempotency-Key": "ret-1"}
    first = await api.post("/v1/reservations/o-1/return", {"lines": [part(2)]}, headers=headers)
    again = await api.post("/v1/reservations/o-1/return", {"lines": [part(2)]}, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.ok() == first.ok()
    other = await api.post("/v1/reservations/o-1/return", {"lines": [part(1)]}, headers=headers)
    other.problem(422, "id_reused")
    assert await api.available("A") == 9


async def test_given_more_than_was_shipped_when_returned_then_the_problem_says_how_many_may_come(api: Api) -> None:
    await shipped(api)
    problem = (await api.post("/v1/reservations/o-1/return", {"lines": [part(4)]})).problem(422, "exceeds_remaining")
    assert problem["lines"] == [{"line": 1, "sku": "A", "location": "main", "requested": 4, "available": 3}]
    assert await api.available("A") == 7


async def test_given_nothing_shipped_when_returned_then_it_is_a_conflict(api: Api) -> None:
    await api.count("A", 10)
    (await api.post("/v1/orders", {"reservation_id": "o-1", "channel": "web", "lines": LINES})).ok(201)
    answer = await api.post("/v1/reservations/o-1/return", {"lines": [part(1)]})
    assert answer.problem(409, "not_fulfilled")["state"] == "committed"


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([], "lines"),
        ([part(0)], "lines[0].quantity"),
        ([part(1, "thrown away")], "lines[0].disposition"),
        ([part(1, location="a\nb")], "lines[0].location"),
        ([{"line": 1, "quantity": 1}], "lines[0].disposition"),
    ],
)
async def test_given_a_return_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, lines: list[Any], field: str
) -> None:
    await shipped(api)
    problem = (await api.post("/v1/reservations/o-1/return", {"lines": lines})).problem(400, "invalid")
    assert problem["errors"][0]["field"] == field
    assert await api.available("A") == 7


async def move(api: Api, **movement: object) -> Any:
    body = {"movements": [{"kind": "move", "sku": "A", "quantity": 1, "reason": "seen", **movement}]}
    return await api.post("/v1/stock/movements", body)


async def test_given_units_when_moved_to_damaged_and_back_then_available_follows(api: Api) -> None:
    await api.count("A", 10)
    [out] = (await move(api, **{"from": "available", "to": "damaged", "quantity": 4})).ok()["results"]
    assert (out["stock"]["on_hand"], out["stock"]["damaged"], out["stock"]["available"]) == (10, 4, 6)
    [back] = (await move(api, **{"from": "damaged", "to": "available", "quantity": 3})).ok()["results"]
    assert (back["stock"]["damaged"], back["stock"]["available"]) == (1, 9)


async def test_given_too_few_in_a_bucket_when_moved_then_the_result_says_how_many_there_are(api: Api) -> None:
    await api.count("A", 10)
    [result] = (await move(api, **{"from": "damaged", "to": "available"})).ok()["results"]
    assert (result["status"], result["outcome"]) == (422, "exceeds_bucket")
    assert result["problem"]["lines"][0] == {
        "line": 1, "sku": "A", "location": "main", "requested": 1, "available": 0,
    }  # fmt: skip


async def test_given_a_move_to_where_it_comes_from_when_sent_then_it_is_invalid(api: Api) -> None:
    problem = (await move(api, **{"from": "damaged", "to": "damaged"})).problem(400, "invalid")
    assert problem["errors"][0]["field"] == "movements[0].to"
