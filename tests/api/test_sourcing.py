"""Sourcing over HTTP: a body that lets the store choose, closed locations, and a choice explained."""

from typing import Any

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

KADIKOY = {"lat": 40.9904, "lon": 29.0292}
TAKSIM = {"lat": 41.0370, "lon": 28.9851}
ANKARA = {"lat": 39.9208, "lon": 32.8541}
NEAR_KADIKOY = {"strategy": "nearest", "position": KADIKOY}


async def describe(api: Api, name: str, **fields: object) -> None:
    (await api.put(f"/v1/locations/{name}", fields)).ok()


async def three_stores(api: Api) -> None:
    """Stock A in three stores: more the further away from Kadıköy."""
    await describe(api, "kadikoy", kind="store", position=KADIKOY, footfall=900, groups=["stores", "istanbul"])
    await describe(api, "taksim", kind="store", position=TAKSIM, footfall=5000, groups=["stores", "istanbul"])
    await describe(api, "ankara", kind="store", position=ANKARA, footfall=100, priority=9, groups=["stores"])
    for name, units in (("kadikoy", 1), ("taksim", 3), ("ankara", 5)):
        await api.count("A", units, name)


def body(*lines: dict[str, object], **fields: object) -> dict[str, object]:
    return {"channel": "shop", "lines": list(lines) or [{"sku": "A", "quantity": 1}], **fields}


async def reserve(api: Api, *lines: dict[str, object], **fields: object) -> Any:
    return await api.post("/v1/reservations", body(*lines, **fields))


def places(reservation: Any) -> list[str]:
    return [line["location"] for line in reservation["lines"]]


@pytest.mark.parametrize(
    ("sourcing", "expected"),
    [
        (NEAR_KADIKOY, "kadikoy"),
        ({"strategy": "most_stock"}, "ankara"),
        ({"strategy": "lowest_footfall", "group": "istanbul"}, "kadikoy"),
        ({"strategy": ["priority", "most_stock"]}, "ankara"),
        ({"strategy": ["priority", "most_stock"], "group": "istanbul"}, "taksim"),
        ({"strategy": ["nearest", "most_stock"], "position": ANKARA}, "ankara"),
    ],
)
async def test_given_a_strategy_when_reserved_then_it_decides(
    api: Api, sourcing: dict[str, object], expected: str
) -> None:
    await three_stores(api)

    assert places((await reserve(api, sourcing=sourcing)).ok(201)) == [expected]


async def test_given_no_sourcing_when_reserved_then_a_line_without_a_location_means_main(api: Api) -> None:
    await three_stores(api)
    await api.count("A", 1)

    assert places((await reserve(api)).ok(201)) == ["main"]


async def test_given_no_registered_location_when_sourced_then_the_default_one_is_taken(api: Api) -> None:
    await api.count("A", 1)

    assert places((await reserve(api, sourcing={"strategy": "priority"})).ok(201)) == ["main"]


async def test_given_orders_and_batches_when_sourced_then_they_are_planned_too(api: Api) -> None:
    await three_stores(api)

    order = (await api.post("/v1/orders", body(sourcing=NEAR_KADIKOY))).ok(201)
    sent = {"reservations": [body(sourcing=NEAR_KADIKOY), body({"sku": "A", "quantity": 9}, sourcing=NEAR_KADIKOY)]}
    batch = (await api.post("/v1/reservations/batch", sent)).ok()["results"]

    assert (order["state"], places(order)) == ("committed", ["kadikoy"])
    assert places(batch[0]["reservation"]) == ["taksim"]
    assert [each["outcome"] for each in batch] == ["held", "out_of_stock"]


async def test_given_a_retry_when_the_stock_and_the_stores_changed_then_it_is_answered_as_the_first_time(
    api: Api,
) -> None:
    await three_stores(api)
    first = await reserve(api, reservation_id="r1", sourcing=NEAR_KADIKOY)
    await describe(api, "kadikoy", kind="store", open=False)

    again = await reserve(api, reservation_id="r1", sourcing=NEAR_KADIKOY)
    named = {"sku": "A", "quantity": 1, "location": "main"}
    other = await reserve(api, named, reservation_id="r1", sourcing=NEAR_KADIKOY)

    assert again.ok(201) == first.ok(201)
    assert again.headers["Idempotent-Replayed"] == "true"
    other.problem(422, "id_reused")


