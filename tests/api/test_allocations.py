"""Allocations over HTTP and at the command line: what a channel has for itself, who sees which number, and why."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.http import Answer, Api, Server
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

MOVE = {"sku": "A", "from_channel": "shop", "to_channel": "pazar", "units": 1}


def place(channel: str, sku: str = "A", location: str = "main") -> str:
    return f"/v1/stock/{quote(sku, safe='')}/{quote(location, safe='')}/allocations/{quote(channel, safe='')}"


async def allocated(api: Api, channel: str = "shop", units: int = 4, **fields: object) -> Any:
    return (await api.put(place(channel), {"units": units, **fields})).ok()


async def seen_by(api: Api, channel: str) -> int:
    return int((await api.get(f"/v1/availability/A?channel={channel}")).ok()["available"])


async def sell(api: Api, channel: str, quantity: int) -> Answer:
    return await api.post("/v1/orders", {"channel": channel, "lines": [{"sku": "A", "quantity": quantity}]})


async def test_given_own_units_when_allocated_then_everybody_sees_the_number_that_he_may_sell(api: Api) -> None:
    await api.count("A", 10)
    answer = await allocated(api, reason="a campaign")
    assert answer == {
        "sku": "A",
        "location": "main",
        "available": 6,
        "set_aside": 4,
        "seq": 2,
        "allocations": [{"channel": "shop", "kind": "own", "units": 4, "used": 0, "available": 10}],
    }
    assert [await seen_by(api, each) for each in ("shop", "pazar")] == [10, 6]
    assert await api.available("A") == 6
    many = (await api.post("/v1/availability/query", {"skus": ["A"], "channel": "shop"})).ok()
    assert many["availability"][0]["available"] == 10
    assert (await sell(api, "pazar", 7)).problem(409, "out_of_stock")["lines"][0]["available"] == 6
    sold = (await sell(api, "shop", 5)).ok(201)
    assert sold["availability"][0]["available"] == 5
    assert [await seen_by(api, each) for each in ("shop", "pazar")] == [5, 5]


async def test_given_allocations_when_the_stock_is_asked_for_then_it_is_said_why_the_number_is_what_it_is(
    api: Api, server: Server
) -> None:
    await api.count("A", 10)
    await allocated(api)
    await allocated(api, "kiosk", 3, kind="cap")
    (await sell(api, "shop", 1)).ok(201)
    [level] = (await api.get("/v1/stock/A")).ok()["levels"]
    assert (level["available"], level["set_aside"]) == (6, 3)
    assert level["because"].endswith("− held 0 − committed 1 − set_aside 3")
    assert level["allocations"] == [
        {"channel": "shop", "kind": "own", "units": 4, "used": 1, "available": 9},
        {"channel": "kiosk", "kind": "cap", "units": 3, "used": 0, "available": 3},
    ]
    await api.count("A", 3)
    [level] = (await api.get("/v1/stock/A")).ok()["levels"]
    assert (level["available"], level["because"].rpartition(" − ")[2]) == (0, "set_aside 3, of which 2 are there")
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir, "--history")
    shown = json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)
    assert shown["levels"][0]["allocations"] == level["allocations"]
    assert [(each["operation"], each["channel"], each["available"]) for each in shown["history"]] == [
        ("count", "", 10),
        ("allocate", "shop", 6),
        ("allocate", "kiosk", 6),
        ("order", "shop", 6),
        ("count", "", 0),
    ]
    text = holdfast(*words, cwd=server.data_dir).stdout
    assert "available 0 = 3 on_hand − 1 committed − 3 set_aside" in text
    assert "main: shop has 4 of its own, 1 of them used; available to it: 2" in text
    assert "main: kiosk has a cap of 3, 0 of them used; available to it: 0" in text


async def test_given_what_a_channel_has_when_moved_or_taken_back_then_the_rest_is_anybodys(api: Api) -> None:
    await api.count("A", 10)
    await allocated(api)
    moved = (await api.post("/v1/allocations/move", MOVE)).ok()
    assert [(each["channel"], each["units"]) for each in moved["allocations"]] == [("shop", 3), ("pazar", 1)]
    assert (moved["available"], moved["set_aside"]) == (6, 4)
    left = (await api.send("DELETE", place("shop"))).ok()
    assert ([each["channel"] for each in left["allocations"]], left["available"]) == (["pazar"], 9)
    assert (await allocated(api, "pazar", 0))["allocations"] == []


async def test_given_a_key_when_an_allocation_is_taken_away_again_then_a_newer_one_stays(api: Api) -> None:
    await api.count("A", 10)
    await allocated(api)
    headers = {"Idempotency-Key": "drop-1"}
    first = await api.send("DELETE", place("shop"), headers=headers)
    newer = await allocated(api)

    again = await api.send("DELETE", place("shop"), headers=headers)

    assert (again.ok(), again.headers["Idempotent-Replayed"]) == (first.ok(), "true")
    [level] = (await api.get("/v1/stock/A")).ok()["levels"]
    assert level["allocations"] == newer["allocations"]


async def test_given_a_channel_with_orders_when_it_gets_its_first_units_then_those_count(api: Api) -> None:
    await api.count("A", 10)
    (await sell(api, "shop", 3)).ok(201)
    answer = await allocated(api)
    assert answer["allocations"] == [{"channel": "shop", "kind": "own", "units": 4, "used": 3, "available": 7}]
    assert answer["available"] == 6


async def test_given_a_key_when_the_same_is_asked_again_then_it_is_replayed(api: Api) -> None:
    await api.count("A", 10)
    for path, body, other in (
        (place("shop"), {"units": 4}, {"units": 5}),
        ("/v1/allocations/move", MOVE, {**MOVE, "units": 2}),
    ):
        method, headers = "PUT" if path.startswith("/v1/stock") else "POST", {"Idempotency-Key": path}
        first = await api.send(method, path, body, headers=headers)
        again = await api.send(method, path, body, headers=headers)
        assert (again.headers["Idempotent-Replayed"], again.ok()) == ("true", first.ok())
        (await api.send(method, path, other, headers=headers)).problem(422, "id_reused")


@pytest.mark.parametrize(
    ("path", "body", "status", "outcome"),
    [
        (place("shop"), {"units": 11}, 409, "exceeds_available"),
        (place("shop", "B"), {"units": 1}, 422, "unknown_sku"),
        (place("shop"), {"units": -1}, 400, "invalid"),
        (place("shop"), {"units": 1, "kind": "lease"}, 400, "invalid"),
        (place("x" * 65), {"units": 1}, 400, "invalid"),
        ("/v1/allocations/move", {**MOVE, "units": 5}, 422, "exceeds_remaining"),
        ("/v1/allocations/move", {**MOVE, "from_channel": "nobody"}, 404, "unknown_allocation"),
        ("/v1/allocations/move", {**MOVE, "to_channel": "kiosk"}, 409, "allocation_differs"),
        ("/v1/allocations/move", {**MOVE, "to_channel": "shop"}, 400, "invalid"),
        ("/v1/allocations/move", {**MOVE, "sku": "B"}, 422, "unknown_sku"),
    ],
)
async def test_given_what_cannot_be_when_asked_for_then_it_is_a_clear_problem_and_changes_nothing(
    api: Api, path: str, body: dict[str, object], status: int, outcome: str
) -> None:
    await api.count("A", 10)
    await allocated(api)
    await allocated(api, "kiosk", 2, kind="cap")
    before = (await api.get("/v1/stock/A")).ok()["levels"]
    ask = api.put if path.startswith("/v1/stock") else api.post
    (await ask(path, body)).problem(status, outcome)
    assert (await api.get("/v1/stock/A")).ok()["levels"] == before


async def test_given_a_channel_when_sourcing_is_explained_then_it_goes_by_what_that_channel_may_have(api: Api) -> None:
    await api.count("A", 5)
    await api.count("A", 5, "depo")
    await allocated(api, "shop", 3)
    for name in ("main", "depo"):
        (await api.put(f"/v1/locations/{name}", {"priority": 2 if name == "main" else 1})).ok()
    body = {"lines": [{"sku": "A", "quantity": 5}], "sourcing": {"strategy": "priority"}}
    for channel, chosen in (("shop", "main"), ("pazar", "depo")):
        answer = (await api.post("/v1/sourcing/explain", {**body, "channel": channel})).ok()
        assert [line["location"] for line in answer["lines"]] == [chosen]


async def test_given_the_command_when_units_are_given_then_it_says_what_that_leaves_or_why_not(
    api: Api, server: Server
) -> None:
    await api.count("A", 10)
    words = ("--partition", api.partition, "--data-dir", server.data_dir)
    (await sell(api, "shop", 1)).ok(201)
    said = holdfast("allocate", "A", "shop", "4", "--reason", "a campaign", *words, cwd=server.data_dir)
    assert said.stdout.splitlines() == [
        "shop: 4 of its own, 1 used, available to it 9",
        "available to everybody: 6",
    ]
    capped = holdfast("allocate", "A", "kiosk", "2", "--cap", *words, cwd=server.data_dir)
    assert "kiosk: a cap of 2, 0 used, available to it 2" in capped.stdout
    refused = holdfast("allocate", "A", "pazar", "7", *words, cwd=server.data_dir)
    assert (refused.returncode, "it can have 6. Nothing changed." in refused.stderr) == (1, True)
