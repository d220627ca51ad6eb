"""The express lane: what takes it, what waits behind it, and how a connection lives and ends with it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.conftest import wait_until
from tests.support.both_ways import MADE, admitted, rested
from tests.support.http import Key, Server, opened, raw_connection
from tests.support.scraping import express_requests
from tests.support.unread import until_read

pytest_plugins = ("tests.support.http_fixtures",)

RESERVE = {"channel": "web", "lines": [{"sku": "A", "quantity": 1}]}
IDLE_S = 1.5


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(express_lane=True, reply_timeout_s=30, queue_timeout_s=30) as started:
        yield started
        assert started.faults == []


def written(method: str, path: str, *headers: str, body: bytes = b"", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", "Host: localhost", *headers, "", ""]).encode() + body


JSON = "Content-Type: application/json"
RAW = msgspec.json.encode(RESERVE)
LENGTH = f"Content-Length: {len(RAW)}"
TAKEN: dict[str, tuple[bytes, int]] = {
    "a reserve": (written("POST", "/v1/reservations", JSON, LENGTH, body=RAW), 201),
    "an order": (written("POST", "/v1/orders", JSON, LENGTH, body=RAW), 201),
    "a commit": (written("POST", "/v1/reservations/none/commit", JSON, "Content-Length: 2", body=b"{}"), 404),
    "a release": (written("POST", "/v1/reservations/none/release", JSON, "Content-Length: 2", body=b"{}"), 404),
    "a read": (written("GET", "/v1/availability/A"), 200),
    "a read with a query": (written("GET", "/v1/availability/A?location=main"), 200),
    "a read of an encoded name": (written("GET", "/v1/availability/%C4%B0%2F%25"), 422),
    "a read of many": (
        written("POST", "/v1/availability/query", JSON, "Content-Length: 14", body=b'{"skus":["A"]}'), 200,
    ),
    "a body in MessagePack": (
        written("POST", "/v1/availability/query", "Content-Type: application/msgpack", "Content-Length: 9",
                body=msgspec.msgpack.encode({"skus": ["A"]})), 200,
    ),
    "a faulty body": (written("POST", "/v1/orders", JSON, "Content-Length: 2", body=b"{]"), 400),
    "no body": (written("POST", "/v1/orders", JSON), 400),
    "a client that says it stays": (written("GET", "/v1/availability/A", "Connection: keep-alive"), 200),
}  # fmt: skip
"""What takes the lane, and the status of its answer."""
LEFT: dict[str, tuple[bytes, int]] = {
    "another route": (written("GET", "/v1/locations"), 200),
    "no route": (written("GET", "/v1/nowhere"), 404),
    "another method": (written("DELETE", "/v1/orders"), 405),
    "chunks": (
        written("POST", "/v1/orders", JSON, "Transfer-Encoding: chunked", body=b"2\r\n{}\r\n0\r\n\r\n"), 400,
    ),
    "an expectation": (written("POST", "/v1/orders", JSON, "Expect: else", "Content-Length: 2", body=b"{}"), 400),
    "a caller that knows an answer": (written("GET", "/v1/availability/A", 'If-None-Match: W/"0"'), 200),
    "an upgrade": (written("GET", "/v1/availability/A", "Connection: Upgrade", "Upgrade: websocket"), 200),
    "a caller that leaves": (written("GET", "/v1/availability/A", "Connection: close"), 200),
    "HTTP/1.0": (written("GET", "/v1/availability/A", version="HTTP/1.0"), 200),
    "no HTTP": (b"GARBAGE\r\n\r\n", 400),
}  # fmt: skip
"""What takes the ordinary way."""


async def test_whole_requests_for_hot_routes_take_the_lane(server: Server) -> None:
    before = await express_requests(server)
    async with admitted(server) as connection:
        for name, (sent, status) in TAKEN.items():
            for _ in range(3):
                await connection.send(sent)
                assert (name, await connection.status()) == (name, status)
    assert await express_requests(server) - before == 3 * len(TAKEN)


async def test_everything_else_takes_the_ordinary_way(server: Server) -> None:
    before = await express_requests(server)
    for name, (sent, status) in LEFT.items():
        async with admitted(server) as connection:
            await connection.send(sent)
            assert (name, await connection.status()) == (name, status)
    assert await express_requests(server) == before


async def test_pipelined_and_split_requests_and_the_first_one_take_the_ordinary_way(server: Server) -> None:
    (read, _), (reserve, _) = TAKEN["a read"], TAKEN["a reserve"]
    before = await express_requests(server)
    async with raw_connection(server) as fresh:
        await fresh.send(read)
        assert await fresh.status() in (200, 422)
    async with admitted(server) as connection:
        await connection.send(read * 3)
        assert [await connection.status() for _ in range(3)] == [200] * 3
        await connection.send_apart(reserve[:-5])
        await connection.send(reserve[-5:])
        assert await connection.status() == 201
    assert await express_requests(server) == before


async def test_what_comes_while_the_lane_is_busy_is_answered_behind_it_in_order(server: Server) -> None:
    async with admitted(server) as connection:
        with server.frozen_store():
            await connection.send_apart(MADE.reserve("busy-1"))
            await connection.send_apart(MADE.plain("GET", "/livez") + MADE.reserve("busy-2")[:40])
            await connection.send(MADE.reserve("busy-2")[40:] + MADE.plain("GET", "/nowhere"))  # it reads no more now
        bodies = [(await connection.answer())[2] for _ in range(4)]
    assert [b"busy-1" in bodies[0], b"ok" in bodies[1], b"busy-2" in bodies[2], b"not_found" in bodies[3]] == [True] * 4


async def test_a_caller_that_sends_without_end_while_the_lane_is_busy_is_held_back(server: Server) -> None:
    _, writer = await asyncio.open_connection(server.host, server.port)
    async with admitted(server):
        writer.write(MADE.warm_up())
        await until_read(writer)
        await rested(server)
        with server.frozen_store():
            writer.write(MADE.reserve("endless"))
            await until_read(writer)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(write_without_end(writer), timeout=1)
            assert resident_mib(server) < 400
    writer.transport.abort()


async def write_without_end(writer: asyncio.StreamWriter) -> None:
    """The kernels take some megabytes; the server no more than it reads at once."""
    while True:
        writer.write(MADE.plain("GET", "/livez") * 10_000)
        await writer.drain()


def resident_mib(server: Server) -> float:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def test_an_idle_connection_is_closed_in_time_and_a_busy_one_is_not(start_server: Callable[..., Server]) -> None:
    server = start_server(express_lane=True, keepalive_timeout_s=IDLE_S, reply_timeout_s=30, queue_timeout_s=30)
    async with admitted(server) as connection:
        with server.frozen_store():
            await connection.send_apart(MADE.reserve("slow"))
            await asyncio.sleep(2.5 * IDLE_S)  # longer than an idle one would stay
        assert await connection.status() == 201
        await connection.send(MADE.plain("GET", "/livez"))
        assert await connection.status() == 200, "its time begins anew with the answer"
        assert await connection.rest() == b""


async def test_callers_who_hang_up_while_the_lane_is_busy_have_had_their_effect(server: Server) -> None:
    for number in range(20):
        async with admitted(server) as connection:
            await connection.send(MADE.reserve(f"left-{number}"))
            connection.hang_up()
    async with opened(server) as api:
        for number in range(20):

            async def is_held(number: int = number) -> bool:
                return (await api.get(f"/v1/reservations/left-{number}")).status == 200

            await wait_until(is_held, f"the reservation left-{number} is there")


async def test_a_refusal_that_ends_the_connection_ends_it(
    start_server: Callable[..., Server],
) -> None:
    boss = Key("boss", "default", ("admin", "metrics"))
    server = start_server(express_lane=True, keys=[boss])
    key = f"Authorization: Bearer {boss.token}"
    async with raw_connection(server) as connection, asyncio.timeout(20):
        await connection.send(written("GET", "/v1/locations", key))
        assert await connection.status() == 200
        await rested(server)
        await connection.send(written("GET", "/v1/availability/A", "Authorization: Bearer hf_boss_wrong"))
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == (401, "close")
        assert await connection.rest() == b""
    assert await express_requests(server, [boss]) == 1
