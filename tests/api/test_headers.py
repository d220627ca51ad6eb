"""Headers that are sent twice, and what the answers say of the machinery."""

import asyncio
from collections.abc import Callable, Iterator

import msgspec
import pytest

from tests.support.http import Key, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("boss", "default")
READER = Key("looks", "default", ("read",))
HELLO = f"Authorization: Bearer {ADMIN.token}"
MOVE = b'{"movements":[{"kind":"receive","sku":"A","quantity":1}]}'
MOVEMENTS = "POST /v1/stock/movements"
JSON = "Content-Type: application/json"

TWICE: dict[str, tuple[str, tuple[str, ...]]] = {
    "two keys, the first of which may": (MOVEMENTS, (HELLO, f"Authorization: Bearer {READER.token}", JSON)),
    "two keys, the second of which may": (MOVEMENTS, (f"Authorization: Bearer {READER.token}", HELLO, JSON)),
    "a key and one that is none": (MOVEMENTS, (HELLO, "authorization: Bearer hf_x_y", JSON)),
    "the same key twice": (MOVEMENTS, (HELLO, HELLO, JSON)),
    "two idempotency keys": (MOVEMENTS, (HELLO, JSON, "Idempotency-Key: one", "Idempotency-Key: two")),
    "the same idempotency key in other letters": (
        MOVEMENTS, (HELLO, JSON, "Idempotency-Key: one", "IDEMPOTENCY-KEY: one"),
    ),
    "two ids to go on from": ("GET /v1/changes", (HELLO, "Last-Event-ID: 0-1", "Last-Event-ID: 0-2")),
    "two keys for the figures": ("GET /metrics", (HELLO, HELLO)),
    "two hosts": (MOVEMENTS, (HELLO, JSON, "Host: other")),
    "two media types": (MOVEMENTS, (HELLO, JSON, "Content-Type: application/msgpack")),
    "two lengths": (MOVEMENTS, (HELLO, JSON, f"Content-Length: {len(MOVE)}")),
}  # fmt: skip
OF_HTTP = {"two hosts", "two media types", "two lengths"}
"""Those that the parser refuses."""
TWICE_SAID = (
    "The header Host is sent more than once; send it once.",
    "The header Content-Type is sent more than once; send it once.",
    "Duplicate Content-Length.",
)


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, READER]) as server:
        yield server
        assert server.faults == []


def asked(line: str, headers: tuple[str, ...]) -> bytes:
    body = MOVE if line.startswith("POST") else b""
    length = (f"Content-Length: {len(body)}",) if body else ()
    return "\r\n".join([f"{line} HTTP/1.1", "Host: localhost", *headers, *length, "", ""]).encode() + body


@pytest.mark.parametrize("name", TWICE)
async def test_given_a_header_that_is_sent_twice_when_asked_then_it_is_refused_and_nothing_happens(
    keyed: Server, name: str
) -> None:
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        await connection.send(asked(*TWICE[name]))
        status, headers, body = await connection.answer()

    problem = msgspec.json.decode(body)
    expected = "malformed" if name in OF_HTTP else "invalid"
    assert (status, headers["content-type"], problem["outcome"]) == (400, "application/problem+json", expected)
    if name in OF_HTTP:
        assert any(twice in problem["detail"] for twice in TWICE_SAID), problem["detail"]
    else:
        assert "must be sent once; this request has it 2 times" in problem["detail"]
        assert problem["errors"][0]["field"] in ("Authorization", "Idempotency-Key", "Last-Event-ID")
    async with opened(keyed, ADMIN) as api:
        (await api.get("/v1/stock/A")).problem(422, "unknown_sku")


async def test_given_a_server_without_keys_when_one_of_two_origins_is_foreign_then_it_is_refused(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    own = f"Origin: http://localhost:{server.port}"
    for twice in ((own, "Origin: http://evil.example"), ("Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site")):
        for headers in (twice, twice[::-1]):
            async with raw_connection(server) as connection, asyncio.timeout(20):
                lines = ["GET /v1/locations HTTP/1.1", f"Host: localhost:{server.port}", *headers, "", ""]
                await connection.send("\r\n".join(lines).encode())
                assert await connection.status() == 403, headers


async def test_given_etags_in_two_headers_when_one_is_right_then_nothing_is_sent_anew(keyed: Server) -> None:
    async with opened(keyed, ADMIN) as api:
        await api.count("with-etag", 1)
        etag = (await api.get("/v1/availability/with-etag")).headers["ETag"]
    for tags in ((etag, 'W/"0-0"'), ('W/"0-0"', etag)):
        async with raw_connection(keyed) as connection, asyncio.timeout(20):
            headers = tuple(f"If-None-Match: {tag}" for tag in tags)
            await connection.send(asked("GET /v1/availability/with-etag", (HELLO, *headers)))
            assert await connection.status() == 304


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /livez", 200),
        ("GET /docs", 200),
        ("GET /v1/locations", 200),
        ("GET /v1/changes", 200),
        ("GET /metrics", 403),
        ("GET /nowhere", 404),
        ("PUT /livez", 405),
        ("BREW /livez", 400),
        ("CONNECT holdfast:443", 404),
    ],
)
async def test_no_answer_names_a_version_of_what_serves_it(keyed: Server, line: str, status: int) -> None:
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        await connection.send(asked(line, (HELLO,)))
        answered, headers, _ = await connection.answer()
    assert answered == status
    assert headers["server"] == "Holdfast"
