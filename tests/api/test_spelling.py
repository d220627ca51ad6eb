"""Names over HTTP: one spelling is one thing at every door, and what cannot be a name is refused with its mend."""

import unicodedata
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.http import Api, Server, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

NFC = "Şişe ÇİÇEK/한글"
NFD = unicodedata.normalize("NFD", NFC)
SPELLINGS = [NFC, NFD, f" {NFC}", f"{NFC}\u00a0", f"\u2003{NFD} "]
REFUSED = ["TS\u200b-1", "\ufeffTS-1", "سكر\u202e", "a\u00adb", "8,68001E+12", "8680012345678.0", '="00123"', "#NAME?"]


def path(*names: str) -> str:
    return "/".join(quote(name, safe="") for name in names)


async def test_given_all_spellings_of_a_name_when_counted_then_it_is_one_thing(api: Api) -> None:
    for units, spelling in enumerate(SPELLINGS, 1):
        counted = (await api.put(f"/v1/stock/{path(spelling, ' depo ')}", {"on_hand": units})).ok()
        assert (counted["sku"], counted["location"]) == (NFC, "depo")
    for spelling in SPELLINGS:
        movement = {"kind": "receive", "sku": spelling, "quantity": 1, "location": "depo\u3000"}
        (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()

    for spelling in SPELLINGS:
        found = (await api.get(f"/v1/stock/{path(spelling)}")).ok()
        assert (found["sku"], found["available"]) == (NFC, 10)
        [shown] = (await api.post("/v1/availability/query", {"skus": [spelling], "location": " depo"})).ok()[
            "availability"
        ]
        assert shown["available"] == 10


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_given_a_spelling_when_ordered_then_the_order_has_the_name_that_is_meant(api: Api, spelling: str) -> None:
    await api.count(NFC, 5, "depo")
    line = {"sku": spelling, "quantity": 1, "location": "depo "}
    held = (await api.post("/v1/reservations", {"channel": " web ", "lines": [line]})).ok(201)
    planned = (await api.post("/v1/orders", {"channel": "web", "lines": [{"sku": spelling, "quantity": 1}]})).ok(201)

    assert held["channel"] == "web"
    assert [(each["sku"], each["location"]) for each in held["lines"] + planned["lines"]] == [(NFC, "depo")] * 2
    listed = (await api.get(f"/v1/reservations?channel=%20web&sku={quote(spelling)}")).ok()["reservations"]
    assert len(listed) == 2


async def test_given_barcodes_rules_and_receipts_when_spelled_otherwise_then_they_are_found(api: Api) -> None:
    pack = {"barcode": " 8690\u00a0", "sku": NFD, "factor": 6}
    (await api.put("/v1/barcodes", {"barcodes": [pack]})).ok()
    found = (await api.get("/v1/barcodes/%208690")).ok()
    assert (found["barcode"], found["sku"]) == ("8690", NFC)
    movement = {"kind": "receive", "barcode": "8690 ", "quantity": 2}
    [moved] = (await api.post("/v1/stock/movements", {"movements": [movement]})).ok()["results"]
    assert (moved["stock"]["sku"], moved["stock"]["on_hand"]) == (NFC, 12)
    (await api.put(f"/v1/locations/{path(' İzmir ')}", {})).ok()
    assert [each["location"] for each in (await api.get("/v1/locations")).ok()["locations"]] == ["İzmir"]
    supply = {"sku": NFD, "quantity": 1, "expected_on": "2030-01-01", "location": " İzmir"}
    (await api.put("/v1/supply/PO-1", supply)).ok()
    kept = (await api.get("/v1/supply/PO-1")).ok()
    assert (kept["sku"], kept["location"]) == (NFC, "İzmir")


DOORS: dict[str, Any] = {
    "a path": lambda name: ("PUT", f"/v1/stock/{path(name)}/main", {"on_hand": 1}),
    "a location in a path": lambda name: ("PUT", f"/v1/stock/A/{path(name)}", {"on_hand": 1}),
    "a query": lambda name: ("GET", f"/v1/reservations?sku={quote(name)}", None),
    "a reservation": lambda name: (
        "POST", "/v1/reservations", {"channel": "web", "lines": [{"sku": name, "quantity": 1}]},
    ),
    "a channel": lambda name: ("POST", "/v1/orders", {"channel": name, "lines": [{"sku": "A", "quantity": 1}]}),
    "a movement": lambda name: (
        "POST", "/v1/stock/movements", {"movements": [{"kind": "receive", "sku": name, "quantity": 1}]},
    ),
    "a barcode": lambda name: ("PUT", "/v1/barcodes", {"barcodes": [{"barcode": name, "sku": "A"}]}),
    "a transfer": lambda name: (
        "POST", "/v1/transfers", {"from": "main", "to": name, "lines": [{"sku": "A", "quantity": 1}]},
    ),
    "a location": lambda name: ("PUT", f"/v1/locations/{path(name)}", {}),
    "a SKU": lambda name: ("PUT", f"/v1/skus/{path(name)}", {"category": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
async def test_given_what_cannot_be_a_name_when_sent_to_any_door_then_it_is_refused_with_its_mend(
    api: Api, server: Server, door: str
) -> None:
    await api.count("A", 5)
    before = server.state(api.partition)
    for name in REFUSED:
        method, where, body = DOORS[door](name)

        refused = (await api.send(method, where, body) if body is not None else await api.get(where)).problem(
            400, "invalid"
        )

        assert ":" in refused["errors"][0]["rule"], "the rule says what to do"
    assert server.state(api.partition) == before


@pytest.mark.parametrize("raw", ["%FF", "a%C5", "%C0%AF", "%ED%A0%80"])
async def test_given_a_path_that_is_not_utf_8_when_sent_then_it_is_refused(api: Api, raw: str) -> None:
    for where in (f"/v1/stock/{raw}", f"/v1/availability/{raw}", f"/v1/barcodes/{raw}", f"/v1/locations/{raw}"):
        answer = await api.get(where)
        assert answer.problem(400, "invalid")["errors"][0]["rule"].startswith("must be UTF-8"), where
    (await api.send("PUT", f"/v1/stock/{raw}/main", {"on_hand": 1})).problem(400, "invalid")
    (await api.get(f"/v1/reservations?sku={raw}")).problem(400, "invalid")


async def test_given_raw_bytes_in_a_path_when_they_are_not_utf_8_then_they_are_refused(
    server: Server, api: Api
) -> None:
    assert api.key is not None
    for name in (b"\xff", b"a\xc5", b"\xed\xa0\x80"):
        async with raw_connection(server) as connection:
            await connection.send(b"GET /v1/stock/" + name + b" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ")
            await connection.send(api.key.token.encode() + b"\r\n\r\n")
            assert await connection.status() == 400


async def test_given_a_percent_sign_in_a_name_when_encoded_then_it_is_a_name(api: Api) -> None:
    for name in ("100%", "%FF", "50%25 ş"):
        await api.count(name, 3)
        assert (await api.get(f"/v1/stock/{path(name)}")).ok()["sku"] == name


async def test_given_a_padded_name_when_repeated_with_its_key_then_it_is_a_replay(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    where = f"/v1/stock/{path(' A ')}/{path('main ')}"
    (await api.put(where, {"on_hand": 5}, headers=headers)).ok()

    again = await api.put(where, {"on_hand": 5}, headers=headers)

    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.ok()["sku"] == "A"
