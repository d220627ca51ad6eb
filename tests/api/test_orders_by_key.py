"""Orders that name a channel's key: lines of their components, all or none; returned and cancelled by the same key."""

import random
from typing import Any

import pytest

from tests.api.test_channels import Shop, put, shop  # noqa: F401  # a fixture
from tests.support.http import Api


@pytest.fixture
async def api(shop: Shop) -> Api:  # noqa: F811  # as fixtures are named
    api = shop.api()
    for sku, units in {"A": 20, "B": 10, "C": 5}.items():
        (await api.put(f"/v1/stock/{sku}/main", {"on_hand": units})).ok()
    await put(
        api,
        {"sku": "A", "key": "a1"},
        {"sku": "A", "key": "a6", "factor": 6},
        {"key": "set", "components": [{"sku": "A", "quantity": 2}, {"sku": "B"}]},
    )
    return api


async def order(api: Api, reservation_id: str, *lines: dict[str, Any], **fields: Any) -> Any:
    return await api.post("/v1/orders", _body(reservation_id, lines, fields))


def _body(reservation_id: str, lines: Any, fields: Any) -> dict[str, Any]:
    return {"reservation_id": reservation_id, "channel": "trendyol", "lines": list(lines), **fields}


def by_key(key: str, quantity: int = 1, **fields: Any) -> dict[str, Any]:
    return {"key": key, "quantity": quantity, **fields}


async def available(api: Api, *skus: str) -> list[int]:
    found = (await api.post("/v1/availability/query", {"skus": list(skus)})).ok()["availability"]
    return [each["available"] for each in found]


def lines_of(answer: Any, *counters: str) -> list[tuple[Any, ...]]:
    return [tuple(line[each] for each in ("sku", *counters)) for line in answer["lines"]]


# -- what is ordered


async def test_a_key_is_a_line_for_each_component_with_its_units(api: Api) -> None:
    made = (await order(api, "o", by_key("set", 3), by_key("a1", 2), by_key("a6"), {"sku": "C", "quantity": 1})).ok(201)

    assert lines_of(made, "quantity") == [("A", 6), ("B", 3), ("A", 2), ("A", 6), ("C", 1)]
    assert made["channel_lines"] == [
        {"key": "set", "quantity": 3, "lines": [1, 2]},
        {"key": "a1", "quantity": 2, "lines": [3]},
        {"key": "a6", "quantity": 1, "lines": [4]},
    ]
    assert await available(api, "A", "B", "C") == [6, 7, 4]


async def test_all_components_are_ordered_or_none(api: Api) -> None:
    problem = (await order(api, "o", by_key("set", 11))).problem(409, "out_of_stock")

    assert [(each["sku"], each["requested"]) for each in problem["lines"]] == [("A", 22), ("B", 11)]
    assert await available(api, "A", "B") == [20, 10]


async def test_a_bundle_and_its_component_in_one_order_are_added_up(api: Api) -> None:
    """20 A: 8 in four sets and 12 in two packs are all of them."""
    (await order(api, "o", by_key("set", 4), by_key("a6", 2), {"sku": "A", "quantity": 1})).problem(409, "out_of_stock")
    (await order(api, "o", by_key("set", 4), by_key("a6", 2))).ok(201)

    assert await available(api, "A") == [0]


async def test_a_hold_by_key_is_committed_and_shipped_by_its_lines(api: Api) -> None:
    (await api.post("/v1/reservations", _body("h", [by_key("set", 2)], {}))).ok(201)
    (await api.post("/v1/reservations/h/commit", {})).ok()

    shipped = (await api.post("/v1/reservations/h/fulfil", {})).ok()

    assert lines_of(shipped, "fulfilled") == [("A", 4), ("B", 2)]


async def test_a_repeated_order_means_what_it_meant_although_the_listing_changed(api: Api) -> None:
    first = (await order(api, "o", by_key("a6"))).ok(201)
    await put(api, {"sku": "B", "key": "a6", "factor": 12})

    again = await order(api, "o", by_key("a6"))

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.ok(201) == first
    (await order(api, "o", by_key("a6", 2))).problem(422, "id_reused")


