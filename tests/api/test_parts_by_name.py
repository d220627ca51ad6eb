"""Parts of a reservation that name a channel's key or a barcode in place of a line, whatever is done with them."""

from typing import Any

import pytest

from adapters.testing.waiting import wait_until
from tests.api.test_channels import Shop, put, shop  # noqa: F401  # a fixture
from tests.support.http import Api

UNIT, CARTON, OTHER = "8690000000036", "18690000000033", "S-1"
SET: dict[str, object] = {"key": "set", "components": [{"sku": "A", "quantity": 2}, {"sku": "B"}]}
_AFTER = {
    "commit": "committed", "release": "released", "cancel": "released", "fulfil": "fulfilled", "return": "returned",
}  # fmt: skip
"""Each operation, and the counter of a line that it adds to."""


@pytest.fixture
async def api(shop: Shop) -> Api:  # noqa: F811  # as fixtures are named
    api = shop.api()
    for sku, units in {"A": 40, "B": 20}.items():
        (await api.put(f"/v1/stock/{sku}/main", {"on_hand": units})).ok()
    await put(api, {"sku": "A", "key": "a1"}, {"sku": "A", "key": "a6", "factor": 6}, SET)
    await registered(api, "A")
    return api


async def registered(api: Api, sku: str) -> None:
    rows = [{"barcode": UNIT, "sku": sku}, {"barcode": CARTON, "sku": sku, "factor": 6}, {"barcode": OTHER, "sku": "B"}]
    (await api.put("/v1/barcodes", {"barcodes": rows})).ok()


def by_key(key: str, quantity: int = 1) -> dict[str, Any]:
    return {"key": key, "quantity": quantity}


def scanned(barcode: str, quantity: int = 1) -> dict[str, Any]:
    return {"barcode": barcode, "quantity": quantity}


async def made(api: Api, operation: str, *lines: dict[str, Any]) -> None:
    """Make a reservation that is as far as the operation takes it from."""
    body = {"reservation_id": "o", "channel": "trendyol", "lines": list(lines)}
    is_hold = operation in ("commit", "release")
    (await api.post("/v1/reservations" if is_hold else "/v1/orders", body)).ok(201)
    if operation == "return":
        (await api.post("/v1/reservations/o/fulfil", {})).ok()


async def done(api: Api, operation: str, *parts: dict[str, Any], **headers: str) -> Any:
    more = {"disposition": "restock"} if operation == "return" else {}
    body: dict[str, Any] = {"lines": [{**part, **more} for part in parts]}
    if operation == "commit":
        body["remainder"] = "keep"
    return await api.post(f"/v1/reservations/o/{operation}", body, headers=headers)


def counted(answer: Any, operation: str) -> list[tuple[str, int]]:
    return [(line["sku"], line[_AFTER[operation]]) for line in answer["lines"]]


# -- by the channel's key


@pytest.mark.parametrize("operation", _AFTER)
async def test_pieces_of_a_key_are_taken_with_the_units_of_all_their_components_until_there_are_no_more(
    api: Api, operation: str
) -> None:
    await made(api, operation, by_key("set", 3), {"sku": "A", "quantity": 5})

    assert counted((await done(api, operation, by_key("set", 2))).ok(), operation) == [("A", 4), ("B", 2), ("A", 0)]
    refused = (await done(api, operation, by_key("set", 2))).problem(422, "exceeds_remaining")
    assert [(each["line"], each["sku"], each["available"]) for each in refused["lines"]] == [(0, "set", 1)]
    assert counted((await done(api, operation, by_key("set"))).ok(), operation) == [("A", 6), ("B", 3), ("A", 0)]


async def test_pieces_that_were_released_are_counted_and_not_cancelled_again(api: Api) -> None:
    await made(api, "commit", by_key("set", 3))

    released = (await done(api, "release", by_key("set"))).ok()
    (await api.post("/v1/reservations/o/commit", {})).ok()

    assert released["channel_lines"] == [{"key": "set", "quantity": 3, "lines": [1, 2], "cancelled": 1}]
    (await done(api, "cancel", by_key("set", 3))).problem(422, "exceeds_remaining")
    (await done(api, "cancel", by_key("set", 2))).ok()
    assert (await api.available("A"), await api.available("B")) == (40, 20)


