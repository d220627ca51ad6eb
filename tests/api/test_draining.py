"""A stop: no answer of what was done is lost, callers are told to leave before the port closes, one limit for all."""

import asyncio
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable

import msgspec
import pytest

from tests.conftest import wait_until
from tests.support.http import Server, opened
from tests.support.kept_alive import Books, KeptAlive, reserve_until_refused

pytest_plugins = ("tests.support.http_fixtures",)

CALLERS = 64
UNITS = 1_000_000


def order(name: str) -> object:
    return {"reservation_id": name, "channel": "web", "lines": [{"sku": "A", "quantity": 1}]}


@pytest.mark.parametrize("workers", [1, 2])
async def test_given_busy_kept_alive_connections_when_the_server_stops_then_every_request_is_answered(
    start_server: Callable[..., Server], workers: int
) -> None:
    server, books = start_server(drain_notice_s=0.5, workers=workers), Books()
    async with opened(server) as api:
        await api.count("A", UNITS)
    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(reserve_until_refused(server.host, server.port, f"c{number}", books, order))
        await wait_until(lambda: all(f"c{each}-1" in books.statuses for each in range(CALLERS)), "all are kept alive")
        server.process.terminate()
    assert server.process.wait(30) == 0
    server.start()
    async with opened(server) as api:
        done = [name for name in books.unanswered if (await api.get(f"/v1/reservations/{name}")).status == 200]
        held = UNITS - await api.available("A")
    assert (done, books.unanswered) == ([], [])
    assert held == len(books.acknowledged)
    assert books.told_to_close >= CALLERS


async def test_given_a_notice_when_the_server_stops_then_it_is_not_ready_and_each_answer_closes_its_connection(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(drain_notice_s=2)
    ready, asking = [await KeptAlive.connected(server.host, server.port) for _ in range(2)]
    assert (await ready.send("GET", "/readyz"))[0] == 200
    assert (await asking.send("GET", "/v1/availability/A"))[0] == 422
    assert [each.open for each in (ready, asking)] == [True, True]

    server.process.terminate()
    await wait_until(lambda: "Stopping." in server.stderr, "it heard it")

    assert (await ready.send("GET", "/readyz"))[0] == 503
    assert (await asking.send("GET", "/v1/availability/A"))[0] == 422
    assert [each.open for each in (ready, asking)] == [False, False]
    later = await KeptAlive.connected(server.host, server.port)  # the port is open still
    assert (await later.send("GET", "/nowhere"))[0] == 404
    assert [later.open] == [False]
    assert server.process.wait(10) == 0
    with pytest.raises(ConnectionRefusedError):
        await KeptAlive.connected(server.host, server.port)
    for each in (ready, asking, later):
        await each.close()


def test_given_ctrl_c_when_the_server_stops_then_nobody_waits_for_a_notice(start_server: Callable[..., Server]) -> None:
    server = start_server(drain_notice_s=60)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(30) == 0  # half of the notice


def unread(server: Server, requests: int = 200) -> socket.socket:
    """A caller that asks for a long answer again and again, and reads none."""
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    caller.connect((server.host, server.port))
    caller.setblocking(False)
    try:
        for _ in range(requests):
            caller.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    except BlockingIOError:
        pass  # the server takes no more: nobody reads what it has answered
    return caller


async def test_given_everything_that_can_hang_when_the_server_stops_then_it_takes_its_limit_once(
    start_server: Callable[..., Server],
) -> None:
    """An answer that is not read, a body that never ends, a store that hangs: the limit is for all of them together."""
    server = start_server(drain_timeout_s=5, drain_notice_s=0.2, reply_timeout_s=60)
    callers = [unread(server) for _ in range(4)]
    body = socket.create_connection((server.host, server.port))
    body.sendall(b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n")
    async with opened(server) as api:
        await api.count("A", 10)
    server.signal_store(signal.SIGSTOP)
    waiting = socket.create_connection((server.host, server.port))
    content = msgspec.json.encode(order("r1"))
    waiting.sendall(
        b"POST /v1/reservations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(content), content)
    )
    began_s = time.monotonic()
    server.process.terminate()
    await asyncio.to_thread(server.process.wait, 30)
    took_s = time.monotonic() - began_s
    for caller in (*callers, body, waiting):
        caller.close()
    # A time is what is asked for: the setting is how many seconds a stop takes at most. One after the other, it is 15.
    assert took_s < 2 * 5, "not one after the other"


def read_metrics(server: Server) -> str:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:  # noqa: S310  # our own http://
        text: str = answer.read().decode()
        return text


async def test_given_a_caller_that_does_not_read_when_its_time_is_up_then_it_is_closed_and_that_is_told(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(write_timeout_s=1)
    caller = unread(server)
    async with opened(server) as api:
        await wait_until(lambda: '"answer_not_read"' in server.stderr, "it is closed")
        figures = await asyncio.to_thread(read_metrics, server)
        assert re.search(r'holdfast_unread_answers_closed_total\{reason="timeout"\} 1.0', figures)
        assert (await api.get("/v1/availability/A")).status == 422
    caller.close()
    assert server.stop() == 0


async def test_given_a_slow_caller_that_reads_on_when_longer_than_the_limit_then_it_gets_everything(
    start_server: Callable[..., Server],
) -> None:
    # The kernel keeps some megabytes for the caller, and asks for more only when they are nearly read.
    server = start_server(write_timeout_s=5)
    reader, writer = await asyncio.open_connection(server.host, server.port, limit=1024)
    for _ in range(60):
        writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
    began_s, received = time.monotonic(), 0
    while time.monotonic() - began_s < 8:
        received += len(await reader.read(32 * 1024))
        await asyncio.sleep(0.02)
    assert '"answer_not_read"' not in server.stderr
    writer.close()
    await writer.wait_closed()
