"""The front door: who may speak to a server without keys, who keeps a connection, and how many there may be."""

import asyncio
import contextlib
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator

import msgspec
import pytest

from server.config.file_limit import FILES_KEPT, connections_within
from tests.conftest import wait_until
from tests.support.http import ROOT, Key, RawConnection, Server, opened, raw_connection
from tests.support.processes import ending

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("boss", "default")
READER = Key("looks", "default", ("read",))
RESERVE = b'{"channel":"page","lines":[{"sku":"A","quantity":1}]}'
FOREIGN: dict[str, tuple[str, ...]] = {
    "a page whose name resolves to this machine": ("Host: evil.example:{port}",),
    "an address of this machine in the network": ("Host: 192.168.1.7:{port}",),
    "a name that begins like this machine's": ("Host: localhost.evil.example:{port}",),
    "a name that ends like this machine's": ("Host: evil-localhost",),
    "a number that browsers read as an address": ("Host: 2130706433:{port}",),
    "the unspecified address": ("Host: 0.0.0.0:{port}",),
    "a user before the name": ("Host: localhost@evil.example",),
    "an empty name": ("Host: ",),
    "a page of another site": ("Host: localhost:{port}", "Origin: https://evil.example"),
    "a page of another port of this machine": ("Host: localhost:{port}", "Origin: http://localhost:1"),
    "a page of nowhere": ("Host: localhost:{port}", "Origin: null"),
    "an own page over TLS": ("Host: localhost:{port}", "Origin: https://localhost:{port}"),
    "an image of another site": ("Host: localhost:{port}", "Sec-Fetch-Site: cross-site"),
    "a page of another port, without its name": ("Host: localhost:{port}", "Sec-Fetch-Site: same-site"),
    "a proxy": ("Host: localhost:{port}", "X-Forwarded-For: 203.0.113.9"),
    "a proxy by the standard": ("Host: localhost:{port}", "Forwarded: for=203.0.113.9"),
    "a proxy in other letters": ("Host: localhost:{port}", "x-forwarded-FOR: 203.0.113.9"),
    "a proxy that names itself": ("Host: localhost:{port}", "Via: 1.1 cache"),
    "a tunnel that names the visitor": ("Host: localhost:{port}", "X-Real-IP: 203.0.113.9"),
}
LOCAL: dict[str, tuple[str, ...]] = {
    "by name": ("Host: localhost:{port}",),
    "by name in capitals": ("Host: LOCALHOST:{port}",),
    "without a port": ("Host: localhost",),
    "by address": ("Host: 127.0.0.1:{port}",),
    "by another address of loopback": ("Host: 127.0.0.53:{port}",),
    "by address of IPv6": ("Host: [::1]:{port}",),
    "an own page": ("Host: localhost:{port}", "Origin: http://localhost:{port}", "Sec-Fetch-Site: same-origin"),
    "an address that somebody typed": ("Host: localhost:{port}", "Sec-Fetch-Site: none"),
}