async def test_a_key_that_is_not_listed_is_refused_and_of_a_sold_order_kept(api: Api) -> None:
    problem = (await order(api, "o", by_key("a1"), by_key("nosuch", 2))).problem(422, "unknown_sku")

    assert [(each["line"], each["sku"], each["requested"]) for each in problem["lines"]] == [(2, "nosuch", 2)]
    assert "trendyol has no listing with the key nosuch" in problem["detail"]
    sold = (await order(api, "o", by_key("a1"), by_key("nosuch", 2), on_shortage="accept")).ok(201)
    assert [(each["sku"], each.get("mode", "")) for each in sold["lines"]] == [("A", ""), ("nosuch", "unmapped")]


async def test_an_unlisted_key_still_says_what_was_sold(api: Api) -> None:
    await put(api, {"sku": "A", "key": "a6", "factor": 6, "listed": False})

    assert lines_of((await order(api, "o", by_key("a6"))).ok(201), "quantity") == [("A", 6)]


@pytest.mark.parametrize(
    ("line", "fields", "field"),
    [
        ({"quantity": 1}, {}, "lines[0].sku"),
        ({"sku": "A", "key": "a1", "quantity": 1}, {}, "lines[0].key"),
        (by_key("a6", 1_000_000_000), {}, "lines[0].quantity"),
        (by_key("a6"), {"policy": "partial"}, "policy"),
        (by_key("a\u200b1"), {}, "lines[0].key"),
    ],
)
async def test_a_line_by_key_that_cannot_be_is_refused_by_its_field(
    api: Api, line: dict[str, Any], fields: dict[str, Any], field: str
) -> None:
    problem = (await order(api, "o", line, **fields)).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


async def test_an_order_has_no_more_lines_with_the_components_of_its_bundles(api: Api) -> None:
    many = [by_key("set") for _ in range(51)]

    assert (await order(api, "o", *many)).problem(400, "invalid")["errors"][0]["field"] == "lines"


async def test_one_impossible_key_of_a_batch_delays_no_other(api: Api) -> None:
    bodies = [_body(f"h{n}", [by_key("nosuch" if n == 7 else "a1")], {}) for n in range(20)]

    results = (await api.post("/v1/reservations/batch", {"reservations": bodies})).ok()["results"]

    assert [each["outcome"] for each in results] == ["unknown_sku" if n == 7 else "held" for n in range(20)]


# -- what comes back


async def shipped(api: Api, *lines: dict[str, Any]) -> None:
    (await order(api, "o", *lines)).ok(201)
    (await api.post("/v1/reservations/o/fulfil", {})).ok()


async def take_back(api: Api, *lines: dict[str, Any]) -> Any:
    body = {"lines": [{**line, "disposition": "restock"} for line in lines]}
    return await api.post("/v1/reservations/o/return", body)


async def test_a_returned_bundle_restores_each_component_once_and_no_bundle_comes_back_twice(api: Api) -> None:
    await shipped(api, by_key("set", 2), {"sku": "A", "quantity": 9}, {"sku": "B", "quantity": 4})

    back = (await take_back(api, by_key("set"))).ok()
    assert lines_of(back, "returned") == [("A", 2), ("B", 1), ("A", 0), ("B", 0)]
    assert back["channel_lines"] == [{"key": "set", "quantity": 2, "lines": [1, 2], "returned": 1}]
    refused = (await take_back(api, by_key("set", 2))).problem(422, "exceeds_remaining")
    assert [(each["line"], each["sku"], each["available"]) for each in refused["lines"]] == [(0, "set", 1)]
    (await take_back(api, by_key("set"))).ok()
    (await take_back(api, by_key("set"))).problem(422, "exceeds_remaining")

    assert await available(api, "A", "B") == [20 - 4 - 9 + 4, 10 - 2 - 4 + 2]


async def test_a_bundle_whose_component_came_back_by_its_line_does_not_come_back_again(api: Api) -> None:
    await shipped(api, by_key("set"), by_key("a6"))
    (await take_back(api, {"line": 2, "quantity": 1})).ok()

    (await take_back(api, by_key("set"))).problem(422, "exceeds_remaining")
    (await take_back(api, by_key("a6"), {"line": 1, "quantity": 2})).ok()

    assert await available(api, "A", "B") == [20, 10]


async def test_a_bundle_whose_component_was_lowered_when_too_many_are_cancelled_then_it_says_how_many_can_be(
    api: Api,
) -> None:
    (await order(api, "o", by_key("set", 3))).ok(201)
    (await api.post("/v1/reservations/o/lines", {"lines": [{"line": 1, "quantity": 4}]})).ok()

    refused = (await api.post("/v1/reservations/o/cancel", {"lines": [by_key("set", 3)]})).problem(
        422, "exceeds_remaining"
    )
    assert [(each["sku"], each["available"]) for each in refused["lines"]] == [("set", 2)]
    cancelled = (await api.post("/v1/reservations/o/cancel", {"lines": [by_key("set", 2)]})).ok()
    assert lines_of(cancelled, "committed", "released")[1] == ("B", 1, 2)


