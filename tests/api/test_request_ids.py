"""``X-Request-Id``: taken where it is one, made where not, and in every answer, problem and line of the log."""

import asyncio
import re
from typing import Any

import msgspec
import pytest

from tests.support.both_ways import MADE, admitted
from tests.support.http import Answer, Api, Key, Server, opened, raw_connection
from tests.support.stores import wait_until

pytest_plugins = ("tests.support.http_fixtures",)

HEADER = "X-Request-Id"
MADE_HERE = re.compile(r"q[0-9a-f]{13,}")
RESERVE = "/v1/reservations"
GOOD = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}


@pytest.mark.parametrize("given", ["a", "4bf92f35-77b3", "x" * 128, "A-Z._:/+=@~09"])
async def test_an_id_that_comes_with_a_request_is_answered(api: Api, given: str) -> None:
    await api.count("A", 5)
    for answer in (
        await api.post(RESERVE, GOOD, headers={HEADER: given}),
        await api.get("/v1/availability/A", headers={HEADER: given}),
        await api.get("/livez", headers={HEADER: given}),
        await api.get("/docs", headers={HEADER: given}),
    ):
        answer.ok(answer.status)
        assert answer.headers.getall(HEADER) == [given]


@pytest.mark.parametrize("given", ["", " ", "a b", "x" * 129, "ş", "a\tb", "<script>", "a,b", '"a"'])
async def test_what_is_no_id_is_replaced_and_nobody_is_refused(api: Api, given: str) -> None:
    await api.count("A", 5)
    answer = await api.post(RESERVE, GOOD, headers={HEADER: given or " "})

    answer.ok(201)
    assert MADE_HERE.fullmatch(answer.headers[HEADER])


async def test_an_id_that_was_sent_twice_is_replaced(server: Server) -> None:
    async with raw_connection(server) as connection, asyncio.timeout(20):
        await connection.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: a\r\nX-Request-Id: b\r\n\r\n")
        status, headers, _ = await connection.answer()

    assert (status, bool(MADE_HERE.fullmatch(headers["x-request-id"]))) == (200, True)


async def test_ids_that_are_made_differ(api: Api) -> None:
    made = {(await api.get("/v1/locations")).headers[HEADER] for _ in range(20)}

    assert len(made) == 20


async def problems(api: Api, given: str) -> list[Answer]:
    headers = {HEADER: given}
    return [
        await api.get("/v1/reservations/unknown", headers=headers),
        await api.post(RESERVE, {}, headers=headers),
        await api.post(RESERVE, GOOD, headers=headers),
        await api.send("POST", RESERVE, raw=b"{", headers=headers),
        await api.send("POST", RESERVE, raw=b"{}", headers={**headers, "Content-Type": "text/plain"}),
        await api.get("/nowhere", headers=headers),
        await api.send("DELETE", RESERVE, headers=headers),
        await api.get("/v1/locations", headers={**headers, "Authorization": "Bearer hf_x_y"}),
        await api.get("/metrics", headers=headers),
        await api.post("/v1/notifications/nobody/x", {}, headers=headers),
        await api.get("/v1/changes?after=x", headers=headers),
        await api.get("/v1/reservations?limit=x", headers=headers),
    ]


async def test_every_problem_has_the_id_of_its_answer(api: Api) -> None:
    for given in ("mine-1", ""):
        for answer in await problems(api, given):
            assert answer.status >= 400
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert answer.body["request_id"] == answer.headers[HEADER]
            assert answer.headers[HEADER] == given or (not given and MADE_HERE.fullmatch(answer.headers[HEADER]))


async def test_a_stream_has_the_id_in_its_head(api: Api) -> None:
    session = api._session
    headers = {"Authorization": f"Bearer {api.key.token}" if api.key else "", HEADER: "stream-1"}
    async with session.get(api._url + "/v1/changes", headers=headers) as response:
        assert (response.status, response.headers.getall(HEADER)) == (200, ["stream-1"])


async def test_an_answer_that_nothing_changed_has_it(api: Api) -> None:
    await api.count("A", 5)
    etag = (await api.get("/v1/availability/A")).headers["ETag"]
    answer = await api.get("/v1/availability/A", headers={"If-None-Match": etag, HEADER: "again"})

    assert (answer.status, answer.headers[HEADER]) == (304, "again")


async def test_what_is_no_http_has_one_too(server: Server) -> None:
    async with raw_connection(server) as connection, asyncio.timeout(20):
        await connection.send(b"nonsense\r\n\r\n")
        status, headers, body = await connection.answer()

    assert status == 400
    assert msgspec.json.decode(body)["request_id"] == headers["x-request-id"]


async def test_a_full_house_has_one_too() -> None:
    with Server(connections_max=1, role="api") as server:
        async with admitted(server), raw_connection(server) as other, asyncio.timeout(20):
            status, headers, body = await other.answer()

    assert status == 503
    assert msgspec.json.decode(body)["request_id"] == headers["x-request-id"]


async def test_the_express_lane_answers_ids_and_has_them_in_problems() -> None:
    with Server(role="api") as server:
        async with admitted(server) as connection:
            for path, expected in (("/v1/availability/A", 200), ("/v1/availability/nothing", 422)):
                for given in ("lane-1", None):
                    plain = MADE.plain("GET", path)
                    head = plain if given is None else plain[:-2] + f"{HEADER}: {given}\r\n\r\n".encode()
                    await connection.send(head)
                    status, headers, body = await connection.answer()
                    found = headers["x-request-id"]
                    assert status == expected
                    assert found == given or (given is None and MADE_HERE.fullmatch(found))
                    assert msgspec.json.decode(body).get("request_id") == (found if expected == 422 else None)


def logged(server: Server, event: str) -> list[dict[str, Any]]:
    lines = [msgspec.json.decode(line) for line in server.stderr.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


async def test_a_slow_request_and_its_line_in_the_access_log_have_the_id() -> None:
    key = Key("boss", "default")
    with Server(keys=[key], slow_request_ms=1, log_format="json", access_log="all") as server:
        async with opened(server, key) as api:
            await api.count("A", 5)
        body = msgspec.json.encode(GOOD)
        head = f"POST {RESERVE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key.token}\r\n{HEADER}: slow-1\r\n"
        asking = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        async with raw_connection(server) as connection, asyncio.timeout(20):
            with server.frozen_store():
                await connection.send_apart(asking)
                await asyncio.sleep(0.05)  # longer than a fast one may take
            assert await connection.status() == 201
        wait_until(lambda: any(line["request_id"] == "slow-1" for line in logged(server, "request")), "it is logged")
        [slow] = [line for line in logged(server, "slow_request") if line["request_id"] == "slow-1"]

    assert slow["route"] == RESERVE
