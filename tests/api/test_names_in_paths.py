"""Names in paths: whatever an order number or a SKU holds, percent-encoded, or in base64url behind a proxy."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import pytest

from tests.support.http import Api

pytest_plugins = ("tests.support.http_fixtures",)

NAMES: Final = (
    *("#1001", "S/2024/0001", "Sipariş 12", "100%", "a%2Fb", "a?b=c&d", "a;b=c", "x+y", "a\\b", "a//b"),
    *("/a", "a/", "~".join("ab"), "İ-1", "batch", "lookup", "{id}", "a/lines", "a/commit"),
)
DOTS: Final = (".", "..")
"""A dot segment is taken out of every path, so that only base64url names these."""


def in_path(name: str) -> str:
    return quote(name, safe="")


def in_base64(name: str) -> str:
    return "~" + urlsafe_b64encode(name.encode()).decode().rstrip("=")


@pytest.mark.parametrize(("encode", "names"), [(in_path, NAMES), (in_base64, (*NAMES, *DOTS))])
async def test_given_order_ids_of_any_kind_when_they_stand_in_a_path_then_every_verb_finds_them(
    api: Api, encode: Callable[[str], str], names: tuple[str, ...]
) -> None:
    await api.count("A", 99)
    for name in names:
        (await api.reserve("A", 2, name)).ok(201)
        one, back = f"/v1/reservations/{encode(name)}", {"line": 1, "quantity": 1, "disposition": "restock"}
        for verb, body in (
            ("extend", {"ttl_s": 3_600}),
            ("lines", {"lines": [{"line": 1, "quantity": 3}]}),
            ("commit", {}),
            ("cancel", {"lines": [{"line": 1, "quantity": 1}]}),
            ("move", {"lines": [{"line": 1, "to": "main"}]}),
            ("fulfil", {}),
            ("return", {"lines": [back]}),
        ):
            assert (await api.post(f"{one}/{verb}", body)).ok()["reservation_id"] == name
        assert (await api.get(one)).ok()["state"] == "fulfilled"


async def test_given_order_ids_of_any_kind_when_they_are_looked_up_then_they_are_found(api: Api) -> None:
    await api.count("A", 99)
    for name in (*NAMES, *DOTS):
        (await api.reserve("A", 2, f" {name} ", order_ref=name)).ok(201)

        found = (await api.post("/v1/reservations/lookup", {"reservation_id": name})).ok()
        released = (await api.post(f"/v1/reservations/{in_base64(name)}/release", {})).ok()

        assert (found["reservation_id"], found["order_ref"], released["state"]) == (name, name, "released")
        missing = await api.post("/v1/reservations/lookup", {"reservation_id": name + "?"})
        missing.problem(404, "unknown_reservation")


async def test_given_skus_and_locations_of_any_kind_when_they_stand_in_a_path_then_they_are_found(api: Api) -> None:
    for name in NAMES:
        sku, location = f"SKU {name}", f"at {name}"
        put = await api.put(f"/v1/locations/{in_path(location)}", {"kind": "store"})
        counted = await api.put(f"/v1/stock/{in_path(sku)}/{in_path(location)}", {"on_hand": 5})
        available = await api.get(f"/v1/availability/{in_path(sku)}?location={in_path(location)}")
        stock = await api.get(f"/v1/stock/{in_path(sku)}")

        assert put.ok()["location"] == location
        assert (counted.ok()["sku"], counted.ok()["location"]) == (sku, location)
        assert available.ok()["available"] == 5
        assert stock.ok()["levels"][0]["location"] == location


@pytest.mark.parametrize(("encode", "names"), [(in_path, NAMES), (in_base64, (*NAMES, *DOTS))])
async def test_given_transfer_and_supply_ids_of_any_kind_when_they_stand_in_a_path_then_they_are_found(
    api: Api, encode: Callable[[str], str], names: tuple[str, ...]
) -> None:
    await api.count("A", 99)
    supply = {"sku": "A", "quantity": 5, "expected_on": "2030-01-01"}
    for name in names:
        sent = {"from": "main", "to": "store", "transfer_id": name, "lines": [{"sku": "A", "quantity": 2}]}
        (await api.post("/v1/transfers", sent)).ok(201)

        assert (await api.get(f"/v1/transfers/{encode(name)}")).ok()["transfer_id"] == name
        assert (await api.post(f"/v1/transfers/{encode(name)}/receive", {})).ok()["state"] == "closed"
        assert (await api.put(f"/v1/supply/{encode(name)}", supply)).ok()["supply_id"] == name
        assert (await api.get(f"/v1/supply/{encode(name)}")).ok()["supply_id"] == name
