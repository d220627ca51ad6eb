"""Locations are renamed and deleted: whatever names the old one finds the new one."""

from typing import Any

from server.domain.limits import DEFAULT_LOCATION
from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)


async def rename(api: Api, old: str, new: str) -> dict[str, Any]:
    done: dict[str, Any] = (await api.post(f"/v1/locations/{old}/rename", {"to": new})).ok()
    assert done.pop("done") is True
    return done


async def test_given_a_basket_when_its_location_is_renamed_then_all_that_is_asked_follows(api: Api) -> None:
    (await api.put("/v1/locations/depo", {"groups": ["shops"], "priority": 3})).ok()
    await api.count("S", 5, "depo")
    await api.count("S", 4)
    line = {"sku": "S", "quantity": 2, "location": "depo"}
    basket = {"reservation_id": "b", "channel": "web", "lines": [line]}
    first = (await api.post("/v1/reservations", basket)).ok(201)
    (await api.put("/v1/supply/d", {"sku": "S", "quantity": 3, "expected_on": "2030-01-01", "location": "depo"})).ok()
    (await api.put("/v1/replenishment/rules", {"rules": [{"sku": "S", "location": "depo", "reorder_point": 9}]})).ok()
    sent = {"transfer_id": "t", "from": "main", "to": "depo", "lines": [{"sku": "S", "quantity": 1}]}
    (await api.post("/v1/transfers", sent)).ok(201)

    assert await rename(api, "depo", "hub") == {"location": "depo", "to": "hub", "moved": 1}

    again = await api.post("/v1/reservations", basket)
    assert (again.headers["Idempotent-Replayed"], again.body) == ("true", first)
    committed = (await api.post("/v1/reservations/b/commit", {})).ok()
    assert committed["availability"][0]["location"] == "hub"
    for name in ("depo", "hub"):
        assert (await api.get(f"/v1/availability/S?location={name}")).ok()["available"] == 3
        days = (await api.get(f"/v1/atp/S?location={name}&from=2030-01-01&to=2030-01-02")).ok()["days"]
        assert days[-1]["projected"] == 6
        stock = (await api.get(f"/v1/stock/S?location={name}")).ok()
        assert [each["location"] for each in stock["levels"]] == ["hub"]
        assert [each["reservation_id"] for each in stock["holders"]] == ["b"]
        assert [each["transfer_id"] for each in stock["in_transit"]] == ["t"]
        location = (await api.get(f"/v1/locations/{name}")).ok()
        assert (location["location"], location["former_names"], location["priority"]) == ("hub", ["depo"], 3)
        assert "renaming" not in location
    assert [each["location"] for each in (await api.get("/v1/locations")).ok()["locations"]] == ["hub"]
    assert (await api.get("/v1/availability/S?group=shops")).ok()["available"] == 3
    [rule] = (await api.get("/v1/replenishment/rules")).ok()["rules"]
    assert (rule["sku"], rule["location"]) == ("S", "hub")
    [found] = (await api.get("/v1/replenishment?location=depo")).ok()["proposals"]
    assert (found["location"], found["incoming"]) == ("hub", 4)
    same = {"from": "depo", "to": "hub", "lines": [{"sku": "S", "quantity": 1}]}
    (await api.post("/v1/transfers", same)).problem(400, "invalid")
    (await api.put("/v1/locations/depo", {"open": False})).ok()
    (await api.post("/v1/reservations", {"channel": "web", "lines": [line]})).problem(409, "location_closed")
    assert (await api.get("/v1/locations/hub")).ok()["open"] is False
    assert await rename(api, "depo", "hub") == {"location": "depo", "to": "hub", "moved": 0}


async def test_given_a_name_that_cannot_be_taken_when_renamed_then_nothing_changes(api: Api) -> None:
    await api.count("S", 1, "a")
    await api.count("S", 2, "b")

    (await api.post("/v1/locations/a/rename", {"to": "b"})).problem(409, "name_taken")
    (await api.post("/v1/locations/a/rename", {"to": "a"})).problem(400, "invalid")
    (await api.post("/v1/locations/a/rename", {"to": "1E+12"})).problem(400, "invalid")
    (await api.post("/v1/locations/a/rename", {"to": "B"})).problem(422, "similar_name")
    (await api.post("/v1/locations/c/rename", {"to": "d"})).problem(404, "unknown_location")
    (await api.post(f"/v1/locations/{DEFAULT_LOCATION}/rename", {"to": "d"})).problem(400, "invalid")
    await rename(api, "a", "z")
    (await api.post("/v1/locations/z/rename", {"to": "a"})).problem(409, "name_cycle")
    assert (
        "called z" in (await api.post("/v1/locations/a/rename", {"to": "y"})).problem(409, "renamed_before")["detail"]
    )
    assert (await api.get("/v1/availability/S")).ok()["available"] == 3


async def test_given_a_location_when_deleted_then_only_where_nothing_is_in_the_way(api: Api) -> None:
    async def refused(words: str) -> None:
        detail = (await api.send("DELETE", "/v1/locations/depo")).problem(409, "location_in_use")["detail"]
        assert words in detail

    (await api.put("/v1/locations/depo", {"open": False})).ok()
    await api.count("S", 1, "depo")
    await refused("S has units")
    await api.count("S", 0, "depo")
    await refused("is known nowhere else")
    await api.count("S", 2)
    (await api.put("/v1/supply/d", {"sku": "S", "quantity": 1, "expected_on": "2030-01-01", "location": "depo"})).ok()
    await refused("a receipt of S is expected")
    (await api.send("DELETE", "/v1/supply/d")).ok()
    shipped = {"from": DEFAULT_LOCATION, "to": "depo", "lines": [{"sku": "S", "quantity": 1}], "transfer_id": "t"}
    (await api.post("/v1/transfers", shipped)).ok(201)
    await refused("in transit")
    (await api.post("/v1/transfers/t/receive", {})).ok()
    await refused("S has units")
    await api.count("S", 0, "depo")
    (await api.put("/v1/safety/rules", {"rules": [{"location": "depo", "units": 1}]})).ok()
    await rename(api, "depo", "hub")

    assert (await api.send("DELETE", "/v1/locations/depo")).ok() == {"location": "hub"}

    for name in ("depo", "hub"):
        (await api.get(f"/v1/locations/{name}")).problem(404, "unknown_location")
        (await api.send("DELETE", f"/v1/locations/{name}")).problem(404, "unknown_location")
    (await api.send("DELETE", f"/v1/locations/{DEFAULT_LOCATION}")).problem(400, "invalid")
    assert (await api.get("/v1/safety/rules")).ok()["rules"] == []
    assert (await api.get("/v1/availability/S")).ok()["locations"] == [{"location": DEFAULT_LOCATION, "available": 1}]
    (await api.put("/v1/locations/depo", {})).ok()
    await api.count("S", 4, "depo")
    line = {"sku": "S", "quantity": 4, "location": "depo"}
    (await api.post("/v1/reservations", {"channel": "web", "lines": [line]})).ok(201)
