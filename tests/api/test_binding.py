"""Late binding and split lines over HTTP."""

from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

KADIKOY = {"lat": 40.9904, "lon": 29.0292}
ANKARA = {"lat": 39.9208, "lon": 32.8541}
LATE = {"strategy": "most_stock", "group": "stores", "binding": "late"}
NEAR_ANKARA = {"strategy": "nearest", "position": ANKARA}


async def two_stores(api: Api, *, kadikoy: int = 5, ankara: int = 3) -> None:
    for name, position, units in (("kadikoy", KADIKOY, kadikoy), ("ankara", ANKARA, ankara)):
        await api.count("A", units, name)
        (await api.put(f"/v1/locations/{name}", {"position": position, "groups": ["stores"]})).ok()
    # Nearer than either, but not of the group.
    await api.count("A", 9, "depo")
    (await api.put("/v1/locations/depo", {"position": ANKARA, "groups": ["warehouses"]})).ok()


async def held(api: Api, quantity: int = 2, **sourcing: object) -> Any:
    body = {
        "reservation_id": "r-1", "channel": "web", "lines": [{"sku": "A", "quantity": quantity}],
        "sourcing": {**LATE, **sourcing},
    }  # fmt: skip
    return (await api.post("/v1/reservations", body)).ok(201)


def where(reservation: Any) -> dict[str, int]:
    lines = reservation["lines"]
    return {x["location"]: x["held"] + x["committed"] for x in lines if x["held"] + x["committed"]}


async def commit(api: Api, **body: object) -> Any:
    return await api.post("/v1/reservations/r-1/commit", body)


async def test_given_a_late_hold_when_read_then_it_says_where_it_lies_and_that_it_is_open(api: Api) -> None:
    await two_stores(api)
    made = await held(api)

    read = (await api.get("/v1/reservations/r-1")).ok()

    assert where(made) == where(read) == {"kadikoy": 2}
    assert made["open"] == read["open"] == {"group": "stores", "lines": [1]}


async def test_given_an_address_when_committed_then_it_is_bound_near_it_within_the_group(api: Api) -> None:
    await two_stores(api)
    await held(api)

    answer = (await commit(api, sourcing=NEAR_ANKARA)).ok()

    assert where(answer) == {"ankara": 2}
    assert "open" not in answer
    assert "open" not in (await api.get("/v1/reservations/r-1")).ok()
    assert (await api.get("/v1/availability/A?location=kadikoy")).ok()["available"] == 5


async def test_given_too_little_near_the_address_when_committed_then_it_stays_where_it_is_held(api: Api) -> None:
    await two_stores(api, ankara=1)
    await held(api)

    assert where((await commit(api, sourcing=NEAR_ANKARA)).ok()) == {"kadikoy": 2}


async def test_given_lines_that_may_be_split_when_bound_then_they_are(api: Api) -> None:
    await two_stores(api, kadikoy=5, ankara=1)
    await held(api)
    (await api.put("/v1/locations/third", {"position": KADIKOY, "groups": ["stores"]})).ok()
    await api.count("A", 1, "third")
    (await api.put("/v1/locations/kadikoy", {"position": KADIKOY, "groups": ["stores"], "open": False})).ok()

    answer = (await commit(api, sourcing={**NEAR_ANKARA, "split_lines": True})).ok()

    assert where(answer) == {"ankara": 1, "third": 1}


async def test_given_a_store_that_ships_when_fulfilled_from_there_then_the_units_leave_it(api: Api) -> None:
    await two_stores(api)
    await held(api)
    assert (await commit(api)).ok()["open"] == {"group": "stores", "lines": [1]}

    shipped = (await api.post("/v1/reservations/r-1/fulfil", {"location": "ankara", "tracking": "T-1"})).ok()

    assert shipped["state"] == "fulfilled"
    levels = {each["location"]: each for each in (await api.get("/v1/stock/A")).ok()["levels"]}
    assert (levels["ankara"]["on_hand"], levels["kadikoy"]["on_hand"]) == (1, 5)


