"""Errors people can act on: all faults at once, JSON that is none said as such, the nearest name for a wrong one."""

from typing import Any

import msgspec
import pytest

from server.api.http.nearest_path import Paths
from server.api.routes import ROUTES
from server.domain.field_faults import faults_of
from server.service.text_faults import check_texts
from tests.support.docs_examples import examples, whole
from tests.support.http import Api, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

RESERVE = "/v1/reservations"
CHANNEL = """
[channels.my-shop]
kind = "webhook"

[channels.my-shop.options]
url = "https://shop.example/hook"

[channels.my-shop.credentials]
secret = { env = "SHOP_SECRET" }
"""


def fields(problem: Any) -> list[str]:
    return [error["field"] for error in problem["errors"]]


@pytest.mark.parametrize("msgpack", [False, True])
async def test_all_faults_of_a_body_are_named_at_once(api: Api, msgpack: bool) -> None:
    body = {
        "reservation_id": "",
        "chanel": "web",
        "lines": [{"sku": "A\n", "quantity": 0}, {"sku": "B", "quantity": "2", "colour": 1}],
        "ttl_s": 1e9,
    }

    problem = (await api.post(RESERVE, body, msgpack=msgpack)).problem(400, "invalid")

    assert fields(problem) == [
        "reservation_id", "chanel", "lines[0].sku", "lines[0].quantity", "lines[1].quantity", "lines[1].colour",
        "ttl_s", "channel",
    ]  # fmt: skip
    assert problem["errors"][1]["rule"] == "is not known here; did you mean channel?"
    assert problem["detail"].startswith(
        "reservation_id: must be text of 1 to 64 characters, not an empty text. `errors`"
    )
    assert "lists 7 more" in problem["detail"]


async def test_all_texts_that_cannot_be_are_named_where_every_type_fits(api: Api) -> None:
    body = {
        "channel": "w\tb",
        "lines": [{"sku": "A\x07", "quantity": 1}, {"sku": "ok", "quantity": 1, "location": "ü" * 33}],
        "order_ref": "x\x00",
        "flags": ["fine", "a\r"],
    }

    problem = (await api.post(RESERVE, body)).problem(400, "invalid")

    assert sorted(fields(problem)) == ["channel", "flags[1]", "lines[0].sku", "lines[1].location", "order_ref"]


async def test_each_faulty_element_of_a_batch_has_all_its_faults(api: Api) -> None:
    await api.count("A", 5)
    sound = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
    wrong = {"channel": 1, "lines": [{"sku": "A", "quantity": 0}], "reservation_id": "wrong"}
    texts = {"channel": "a\t", "lines": [{"sku": "\x07", "quantity": 1}]}

    results = (await api.post(f"{RESERVE}/batch", {"reservations": [wrong, sound, texts]})).ok()["results"]

    assert [result["status"] for result in results] == [400, 201, 400]
    assert fields(results[0]["problem"]) == ["channel", "lines[0].quantity"]
    assert sorted(fields(results[2]["problem"])) == ["channel", "lines[0].sku"]


async def test_all_faults_of_movements_are_named(api: Api) -> None:
    movements = [{"kind": "recieve", "sku": "A"}, {"kind": "count", "sku": "A", "on_hand": -1}, {"kind": "move"}]

    problem = (await api.post("/v1/stock/movements", {"movements": movements})).problem(400, "invalid")

    assert fields(problem)[:2] == ["movements[0].kind", "movements[1].on_hand"]
    assert "did you mean receive?" in problem["errors"][0]["rule"]


