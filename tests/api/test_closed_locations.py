"""A location that is closed does not count in what is shown, from the moment on that it is closed."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)


async def describe(api: Api, name: str, **fields: object) -> None:
    (await api.put(f"/v1/locations/{name}", fields)).ok()


async def close(api: Api, name: str = "store", **fields: object) -> None:
    await describe(api, name, open=False, **fields)


async def shown(api: Api, sku: str = "A", query: str = "") -> tuple[int, dict[str, int]]:
    """Return what is available of a SKU in all, and at each location."""
    answer = (await api.get(f"/v1/availability/{sku}{query}")).ok()
    return answer["available"], {each["location"]: each["available"] for each in answer["locations"]}


async def test_given_5_at_a_store_when_it_is_closed_then_none_is_available_and_none_can_be_ordered(api: Api) -> None:
    await api.count("A", 5, "store")
    await describe(api, "store")
    assert await shown(api) == (5, {"store": 5})

    await close(api)

    assert await shown(api) == (0, {"store": 0})
    assert await shown(api, query="?location=store") == (0, {"store": 0})
    atp = (await api.get("/v1/atp/A")).ok()
    assert (atp["available"], {each["promisable"] for each in atp["days"]}) == (0, {0})
    line = {"sku": "A", "quantity": 1, "location": "store"}
    (await api.post("/v1/orders", {"channel": "web", "lines": [line]})).problem(409, "location_closed")


async def test_given_a_closed_store_when_it_opens_again_then_every_number_is_back(api: Api) -> None:
    await api.count("A", 5, "store")
    await close(api)

    await describe(api, "store", open=True)

    assert await shown(api) == (5, {"store": 5})
    atp = (await api.get("/v1/atp/A")).ok()
    assert (atp["available"], atp["days"][0]["promisable"]) == (5, 5)


async def test_given_a_shortage_at_a_store_when_it_is_closed_then_it_takes_nothing_from_the_others(api: Api) -> None:
    await api.count("A", 3, "main")
    await api.count("A", 0, "store")
    line = {"sku": "A", "quantity": 2, "location": "store"}
    (await api.post("/v1/orders", {"channel": "web", "lines": [line], "on_shortage": "accept"})).ok(201)
    assert await shown(api) == (1, {"main": 3, "store": -2})

    await close(api)

    assert await shown(api) == (3, {"main": 3, "store": 0})


async def test_given_many_skus_when_asked_for_a_channel_then_a_closed_store_counts_in_none(api: Api) -> None:
    for sku, here, there in (("A", 5, 2), ("B", 1, 0), ("C", 0, 7)):
        await api.count(sku, here, "store")
        await api.count(sku, there, "main")
    await close(api)

    body = {"skus": ["A", "B", "C"], "channel": "shop"}
    answer = (await api.post("/v1/availability/query", body)).ok()["availability"]

    assert [each["available"] for each in answer] == [2, 0, 7]


async def test_given_a_location_that_nobody_registered_when_another_is_closed_then_it_still_counts(api: Api) -> None:
    await api.count("A", 2, "depot")
    await api.count("A", 5, "store")

    await close(api)

    assert await shown(api) == (2, {"depot": 2, "store": 0})


@pytest.mark.parametrize("query", ["", "?location=store", "?channel=shop"])
async def test_given_an_etag_when_a_store_closes_or_opens_then_the_new_number_comes_at_once(
    api: Api, query: str
) -> None:
    await api.count("A", 5, "store")
    path = f"/v1/availability/A{query}"

    async def changed(tag: str) -> tuple[int, str]:
        answer = await api.get(path, headers={"If-None-Match": tag})
        return answer.ok()["available"], answer.headers["ETag"]

    first = (await api.get(path)).headers["ETag"]
    await close(api)
    units, second = await changed(first)
    assert (await api.get(path, headers={"If-None-Match": second})).status == 304
    await describe(api, "store", open=True)
    again, third = await changed(second)

    assert (units, again) == (0, 5)
    assert len({first, second, third}) == 3


async def test_given_two_answers_with_one_seq_when_compared_then_the_greater_locations_version_is_newer(
    api: Api,
) -> None:
    await api.count("A", 5, "store")
    before = (await api.get("/v1/availability/A")).ok()

    await close(api)

    after = (await api.get("/v1/availability/A")).ok()
    assert after["seq"] == before["seq"]
    assert after["locations_version"] > before.get("locations_version", 0)


async def test_given_a_hold_at_a_store_when_it_is_released_after_closing_then_the_answer_shows_nothing(
    api: Api,
) -> None:
    await api.count("A", 5, "store")
    line = {"sku": "A", "quantity": 2, "location": "store"}
    (await api.post("/v1/reservations", {"reservation_id": "r1", "channel": "web", "lines": [line]})).ok(201)
    await close(api)

    released = (await api.post("/v1/reservations/r1/release", {})).ok()

    assert [each["available"] for each in released["availability"]] == [0]
    await describe(api, "store", open=True)
    assert await shown(api) == (5, {"store": 5})


async def test_given_a_closed_store_when_its_stock_is_read_then_the_buckets_stay_and_it_says_why(api: Api) -> None:
    await api.count("A", 5, "store")
    await api.count("A", 2, "main")
    await close(api)

    stock = (await api.get("/v1/stock/A")).ok()

    levels = {each["location"]: each for each in stock["levels"]}
    assert stock["available"] == 2
    assert (levels["store"]["on_hand"], levels["store"]["available"], levels["store"]["closed"]) == (5, 0, True)
    assert levels["store"]["because"].startswith("available 0: the location is closed; open, available 5 = on_hand 5")
    assert "closed" not in levels["main"]


async def test_given_receipts_and_backorders_at_a_closed_store_when_asked_by_day_then_none_of_them_counts(
    api: Api,
) -> None:
    today = date.fromisoformat((await api.get("/v1/supply?sku=A")).ok()["as_of"][:10])

    async def expect(name: str, units: int, location: str) -> None:
        on = (today + timedelta(days=1)).isoformat()
        body = {"sku": "A", "quantity": units, "expected_on": on, "location": location}
        (await api.put(f"/v1/supply/{name}", body)).ok()

    async def promisable() -> Any:
        answer = (await api.get(f"/v1/atp/A?to={today + timedelta(days=1)}")).ok()
        return answer["available"], [each["promisable"] for each in answer["days"]]

    await api.count("A", 4, "main")
    await expect("here", 10, "main")
    await expect("there", 100, "store")
    assert await promisable() == (4, [4, 114])

    await close(api)

    assert await promisable() == (4, [4, 14])
    assert len((await api.get("/v1/supply?sku=A")).ok()["supply"]) == 2


async def test_given_a_closed_store_nearby_when_asked_who_has_it_then_it_is_left_out_at_once(api: Api) -> None:
    position = {"lat": 40.99, "lon": 29.03}
    for name in ("store", "other"):
        await describe(api, name, position=position)
        await api.count("A", 3, name)

    await close(api, position=position)

    near = (await api.get("/v1/availability/A/nearby?lat=40.99&lon=29.03")).ok()["locations"]
    assert [each["location"] for each in near] == ["other"]
