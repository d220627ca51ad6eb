"""What no client library would send: malformed HTTP, crawling bodies, callers who hang up. The server stays up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from tests.conftest import wait_until
from tests.support.http import RawConnection, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

BODY_TIMEOUT_S = 0.4


def request(line: str, *headers: str, body: bytes = b"", host: bool = True) -> bytes:
    lines = [line, *(["Host: localhost"] if host else []), *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def reserve(reservation_id: str, sku: str = "A", quantity: int = 1) -> bytes:
    body = msgspec.json.encode(
        {"reservation_id": reservation_id, "channel": "raw", "lines": [{"sku": sku, "quantity": quantity}]}
    )
    return request(
        "POST /v1/reservations HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(body)}", body=body
    )


POST = "POST /v1/reservations HTTP/1.1"
JSON = "Content-Type: application/json"
MALFORMED: dict[str, bytes] = {
    "no HTTP at all": b"GARBAGE\r\n\r\n",
    "only a method": b"GET\r\n\r\n",
    "a future version": request("GET /livez HTTP/9.9"),
    "an old version": request("GET /livez HTTP/0.9"),
    "an unknown method": request("BREW /v1/orders HTTP/1.1"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(160)),
    "zeros": b"\x00" * 200,
    "a header without a colon": request("GET /livez HTTP/1.1", "nonsense"),
    "a header without a name": request("GET /livez HTTP/1.1", ": value"),
    "a space before the colon": request("GET /livez HTTP/1.1", "Name : value"),
    "a zero in a header": request("GET /livez HTTP/1.1", "Name: a\x00b"),
    "a bare line feed in a header": request("GET /livez HTTP/1.1", "Name: a\nb"),
    "a folded header": request("GET /livez HTTP/1.1", "Name: a", "  b"),
    "two hosts": request("GET /livez HTTP/1.1", "Host: other"),
    "a request line of 100 KiB": request("GET /" + "x" * 102_400 + " HTTP/1.1"),
    "a header of 100 KiB": request("GET /livez HTTP/1.1", "Name: " + "x" * 102_400),
    "ten thousand headers": request("GET /livez HTTP/1.1", *(f"N{number}: x" for number in range(10_000))),
    "two lengths": request(POST, JSON, "Content-Length: 2", "Content-Length: 3", body=b"{}"),
    "length and chunks": request(POST, JSON, "Content-Length: 2", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "a negative length": request(POST, JSON, "Content-Length: -1", body=b"{}"),
    "a length with a sign": request(POST, JSON, "Content-Length: +2", body=b"{}"),
    "a length that is no number": request(POST, JSON, "Content-Length: two", body=b"{}"),
    "a length beyond all bounds": request(POST, JSON, "Content-Length: " + "9" * 40, body=b"{}"),
    "a chunk size that is no number": request(POST, JSON, "Transfer-Encoding: chunked", body=b"zz\r\n{}\r\n0\r\n\r\n"),
    "a negative chunk": request(POST, JSON, "Transfer-Encoding: chunked", body=b"-1\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": request(POST, JSON, "Transfer-Encoding: chunked", body=b"1\r\n{}{}\r\n0\r\n\r\n"),
    "a chunk without an end": request(POST, JSON, "Transfer-Encoding: chunked", body=b"2\r\n{}0\r\n\r\n"),
    "chunked twice": request(POST, JSON, "Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "chunked but not last": request(POST, JSON, "Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "an unknown coding": request(POST, JSON, "Transfer-Encoding: wishful", body=b"{}"),
    "a bracket in the URL": request("GET http://[::1/ HTTP/1.1"),
    "a port that is none": request("GET http://holdfast:port/livez HTTP/1.1"),
    "a tunnel": request("CONNECT holdfast:443 HTTP/1.1"),
    "a star": request("GET * HTTP/1.1"),
    "bytes that are not UTF-8 in the path": request("GET /v1/availability/\xff\xfe HTTP/1.1"),
    "bytes that are not UTF-8 in the query": request("GET /v1/availability/A?location=\xff HTTP/1.1"),
    "bytes that are not UTF-8 in every header": request(
        POST, "Authorization: Bearer hf_x_\xff", "Content-Type: \xff", "Idempotency-Key: \xff", "Accept: \xff",
        "Content-Encoding: \xff", "Expect: \xff", "Content-Length: 2", body=b"{}",
    ),
    "bytes that are not UTF-8 to resume from": request("GET /v1/changes HTTP/1.1", "Last-Event-ID: \xff\xfe"),
    "bytes that are not UTF-8 as an ETag": request("GET /v1/availability/A HTTP/1.1", "If-None-Match: \xff"),
    "a control character in the path": request("GET /v1/availability/a\x01b HTTP/1.1"),
    "an upgrade": request("GET /v1/changes?after=x HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket"),
    "a compressed body that is none": request(POST, JSON, "Content-Encoding: gzip", "Content-Length: 2", body=b"{}"),
    "dots": request("GET /../../etc/passwd HTTP/1.1"),
    "encoded dots": request("GET /v1/%2e%2e/%2e%2e/etc/passwd HTTP/1.1"),
}  # fmt: skip


ECHOES = (b"GARBAGE", b"BREW", b"xxx", b"evil", b"nonsense", b"holdfast:", b"wishful", b"\\x", b"Traceback", b"aiohttp")
"""Parts of those requests, and of the machinery: no answer has them."""


@pytest.fixture(scope="module", params=["express", "ordinary"])
def listener(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a short patience, on each way, and at the end not a word of a fault."""
    # The access log has a line for each refusal; here it is the rest of the log that must stay silent.
    express_lane = request.param == "express"
    with Server(body_timeout_s=BODY_TIMEOUT_S, express_lane=express_lane, access_log="off") as server:
        yield server
        assert server.faults == []


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[RawConnection]:
    """A connection on which a request was let in, as the express lane wants it."""
    async with raw_connection(server) as connection:
        await connection.send(request("GET /v1/locations HTTP/1.1"))
        assert await connection.status() == 200
        yield connection


