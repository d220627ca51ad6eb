"""The access log: refused requests are found always, others as is wished; nothing secret or personal is in it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.both_ways import MADE, admitted
from tests.support.http import Key, Server, opened
from tests.support.stores import wait_until

BOSS = Key("boss", "default")
READER = Key("looks", "default", ("read",))
RESERVE = "/v1/reservations"
SECRET = "kq7xw3mzpt5v2ahd"


def order(reservation_id: str, quantity: int = 1, **fields: object) -> dict[str, object]:
    lines = [{"sku": "A", "quantity": quantity}]
    return {"reservation_id": reservation_id, "channel": "web", "lines": lines, **fields}


def started(**settings: Any) -> Server:
    return Server(keys=[BOSS, READER], log_format="json", role="api", **settings)


def lines(server: Server, event: str = "request") -> list[dict[str, Any]]:
    found = [json.loads(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def line_of(server: Server, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    wait_until(lambda: any(map(wanted, lines(server))), "the line is written")
    [line] = filter(wanted, lines(server))
    return line


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in ("at", "seconds", "request_id")}


@pytest.mark.parametrize("express_lane", ["true", "false"])
async def test_a_refused_order_is_found_with_what_it_was_about(express_lane: str) -> None:
    with started(express_lane=express_lane) as server:
        async with opened(server, BOSS) as api:
            await api.count("A", 2)
            await api.get("/v1/locations")
            (await api.post(RESERVE, order("o-short", 3, order_ref="1001"))).problem(409, "out_of_stock")
            (await api.post(RESERVE, order("o-wrong", 0))).problem(400, "invalid")
            (await api.post("/v1/reservations/o-none/commit", {})).problem(404, "unknown_reservation")
        async with opened(server, READER) as reader:
            (await reader.post(RESERVE, order("o-may-not"))).problem(403, "forbidden")
        short = line_of(server, lambda line: line.get("reservation_id") == "o-short")
        wrong = line_of(server, lambda line: line.get("reservation_id") == "o-wrong")
        none = line_of(server, lambda line: line.get("reservation_id") == "o-none")
        forbidden = line_of(server, lambda line: line["outcome"] == "forbidden")

    about = {"level": "info", "event": "request", "logger": "holdfast.access", "method": "POST", "route": RESERVE}
    who = {"actor": "boss", "partition": "default"}
    assert without_times(short) == {
        **about, **who, "status": 409, "outcome": "out_of_stock", "reservation_id": "o-short", "order_ref": "1001",
        "channel": "web", "skus": ["A"],
    }  # fmt: skip
    assert without_times(wrong) == {
        **about, **who, "status": 400, "outcome": "invalid", "reservation_id": "o-wrong", "channel": "web",
        "fields": ["lines[0].quantity"],
    }  # fmt: skip
    assert (none["route"], none["outcome"]) == ("/v1/reservations/{reservation_id}/commit", "unknown_reservation")
    assert "reservation_id" not in forbidden  # what a stranger sends is not read


async def test_each_refused_item_of_a_batch_is_found() -> None:
    with started() as server:
        async with opened(server, BOSS) as api:
            await api.count("A", 2)
            batch = {"reservations": [order("b-1"), order("b-2", 9), {**order("b-3"), "channel": 7}]}
            answer = await api.post(f"{RESERVE}/batch", batch, headers={"X-Request-Id": "batch-1"})
            assert [each["status"] for each in answer.ok()["results"]] == [201, 409, 400]
        short = line_of(server, lambda line: line.get("reservation_id") == "b-2")
        wrong = line_of(server, lambda line: line.get("reservation_id") == "b-3")

    assert (short["item"], short["outcome"], short["request_id"], short["skus"]) == (
        1,
        "out_of_stock",
        "batch-1",
        ["A"],
    )
    assert (wrong["item"], wrong["outcome"], wrong["fields"]) == (2, "invalid", ["channel"])


async def test_all_has_a_line_for_each_request_and_sampled_for_some_and_off_for_none() -> None:
    counts = {}
    for wanted in ("all", "sampled", "off"):
        with started(access_log=wanted, access_log_every=10) as server:
            async with opened(server, BOSS) as api:
                await api.count("A", 100)
                for number in range(30):
                    (await api.post(RESERVE, order(f"o-{number}"))).ok(201)
                (await api.post(RESERVE, order("o-last", 99))).problem(409, "out_of_stock")
            if wanted != "off":
                line_of(server, lambda line: line.get("reservation_id") == "o-last")
            server.stop()
            found = [line for line in lines(server) if line["route"] == RESERVE]
            counts[wanted] = len([line for line in found if line["outcome"] == "held"])
            assert len(found) - counts[wanted] == (0 if wanted == "off" else 1)

    assert counts == {"all": 30, "sampled": 3, "off": 0}


async def test_a_replay_and_reads_and_probes_have_their_outcomes() -> None:
    with started(access_log="all") as server:
        async with opened(server, BOSS) as api:
            await api.count("A", 9)
            for _ in range(2):
                (await api.post(RESERVE, order("again"))).ok(201)
            (await api.get("/v1/availability/A", headers={"X-Request-Id": "reads"})).ok()
            (await api.get("/livez", headers={"X-Request-Id": "probes"})).ok()
            (await api.get("/nowhere", headers={"X-Request-Id": "nowhere"})).problem(404, "not_found")
        line_of(server, lambda line: line["outcome"] == "replayed")
        reads = line_of(server, lambda line: line["request_id"] == "reads")
        probes = line_of(server, lambda line: line["request_id"] == "probes")
        nowhere = line_of(server, lambda line: line["request_id"] == "nowhere")

    assert (reads["outcome"], reads["actor"]) == ("ok", "boss")
    assert (probes["route"], probes["outcome"], probes.get("actor")) == ("/livez", "ok", None)
    assert (nowhere["outcome"], nowhere["status"]) == ("not_found", 404)


async def test_nothing_secret_or_personal_is_in_it() -> None:
    with started(access_log="all") as server:
        async with opened(server, BOSS) as api:
            await api.count("A", 9)
            (await api.post(RESERVE, order("fine", customer_ref=f"ayse-{SECRET}"))).ok(201)
            (await api.post(RESERVE, order("bad", customer_ref=SECRET * 40))).problem(400, "invalid")
            (await api.post(RESERVE, order(f"hf_abc_{SECRET}", 99))).problem(409, "out_of_stock")
            await api.get(f"/v1/reservations?token={SECRET}")
            await api.get(f"/nowhere/{SECRET}?key={SECRET}")
            await api.get("/v1/locations", headers={"Authorization": f"Bearer hf_x_{SECRET}", "Cookie": SECRET})
            (await api.get("/v1/locations", headers={"X-Request-Id": "last"})).ok()
        line_of(server, lambda line: line["request_id"] == "last")
        said = server.stderr

    assert SECRET not in said
    assert BOSS.secret not in said
    assert "127.0.0.1" not in "".join(line for line in said.splitlines() if "holdfast.access" in line)


async def test_what_strangers_cause_is_bounded_and_counted() -> None:
    with started() as server:
        async with opened(server, Key("nobody", "default")) as stranger:
            for _ in range(60):
                (await stranger.get("/v1/locations")).problem(401, "unauthorized")
        server.stop()
        told = len([line for line in lines(server) if line["outcome"] == "unauthorized"])
        left_out = sum(line["lines"] for line in lines(server, "access_lines_left_out"))

    assert told + left_out == 60


async def test_a_request_of_the_lane_has_the_same_line() -> None:
    with Server(log_format="json", access_log="all") as server:
        async with admitted(server) as connection:
            await connection.send(MADE.reserve("by-lane"))
            assert await connection.status() == 201
        line = line_of(server, lambda line: line.get("reservation_id") == "by-lane")

    assert (line["outcome"], line["actor"], line["route"]) == ("held", "local", RESERVE)


async def test_in_text_it_is_a_line_of_the_log_like_others() -> None:
    with Server(keys=[BOSS], log_format="text", role="api") as server:
        async with opened(server, BOSS) as api:
            (await api.post("/v1/reservations/o-none/commit", {})).problem(404, "unknown_reservation")
        wait_until(lambda: "reservation_id=o-none" in server.stderr, "the line is written")
        [line] = [line for line in server.stderr.splitlines() if "reservation_id=o-none" in line]

    assert "request" in line
    assert "outcome=unknown_reservation" in line
    assert "[holdfast.access]" in line
