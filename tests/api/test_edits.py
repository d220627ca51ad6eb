"""Changing the quantities of a basket or an order over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import wait_until
from tests.support.http import Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)


async def hold(api: Api, reservation_id: str, *lines: tuple[str, int]) -> Any:
    body = {"channel": "web", "reservation_id": reservation_id, "lines": _lines(lines)}
    return (await api.post("/v1/reservations", body)).ok(201)


async def order(api: Api, reservation_id: str, *lines: tuple[str, int], **fields: object) -> Any:
    body = {"channel": "web", "reservation_id": reservation_id, "lines": _lines(lines), **fields}
    return (await api.post("/v1/orders", body)).ok(201)


def _lines(lines: tuple[tuple[str, int], ...]) -> list[dict[str, object]]:
    return [{"sku": sku, "quantity": quantity} for sku, quantity in lines]


def shown(view: Any) -> list[tuple[str, str, int, int, int]]:
    return [
        (line["sku"], line["location"], line["quantity"], line["held"], line["committed"]) for line in view["lines"]
    ]


async def test_given_a_basket_when_its_lines_change_then_one_request_does_all_of_it(api: Api) -> None:
    await api.count("A", 5)
    await api.count("B", 5)
    held = await hold(api, "basket", ("A", 1))

    body = {"lines": [{"line": 1, "quantity": 3}, {"sku": "B", "quantity": 2}]}
    edited = (await api.post("/v1/reservations/basket/lines", body)).ok()
    dropped = (await api.post("/v1/reservations/basket/lines", {"lines": [{"sku": "A", "quantity": 0}]})).ok()

    assert shown(edited) == [("A", "main", 3, 3, 0), ("B", "main", 2, 2, 0)]
    assert edited["expires_at"] == held["expires_at"]
    assert {each["sku"]: each["available"] for each in edited["availability"]} == {"A": 2, "B": 3}
    assert shown(dropped) == [("A", "main", 0, 0, 0), ("B", "main", 2, 2, 0)]


async def test_given_a_key_when_an_edit_is_repeated_then_it_is_replayed(api: Api) -> None:
    await api.count("A", 5)
    await hold(api, "basket", ("A", 1))
    path, headers = "/v1/reservations/basket/lines", {"Idempotency-Key": "k1"}
    first = await api.post(path, {"lines": [{"line": 1, "quantity": 3}]}, headers=headers)
    again = await api.post(path, {"lines": [{"line": 1, "quantity": 3}]}, headers=headers)
    other = await api.post(path, {"lines": [{"line": 1, "quantity": 2}]}, headers=headers)

    assert again.ok() == first.ok()
    assert again.headers["Idempotent-Replayed"] == "true"
    other.problem(422, "id_reused")


async def test_given_a_basket_when_it_is_edited_with_a_ttl_then_its_deadline_moves(api: Api) -> None:
    await api.count("A", 5)
    held = await hold(api, "basket", ("A", 1))

    body = {"lines": [{"line": 1, "quantity": 2}], "ttl_s": 7_200}
    edited = (await api.post("/v1/reservations/basket/lines", body)).ok()

    assert edited["expires_at"] > held["expires_at"]


async def test_given_an_order_that_was_sold_already_when_raised_then_the_shortage_is_shown(api: Api) -> None:
    await api.count("A", 1)
    await order(api, "o", ("A", 1))

    body = {"lines": [{"line": 1, "quantity": 3}], "on_shortage": "accept"}
    (await api.post("/v1/reservations/o/lines", body | {"on_shortage": "reject"})).problem(409, "out_of_stock")
    edited = (await api.post("/v1/reservations/o/lines", body)).ok()
    [short] = (await api.get("/v1/shortages")).ok()["shortages"]

    assert shown(edited) == [("A", "main", 3, 0, 3)]
    assert (short["sku"], short["lines"][0]["lacks"]) == ("A", 2)


async def test_given_an_edit_that_leaves_nothing_then_the_refusal_says_how_to_end_it(api: Api) -> None:
    await api.count("A", 5)
    await hold(api, "basket", ("A", 1))

    body = {"lines": [{"line": 1, "quantity": 0}]}
    refused = (await api.post("/v1/reservations/basket/lines", body)).problem(409, "nothing_left")

    assert "Release the hold" in refused["detail"]
    assert shown((await api.get("/v1/reservations/basket")).ok()) == [("A", "main", 1, 1, 0)]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("lines", {"lines": [{"line": 1, "quantity": 2}], "ttl_s": 60}, "has no deadline: leave `ttl_s` out"),
        ("extend", {"ttl_s": 60}, "has no deadline"),
        ("commit", {}, "otherwise cancel"),
    ],
)
async def test_given_an_order_when_a_deadline_is_set_then_the_refusal_says_that_it_has_none(
    api: Api, path: str, body: dict[str, object], says: str
) -> None:
    await api.count("A", 5)
    await order(api, "o", ("A", 1))

    refused = (await api.post(f"/v1/reservations/o/{path}", body)).problem(409, "already_committed")

    assert says in refused["detail"]
    assert shown((await api.get("/v1/reservations/o")).ok()) == [("A", "main", 1, 0, 1)]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("lines", {"line": 4, "quantity": 1}),
        ("lines", {"line": 4, "sku": "A"}),
        ("commit", {"line": 4, "quantity": 1}),
        ("release", {"line": 4, "quantity": 1}),
        ("move", {"line": 4, "to": "main"}),
    ],
)
async def test_given_a_line_that_is_not_there_when_named_then_the_refusal_says_which_lines_there_are(
    api: Api, path: str, line: dict[str, object]
) -> None:
    for sku in "AB":
        await api.count(sku, 5)
    await hold(api, "two", ("A", 1), ("B", 1))
    await hold(api, "one", ("A", 1))

    two = (await api.post(f"/v1/reservations/two/{path}", {"lines": [line]})).problem(422, "exceeds_remaining")
    one = (await api.post(f"/v1/reservations/one/{path}", {"lines": [line]})).problem(422, "exceeds_remaining")

    assert two["detail"] == "There is no such line: its lines have the numbers 1 to 2. Nothing changed."
    assert one["detail"] == "There is no such line: its only line has the number 1. Nothing changed."


async def test_given_a_line_that_is_not_there_when_it_is_not_the_first_one_refused_then_it_is_said(api: Api) -> None:
    await api.count("A", 5)
    await hold(api, "basket", ("A", 1))

    lines = [{"line": 1, "quantity": 2}, {"line": 2, "quantity": 1}]
    refused = (await api.post("/v1/reservations/basket/release", {"lines": lines})).problem(422, "exceeds_remaining")
    more = (await api.post("/v1/reservations/basket/release", {"lines": lines[:1]})).problem(422, "exceeds_remaining")

    assert "its only line has the number 1" in refused["detail"]
    assert "send a smaller one" in more["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"lines": [{"line": 1, "quantity": 2}, {"line": 2, "sku": "B"}]}, "lines[1].quantity"),
        ({"lines": [{"line": 1, "sku": "A", "quantity": 2}]}, "lines[0].line"),
        ({"lines": [{"line": 1, "location": "main", "quantity": 2}]}, "lines[0].line"),
        ({"lines": [{"quantity": 2}]}, "lines[0].sku"),
        ({"lines": [{"line": 1}]}, "lines[0].sku"),
        ({"lines": [{"sku": "A"}]}, "lines[0].line"),
        ({"lines": [{"line": 1, "sku": "A"}], "ttl_s": 60}, "ttl_s"),
        ({"lines": [{"line": 1, "sku": "A"}], "on_shortage": "accept"}, "on_shortage"),
        ({"lines": [{"line": 1, "quantity": -1}]}, "lines[0].quantity"),
        ({"lines": [{"sku": "8,68001E+12", "quantity": 1}]}, "lines[0].sku"),
        ({"lines": [{"sku": "A", "location": "a\tb", "quantity": 1}]}, "lines[0].location"),
        ({"lines": []}, "lines"),
    ],
)
async def test_given_lines_that_cannot_be_when_edited_then_the_field_is_named(
    api: Api, body: dict[str, object], field: str
) -> None:
    refused = (await api.post("/v1/reservations/basket/lines", body)).problem(400, "invalid")

    assert refused["errors"][0]["field"] == field


async def test_given_edits_and_mappings_then_each_is_counted_under_its_name(
    start_server: Callable[..., Server],
) -> None:
    scopes = ("read", "reserve", "stock", "metrics")
    server, key = start_server(keys=[Key("counter", "default", scopes)]), Key("counter", "default", scopes)
    async with opened(server, key) as api:
        await api.count("A", 5)
        await order(api, "o", ("A", 1), ("?", 1), on_shortage="accept")

        (await api.post("/v1/reservations/o/lines", {"lines": [{"line": 1, "quantity": 2}]})).ok()
        (await api.post("/v1/reservations/o/lines", {"lines": [{"line": 2, "sku": "A"}]})).ok()
        missing = await api.post("/v1/reservations/nobody/lines", {"lines": [{"line": 1, "quantity": 2}]})
        missing.problem(404, "unknown_reservation")

        async def is_counted() -> bool:
            page = (await api.get("/metrics")).ok()
            wanted = [("committed", "edit"), ("committed", "map_lines"), ("unknown_reservation", "edit")]
            return all(f'operation="{name}",outcome="{outcome}"' in page for outcome, name in wanted)

        await wait_until(is_counted, "each is counted")


async def test_given_barcodes_when_lines_are_edited_or_mapped_then_they_stand_for_their_skus(api: Api) -> None:
    await api.count("A", 50)
    rows = [{"barcode": "S-1", "sku": "A"}, {"barcode": "S-6", "sku": "A", "factor": 6}]
    (await api.put("/v1/barcodes", {"barcodes": rows})).ok()
    await hold(api, "basket", ("A", 1))
    await order(api, "sold", ("nosuch", 2), on_shortage="accept")

    async def change(reservation_id: str, **line: object) -> Any:
        return await api.post(f"/v1/reservations/{reservation_id}/lines", {"lines": [line]})

    assert shown((await change("basket", barcode="S-6", quantity=2)).ok()) == [("A", "main", 12, 12, 0)]
    (await change("basket", barcode="S-7", quantity=2)).problem(422, "unknown_barcode")
    for line in (
        {"barcode": "S-6", "sku": "A", "quantity": 1},
        {"barcode": "S-6", "line": 1, "quantity": 1},
        {"barcode": "S-6", "quantity": 1_000_000_000},
    ):
        assert (await change("basket", **line)).problem(400, "invalid")["errors"][0]["field"].startswith("lines[0].")
    pack = (await change("sold", line=1, barcode="S-6")).problem(400, "invalid")
    assert "is of a pack of 6" in pack["errors"][0]["rule"]
    assert shown((await change("sold", line=1, barcode="S-1")).ok()) == [("A", "main", 2, 0, 2)]
    assert await api.available("A") == 50 - 12 - 2
