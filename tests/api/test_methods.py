"""HEAD, OPTIONS and methods that a path does not take, as HTTP wants them."""

import asyncio

import pytest

from server.api.routes import ROUTES
from tests.support.http import Api, Key, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

SYSTEM = ("/livez", "/readyz", "/openapi.json", "/docs", "/docs/try", "/docs/openapi-explorer.js")
SAME_EVERY_TIME = ("Content-Type", "ETag", "Cache-Control")


@pytest.mark.parametrize("path", ["/v1/availability/A", "/v1/stock/A", "/v1/locations", "/v1/channels", *SYSTEM])
async def test_head_is_what_get_is_without_the_body(api: Api, path: str) -> None:
    await api.count("A", 5)
    got, headed = await api.get(path), await api.send("HEAD", path)

    assert (headed.status, headed.raw) == (200, b"")
    assert [headed.headers.get(name) for name in SAME_EVERY_TIME] == [got.headers.get(name) for name in SAME_EVERY_TIME]
    # A time may have a digit less.
    assert abs(int(headed.headers["Content-Length"]) - len(got.raw)) <= 6


@pytest.mark.parametrize(
    "path", ["/v1/reservations/unknown", "/v1/availability/%00", "/v1/reservations?limit=x", "/no"]
)
async def test_head_of_what_is_refused_has_the_status_alone(api: Api, path: str) -> None:
    got, headed = await api.get(path), await api.send("HEAD", path)

    assert (headed.status, headed.raw) == (got.status, b"")
    assert headed.headers["Content-Type"] == "application/problem+json"


async def test_head_needs_the_key_that_get_needs(server: Server) -> None:
    async with opened(server) as nobody:
        assert (await nobody.send("HEAD", "/v1/locations")).status == 401


async def test_head_has_no_byte_of_a_body_on_the_wire_however_long_it_is(api: Api, server: Server) -> None:
    for number in range(40):
        movements = [
            {"kind": "count", "sku": f"{number}-{each}-{'x' * 90}", "on_hand": 1, "allow_similar": True}
            for each in range(25)
        ]
        (await api.post("/v1/stock/movements", {"movements": movements})).ok()
    long = await api.get("/v1/replenishment?limit=1000")
    assert long.status == 200
    key = f"Authorization: Bearer {api.key.token}" if api.key else ""
    for path in ("/v1/replenishment?limit=1000", "/openapi.json"):
        async with raw_connection(server) as connection, asyncio.timeout(30):
            await connection.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n{key}\r\n\r\n".encode())
            await connection.send(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            first, _, rest = (await connection.rest()).partition(b"\r\n\r\n")
        assert first.startswith(b"HTTP/1.1 200")
        assert int(first.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]) > 20
        assert rest.startswith(b"HTTP/1.1 200")


async def test_head_of_a_stream_begins_none(api: Api) -> None:
    async with asyncio.timeout(20):
        headed = await api.send("HEAD", "/v1/changes")
        wrong = await api.send("HEAD", "/v1/changes?since=0")

    assert (headed.status, headed.headers["Content-Type"], headed.raw) == (200, "text/event-stream", b"")
    assert wrong.status == 400


def paths() -> list[str]:
    return sorted({route.path.replace("{", "").replace("}", "") for route in ROUTES} | {*SYSTEM, "/metrics"})


def methods_of(path: str) -> set[str]:
    taken = {route.method for route in ROUTES if route.path.replace("{", "").replace("}", "") == path}
    taken |= {"GET"} if path in (*SYSTEM, "/metrics") else set()
    return taken | {"OPTIONS"} | ({"HEAD"} if "GET" in taken else set())


async def test_options_says_of_every_path_what_it_takes(server: Server) -> None:
    async with opened(server) as nobody:
        for path in paths():
            answer = await nobody.send("OPTIONS", path)
            allowed = set(answer.headers["Allow"].split(", "))
            assert (answer.status, answer.raw) == (204, b""), path
            assert allowed >= methods_of(path), path


async def test_options_of_the_whole_server_and_of_nothing(server: Server) -> None:
    async with raw_connection(server) as connection, asyncio.timeout(20):
        await connection.send(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n")
        status, headers, _ = await connection.answer()
    async with opened(server) as nobody:
        (await nobody.send("OPTIONS", "/nowhere")).problem(404, "not_found")

    assert status == 204
    assert {"GET", "HEAD", "OPTIONS", "POST"} <= set(headers["allow"].split(", "))


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "TRACE", "PROPFIND"])
async def test_a_method_that_a_path_does_not_take_is_answered_with_those_that_it_does(api: Api, method: str) -> None:
    answer = await api.send(method, "/v1/reservations")

    assert "This path takes GET, HEAD, OPTIONS, POST." in answer.problem(405, "method_not_allowed")["detail"]
    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"


async def test_the_port_of_the_metrics_takes_head_and_options() -> None:
    key = Key("boss", "default")
    with Server(keys=[key], role="api") as server:
        async with opened(server, Key("boss", "default")) as api:
            assert (await api.send("OPTIONS", "/metrics")).headers["Allow"] == "GET, HEAD, OPTIONS"