async def test_given_a_closed_location_when_named_then_new_reservations_are_refused_and_old_ones_go_on(
    api: Api,
) -> None:
    await three_stores(api)
    line = {"sku": "A", "quantity": 1, "location": "taksim"}
    held = (await reserve(api, line, reservation_id="held")).ok(201)
    await describe(api, "taksim", kind="store", open=False)

    problem = (await reserve(api, line, line)).problem(409, "location_closed")
    replay = await reserve(api, line, reservation_id="held")
    committed = await api.post("/v1/reservations/held/commit", {})
    sold = await api.post("/v1/orders", body(line, on_shortage="accept"))

    assert [(each["line"], each["location"]) for each in problem["lines"]] == [(1, "taksim"), (2, "taksim")]
    assert replay.ok(201) == held
    assert committed.ok()["state"] == "committed"
    assert places(sold.ok(201)) == ["taksim"]
    assert (await api.get("/v1/availability/A?location=taksim")).ok()["available"] == 0


async def test_given_a_group_where_all_is_closed_when_sourced_then_it_is_refused(api: Api) -> None:
    await describe(api, "kadikoy", groups=["istanbul"], open=False)
    await api.count("A", 1, "kadikoy")

    (await reserve(api, sourcing={"strategy": "priority", "group": "istanbul"})).problem(409, "location_closed")
    (await reserve(api, sourcing={"strategy": "priority", "group": "izmir"})).problem(409, "location_closed")