async def test_part_of_a_bundle_line_is_cancelled_and_the_rest_shipped_and_returned(api: Api) -> None:
    (await order(api, "o", by_key("set", 3))).ok(201)
    cancelled = (await api.post("/v1/reservations/o/cancel", {"lines": [by_key("set", 2)]})).ok()
    assert lines_of(cancelled, "committed", "released") == [("A", 2, 4), ("B", 1, 2)]
    (await api.post("/v1/reservations/o/fulfil", {})).ok()

    (await take_back(api, by_key("set", 2))).problem(422, "exceeds_remaining")
    (await take_back(api, by_key("set"))).ok()

    assert await available(api, "A", "B") == [20, 10]


async def test_a_bundle_that_was_split_over_locations_or_moved_comes_back_whole(api: Api) -> None:
    (await api.put("/v1/stock/A/store", {"on_hand": 5})).ok()
    (await api.put("/v1/stock/B/store", {"on_hand": 9})).ok()
    made = (await order(api, "o", by_key("a6", 4), by_key("set"))).problem(409, "out_of_stock")
    made = (await order(api, "o", by_key("a6", 3), by_key("set", 3))).ok(201)
    assert len(made["lines"]) > 3, "a line was split"
    moved = {"lines": [{"line": 3, "to": "store"}]}
    (await api.post("/v1/reservations/o/move", moved)).ok()
    (await api.post("/v1/reservations/o/fulfil", {})).ok()

    (await take_back(api, by_key("a6", 3), by_key("set", 3))).ok()

    assert await available(api, "A", "B") == [25, 19]


async def test_a_key_counts_once_for_a_repeated_request(api: Api) -> None:
    await shipped(api, by_key("set", 2))
    body = {"lines": [{**by_key("set"), "disposition": "restock"}]}
    headers = {"Idempotency-Key": "back-1"}

    for _ in range(3):
        (await api.post("/v1/reservations/o/return", body, headers=headers)).ok()

    assert await available(api, "A", "B") == [18, 9]


@pytest.mark.parametrize(
    "parts",
    [[{"quantity": 1}], [{"line": 1, **by_key("set")}], [by_key("set"), by_key("set")]],
)
async def test_a_part_names_a_line_or_a_key_and_each_key_once(api: Api, parts: list[dict[str, Any]]) -> None:
    (await order(api, "o", by_key("set", 3))).ok(201)

    (await api.post("/v1/reservations/o/cancel", {"lines": parts})).problem(400, "invalid")
    (await take_back(api, *parts)).problem(400, "invalid")


# -- exchanged


async def exchange(api: Api, lines: list[dict[str, Any]], *wanted: dict[str, Any]) -> Any:
    body = {"return": {"lines": lines}, "order": _body("new", list(wanted), {})}
    return await api.post("/v1/reservations/o/exchange", body)


async def test_a_bundle_is_exchanged_by_its_key_and_comes_back_once(api: Api) -> None:
    await shipped(api, by_key("set", 2))
    back = [by_key("set", 1, disposition="restock")]

    exchanged = (await exchange(api, back, by_key("a6"))).ok(201)

    assert exchanged["returned"]["channel_lines"] == [{"key": "set", "quantity": 2, "lines": [1, 2], "returned": 1}]
    assert lines_of(exchanged["returned"], "returned") == [("A", 2), ("B", 1)]
    assert await available(api, "A", "B") == [20 - 4 + 2 - 6, 9]
    again = (await take_back(api, by_key("set", 2, disposition="restock"))).problem(422, "exceeds_remaining")
    assert again["lines"][0]["available"] == 1


