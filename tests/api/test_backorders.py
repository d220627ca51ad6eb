"""Preorder and backorder over HTTP: a limit is set, orders wait, a carton comes, and what waits gets it."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from server.store.audit.audit import audit
from server.store.connection.connect import client, connection_pool
from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened
from tests.support.processes import holdfast

pytest_plugins = ("tests.support.http_fixtures",)

SETTING = "/v1/stock/A/main/backorder"
BACKORDER = {"mode": "backorder", "limit": 10, "promise_on": "2030-01-15"}


@pytest.fixture
async def counting(start_server: Callable[..., Server]) -> AsyncIterator[Api]:
    """Open a server of the test's own that raises events at once; afterwards its partition is audited."""
    server = start_server(figures_interval_s=0.02)
    async with opened(server) as api:
        yield api
    assert server.faults == []
    pool = connection_pool(f"unix://{server.data_dir}/store.sock")
    report = await audit(client(pool), Keyspace(api.partition))
    await pool.aclose()
    assert (report.drift, report.conclusive) == ([], True)


async def order(api: Api, reservation_id: str, quantity: int, status: int = 201, **fields: object) -> Any:
    lines = [{"sku": "A", "quantity": quantity}]
    body = {"channel": "web", "reservation_id": reservation_id, "policy": "backorder", "lines": lines, **fields}
    answer = await api.post("/v1/orders", body)
    return answer.ok(status) if status < 400 else answer.problem(status, "out_of_stock")


async def receive(api: Api, quantity: int) -> None:
    movements = [{"kind": "receive", "sku": "A", "quantity": quantity}]
    (await api.post("/v1/stock/movements", {"movements": movements})).ok()


async def in_state(api: Api, state: str) -> list[Any]:
    """Read all pages; on a busy machine the first can be empty."""
    found, after = [], ""
    while True:
        page = (await api.get(f"/v1/reservations?state={state}&after={after}")).ok()
        found += page["reservations"]
        after = page["next"]
        if not after:
            return found


async def waiting(api: Api, query: str = "sku=A") -> list[tuple[str, int]]:
    found = (await api.get(f"/v1/backorders?{query}")).ok()["backorders"]
    return [(each["reservation_id"], each["backordered"]) for each in found]


async def events(api: Api) -> list[tuple[str, int]]:
    found = (await api.get("/v1/events")).ok()["events"]
    return [(each["type"], each["available"]) for each in found]


async def test_given_waiting_orders_when_a_carton_is_scanned_then_vip_then_the_oldest_get_it_and_one_event_goes_out(
    counting: Api,
) -> None:
    api = counting
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "8690", "sku": "A", "factor": 12}]})).ok()
    (await api.put(SETTING, BACKORDER)).ok()
    for name, quantity, flags in (("young", 2, []), ("younger", 3, []), ("vip", 4, ["vip"])):
        answer = await order(api, name, quantity, flags=flags)
        assert (answer["state"], answer["lines"][0]["backordered"]) == ("backordered", quantity)
        assert answer["lines"][0]["promise_on"] == "2030-01-15"
    assert await waiting(api) == [("vip", 4), ("young", 2), ("younger", 3)]

    carton = {"movements": [{"kind": "receive", "barcode": "8690", "quantity": 1}]}
    first, again = [
        (await api.post("/v1/stock/movements", carton, headers={"Idempotency-Key": "carton-1"})).ok()["results"][0]
        for _ in range(2)
    ]

    assert (first["stock"]["available"], first["stock"]["committed"], again["replayed"]) == (12 - 9, 9, True)
    assert again["stock"] == first["stock"]
    assert await waiting(api) == []
    assert await api.available("A") == 3
    journal = (await api.get("/v1/reservations/younger")).ok()
    assert (journal["state"], journal["lines"][0]["committed"]) == ("committed", 3)

    async def is_raised() -> bool:
        return bool(await events(api))

    await wait_until(is_raised, "an event was raised")
    await order(api, "last", 3)
    await wait_until(lambda: _has(api, ("stock.out", 0)), "what came after was counted, too")
    assert await events(api) == [("stock.back", 3), ("stock.out", 0)]


async def _has(api: Api, event: tuple[str, int]) -> bool:
    return event in await events(api)


async def test_given_a_carton_that_is_all_waited_for_when_received_then_nothing_is_back(counting: Api) -> None:
    api = counting
    (await api.put(SETTING, BACKORDER)).ok()
    await order(api, "o1", 4)
    await order(api, "o2", 4)

    await receive(api, 6)
    assert await waiting(api) == [("o2", 2)]
    await receive(api, 3)

    await wait_until(lambda: _has(api, ("stock.back", 1)), "what is really there is raised")
    assert await events(api) == [("stock.back", 1)]