async def test_all_faults_of_a_query_are_named(api: Api) -> None:
    problem = (await api.get("/v1/reservations?limit=ten&chanel=web&state=lost")).problem(400, "invalid")

    assert fields(problem) == ["limit", "chanel", "state"]
    assert "did you mean channel?" in problem["errors"][1]["rule"]
    twice = (await api.get("/v1/reservations?limit=1&limit=2&sku=A&sku=B")).problem(400, "invalid")
    assert fields(twice) == ["limit", "sku"]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/v1/transfers?state=sent", "is not known here; known are after, limit"),
        ("/v1/reservations?after=x", "must be what a page gave as next"),
        ("/v1/reservations?after=live:1@99999999999999999999999-0", "must be what a page gave as next"),
        ("/v1/reservations?state=held&after=ended:0@1700000000000-0", "belongs to a listing of another state: leave"),
        ("/v1/backorders?after=x", "must be what a page gave as next"),
        ("/v1/skus?after=x%20y", "must be text of at most 1,024 characters of letters without"),
    ],
)
async def test_what_a_query_may_have_is_said_in_words(api: Api, path: str, rule: str) -> None:
    problem = (await api.get(path)).problem(400, "invalid")

    assert problem["errors"][0]["rule"].startswith(rule)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b'{"channel":\n  "web",\n  lines: []}', "at line 3, column 3: object keys must be strings"),
        (b'{"channel": "web",\n "lines": [{"sku": "\xc5\x9f" "quantity": 1}]}', "at line 2, column 24: expected"),
        (b"{'channel': 'web'}", "texts and names stand in double quotes"),
        (b'{"channel": True}', "true is written small"),
        (b'{"channel": 7, "lines": [', "truncated"),
        (b'{"channel": "a\nb"}', "a line break in a text is written"),
    ],
)
async def test_a_body_that_is_no_json_is_said_to_be_none_with_line_and_column(api: Api, raw: bytes, said: str) -> None:
    problem = (await api.send("POST", RESERVE, raw=raw)).problem(400, "invalid")

    assert fields(problem) == ["body"]
    assert "is not valid JSON" in problem["detail"]
    assert said in problem["detail"]


async def test_a_large_faulty_body_is_refused_with_its_last_fault(api: Api) -> None:
    movements: list[dict[str, object]] = [{"kind": "receive", "sku": "A", "quantity": 1} for _ in range(1_000)]
    movements[999] = {"kind": "receive", "sku": "A", "quantity": 0}

    problem = (await api.post("/v1/stock/movements", {"movements": movements})).problem(400, "invalid")

    assert fields(problem) == ["movements[999].quantity"]


async def test_an_unknown_channel_or_path_is_answered_with_the_nearest() -> None:
    with Server(toml=CHANNEL, environment={"SHOP_SECRET": "whsec_" + "A" * 32}, role="api") as server:
        async with opened(server) as api:
            unknown = (await api.get("/v1/channels/my-shpo")).problem(404, "unknown_channel")
            nothing_like = (await api.get("/v1/channels/quite-another")).problem(404, "unknown_channel")
            path = (await api.get("/v1/reservation/r-1")).problem(404, "not_found")

    assert "did you mean my-shop?" in unknown["detail"]
    assert "did you mean" not in nothing_like["detail"]
    assert path["detail"] == "Did you mean /v1/reservations/{reservation_id}? /docs lists every route."


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("/v1/reservation", "/v1/reservations"),
        ("/reservations", "/v1/reservations"),
        ("/v1/Reservations/", "/v1/reservations"),
        ("/v1/reservations/r-1/comit", "/v1/reservations/{reservation_id}/commit"),
        ("/v1/availabilty/TS-1", "/v1/availability/{sku}"),
        ("/v1/qqqqqqqqqqqqqqq", ""),
        ("/" + "a" * 100_000, ""),
        ("/a" * 10_000, ""),
        ("/", ""),
        ("", ""),
    ],
)
def test_the_nearest_path(path: str, nearest: str) -> None:
    assert Paths([route.path for route in ROUTES]).nearest(path) == nearest


def test_no_sound_body_of_the_documentation_is_found_at_fault() -> None:
    """What a second look would say of bodies that are taken is nothing."""
    bodies = {(route.method, route.path): route.body for route in ROUTES if route.body is not None}
    seen = 0
    for example in examples(whole()):
        method, path = example.request.split("\n")[0].split(" ")
        body = bodies.get((method, path))
        raw = example.request.partition("\n\n")[2].strip()
        if body is None or not raw or not example.answer.startswith("2"):
            continue
        seen += 1
        sent = msgspec.json.decode(raw)
        assert faults_of(sent, body, check=check_texts) == [], example.request
        typed = msgspec.to_builtins(msgspec.convert(sent, body))
        assert faults_of(typed, body, check=check_texts, fits=True) == [], example.request
    assert seen > 10
