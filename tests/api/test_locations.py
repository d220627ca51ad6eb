"""Locations over HTTP: describing them, reading them back, what a group has, and which are near."""

from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

KADIKOY = {"lat": 40.9904, "lon": 29.0292}
TAKSIM = {"lat": 41.0370, "lon": 28.9851}
ANKARA = {"lat": 39.9208, "lon": 32.8541}


async def describe(api: Api, name: str, **fields: object) -> Any:
    return (await api.put(f"/v1/locations/{name}", fields)).ok()


async def three_stores(api: Api) -> None:
    """Stock 1, 2 and 4 units of A in three stores, and 8 in a warehouse that is not registered."""
    await describe(api, "kadikoy", kind="store", position=KADIKOY, groups=["stores", "istanbul"])
    await describe(api, "taksim", kind="store", position=TAKSIM, groups=["stores", "istanbul"])
    await describe(api, "ankara", kind="store", position=ANKARA, groups=["stores"])
    for name, units in (("kadikoy", 1), ("taksim", 2), ("ankara", 4), ("main", 8)):
        await api.count("A", units, name)


async def test_given_a_registered_location_when_read_then_it_is_as_registered(api: Api) -> None:
    answer = await describe(
        api,
        "kadikoy",
        kind="store",
        position=KADIKOY,
        priority=5,
        footfall=900,
        groups=["stores", "istanbul", "stores"],
    )

    assert answer == {
        "location": "kadikoy",
        "kind": "store",
        "position": KADIKOY,
        "priority": 5,
        "footfall": 900,
        "open": True,
        "groups": ["istanbul", "stores"],
    }
    assert (await api.get("/v1/locations/kadikoy")).ok() == answer
    assert (await api.get("/v1/locations")).ok() == {"locations": [answer]}


async def test_given_a_location_when_registered_anew_then_what_is_left_out_goes_back(api: Api) -> None:
    await describe(api, "kadikoy", kind="store", priority=5)

    answer = await describe(api, "kadikoy", open=False)

    assert (answer["kind"], answer["priority"], answer["open"]) == ("warehouse", 0, False)


async def test_given_no_description_when_read_then_the_location_is_unknown(api: Api) -> None:
    (await api.get("/v1/locations/nowhere")).problem(404, "unknown_location")


@pytest.mark.parametrize(
    "body",
    [
        {"position": {"lat": 91, "lon": 0}},
        {"position": {"lat": 0, "lon": -181}},
        {"position": {"lat": 0}},
        {"kind": "shed"},
        {"footfall": -1},
        {"groups": ["a\nb"]},
        {"opened": True},
    ],
)
async def test_given_a_bad_description_when_put_then_it_is_invalid_and_nothing_is_kept(
    api: Api, body: dict[str, object]
) -> None:
    (await api.put("/v1/locations/kadikoy", body)).problem(400, "invalid")

    assert (await api.get("/v1/locations")).ok() == {"locations": []}


@pytest.mark.parametrize("not_a_number", [float("nan"), float("inf")])
async def test_given_no_number_as_a_position_when_put_then_it_is_invalid(api: Api, not_a_number: float) -> None:
    body = {"position": {"lat": not_a_number, "lon": 0.0}}

    (await api.put("/v1/locations/kadikoy", body, msgpack=True)).problem(400, "invalid")


async def test_given_stock_at_locations_that_are_not_registered_when_asked_for_then_they_come_too(api: Api) -> None:
    await three_stores(api)
    await api.count("B", 1, "Depo 7")

    async def come() -> bool:
        found = (await api.get("/v1/locations?unregistered=true")).ok()["locations"]
        named = [(each["location"], each.get("registered", True)) for each in found]
        wanted = [("Depo 7", False), ("ankara", True), ("kadikoy", True), ("main", False), ("taksim", True)]
        return named == wanted

    await wait_until(come, "all five are there, by name")
    assert len((await api.get("/v1/locations")).ok()["locations"]) == 3
    assert len((await api.get("/v1/locations?unregistered=false")).ok()["locations"]) == 3
    (await api.get("/v1/locations?unregistered=perhaps")).problem(400, "invalid")
    (await api.get("/v1/locations?colour=red")).problem(400, "invalid")


