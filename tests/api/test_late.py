"""What comes late over HTTP: a cancel before its order, and a count that was made earlier."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

LINES = [{"sku": "A", "quantity": 2}]


async def stocked(api: Api, units: int = 5) -> None:
    await api.put("/v1/stock/A/main", {"on_hand": units})


@pytest.mark.parametrize("verb", ["cancel", "release"])
async def test_given_an_unknown_id_when_it_is_to_be_remembered_then_202_and_the_order_takes_nothing(
    api: Api, verb: str
) -> None:
    await stocked(api)
    path = f"/v1/reservations/web-1/{verb}"
    assert (await api.post(path, {})).status == 404
    first = await api.post(path, {"on_unknown": "remember"}, headers={"Idempotency-Key": "k"})
    assert (first.status, first.body["state"], first.body["lines"]) == (202, "cancelled", [])
    again = await api.post(path, {"on_unknown": "remember"}, headers={"Idempotency-Key": "k"})
    assert (again.status, again.headers["Idempotent-Replayed"], again.body) == (202, "true", first.body)
    made = await api.post("/v1/orders", {"reservation_id": "web-1", "channel": "shop", "lines": LINES})
    assert (made.status, made.body["state"], made.body["lines"][0]["quantity"]) == (201, "cancelled", 0)
    assert (await api.get("/v1/availability/A")).body["available"] == 5
    shown = await api.get("/v1/reservations/web-1")
    assert (shown.status, shown.body["state"], shown.body["lines"][0]["requested"]) == (200, "cancelled", 2)
    listed = await api.get("/v1/reservations?state=cancelled")
    assert [each["reservation_id"] for each in listed.body["reservations"]] == ["web-1"]


async def test_given_parts_when_they_are_to_be_remembered_then_the_body_is_refused(api: Api) -> None:
    body = {"on_unknown": "remember", "lines": [{"line": 1, "quantity": 1}]}
    refused = await api.post("/v1/reservations/web-1/cancel", body)
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, "lines")


async def test_given_a_batch_when_one_of_it_was_cancelled_before_then_its_result_says_so(api: Api) -> None:
    await stocked(api)
    await api.post("/v1/reservations/b-1/cancel", {"on_unknown": "remember"})
    bodies = [{"reservation_id": f"b-{number}", "channel": "shop", "lines": LINES} for number in (1, 2)]
    found = await api.post("/v1/reservations/batch", {"reservations": bodies})
    assert [(each["status"], each["outcome"]) for each in found.body["results"]] == [(201, "cancelled"), (201, "held")]


async def test_given_counts_with_a_time_when_sent_then_each_holds_as_of_then(api: Api) -> None:
    await stocked(api)
    await asyncio.sleep(0.02)
    counted_at = datetime.now(UTC)
    await asyncio.sleep(0.02)
    await api.post("/v1/stock/movements", {"movements": [{"kind": "receive", "sku": "A", "quantity": 4}]})
    body = {"on_hand": 6, "counted_at": counted_at.astimezone().isoformat()}
    assert (await api.put("/v1/stock/A/main", body)).body["on_hand"] == 10
    older = {"kind": "count", "sku": "A", "on_hand": 1, "counted_at": (counted_at - timedelta(hours=1)).isoformat()}
    ahead = {"kind": "count", "sku": "A", "on_hand": 1, "counted_at": (counted_at + timedelta(hours=1)).isoformat()}
    found = await api.post("/v1/stock/movements", {"movements": [older, ahead]})
    assert [each["outcome"] for each in found.body["results"]] == ["counted_since", "ahead_of_clock"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"on_hand": 1, "counted_at": "2026-12-01T09:30:00"}, "counted_at"),
        ({"on_hand": 1, "counted_at": "yesterday"}, "counted_at"),
        ({"on_hand": 1, "counted_at": "2026-12-01T09:30:00Z", "baseline_seq": 1}, "counted_at"),
    ],
)
async def test_given_a_time_that_says_too_little_or_too_much_when_sent_then_it_is_refused(
    api: Api, body: dict[str, object], field: str
) -> None:
    refused = await api.put("/v1/stock/A/main", body)
    assert (refused.status, refused.body["errors"][0]["field"]) == (400, field)