async def test_given_two_skus_in_two_stores_when_sourced_then_splits_max_decides(api: Api) -> None:
    await three_stores(api)
    await api.count("B", 1, "taksim")
    lines = [{"sku": "A", "quantity": 5}, {"sku": "B", "quantity": 1}]

    (await reserve(api, *lines, sourcing={**NEAR_KADIKOY, "splits_max": 0})).problem(409, "too_many_splits")

    assert places((await reserve(api, *lines, sourcing=NEAR_KADIKOY)).ok(201)) == ["ankara", "taksim"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"sourcing": {"strategy": "nearest"}}, "sourcing.position"),
        ({"sourcing": {"strategy": ["priority", "priority"]}}, "sourcing.strategy"),
        ({"sourcing": {"strategy": []}}, "sourcing.strategy"),
        ({"sourcing": {"strategy": "cheapest"}}, "sourcing.strategy"),
        ({"sourcing": {"strategy": "priority", "splits_max": 10}}, "sourcing.splits_max"),
        ({"sourcing": {"strategy": "priority", "group": "a\nb"}}, "sourcing.group"),
        ({"sourcing": {"strategy": "priority"}, "policy": "partial"}, "policy"),
        ({"sourcing": None}, "sourcing"),
    ],
)
async def test_given_what_cannot_be_planned_when_reserved_then_it_is_invalid(
    api: Api, fields: dict[str, object], field: str
) -> None:
    await three_stores(api)

    problem = (await reserve(api, **fields)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


async def test_given_too_many_skus_when_sourced_then_it_is_invalid(api: Api) -> None:
    lines: list[dict[str, object]] = [{"sku": f"S{number}", "quantity": 1} for number in range(31)]

    (await reserve(api, *lines, sourcing={"strategy": "priority"})).problem(400, "invalid")


# -- why


async def explain(api: Api, *lines: dict[str, object], **sourcing: object) -> Any:
    sent = {"lines": list(lines) or [{"sku": "A", "quantity": 2}], "sourcing": sourcing or NEAR_KADIKOY}
    return (await api.post("/v1/sourcing/explain", sent)).ok()


async def test_given_an_order_when_explained_then_it_says_why_and_why_not_and_holds_nothing(api: Api) -> None:
    await three_stores(api)
    await describe(api, "besiktas", position=TAKSIM, open=False)
    await describe(api, "depot", groups=["warehouse"])

    answer = await explain(api, strategy="nearest", position=KADIKOY, group="stores")

    assert answer["outcome"] == "chosen"
    assert answer["lines"] == [{"line": 1, "sku": "A", "quantity": 2, "location": "taksim"}]
    seen = [(each["location"], each["chosen"], each["why"], each["stock"]) for each in answer["candidates"]]
    assert seen == [
        ("kadikoy", False, "has none of it in the quantity that is wanted", 1),
        ("taksim", True, "the first that has everything", 3),
        ("ankara", False, "has everything, but comes after taksim", 5),
    ]
    assert answer["candidates"][0]["lacks"] == [{"sku": "A", "wanted": 2, "available": 1}]
    assert [round(each["distance_km"]) for each in answer["candidates"]] == [0, 6, 345]
    assert answer["passed_over"] == [
        {"location": "besiktas", "why": "closed"},
        {"location": "depot", "why": "not_in_group"},
    ]
    assert (await api.get("/v1/availability/A")).ok()["available"] == 9


@pytest.mark.parametrize(
    ("lines", "splits_max", "outcome"),
    [
        ([{"sku": "A", "quantity": 5}, {"sku": "B", "quantity": 1}], 1, "chosen"),
        ([{"sku": "A", "quantity": 5}, {"sku": "B", "quantity": 1}], 0, "too_many_splits"),
        ([{"sku": "A", "quantity": 6}], 1, "out_of_stock"),
        ([{"sku": "C", "quantity": 1}], 1, "unknown_sku"),
        ([{"sku": "A", "quantity": 3, "location": "taksim"}, {"sku": "A", "quantity": 2}], 1, "chosen"),
    ],
)
async def test_given_an_order_when_explained_then_a_reservation_comes_to_the_same(
    api: Api, lines: list[dict[str, object]], splits_max: int, outcome: str
) -> None:
    await three_stores(api)
    await api.count("B", 1, "taksim")
    sourcing = {**NEAR_KADIKOY, "splits_max": splits_max}

    response = await explain(api, *lines, **sourcing)
    answer = await reserve(api, *lines, sourcing=sourcing)

    assert response["outcome"] == outcome
    if outcome == "chosen":
        assert [line["location"] for line in response["lines"]] == places(answer.ok(201))
    else:
        assert answer.body["outcome"] == outcome


# -- elsewhere


async def test_given_a_hold_when_moved_over_http_then_it_is_reserved_there(api: Api) -> None:
    await three_stores(api)
    await reserve(api, {"sku": "A", "quantity": 2, "location": "taksim"}, reservation_id="r1")

    sent = {"lines": [{"line": 1, "to": "ankara"}]}
    moved = (await api.post("/v1/reservations/r1/move", sent)).ok()

    assert [(line["location"], line["held"], line["released"]) for line in moved["lines"]] == [
        ("taksim", 0, 2), ("ankara", 2, 0),
    ]  # fmt: skip
    assert [(each["location"], each["available"]) for each in moved["availability"]] == [("taksim", 3), ("ankara", 3)]


async def test_given_a_closed_location_when_moved_there_then_it_is_refused_but_a_retry_is_answered(api: Api) -> None:
    await three_stores(api)
    await reserve(api, {"sku": "A", "quantity": 1, "location": "taksim"}, reservation_id="r1")
    sent, headers = {"lines": [{"line": 1, "to": "ankara"}]}, {"Idempotency-Key": "m1"}
    first = await api.post("/v1/reservations/r1/move", sent, headers=headers)
    await describe(api, "ankara", kind="store", open=False)

    again = await api.post("/v1/reservations/r1/move", sent, headers=headers)
    back = {"lines": [{"line": 2, "to": "taksim"}]}
    (await api.post("/v1/reservations/r1/move", back)).ok()
    problem = (await api.post("/v1/reservations/r1/move", {"lines": [{"line": 3, "to": "ankara"}]})).problem(
        409, "location_closed"
    )

    assert again.ok() == first.ok()
    assert problem["lines"][0]["location"] == "ankara"


@pytest.mark.parametrize("line", [{"line": 1}, {"line": 0, "to": "a"}, {"line": 1, "to": "a\nb"}, {"to": "a"}])
async def test_given_a_bad_move_when_asked_then_it_is_invalid(api: Api, line: dict[str, object]) -> None:
    (await api.post("/v1/reservations/r1/move", {"lines": [line]})).problem(400, "invalid")


async def test_given_lines_that_all_name_their_location_when_explained_then_there_is_nothing_to_choose(
    api: Api,
) -> None:
    await three_stores(api)

    answer = await explain(
        api, {"sku": "A", "quantity": 1, "location": "taksim"}, strategy="most_stock", position=None, group=None
    )

    assert (answer["outcome"], answer["candidates"], answer["passed_over"]) == ("chosen", [], [])
    assert [line["location"] for line in answer["lines"]] == ["taksim"]
