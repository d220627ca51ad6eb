"""The way out to a channel: nothing sent twice, an exact word on what failed, and no address that is not public."""

import asyncio
import gzip
import inspect
import socket
import ssl
import subprocess
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Generator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp.abc import ResolveResult

from adapters.contract.errors import ChannelError, NotSentError, UnavailableError, UnknownResultError
from adapters.contract.http import Answer, Request, check_status
from server.channels.connection.http_transport import Transport, converse
from tests.channels.raw_server import OK, Act, Names, RawServer
from tests.conftest import DEADLINE_S, wait_until

SHORT_S: Final = 0.3
"""For what is never answered."""
SECRET: Final = "hush-hush"
BODY: Final = b'{"quantity":2}'


class NoAnswer(Names):
    async def resolve(self, *_: Any, **__: Any) -> list[ResolveResult]:
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with RawServer() as started:
        yield started


@pytest.fixture
async def transports() -> AsyncIterator[list[Transport]]:
    made: list[Transport] = []
    yield made
    for transport in made:
        await transport.close()


@pytest.fixture
def named(transports: list[Transport]) -> Transport:
    """A transport that may call 127.0.0.1."""
    transports.append(Transport(allow_private=["127.0.0.1"], timeout_s=DEADLINE_S))
    return transports[-1]


@pytest.fixture
def hasty(transports: list[Transport]) -> Transport:
    """The same, with a short timeout."""
    transports.append(Transport(allow_private=["127.0.0.1"], timeout_s=SHORT_S))
    return transports[-1]


@pytest.fixture
def guarded(transports: list[Transport]) -> Transport:
    """A transport that may call public addresses alone."""
    transports.append(Transport(timeout_s=DEADLINE_S))
    return transports[-1]


def post(url: str, method: str = "POST", **headers: str) -> Request:
    return Request(method, url, headers, BODY)


# -- what arrives


async def test_a_request_arrives_as_it_was_given_and_its_answer_comes_back(server: RawServer, named: Transport) -> None:
    answer = await named.send(post(f"{server.url}/hook?a=b", **{"X-Own": "mine"}))

    assert server.heads[0].startswith("POST /hook?a=b HTTP/1.1\r\n")
    assert "X-Own: mine\r\n" in server.heads[0]
    assert server.bodies == [BODY]
    assert (answer.status, answer.body, answer.headers["x-two"]) == (200, b"ok", "a, b")


async def test_a_connection_is_kept_for_the_next_request(server: RawServer, named: Transport) -> None:
    for _ in range(3):
        await named.send(post(server.url))

    assert (server.connections, len(server.heads)) == (1, 3)


async def test_no_cookie_is_kept(server: RawServer, named: Transport) -> None:
    server.acts.append(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")

    await named.send(post(server.url))
    await named.send(post(server.url))

    assert "cookie" not in server.heads[1].lower()


async def test_no_proxy_is_taken_from_the_environment(
    server: RawServer, named: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)

        await named.send(post(server.url))

        assert (proxy.connections, len(server.heads)) == (0, 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_is_not_followed(server: RawServer, named: Transport, status: int) -> None:
    async with RawServer() as other:
        location = f"Location: {other.url}/inside"
        server.acts.append(f"HTTP/1.1 {status} Moved\r\n{location}\r\nContent-Length: 0\r\n\r\n".encode())

        answer = await named.send(post(server.url))

        assert (answer.status, other.connections) == (status, 0)
        with pytest.raises(UnavailableError):
            check_status(answer)


# -- what did not leave


async def test_a_refused_connection_is_not_sent(named: Transport) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NotSentError, match=r"127\.0\.0\.1: no connection"):
            await named.send(post(f"http://127.0.0.1:{unused.getsockname()[1]}/"))


async def test_a_name_that_does_not_exist_is_not_sent(guarded: Transport) -> None:
    with pytest.raises(NotSentError, match=r"nosuch\.invalid: the name cannot be resolved"):
        await guarded.send(post("https://nosuch.invalid/"))


async def test_a_name_that_cannot_be_one_is_not_sent(guarded: Transport) -> None:
    with pytest.raises(NotSentError):
        await guarded.send(post(f"https://{'a' * 70}.invalid/"))


async def test_a_name_server_that_never_answers_is_not_sent(transports: list[Transport]) -> None:
    transports.append(Transport(timeout_s=SHORT_S, resolver=NoAnswer()))

    with pytest.raises(NotSentError, match="in time"):
        await transports[0].send(post("https://slow.test/"))


async def test_a_server_that_speaks_no_tls_is_not_sent(named: Transport) -> None:
    async with RawServer(greeting=b"220 mail.test at your service\r\n") as mail:
        with pytest.raises(NotSentError, match="TLS failed"):
            await named.send(post(f"https://127.0.0.1:{mail.port}/"))


async def test_a_certificate_without_a_trusted_issuer_is_not_sent(named: Transport, tmp_path: Path) -> None:
    async with RawServer(tls=self_signed(tmp_path)) as server:
        with pytest.raises(NotSentError, match=r"TLS failed: .*certificate verify failed"):
            await named.send(post(f"https://127.0.0.1:{server.port}/"))

        assert server.heads == []


def self_signed(folder: Path) -> ssl.SSLContext:
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_a_connection_that_takes_too_long_is_not_sent(server: RawServer, hasty: Transport) -> None:
    with pytest.raises(NotSentError, match="in time"):
        await hasty.send(post(f"https://127.0.0.1:{server.port}/"))

    assert server.connections == 1


# -- what may have arrived


@pytest.mark.parametrize("act", ["hang up", "reset"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_a_connection_that_ends_under_a_request_leaves_it_unknown(
    server: RawServer, named: Transport, method: str, act: Act
) -> None:
    server.acts.append(act)

    with pytest.raises(UnknownResultError, match=r"127\.0\.0\.1: the connection ended"):
        await named.send(post(server.url, method))

    assert len(server.heads) == 1


@pytest.mark.parametrize("act", ["hang up", "reset"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "GET"])
async def test_a_kept_connection_that_ends_under_a_request_does_not_send_it_again(
    server: RawServer, named: Transport, method: str, act: Act
) -> None:
    server.acts.extend([OK, act])
    await named.send(post(server.url, method))

    with pytest.raises(UnknownResultError):
        await named.send(post(server.url, method))

    assert (server.connections, len(server.heads)) == (1, 2)


async def test_a_request_cut_off_while_it_is_written_is_unknown(named: Transport) -> None:
    async with RawServer(takes_bytes=1) as cutting:
        with pytest.raises(UnknownResultError):
            await named.send(Request("POST", cutting.url, body=bytes(1_000_000)))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ],
    ids=["nothing", "half a head", "half a body", "half a chunk"],
)
async def test_an_answer_that_stops_coming_is_unknown(server: RawServer, hasty: Transport, answer: bytes) -> None:
    server.acts.append(answer or "silence")

    with pytest.raises(UnknownResultError, match="no whole answer in time"):
        await hasty.send(post(server.url))

    assert len(server.heads) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=["another protocol", "two lengths", "not compressed", "a chunk of no size", "a header of 100 kB"],
)
async def test_an_answer_that_cannot_be_read_is_unknown(server: RawServer, named: Transport, answer: bytes) -> None:
    server.acts.append(answer)

    with pytest.raises(UnknownResultError):
        await named.send(post(server.url))

    assert len(server.heads) == 1


