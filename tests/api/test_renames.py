"""SKUs are renamed and deleted: whatever names the old one finds the new one."""

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)


async def test_given_a_basket_when_its_sku_is_renamed_then_all_that_is_asked_follows(api: Api) -> None:
    await api.count("OLD", 5)
    (await api.put("/v1/skus/OLD", {"category": "mugs"})).ok()
    (await api.put("/v1/barcodes", {"barcodes": [{"barcode": "1", "sku": "OLD"}]})).ok()
    basket = {"reservation_id": "b", "channel": "web", "lines": [{"sku": "OLD", "quantity": 2}]}
    first = (await api.post("/v1/reservations", basket)).ok(201)

    renamed = (await api.post("/v1/skus/OLD/rename", {"to": "NEW"})).ok()
    again = await api.post("/v1/reservations", basket)
    committed = (await api.post("/v1/reservations/b/commit", {})).ok()

    assert renamed == {"sku": "OLD", "to": "NEW"}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.body == first
    assert committed["availability"][0]["sku"] == "NEW"
    assert await api.available("NEW") == await api.available("OLD") == 3
    assert (await api.get("/v1/skus/OLD")).ok() == {
        "sku": "NEW", "category": "mugs", "tracked": True, "former_names": ["OLD"],
    }  # fmt: skip
    assert (await api.get("/v1/barcodes/1")).ok()["sku"] == "NEW"
    stock = (await api.get("/v1/stock/NEW")).ok()
    assert [(each["reservation_id"], each["committed"]) for each in stock["holders"]] == [("b", 2)]
    assert (await api.get("/v1/stock/OLD")).ok()["levels"] == stock["levels"]
    assert len((await api.get("/v1/reservations?sku=NEW")).ok()["reservations"]) == 1
    assert len((await api.get("/v1/reservations?sku=OLD")).ok()["reservations"]) == 1
    assert (await api.post("/v1/skus/OLD/rename", {"to": "NEW"})).ok() == renamed


async def test_given_a_name_that_cannot_be_taken_when_renamed_then_nothing_changes(api: Api) -> None:
    await api.count("A", 1)
    await api.count("B", 1)

    (await api.post("/v1/skus/A/rename", {"to": "B"})).problem(409, "name_taken")
    (await api.post("/v1/skus/A/rename", {"to": "A"})).problem(400, "invalid")
    (await api.post("/v1/skus/A/rename", {"to": "1E+12"})).problem(400, "invalid")
    (await api.post("/v1/skus/C/rename", {"to": "D"})).problem(422, "unknown_sku")
    (await api.post("/v1/skus/A/rename", {"to": "Z"})).ok()
    (await api.post("/v1/skus/Z/rename", {"to": "A"})).problem(409, "name_cycle")
    (await api.post("/v1/skus/A/rename", {"to": "Y"})).problem(409, "renamed_before")
    assert await api.available("Z") == 1


async def test_given_a_sku_when_deleted_then_only_where_it_is_empty_and_unpromised(api: Api) -> None:
    await api.count("S", 1)
    assert "main" in (await api.send("DELETE", "/v1/skus/S")).problem(409, "sku_in_use")["detail"]
    await api.count("S", 0)
    (await api.put("/v1/supply/d", {"sku": "S", "quantity": 1, "expected_on": "2030-01-01"})).ok()
    (await api.send("DELETE", "/v1/skus/S")).problem(409, "sku_in_use")
    (await api.send("DELETE", "/v1/supply/d")).ok()
    (await api.post("/v1/skus/S/rename", {"to": "T"})).ok()

    assert (await api.send("DELETE", "/v1/skus/T")).ok() == {"sku": "T"}

    (await api.get("/v1/availability/T")).problem(422, "unknown_sku")
    (await api.get("/v1/availability/S")).problem(422, "unknown_sku")
    (await api.send("DELETE", "/v1/skus/T")).problem(422, "unknown_sku")
    await api.count("S", 2)
    assert await api.available("S") == 2