async def test_given_a_group_when_asked_what_is_available_then_only_its_open_locations_count(api: Api) -> None:
    await three_stores(api)

    everywhere = (await api.get("/v1/availability/A")).ok()
    istanbul = (await api.get("/v1/availability/A?group=istanbul")).ok()
    await describe(api, "taksim", kind="store", groups=["stores", "istanbul"], open=False)
    evening = (await api.get("/v1/availability/A?group=istanbul")).ok()

    assert (everywhere["available"], istanbul["available"], evening["available"]) == (15, 3, 1)
    assert evening["locations"] == [
        {"location": "kadikoy", "available": 1},
        {"location": "taksim", "available": 0},
    ]
    assert (await api.get("/v1/availability/A?location=taksim")).ok()["available"] == 0


async def test_given_a_group_when_a_location_closes_then_the_etag_changes_though_no_stock_moved(api: Api) -> None:
    await three_stores(api)
    tag = (await api.get("/v1/availability/A?group=stores")).headers["ETag"]
    headers = {"If-None-Match": tag}
    assert (await api.get("/v1/availability/A?group=stores", headers=headers)).status == 304

    await describe(api, "taksim", kind="store", groups=["stores"], open=False)

    assert (await api.get("/v1/availability/A?group=stores", headers=headers)).ok()["available"] == 5


async def test_given_many_skus_when_asked_by_group_then_each_counts_its_own(api: Api) -> None:
    await three_stores(api)
    await api.count("B", 3, "main")

    answer = (await api.post("/v1/availability/query", {"skus": ["A", "B", "C"], "group": "stores"})).ok()

    assert [(each["sku"], each["available"]) for each in answer["availability"]] == [("A", 7), ("B", 0)]
    assert answer["unknown"] == ["C"]


@pytest.mark.parametrize("query", ["group=nobody", "group=stores&location=main", "group="])
async def test_given_a_group_that_cannot_be_meant_when_asked_then_it_is_invalid(api: Api, query: str) -> None:
    await three_stores(api)

    (await api.get(f"/v1/availability/A?{query}")).problem(400, "invalid")


async def test_given_a_position_when_asked_who_has_it_then_the_nearest_open_location_comes_first(api: Api) -> None:
    await three_stores(api)
    await describe(api, "empty", kind="store", position=KADIKOY, groups=["stores"])
    await api.count("A", 0, "empty")
    await describe(api, "closed", kind="store", position=KADIKOY, open=False)
    await api.count("A", 9, "closed")

    near = (await api.get("/v1/availability/A/nearby?lat=40.9904&lon=29.0292")).ok()

    assert [(each["location"], each["available"]) for each in near["locations"]] == [
        ("kadikoy", 1), ("taksim", 2), ("ankara", 4),
    ]  # fmt: skip
    assert [round(each["distance_km"]) for each in near["locations"]] == [0, 6, 345]


async def test_given_a_group_and_a_limit_when_asked_who_has_it_then_both_hold(api: Api) -> None:
    await three_stores(api)
    where = "/v1/availability/A/nearby?lat=39.9&lon=32.8"

    one = (await api.get(f"{where}&limit=1")).ok()["locations"]
    istanbul = (await api.get(f"{where}&group=istanbul")).ok()["locations"]

    assert [each["location"] for each in one] == ["ankara"]
    assert [each["location"] for each in istanbul] == ["kadikoy", "taksim"]


@pytest.mark.parametrize("query", ["lat=40", "lat=40&lon=200", "lat=x&lon=1", "lat=1&lon=1&limit=0"])
async def test_given_no_position_when_asked_who_has_it_then_it_is_invalid(api: Api, query: str) -> None:
    await api.count("A", 1)

    (await api.get(f"/v1/availability/A/nearby?{query}")).problem(400, "invalid")


async def test_given_an_unknown_sku_when_asked_who_has_it_then_it_is_unknown(api: Api) -> None:
    (await api.get("/v1/availability/nothing/nearby?lat=1&lon=1")).problem(422, "unknown_sku")