# -- too long an answer


@pytest.mark.parametrize("is_compressed", [False, True])
async def test_an_answer_longer_than_allowed_is_left_unread(
    server: RawServer, transports: list[Transport], *, is_compressed: bool
) -> None:
    length = 256 * 1024 * 1024 if is_compressed else 4 * 1024 * 1024
    body, encoding = (gzip.compress(bytes(length), 1), "gzip") if is_compressed else (bytes(length), "identity")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    server.acts.append(head + body)
    transports.append(Transport(allow_private=["127.0.0.1"], answer_bytes_max=1_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(UnavailableError, match="more than 1000000 bytes"):
            await transports[0].send(post(server.url))
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak_bytes < 16 * 1024 * 1024


async def test_an_answer_as_long_as_allowed_is_read(server: RawServer, transports: list[Transport]) -> None:
    body = gzip.compress(b"x" * 1000)
    server.acts.append(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    transports.append(Transport(allow_private=["127.0.0.1"], answer_bytes_max=1000))

    assert (await transports[0].send(post(server.url))).body == b"x" * 1000


async def test_a_header_with_a_line_break_is_not_sent(server: RawServer, named: Transport) -> None:
    with pytest.raises(NotSentError, match="line break"):
        await named.send(post(server.url, Authorization="Bearer hush\r\nX-Smuggled: yes"))

    assert server.connections == 0


# -- what is reported


async def test_no_failure_shows_a_credential(server: RawServer, hasty: Transport, guarded: Transport) -> None:
    server.acts.extend(["hang up", "silence", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"])
    urls = [server.url] * 4 + [
        "http://127.0.0.1:1",
        "https://127.1",
        "https://nosuch.invalid",
        f"ftp://me:{SECRET}@a.test",
    ]
    reported: list[str] = []
    for transport in (hasty, guarded):
        for url in urls:
            with pytest.raises(ChannelError) as caught:
                await transport.send(post(f"{url}/{SECRET}?token={SECRET}", Authorization=f"Bearer {SECRET}"))
            reported += [repr(caught.value), *traceback.format_exception(caught.value)]

    assert len(server.heads) == 4
    assert [line for line in reported if SECRET in line] == []


# -- a exchange


def questions(*paths: str) -> Generator[Request, Answer, list[int]]:
    statuses = []
    for path in paths:
        try:
            statuses.append((yield Request("GET", path)).status)
        except NotSentError:
            statuses.append(0)
    return statuses


async def test_an_exchange_is_held_to_its_end() -> None:
    async def send(request: Request) -> Answer:
        return Answer(int(request.url))

    assert await converse(questions("200", "404"), send) == [200, 404]


async def test_an_exchange_may_handle_that_no_answer_came() -> None:
    async def send(request: Request) -> Answer:
        if request.url == "away":
            raise NotSentError("away")
        return Answer(200)

    assert await converse(questions("away", "here"), send) == [0, 200]


async def test_what_a_exchange_does_not_handle_is_raised() -> None:
    async def send(_: Request) -> Answer:
        raise UnknownResultError("who knows")

    with pytest.raises(UnknownResultError, match="who knows"):
        await converse(questions("away", "here"), send)


async def test_an_exchange_that_is_given_up_is_ended() -> None:
    exchange = questions("one")
    asked = asyncio.Event()

    async def send(_: Request) -> Answer:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(converse(exchange, send))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert inspect.getgeneratorstate(exchange) == inspect.GEN_CLOSED


async def test_a_request_given_up_midway_closes_its_connection(server: RawServer, named: Transport) -> None:
    server.acts.append("silence")
    task = asyncio.create_task(named.send(post(server.url)))
    await wait_until(lambda: len(server.heads) == 1, "the request has arrived")

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await named.send(post(server.url))

    assert (server.connections, len(server.heads)) == (2, 2)


async def test_a_closed_transport_sends_no_more(server: RawServer, named: Transport) -> None:
    await named.send(post(server.url))

    await named.close()

    with pytest.raises(RuntimeError, match="closed"):
        await named.send(post(server.url))
