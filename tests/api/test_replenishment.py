"""Rules, proposals and events over HTTP, from what a real process has counted."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.store.audit.audit import audit
from server.store.connection.connect import client, connection_pool
from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

RULES = "/v1/replenishment/rules"


@pytest.fixture
def api(counted_api: Api) -> Api:
    return counted_api


async def set_rules(api: Api, *rules: dict[str, object]) -> Any:
    return (await api.put(RULES, {"rules": list(rules)})).ok()


async def order(api: Api, sku: str, quantity: int, **fields: object) -> None:
    body = {"channel": "web", "lines": [{"sku": sku, "quantity": quantity}], **fields}
    (await api.post("/v1/orders", body)).ok(201)


async def events_until(api: Api, *expected: tuple[str, int]) -> Any:
    """Wait until these and no other events were raised: (type, available)."""
    answer: Any = None

    async def is_raised() -> bool:
        nonlocal answer
        answer = (await api.get("/v1/events")).ok()
        return len(answer["events"]) >= len(expected)

    await wait_until(is_raised, f"{expected} were raised")
    assert [(each["type"], each["available"]) for each in answer["events"]] == list(expected)
    return answer


async def test_given_a_rule_when_stock_falls_step_by_step_then_each_line_is_reported_once(
    api: Api, counting_server: Server
) -> None:
    await set_rules(api, {"sku": "A", "reorder_point": 5, "target": 20})
    await api.count("A", 10)
    for units in (5, 1, 4):
        await order(api, "A", units)
    await order(api, "A", 2, on_shortage="accept")
    await api.count("A", 20)

    answer = await events_until(
        api, ("stock.back", 10), ("stock.low", 5), ("stock.out", 0), ("shortage.opened", -2), ("stock.back", 8)
    )

    assert {(each["sku"], each["location"]) for each in answer["events"]} == {("A", "main")}
    assert [each["reorder_point"] for each in answer["events"]] == [5] * 5
    pool = connection_pool(f"unix://{counting_server.data_dir}/store.sock")
    report = await audit(client(pool), Keyspace(api.partition))
    await pool.aclose()
    assert (report.drift_count, report.conclusive) == (0, True)


async def test_given_a_place_beyond_the_last_event_when_read_then_the_next_is_the_last_event(api: Api) -> None:
    await api.count("A", 1)
    answer = await events_until(api, ("stock.back", 1))
    beyond = (await api.get("/v1/events?after=9999999999999-0")).ok()
    assert (beyond["events"], beyond["next"]) == ([], answer["next"])


async def test_given_events_that_were_read_when_reading_on_then_only_newer_ones_come(api: Api) -> None:
    await api.count("A", 1)
    first = await events_until(api, ("stock.back", 1))
    assert (await api.get(f"/v1/events?after={first['next']}")).ok() == {"events": [], "next": first["next"]}

    await order(api, "A", 1)
    await events_until(api, ("stock.back", 1), ("stock.out", 0))

    newer = (await api.get(f"/v1/events?after={first['next']}")).ok()
    assert [each["type"] for each in newer["events"]] == ["stock.out"]


async def test_given_a_killed_server_when_it_is_back_then_no_event_is_missing_or_raised_twice(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(figures_interval_s=0.02)
    async with opened(server) as api:
        await api.count("A", 3)
        for _ in range(3):
            await order(api, "A", 1)
    server.kill()
    server.start()

    async with opened(server) as api:
        await api.count("A", 9)
        await events_until(api, ("stock.back", 3), ("stock.out", 0), ("stock.back", 6))


async def test_given_rules_when_one_is_removed_then_the_others_stay(api: Api) -> None:
    await api.count("A", 1, location="shop")
    set_now = await set_rules(api, {"sku": "A", "target": 5}, {"location": "shop", "cover_days": 3})
    assert [(each["sku"], each["location"]) for each in set_now["rules"]] == [(None, "shop"), ("A", None)]

    await set_rules(api, {"sku": "A", "remove": True})

    assert [(each["sku"], each["location"]) for each in (await api.get(RULES)).ok()["rules"]] == [(None, "shop")]


async def test_given_rules_when_asked_what_to_order_then_the_most_urgent_comes_first(api: Api) -> None:
    await set_rules(api, {"reorder_point": 5, "target": 20})
    for sku, units in (("A", 4), ("B", 6), ("C", 0)):
        await api.count(sku, units)

    answer = (await api.get("/v1/replenishment")).ok()

    assert [(each["sku"], each["quantity"]) for each in answer["proposals"]] == [("C", 20), ("A", 16)]
    assert answer["proposals_total"] == 2
    [only] = (await api.get("/v1/replenishment?sku=A&location=main")).ok()["proposals"]
    assert only["available"] == 4


async def test_given_more_to_order_than_a_page_when_read_on_then_each_comes_once_in_order(api: Api) -> None:
    await set_rules(api, {"reorder_point": 5, "target": 20})
    for n in range(7):
        await api.count(f"S{n}", n % 3)
    whole = (await api.get("/v1/replenishment")).ok()
    found, after = [], ""
    while True:
        page = (await api.get(f"/v1/replenishment?limit=3&after={after}")).ok()
        found += page["proposals"]
        assert page["proposals_total"] == 7
        after = page["next"]
        if not after:
            break
    assert (found, whole["next"]) == (whole["proposals"], "")
    (await api.get("/v1/replenishment?after=x")).problem(400, "invalid")


async def test_given_units_on_their_way_when_asked_what_to_order_then_they_are_taken_off_unless_they_are_late(
    api: Api,
) -> None:
    await set_rules(api, {"reorder_point": 5, "target": 20})
    await api.count("A", 2)
    await api.count("A", 30, location="warehouse")
    await api.count("B", 1)
    today = datetime.now(UTC).date()
    for supply_id, sku, units, on in (
        ("po-1", "A", 6, today + timedelta(days=9)),
        ("po-2", "A", 50, today - timedelta(days=2)),
        ("po-3", "B", 5, today + timedelta(days=1)),
    ):
        body = {"sku": sku, "location": "main", "quantity": units, "expected_on": str(on)}
        (await api.put(f"/v1/supply/{supply_id}", body)).ok()
    sent = {"from": "warehouse", "to": "main", "lines": [{"sku": "A", "quantity": 7}]}
    (await api.post("/v1/transfers", sent)).ok(201)

    found = (await api.get("/v1/replenishment")).ok()["proposals"]

    assert found == [], "what comes is enough to wait with the next order"
    await set_rules(api, {"reorder_point": 15, "target": 20})
    found = (await api.get("/v1/replenishment?location=main")).ok()["proposals"]
    assert [(each["sku"], each["available"], each["incoming"], each["quantity"]) for each in found] == [
        ("B", 1, 5, 14),
        ("A", 2, 13, 5),
    ]


async def test_given_no_rule_then_nothing_is_proposed(api: Api) -> None:
    await api.count("A", 0)

    assert (await api.get("/v1/replenishment")).ok() == {"proposals": [], "proposals_total": 0, "next": ""}


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"reorder_point": -1}, "rules[0].reorder_point"),
        ({"lead_time_days": 1000}, "rules[0].lead_time_days"),
        ({"sku": ""}, "rules[0].sku"),
        ({"location": "a\nb"}, "rules[0].location"),
        ({"colour": "red"}, "rules[0].colour"),
    ],
)
async def test_given_a_rule_that_cannot_be_then_it_is_refused_and_nothing_changed(
    api: Api, rule: dict[str, object], field: str
) -> None:
    problem = (await api.put(RULES, {"rules": [rule]})).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field
    assert (await api.get(RULES)).ok() == {"rules": []}


async def test_given_a_place_among_the_events_that_is_none_then_it_is_refused(api: Api) -> None:
    (await api.get("/v1/events?after=yesterday")).problem(400, "invalid")


async def test_given_a_sku_without_stock_when_a_rule_names_it_then_the_answer_says_so(api: Api) -> None:
    await api.count("KNOWN", 1)
    await api.count("OLD", 1)
    (await api.post("/v1/skus/OLD/rename", {"to": "NEW"})).ok()

    named: list[dict[str, object]] = [{"sku": sku, "reorder_point": 1} for sku in ("KNOWN", "KNWON", "OLD", "NEW")]
    put = await set_rules(api, *named, {"reorder_point": 2})
    removed = await set_rules(api, {"sku": "KNWON", "remove": True})

    assert put["unknown_skus"] == ["KNWON"]
    assert len(put["rules"]) == 5, "it is kept: its rule applies once it has stock"
    assert removed == {"rules": []}