async def works(server: Server) -> bool:
    async with opened(server) as api:
        await api.count("A", 1_000_000)
        return (await api.reserve("A", 1)).status == 201


HARMLESS = {"an old version", "bytes that are not UTF-8 as an ETag"}
"""Those of them that are answered like others."""


@pytest.mark.parametrize("name", MALFORMED)
async def test_given_malformed_http_when_sent_then_it_is_refused_and_the_server_stays_up(
    listener: Server, name: str
) -> None:
    before = listener.stderr
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(MALFORMED[name])
        status, headers, body = await connection.answer()
    assert 200 <= status < 500, body
    assert (status < 400) is (name in HARMLESS), body
    if status >= 400:
        problem = msgspec.json.decode(body)
        assert (headers["content-type"], problem["status"]) == ("application/problem+json", status)
        assert problem["title"]
        assert problem["detail"]
        assert not any(telltale in body for telltale in ECHOES), body
    assert listener.stderr == before, "a caller's mistake is not worth a line in the log"
    assert await works(listener)


@pytest.mark.parametrize("name", MALFORMED)
async def test_given_malformed_http_when_the_caller_says_no_more_then_the_server_stays_up(
    listener: Server, name: str
) -> None:
    before = listener.stderr
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(MALFORMED[name])
        connection.half_close()
        await connection.rest()
    assert listener.stderr == before
    assert await works(listener)


LATE: dict[str, tuple[bytes, bytes]] = {
    "a chunk that is none": (b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n{}\r\n0\r\n\r\n"),
    "a chunk longer than it says": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{", b"}}}}\r\n0\r\n\r\n"),
    "a long trailer": (b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b"0\r\nX: " + b"evil" * 9000 + b"\r\n\r\n"),
    "a body beyond all bounds": (b"Content-Length: 90000000\r\n\r\n", b"x" * 300_000),
    "chunks beyond all bounds": (b"Transfer-Encoding: chunked\r\n\r\n", b"11170\r\n" + b"x" * 70_000),
}
"""What goes wrong only after a head that was right."""


@pytest.mark.parametrize("name", LATE)
async def test_given_a_body_that_is_not_framed_as_it_says_when_sent_later_then_it_is_a_problem_and_no_fault(
    listener: Server, name: str
) -> None:
    head, rest = LATE[name]
    before = listener.stderr
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send_apart(request(POST, JSON)[:-2] + head)
        await connection.send(rest)
        status, headers, body = await connection.answer()
    assert status in (400, 408, 413), body
    assert (headers["content-type"], msgspec.json.decode(body)["status"]) == ("application/problem+json", status)
    assert b"evil" not in body
    assert listener.stderr == before


