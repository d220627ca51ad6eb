"""Whole numbers that are written with a fraction of zero, as languages with one kind of number write them."""

from typing import Any

import msgspec
import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

LINES = b'[{"sku":"A","quantity":2.0},{"sku":"B","quantity":1e0}]'
ORDER = b'{"reservation_id":"r-1","channel":"web","ttl_s":900.0,"lines":' + LINES + b"}"


async def test_an_order_with_quantities_of_two_point_zero_is_held(api: Api) -> None:
    await api.count("A", 5)
    await api.count("B", 5)

    held = (await api.send("POST", "/v1/reservations", raw=ORDER, headers={"Content-Type": "application/json"})).ok(201)

    assert [line["held"] for line in held["lines"]] == [2, 1]


async def test_it_is_the_same_request_as_one_with_whole_numbers(api: Api) -> None:
    await api.count("A", 5)
    await api.count("B", 5)
    await api.send("POST", "/v1/reservations", raw=ORDER, headers={"Content-Type": "application/json"})
    whole = ORDER.replace(b"900.0", b"900").replace(b"2.0", b"2").replace(b"1e0", b"1")

    again = await api.send("POST", "/v1/reservations", raw=whole, headers={"Content-Type": "application/json"})

    assert again.status in (200, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await api.get("/v1/stock/A")).ok()["levels"][0]["held"] == 2


async def test_a_count_and_a_movement_take_them_too(api: Api) -> None:
    await api.send("PUT", "/v1/stock/A/main", raw=b'{"on_hand":7.0}', headers={"Content-Type": "application/json"})
    body = b'{"movements":[{"kind":"receive","sku":"A","quantity":3.0},{"kind":"receive","sku":"A","quantity":1}]}'

    moved = await api.send("POST", "/v1/stock/movements", raw=body, headers={"Content-Type": "application/json"})

    assert moved.status == 200
    assert (await api.get("/v1/stock/A")).ok()["levels"][0]["on_hand"] == 11


async def test_they_are_taken_in_messagepack(api: Api) -> None:
    await api.send(
        "PUT", "/v1/stock/A/main",
        raw=msgspec.msgpack.encode({"on_hand": 7.0}), headers={"Content-Type": "application/msgpack"},
    )  # fmt: skip

    assert (await api.get("/v1/stock/A")).ok()["levels"][0]["on_hand"] == 7


@pytest.mark.parametrize("quantity", ["2.5", "1e300", "-1.0", '"2.0"', "9007199254740993.0"])
async def test_what_is_no_whole_number_in_range_is_refused_and_changes_nothing(api: Api, quantity: str) -> None:
    await api.count("A", 5)
    body: Any = f'{{"channel":"web","lines":[{{"sku":"A","quantity":{quantity}}}]}}'.encode()

    refused = await api.send("POST", "/v1/orders", raw=body, headers={"Content-Type": "application/json"})

    [error] = refused.problem(400, "invalid")["errors"]
    assert error["field"] == "lines[0].quantity"
    assert (await api.get("/v1/stock/A")).ok()["levels"][0]["committed"] == 0