async def test_what_a_commit_by_key_does_not_name_is_released(api: Api) -> None:
    await made(api, "commit", by_key("set", 2), by_key("a6"))

    committed = (await api.post("/v1/reservations/o/commit", {"lines": [by_key("a6")]})).ok()

    assert [(line["sku"], line["committed"], line["released"]) for line in committed["lines"]] == [
        ("A", 0, 4), ("B", 0, 2), ("A", 6, 0),
    ]  # fmt: skip


async def test_a_hold_that_has_expired_is_committed_by_its_key_while_units_are_there(api: Api) -> None:
    async def has_expired() -> bool:
        return bool((await api.get("/v1/reservations/o")).ok()["state"] == "expired")

    body = {"reservation_id": "o", "channel": "trendyol", "lines": [by_key("set", 2)], "ttl_s": 1}
    (await api.post("/v1/reservations", body)).ok(201)
    await wait_until(has_expired, "the hold has expired")

    (await done(api, "commit", by_key("set", 3))).problem(422, "exceeds_remaining")
    assert counted((await done(api, "commit", by_key("set"))).ok(), "commit") == [("A", 2), ("B", 1)]


async def test_an_open_hold_is_bound_where_it_is_committed_by_its_key(api: Api) -> None:
    for name in ("kadikoy", "ankara"):
        (await api.put(f"/v1/locations/{name}", {"groups": ["stores"]})).ok()
        (await api.put(f"/v1/stock/A/{name}", {"on_hand": 12})).ok()
    late = {"strategy": "most_stock", "group": "stores", "binding": "late"}
    body = {"reservation_id": "o", "channel": "trendyol", "lines": [by_key("a6")], "sourcing": late}
    [held] = (await api.post("/v1/reservations", body)).ok(201)["lines"]
    other = "ankara" if held["location"] == "kadikoy" else "kadikoy"

    bound = (await api.post("/v1/reservations/o/commit", {"lines": [by_key("a6")], "location": other})).ok()

    assert {line["location"]: line["committed"] for line in bound["lines"] if line["committed"]} == {other: 6}
    shipped = (await done(api, "fulfil", scanned(CARTON))).ok()
    assert {line["location"]: line["fulfilled"] for line in shipped["lines"] if line["fulfilled"]} == {other: 6}


async def test_a_key_that_waits_for_its_sku_cannot_be_shipped(api: Api) -> None:
    body = {"reservation_id": "o", "channel": "trendyol", "lines": [by_key("a1"), by_key("nosuch", 2)]}
    (await api.post("/v1/orders", {**body, "on_shortage": "accept"})).ok(201)

    problem = (await done(api, "fulfil", by_key("nosuch"))).problem(409, "line_unmapped")

    assert [(each["line"], each["sku"], each["requested"]) for each in problem["lines"]] == [(2, "nosuch", 2)]
    assert counted((await done(api, "fulfil", by_key("a1"))).ok(), "fulfil") == [("A", 1), ("nosuch", 0)]


# -- by a barcode


