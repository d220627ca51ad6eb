"""What is due now: holds that lapse next, deliveries, and whether the books agree."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)


async def today(api: Api, query: str = "") -> Any:
    return (await api.get(f"/v1/today{query}")).ok()


def days_from_now(days: int) -> str:
    return (datetime.now(UTC).date() + timedelta(days=days)).isoformat()


async def test_the_holds_that_lapse_first_come_first_and_ordered_ones_do_not_come(api: Api) -> None:
    await api.count("TEA", 50)
    for name, ttl_s in (("later", 600), ("soon", 300), ("much-later", 7200)):
        (await api.reserve("TEA", 2, name, ttl_s=ttl_s, order_ref=f"#{name}", flags=["vip"])).ok(201)
    (await api.post("/v1/orders", {"channel": "web", "lines": [{"sku": "TEA", "quantity": 1}]})).ok(201)

    due, all_day = await today(api), await today(api, "?within_s=86400")

    assert [each["reservation_id"] for each in due["lapsing"]] == ["soon", "later"]
    assert (due["lapsing_total"], all_day["lapsing_total"]) == (2, 3)
    first = due["lapsing"][0]
    assert (first["units"], first["order_ref"], first["flags"], first["channel"]) == (2, "#soon", ["vip"], "web")


async def test_deliveries_of_today_and_before_come_the_earliest_first(api: Api) -> None:
    for name, days in (("today", 0), ("late", -3), ("next", 2)):
        body = {"sku": "TEA", "location": "main", "quantity": 5, "expected_on": days_from_now(days)}
        (await api.put(f"/v1/supply/{name}", {**body, "allow_similar": True})).ok()

    due, ahead = await today(api), await today(api, "?days=2")

    assert [each["supply_id"] for each in due["deliveries"]] == ["late", "today"]
    assert [each["supply_id"] for each in ahead["deliveries"]] == ["late", "today", "next"]


async def test_a_list_is_short_and_its_total_is_not(api: Api) -> None:
    await api.count("TEA", 50)
    for number in range(5):
        (await api.reserve("TEA", 1, f"r{number}", ttl_s=300 + number)).ok(201)

    due = await today(api, "?limit=2")

    assert ([each["reservation_id"] for each in due["lapsing"]], due["lapsing_total"]) == (["r0", "r1"], 5)


async def test_the_books_are_unchecked_at_first_and_then_agree(start_server: Callable[..., Server]) -> None:
    unaudited = start_server(audit_interval_s=0)
    audited = start_server(audit_interval_s=0.2)
    async with opened(unaudited) as never, opened(audited) as api:
        await api.count("TEA", 5)
        unchecked = (await today(never))["books"]
        async with asyncio.timeout(60):
            while (books := (await today(api))["books"])["checked_at"] is None:
                await asyncio.sleep(0.05)

    assert unchecked == {"checked_at": None, "agree": False, "drift_units": 0}
    assert (books["agree"], books["drift_units"]) == (True, 0)


async def test_books_that_differ_are_said(start_server: Callable[..., Server]) -> None:
    server = start_server(audit_interval_s=0.2)
    async with opened(server) as api:
        await api.count("TEA", 5)
        (await api.post("/v1/orders", {"channel": "web", "lines": [{"sku": "TEA", "quantity": 2}]})).ok(201)
        with server.store() as store:
            store.hdel("hf:{default}:reservations", *store.hkeys("hf:{default}:reservations"))
        async with asyncio.timeout(60):
            while not (books := (await today(api))["books"])["drift_units"]:
                await asyncio.sleep(0.05)

    assert (books["agree"], books["drift_units"]) == (False, 2)