def asked(server: Server, line: str, headers: tuple[str, ...], body: bytes = b"") -> bytes:
    lines = [line, *(each.format(port=server.port) for each in headers)]
    if body:
        lines += ["Content-Type: text/plain;application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="module")
def keyless() -> Iterator[Server]:
    with Server() as server:
        yield server
        assert server.faults == []


@pytest.fixture(scope="module")
def keyed() -> Iterator[Server]:
    with Server(keys=[ADMIN, READER]) as server:
        yield server
        assert server.faults == []


# -- a server without keys


@pytest.mark.parametrize("line", ["GET /v1/locations HTTP/1.1", "POST /v1/reservations HTTP/1.1"])
@pytest.mark.parametrize("name", FOREIGN)
async def test_a_server_without_keys_refuses_who_is_not_of_its_machine_and_says_how_to_open_it(
    keyless: Server, name: str, line: str
) -> None:
    body = RESERVE if line.startswith("POST") else b""
    async with raw_connection(keyless) as connection, asyncio.timeout(20):
        await connection.send(asked(keyless, line, FOREIGN[name], body))
        status, headers, raw = await connection.answer()
        assert await connection.rest() == b"", "the connection is closed"

    problem = msgspec.json.decode(raw)
    assert (status, headers["content-type"], problem["outcome"]) == (403, "application/problem+json", "local_only")
    assert "holdfast keys new" in problem["detail"]
    assert b"evil" not in raw
    assert b"203.0.113.9" not in raw
    async with opened(keyless) as api:
        assert (await api.get("/v1/reservations")).ok()["reservations"] == []


@pytest.mark.parametrize("name", LOCAL)
async def test_a_server_without_keys_answers_programs_and_pages_of_its_own(keyless: Server, name: str) -> None:
    async with raw_connection(keyless) as connection, asyncio.timeout(20):
        await connection.send(asked(keyless, "GET /v1/locations HTTP/1.1", LOCAL[name]))
        assert await connection.status() == 200


@pytest.mark.parametrize("name", FOREIGN)
async def test_a_key_is_taken_from_anywhere(keyed: Server, name: str) -> None:
    if FOREIGN[name] == ("Host: ",):
        pytest.skip("HTTP itself wants a name")
    headers = (*FOREIGN[name], f"Authorization: Bearer {ADMIN.token}")
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        await connection.send(asked(keyed, "GET /v1/locations HTTP/1.1", headers))
        assert await connection.status() == 200


async def test_every_worker_of_a_server_without_keys_refuses_strangers(start_server: Callable[..., Server]) -> None:
    server = start_server(workers=2)
    for _ in range(12):
        async with raw_connection(server) as connection, asyncio.timeout(20):
            await connection.send(asked(server, "GET /v1/locations HTTP/1.1", ("Host: evil.example",)))
            assert await connection.status() == 403


# -- who keeps a connection


@pytest.mark.parametrize("credentials", ["", "Authorization: Bearer hf_boss_wrong", "Authorization: Basic Ym9zczo="])
async def test_who_brings_no_key_does_not_keep_the_connection(keyed: Server, credentials: str) -> None:
    headers = ("Host: holdfast", *([credentials] if credentials else []))
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        await connection.send(asked(keyed, "GET /v1/locations HTTP/1.1", headers) * 3)
        status, answered, _ = await connection.answer()
        assert (status, answered["connection"]) == (401, "close")
        assert await connection.rest() == b"", "what came behind it is not answered"


async def test_a_body_without_a_key_is_not_read_for_long(keyed: Server) -> None:
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        line = "POST /v1/reservations HTTP/1.1"
        await connection.send(asked(keyed, line, ("Host: holdfast", "Content-Length: 900000000")))
        assert await connection.status() == 401
        assert await connection.rest() == b""


async def test_who_has_no_right_keeps_the_connection(keyed: Server) -> None:
    headers = ("Host: holdfast", f"Authorization: Bearer {READER.token}")
    async with raw_connection(keyed) as connection, asyncio.timeout(20):
        for line, expected in (("PUT /v1/barcodes HTTP/1.1", 403), ("GET /v1/locations HTTP/1.1", 200)):
            await connection.send(asked(keyed, line, headers))
            assert await connection.status() == expected


# -- how many connections there may be


@contextlib.asynccontextmanager
async def idle(server: Server, number: int) -> AsyncIterator[list[RawConnection]]:
    """Open connections that say nothing."""
    async with contextlib.AsyncExitStack() as opened_here:
        yield [await opened_here.enter_async_context(raw_connection(server)) for _ in range(number)]


async def admitted(server: Server, opened_here: contextlib.AsyncExitStack) -> RawConnection:
    connection = await opened_here.enter_async_context(raw_connection(server))
    await ask(server, connection)
    return connection


async def ask(server: Server, connection: RawConnection) -> None:
    headers = ("Host: localhost", f"Authorization: Bearer {ADMIN.token}")
    await connection.send(asked(server, "GET /v1/locations HTTP/1.1", headers))
    assert await connection.status() == 200


async def test_connections_that_say_nothing_make_room_and_the_log_says_so_once(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN], connections_max=20)
    async with contextlib.AsyncExitStack() as callers, asyncio.timeout(30):
        customers = [await admitted(server, callers) for _ in range(5)]
        async with idle(server, 60) as silent:
            for customer in customers:
                await ask(server, customer)
            await admitted(server, callers)
            assert await silent[0].rest() == b"", "the oldest made room"
    said = [line for line in server.stderr.splitlines() if "connections_limit_met" in line]
    assert len(said) == 1, said
    assert '"connections_max": 20' in said[0]
    assert server.faults == []