async def test_an_exchange_by_key_whose_new_order_is_refused_leaves_every_piece_where_it_is(api: Api) -> None:
    await shipped(api, by_key("set", 2))
    before = (await api.get("/v1/reservations/o")).ok()

    back = [by_key("set", 2, disposition="restock", location="elsewhere")]
    problem = (await exchange(api, back, {"sku": "C", "quantity": 9})).problem(409, "out_of_stock")

    assert problem["half"] == "order"
    assert (await api.get("/v1/reservations/o")).ok() == before
    assert await available(api, "A", "B", "C") == [16, 8, 5]
    (await take_back(api, by_key("set", 2, disposition="restock"))).ok()
    assert await available(api, "A", "B") == [20, 10]


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([by_key("set", disposition="restock", line=1)], "return.lines[0].line"),
        ([{"quantity": 1, "disposition": "restock"}], "return.lines[0].line"),
        ([by_key("set", disposition="restock"), by_key("set", disposition="restock")], "return.lines[1].key"),
    ],
)
async def test_what_an_exchange_returns_names_a_line_or_a_key(
    api: Api, parts: list[dict[str, Any]], field: str
) -> None:
    await shipped(api, by_key("set", 2))

    problem = (await exchange(api, parts, by_key("a6"))).problem(400, "invalid")

    assert problem["errors"][0]["field"] == field


# -- what is available


async def pieces_of(api: Api, query: str) -> int:
    return int((await api.get(f"/v1/availability?{query}")).ok()["available"])


async def test_packs_of_a_barcode_are_counted_and_what_stands_for_nothing_is_refused(api: Api) -> None:
    carton = {"barcode": "18690000000033", "sku": "A", "factor": 6}
    (await api.put("/v1/barcodes", {"barcodes": [carton]})).ok()

    found = (await api.get("/v1/availability?barcode=18690000000033")).ok()

    assert (found["barcode"], found["available"]) == ("18690000000033", 3)
    assert found["components"] == [{"sku": "A", "quantity": 6, "available": 20}]
    assert await pieces_of(api, "barcode=18690000000033&location=elsewhere") == 0
    (await api.get("/v1/availability?barcode=8690000000036")).problem(422, "unknown_barcode")
    detail = (await api.get("/v1/availability?key=nosuch&channel=trendyol")).problem(422, "unknown_sku")["detail"]
    assert "trendyol has no listing with the key nosuch" in detail
    for query in ("", "?key=set", "?key=set&barcode=1&channel=trendyol", "?channel=trendyol"):
        (await api.get(f"/v1/availability{query}")).problem(400, "invalid")


# -- of several at once


async def test_a_key_has_as_many_pieces_as_each_of_its_components_can_have(api: Api) -> None:
    """Against counting by hand, with holds of bundles and of single units mixed at random."""
    chance = random.Random(13)
    made_of = {"a1": {"A": 1}, "a6": {"A": 6}, "set": {"A": 2, "B": 1}, "three": {"A": 1, "B": 2, "C": 3}}
    await put(
        api,
        {"key": "three", "components": [{"sku": sku, "quantity": units} for sku, units in made_of["three"].items()]},
    )
    left = {"A": 20, "B": 10, "C": 5}
    for number in range(14):
        key = chance.choice([*made_of, "A", "B"])
        line = by_key(key) if key in made_of else {"sku": key, "quantity": 1}
        held = await api.post("/v1/reservations", _body(f"h{number}", [line], {}))
        needed = made_of.get(key, {key: 1})
        assert (held.status == 201) is all(left[sku] >= units for sku, units in needed.items())
        if held.status == 201:
            left = {sku: units - needed.get(sku, 0) for sku, units in left.items()}

        answer = (await api.post("/v1/availability/query", {"keys": list(made_of), "channel": "trendyol"})).ok()

        pieces = {key: min(left[sku] // units for sku, units in parts.items()) for key, parts in made_of.items()}
        assert {each["key"]: each["available"] for each in answer["keys"]} == pieces
        assert {key: await pieces_of(api, f"key={key}&channel=trendyol") for key in made_of} == pieces
    assert left["A"] < 6, "there was something to count"


async def test_keys_without_a_listing_are_named_and_a_channel_must_be(api: Api) -> None:
    asked = {"skus": ["C"], "keys": ["nosuch", "set"], "channel": "trendyol"}
    answer = (await api.post("/v1/availability/query", asked)).ok()

    assert [each["sku"] for each in answer["availability"]] == ["C"]
    assert (answer["keys"][0]["components"], answer["unknown_keys"]) == (
        [{"sku": "A", "quantity": 2, "available": 20}, {"sku": "B", "quantity": 1, "available": 10}],
        ["nosuch"],
    )
    (await api.post("/v1/availability/query", {"keys": ["set"]})).problem(400, "invalid")
    (await api.post("/v1/availability/query", {"channel": "trendyol"})).problem(400, "invalid")