@pytest.mark.parametrize("operation", _AFTER)
async def test_packs_of_a_barcode_are_units_of_any_lines_of_the_sku(api: Api, operation: str) -> None:
    await made(api, operation, {"sku": "A", "quantity": 4}, {"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 5})

    assert counted((await done(api, operation, scanned(CARTON))).ok(), operation) == [("A", 4), ("B", 0), ("A", 2)]
    refused = (await done(api, operation, scanned(CARTON), scanned(OTHER))).problem(422, "exceeds_remaining")
    assert [(each["line"], each["sku"], each["requested"], each["available"]) for each in refused["lines"]] == [
        (0, "A", 6, 3)
    ]
    last = (await done(api, operation, scanned(UNIT, 3), scanned(OTHER))).ok()
    assert counted(last, operation) == [("A", 4), ("B", 1), ("A", 5)]


@pytest.mark.parametrize("operation", _AFTER)
async def test_a_scan_takes_single_units_before_those_of_bundles(api: Api, operation: str) -> None:
    await made(api, operation, by_key("set", 2), {"sku": "A", "quantity": 3})

    (await done(api, operation, scanned(UNIT, 3))).ok()

    assert counted((await done(api, operation, by_key("set", 2))).ok(), operation) == [("A", 4), ("B", 2), ("A", 3)]


@pytest.mark.parametrize("operation", _AFTER)
async def test_lines_keys_and_barcodes_of_one_request_take_each_unit_once(api: Api, operation: str) -> None:
    await made(api, operation, by_key("set", 2), {"sku": "A", "quantity": 6})
    parts = ({"line": 3, "quantity": 1}, by_key("set"), scanned(CARTON))

    answer = (await done(api, operation, *parts)).ok()

    assert counted(answer, operation) == [("A", 3), ("B", 1), ("A", 6)]
    (await done(api, operation, by_key("set"))).problem(422, "exceeds_remaining")


@pytest.mark.parametrize("operation", _AFTER)
async def test_a_barcode_that_nobody_knows_or_that_was_misread_changes_nothing(api: Api, operation: str) -> None:
    await made(api, operation, {"sku": "A", "quantity": 4})
    before = (await api.get("/v1/reservations/o")).ok()

    (await done(api, operation, scanned("8690000000029"))).problem(422, "unknown_barcode")
    misread = (await done(api, operation, scanned("8690000000037"))).problem(400, "invalid")
    too_many = (await done(api, operation, scanned(CARTON, 1_000_000_000))).problem(400, "invalid")

    assert misread["errors"][0]["field"] == "lines[0].barcode"
    assert too_many["errors"][0]["field"] == "lines[0].quantity"
    assert (await api.get("/v1/reservations/o")).ok() == before


@pytest.mark.parametrize("operation", _AFTER)
async def test_a_retry_is_a_replay_whatever_the_barcode_stands_for_by_then(api: Api, operation: str) -> None:
    await made(api, operation, {"sku": "A", "quantity": 12}, {"sku": "B", "quantity": 12})
    key = {"Idempotency-Key": f"{operation}-1"}
    first = (await done(api, operation, scanned(CARTON), **key)).ok()
    await registered(api, "B")

    again = await done(api, operation, scanned(CARTON), **key)

    assert (again.headers["Idempotent-Replayed"], again.ok()) == ("true", first)
    (await done(api, operation, scanned(UNIT), **key)).problem(422, "id_reused")


@pytest.mark.parametrize("operation", _AFTER)
async def test_a_barcode_finds_the_lines_of_a_sku_that_was_renamed(api: Api, operation: str) -> None:
    await made(api, operation, by_key("set"), {"sku": "A", "quantity": 6})
    (await api.post("/v1/skus/A/rename", {"to": "Z"})).ok()

    answer = (await done(api, operation, scanned(CARTON), by_key("set"))).ok()

    assert [units for _, units in counted(answer, operation)] == [2, 1, 6]


async def test_an_exchange_takes_back_what_is_scanned(api: Api) -> None:
    await made(api, "return", {"sku": "A", "quantity": 8})
    new = {"reservation_id": "new", "channel": "trendyol", "lines": [{"sku": "B", "quantity": 1}]}

    async def exchange(barcode: str) -> Any:
        back = {"lines": [{**scanned(barcode), "disposition": "restock"}]}
        return await api.post("/v1/reservations/o/exchange", {"return": back, "order": new})

    (await exchange("8690000000029")).problem(422, "unknown_barcode")
    assert counted((await exchange(CARTON)).ok(201)["returned"], "return") == [("A", 6)]
    assert await api.available("A") == 38


@pytest.mark.parametrize("operation", _AFTER)
@pytest.mark.parametrize(
    "parts",
    [
        [{"quantity": 1}],
        [{"line": 1, **by_key("set")}],
        [{"line": 1, **scanned(UNIT)}],
        [{**by_key("set"), "barcode": UNIT}],
        [by_key("set"), by_key(" set")],
        [by_key("s\u200bet")],
    ],
)
async def test_a_part_names_one_thing_and_each_key_once(api: Api, operation: str, parts: list[dict[str, Any]]) -> None:
    await made(api, operation, by_key("set", 3))

    problem = (await done(api, operation, *parts)).problem(400, "invalid")

    assert problem["errors"][0]["field"].startswith(f"lines[{len(parts) - 1}].")