async def test_a_connection_that_asked_only_what_needs_no_key_makes_room_too(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN], connections_max=10)
    async with contextlib.AsyncExitStack() as callers, asyncio.timeout(30), idle(server, 10) as probing:
        for connection in probing:
            await connection.send(asked(server, "GET /livez HTTP/1.1", ("Host: x",)))
            assert await connection.status() == 200
        customers = [await admitted(server, callers) for _ in range(10)]
        for customer in customers:
            await ask(server, customer)


async def test_a_house_full_of_callers_that_were_let_in_answers_503_and_serves_them(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN], connections_max=8)
    async with contextlib.AsyncExitStack() as callers, asyncio.timeout(30):
        customers = [await admitted(server, callers) for _ in range(8)]
        async with raw_connection(server) as late:
            status, headers, body = await late.answer()
        problem = msgspec.json.decode(body)
        assert (status, headers["content-type"], headers["connection"]) == (503, "application/problem+json", "close")
        assert (problem["outcome"], problem["retryable"], headers["retry-after"]) == ("overloaded", True, "1")
        for customer in customers:
            await ask(server, customer)
        customers[0].hang_up()

        async def has_room() -> bool:
            async with contextlib.AsyncExitStack() as one:
                with contextlib.suppress(AssertionError, OSError, asyncio.IncompleteReadError):
                    await admitted(server, one)
                    return True
            return False

        await wait_until(has_room, "the place is free again")


async def test_one_address_cannot_take_more_than_its_limit(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN], connections_per_address_max=4)
    async with contextlib.AsyncExitStack() as callers, asyncio.timeout(30):
        for _ in range(4):
            await admitted(server, callers)
        async with raw_connection(server) as fifth:
            assert await fifth.status() == 503


@pytest.mark.parametrize("said", [b"", b"GET /livez HTTP/1.1\r\nHost: loc", b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"])
async def test_a_newcomer_that_is_never_let_in_is_closed_at_its_deadline(
    start_server: Callable[..., Server], said: bytes
) -> None:
    server = start_server(keys=[ADMIN], first_request_timeout_s=1.0)
    async with contextlib.AsyncExitStack() as callers, asyncio.timeout(10):
        customer = await admitted(server, callers)
        async with raw_connection(server) as newcomer:
            await newcomer.send(said)
            await newcomer.rest()
        await ask(server, customer)


async def test_a_probe_that_goes_on_asking_keeps_its_connection(start_server: Callable[..., Server]) -> None:
    server = start_server(keys=[ADMIN], first_request_timeout_s=2.0)
    async with raw_connection(server) as probe, asyncio.timeout(20):
        for _ in range(7):
            await probe.send(asked(server, "GET /livez HTTP/1.1", ("Host: x",)))
            assert await probe.status() == 200
            await asyncio.sleep(0.5)  # as probes do


async def test_idle_connections_on_few_files_do_not_shut_the_server(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("few-files") / "log"
    command = f"ulimit -n 400 && exec {sys.executable} -m server serve --port 0 --data-dir {log.parent / 'data'}"
    with log.open("wb") as output:
        process = subprocess.Popen(["sh", "-c", command], cwd=ROOT, stdout=output, stderr=output)
    with ending(process):
        server = Server()
        await wait_until(lambda: "at http://" in log.read_text(), "it serves")
        server.port = int(log.read_text().split("at http://127.0.0.1:")[1].split()[0])
        async with idle(server, 500), opened(server) as api, asyncio.timeout(30):
            for _ in range(5):
                (await api.count("A", 10), (await api.reserve("A", 1)).ok(201))
        said = log.read_text()
        assert "connections_limit_met" in said
        assert "connections_limited_by_files" in said


def test_the_soft_limit_of_open_files_is_raised_to_the_hard_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    log = tmp_path_factory.mktemp("files") / "log"
    script = "import resource; from server.config.file_limit import raise_file_limit as r; print(r(), r())"
    with log.open("wb") as output:
        command = f"ulimit -Sn 300 && ulimit -Hn 900 && exec {sys.executable} -c '{script}'"
        subprocess.run(["sh", "-c", command], cwd=ROOT, stdout=output, check=True)
    assert log.read_text().strip() == "(300, 900) (900, 900)"


def test_connections_leave_files_for_everything_else() -> None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert connections_within(10) == min(10, soft)
    assert connections_within(10**9) == max(soft - FILES_KEPT, soft // 2)