async def test_given_a_store_that_cannot_when_named_then_it_is_refused_and_nothing_changes(api: Api) -> None:
    await two_stores(api, ankara=1)
    before = await held(api)
    (await api.put("/v1/locations/shut", {"open": False})).ok()

    short = (await commit(api, location="ankara")).problem(409, "out_of_stock")
    (await commit(api, location="shut")).problem(409, "location_closed")
    (await commit(api, location="nowhere")).problem(422, "unknown_sku")

    assert short["lines"] == [{"line": 1, "sku": "A", "location": "ankara", "requested": 2, "available": 1}]
    assert (await api.get("/v1/reservations/r-1")).ok()["lines"] == before["lines"]


async def test_given_a_reservation_that_is_not_open_when_a_location_is_named_then_it_is_refused(api: Api) -> None:
    await two_stores(api)
    line = {"sku": "A", "quantity": 1, "location": "kadikoy"}
    (await api.post("/v1/reservations", {"reservation_id": "r-1", "channel": "web", "lines": [line]})).ok(201)

    (await commit(api, location="ankara")).problem(409, "not_open")

    assert where((await commit(api, sourcing=NEAR_ANKARA)).ok()) == {"kadikoy": 1}


async def test_given_a_key_when_a_bound_commit_is_sent_again_then_it_is_replayed(api: Api) -> None:
    await two_stores(api)
    await held(api)
    key = {"Idempotency-Key": "c-1"}
    first = await api.post("/v1/reservations/r-1/commit", {"sourcing": NEAR_ANKARA}, headers=key)

    again = await api.post("/v1/reservations/r-1/commit", {"sourcing": NEAR_ANKARA}, headers=key)

    assert again.ok() == first.ok()
    assert again.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"location": "a", "sourcing": NEAR_ANKARA}, "location"),
        ({"location": "a\nb"}, "location"),
        ({"sourcing": {"strategy": "nearest"}}, "sourcing.position"),
        ({"sourcing": LATE}, "sourcing.binding"),
    ],
)
@pytest.mark.parametrize("operation", ["commit", "fulfil"])
async def test_given_an_address_that_breaks_a_rule_when_sent_then_the_field_is_named(
    api: Api, operation: str, body: dict[str, Any], field: str
) -> None:
    problem = (await api.post(f"/v1/reservations/r-1/{operation}", body)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


async def test_given_no_store_with_all_units_when_lines_may_be_split_then_the_answer_and_explain_say_so(
    api: Api,
) -> None:
    await two_stores(api, kadikoy=2, ankara=1)
    lines = [{"sku": "A", "quantity": 3}]
    sourcing = {"strategy": "nearest", "position": ANKARA, "group": "stores"}
    asked = {"lines": lines, "sourcing": {**sourcing, "split_lines": True}}

    explained = (await api.post("/v1/sourcing/explain", asked)).ok()
    without = (await api.post("/v1/sourcing/explain", {"lines": lines, "sourcing": sourcing})).ok()
    (await api.post("/v1/orders", {"channel": "web", "lines": lines, "sourcing": sourcing})).problem(
        409, "out_of_stock"
    )
    made = (await api.post("/v1/orders", {"channel": "web", **asked})).ok(201)

    assert explained["outcome"] == "chosen"
    assert explained["lines"] == [
        {
            "line": 1, "sku": "A", "quantity": 3, "location": "kadikoy",
            "parts": [{"location": "kadikoy", "quantity": 2}, {"location": "ankara", "quantity": 1}],
        }
    ]  # fmt: skip
    assert [each["chosen"] for each in explained["candidates"]] == [True, True]
    assert without["outcome"] == "out_of_stock"
    assert where(made) == {"kadikoy": 2, "ankara": 1}
