"""Available to promise by day, over HTTP: from what is there now and what is expected."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)


async def today(api: Api) -> date:
    """Read the store's day."""
    return date.fromisoformat((await api.get("/v1/supply?sku=A")).ok()["as_of"][:10])


async def expect(api: Api, name: str, quantity: int, on: date, location: str = "main") -> None:
    body = {"sku": "A", "quantity": quantity, "expected_on": on.isoformat(), "location": location}
    (await api.put(f"/v1/supply/{name}", body)).ok()


def shown(answer: Any) -> list[tuple[int, int]]:
    return [(each["projected"], each["promisable"]) for each in answer["days"]]


async def test_given_stock_and_supply_when_asked_by_day_then_each_counts_from_its_day(api: Api) -> None:
    now = await today(api)
    await api.count("A", 5)
    (await api.reserve("A", 2)).ok(201)
    await expect(api, "late", 100, now - timedelta(days=1))
    await expect(api, "soon", 10, now + timedelta(days=2))
    answer = (await api.get(f"/v1/atp/A?to={now + timedelta(days=3)}")).ok()
    assert (answer["sku"], answer["available"], answer["late"]) == ("A", 3, 100)
    assert [each["on"] for each in answer["days"]] == [str(now + timedelta(days=n)) for n in range(4)]
    assert shown(answer) == [(3, 3), (3, 3), (13, 13), (13, 13)]


async def test_given_late_supply_when_it_is_received_then_it_counts(api: Api) -> None:
    now = await today(api)
    await expect(api, "late", 100, now - timedelta(days=1))
    assert shown((await api.get(f"/v1/atp/A?to={now}")).ok()) == [(0, 0)]
    movement = {"kind": "receive", "sku": "A", "quantity": 40, "supply_id": "late"}
    (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()
    answer = (await api.get(f"/v1/atp/A?to={now}")).ok()
    assert (shown(answer), answer["late"]) == ([(40, 40)], 60)


async def test_given_a_shortage_when_asked_by_day_then_a_receipt_first_makes_up_for_it(api: Api) -> None:
    now = await today(api)
    await api.count("A", 1)
    order = {"channel": "web", "lines": [{"sku": "A", "quantity": 4}], "on_shortage": "accept"}
    (await api.post("/v1/orders", order)).ok(201)
    await expect(api, "soon", 10, now + timedelta(days=1))
    assert shown((await api.get(f"/v1/atp/A?to={now + timedelta(days=1)}")).ok()) == [(-3, 0), (7, 7)]


async def test_given_a_location_when_asked_by_day_then_only_its_units_count(api: Api) -> None:
    now = await today(api)
    await api.count("A", 5)
    await expect(api, "there", 10, now, "depo")
    assert shown((await api.get(f"/v1/atp/A?to={now}&location=depo")).ok()) == [(10, 10)]
    assert shown((await api.get(f"/v1/atp/A?to={now}&location=main")).ok()) == [(5, 5)]
    (await api.get("/v1/atp/A?location=nowhere")).problem(422, "unknown_sku")


async def test_given_no_days_when_asked_then_thirty_are_returned_and_180_can_be(api: Api) -> None:
    now = await today(api)
    await api.count("A", 5)
    assert len((await api.get("/v1/atp/A")).ok()["days"]) == 30
    assert len((await api.get(f"/v1/atp/A?to={now + timedelta(days=179)}")).ok()["days"]) == 180
    (await api.get("/v1/atp/nobody")).problem(422, "unknown_sku")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2020-01-01", "from"),
        ("from=9999-12-30", "from"),
        ("from=2999-01-02&to=2999-01-01", "to"),
        ("from=2999-01-01&to=2999-06-30", "to"),
        ("from=soon", "from"),
        ("to=null", "to"),
        ("days=4", "days"),
    ],
)
async def test_given_days_that_cannot_be_projected_when_asked_for_then_the_field_is_named(
    api: Api, query: str, field: str
) -> None:
    assert (await api.get(f"/v1/atp/A?{query}")).problem(400, "invalid")["errors"][0]["field"] == field