async def test_given_a_setting_when_read_changed_and_ended_then_the_stock_tells(api: Api) -> None:
    headers = {"Idempotency-Key": "once"}
    answer = (await api.put(SETTING, BACKORDER, headers=headers)).ok()
    assert answer == {"sku": "A", "location": "main", **BACKORDER, "waiting": 0, "available": 0, "seq": answer["seq"]}
    assert (await api.put(SETTING, BACKORDER, headers=headers)).headers["Idempotent-Replayed"] == "true"
    (await api.put(SETTING, {**BACKORDER, "limit": 3}, headers=headers)).problem(422, "id_reused")
    await order(api, "o", 2)
    [level] = (await api.get("/v1/stock/A")).ok()["levels"]
    assert level["backorder"] == {**BACKORDER, "waiting": 2}

    (await api.put(SETTING, {"mode": "backorder", "limit": 0})).ok()

    assert await waiting(api) == [("o", 2)]
    await order(api, "p", 1, 409)
    (await api.post("/v1/reservations/o/cancel", {})).ok()
    [level] = (await api.get("/v1/stock/A")).ok()["levels"]
    assert "backorder" not in level


async def test_given_waiting_orders_when_asked_page_by_page_then_each_comes_once_and_in_order(api: Api) -> None:
    (await api.put(SETTING, BACKORDER)).ok()
    (await api.put("/v1/stock/B/depo/backorder", BACKORDER)).ok()
    for name in ("o1", "o2", "o3"):
        await order(api, name, 1)
    await order(api, "b", 1, lines=[{"sku": "B", "quantity": 2, "location": "depo"}])

    found, after = [], ""
    while True:
        page = (await api.get(f"/v1/backorders?limit=1&after={after}")).ok()
        found += [each["reservation_id"] for each in page["backorders"]]
        after = page["next"]
        if not after:
            break

    assert found == ["o1", "o2", "o3", "b"]
    assert await waiting(api, "sku=B&location=depo") == [("b", 2)]
    assert await waiting(api, "sku=B&location=main") == []
    (await api.get("/v1/backorders?after=nowhere")).problem(400, "invalid")


async def test_given_a_hold_that_waits_when_read_and_released_then_its_state_is_returned(api: Api) -> None:
    (await api.put(SETTING, BACKORDER)).ok()
    body = {"channel": "web", "policy": "backorder", "lines": [{"sku": "A", "quantity": 2}], "reservation_id": "r"}
    held = (await api.post("/v1/reservations", body)).ok(201)
    assert held["state"] == "backordered"
    assert "expires_at" in held
    assert [each["reservation_id"] for each in await in_state(api, "backordered")] == ["r"]

    released = (await api.post("/v1/reservations/r/release", {})).ok()

    assert (released["state"], released["lines"][0]["released"]) == ("released", 2)
    assert await waiting(api) == []


async def test_given_waiting_orders_when_asked_what_can_be_promised_by_day_then_they_come_first(api: Api) -> None:
    (await api.put(SETTING, BACKORDER)).ok()
    (await api.put("/v1/supply/po", {"sku": "A", "quantity": 10, "expected_on": "2999-01-01"})).ok()
    await order(api, "o", 4)

    answer = (await api.get("/v1/atp/A?from=2998-12-31&to=2999-01-02")).ok()

    assert answer["backordered"] == 4
    assert [(day["projected"], day["promisable"]) for day in answer["days"]] == [(-4, 0), (6, 6), (6, 6)]


async def test_given_waiting_orders_when_the_sku_is_shown_then_they_are_listed(api: Api, server: Server) -> None:
    (await api.put(SETTING, BACKORDER)).ok()
    await order(api, "o", 4, flags=["vip"])
    words = ("show", "A", "--partition", api.partition, "--data-dir", server.data_dir)

    shown = json.loads(holdfast(*words, "--json", cwd=server.data_dir).stdout)

    assert [(each["reservation_id"], each["backordered"]) for each in shown["backorders"]] == [("o", 4)]
    text = holdfast(*words, "--history", cwd=server.data_dir).stdout
    assert "o waits for 4 at main, promised for 2030-01-15 (vip)" in text
    assert "backordered +4" in text.replace("\n", " ")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"mode": "maybe", "limit": 1}, "mode"),
        ({"mode": "backorder", "limit": -1}, "limit"),
        ({"mode": "backorder", "limit": 1, "promise_on": "soon"}, "promise_on"),
        ({"mode": "backorder"}, "limit"),
    ],
)
async def test_given_a_setting_that_cannot_be_then_it_is_refused(api: Api, body: dict[str, object], field: str) -> None:
    problem = (await api.put(SETTING, body)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


async def test_given_planned_lines_when_they_would_have_to_wait_then_that_is_refused_clearly(api: Api) -> None:
    await api.count("A", 1)
    problem = await api.post(
        "/v1/orders",
        {
            "channel": "web", "policy": "backorder", "lines": [{"sku": "A", "quantity": 2}],
            "sourcing": {"strategy": "most_stock"},
        },
    )  # fmt: skip
    assert problem.problem(400, "invalid")["errors"][0]["field"] == "policy"
    (await api.put("/v1/stock/Z/main/backorder", {"mode": "preorder", "limit": 0})).problem(422, "unknown_sku")