@pytest.mark.parametrize("how", ["half_close", "hang_up"])
async def test_given_a_caller_who_leaves_within_a_body_when_it_is_read_then_the_log_says_nothing(
    listener: Server, how: str
) -> None:
    before = listener.stderr
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(request(POST, JSON, "Content-Length: 20", body=b"{"))
        assert await works(listener)  # so it is being read
        getattr(connection, how)()
        await connection.rest()
    assert await works(listener)
    assert listener.stderr == before


async def test_given_requests_in_one_piece_when_sent_then_answers_come_in_their_order(listener: Server) -> None:
    await works(listener)
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(
            reserve("pipe-1") + request("GET /nothing HTTP/1.1") + reserve("pipe-2", quantity=0) + reserve("pipe-3")
        )
        assert [await connection.status() for _ in range(4)] == [201, 404, 400, 201]


async def test_given_one_connection_when_used_again_then_it_is_kept(listener: Server) -> None:
    await works(listener)
    async with connected(listener) as connection, asyncio.timeout(20):
        for number in range(5):
            await connection.send(reserve(f"keep-{number}"))
            assert await connection.status() == 201


async def test_given_a_request_in_single_bytes_when_it_is_quick_enough_then_it_is_answered(listener: Server) -> None:
    await works(listener)
    async with connected(listener) as connection, asyncio.timeout(20):
        for byte in reserve("drops"):
            await connection.send(bytes([byte]))
        assert await connection.status() == 201


async def test_given_a_crawling_body_when_the_deadline_passes_then_408_and_nothing_happened(listener: Server) -> None:
    await works(listener)
    whole = reserve("crawl")
    head_end = whole.index(b"\r\n\r\n") + 4
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(whole[: head_end + 1])
        answer = asyncio.ensure_future(connection.answer())
        rest = iter(whole[head_end + 1 : -1])
        while not answer.done():
            await connection.send(bytes([next(rest)]))
            await asyncio.wait([answer], timeout=BODY_TIMEOUT_S / 4)
        status, headers, body = await answer
    problem = msgspec.json.decode(body)
    assert (status, headers["content-type"], problem["outcome"]) == (408, "application/problem+json", "request_timeout")
    assert (headers["connection"], problem["retryable"]) == ("close", True)
    async with opened(listener) as api:
        (await api.get("/v1/reservations/crawl")).problem(404, "unknown_reservation")


async def test_given_a_caller_who_says_no_more_when_it_is_asked_again_then_there_is_one_effect(
    listener: Server,
) -> None:
    await works(listener)
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(reserve("half"))
        connection.half_close()
        await connection.rest()
    async with opened(listener) as api:
        before = await api.available("A")
        (await api.reserve("A", 1, "half", channel="raw")).ok(201)
        assert await api.available("A") in (before, before - 1)


async def test_given_callers_who_hang_up_when_their_request_was_sent_then_it_takes_effect(listener: Server) -> None:
    await works(listener)
    async with opened(listener) as api:
        for number in range(20):
            async with connected(listener) as connection:
                await connection.send(reserve(f"gone-{number}"))
                connection.hang_up()
            neighbour = await api.reserve("A", 1, f"neighbour-{number}")
            assert neighbour.ok(201)["state"] == "held"
        for number in range(20):

            async def is_held(number: int = number) -> bool:
                return (await api.get(f"/v1/reservations/gone-{number}")).status == 200

            await wait_until(is_held, f"the reservation gone-{number} is there")


async def test_given_an_expectation_when_it_is_met_then_the_body_may_come(listener: Server) -> None:
    await works(listener)
    whole = reserve("expect").replace(b"Host: localhost", b"Host: localhost\r\nExpect: 100-continue")
    head, body = whole.split(b"\r\n\r\n", 1)
    async with connected(listener) as connection, asyncio.timeout(20):
        await connection.send(head + b"\r\n\r\n")
        assert await connection.status() == 100
        await connection.send(body)
        assert await connection.status() == 201


async def test_given_many_idle_connections_when_others_ask_then_they_are_answered(listener: Server) -> None:
    connections = [await asyncio.open_connection(listener.host, listener.port) for _ in range(200)]
    try:
        for _, writer in connections:
            writer.write(b"POST /v1/reservations HTTP/1.1\r\nHost: x\r\n")
        assert await works(listener)
    finally:
        for _, writer in connections:
            writer.close()
