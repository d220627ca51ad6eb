"""Answers that nobody reads: in memory once, written in pieces, and closed where they are too many or too old."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiohttp import web

from server.api.http.kernel_buffers import UNSENT_BYTES, unreceived_bytes
from server.api.http.serving import Serving
from server.api.http.wire import respond
from server.telemetry.unsent_answers import PENDING
from tests.conftest import wait_until

MIB = 1024 * 1024


@asynccontextmanager
async def serving(answer_bytes: int, **limits: Any) -> AsyncIterator[tuple[Serving, int]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return respond(request, "x" * answer_bytes)

    application = web.Application()
    application.router.add_get("/", handle)
    bounds: dict[str, Any] = {"write_timeout_s": 30, "unread_bytes_max": 1024 * MIB, **limits}
    listener = Serving(
        application, connections_max=100, per_address_max=0, first_request_s=30, keepalive_timeout_s=75, **bounds
    )
    port = await listener.start("127.0.0.1", 0, shares_port=False)
    try:
        yield listener, port
    finally:
        await listener.stop(within_s=1)


async def ask(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=16 * 1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return reader, writer


async def leave(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


def waiting_bytes(listener: Serving) -> list[int]:
    """What the transports hold of unread answers, beside the answers themselves."""
    return [
        each.transport.get_write_buffer_size()
        for each in listener._connections()
        if each.transport is not None and each.writing_paused
    ]


async def test_given_an_unread_answer_when_it_waits_then_the_transport_holds_a_piece_of_it() -> None:
    async with serving(32 * MIB) as (listener, port):
        reader, writer = await ask(port)
        await wait_until(lambda: bool(waiting_bytes(listener)), "the answer waits")
        assert max(waiting_bytes(listener)) < MIB
        assert sum(PENDING.of(each) for each in listener._connections()) > 16 * MIB
        [connection] = listener._connections()
        assert connection.transport is not None
        held = unreceived_bytes(connection.transport.get_extra_info("socket"))
        assert 0 < held < 4 * UNSENT_BYTES, "the kernel would take megabytes"
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"content-length: {32 * MIB + 2}" in head.decode().lower()
        assert len(await reader.readexactly(32 * MIB + 2)) == 32 * MIB + 2
        assert [PENDING.of(each) for each in listener._connections()] == [0]
        await leave(writer)


async def test_given_more_unread_than_there_is_room_for_when_looked_at_twice_then_the_largest_are_closed() -> None:
    async with serving(32 * MIB, unread_bytes_max=64 * MIB, write_timeout_s=30) as (listener, port):
        callers = [await ask(port) for _ in range(6)]
        await wait_until(lambda: listener._http.requests_count == 6, "all have asked")
        await wait_until(lambda: len(listener._connections()) == 2, "four are closed")
        await wait_until(lambda: len(waiting_bytes(listener)) == 2, "two wait")
        assert sum(PENDING.of(each) for each in listener._connections()) <= 64 * MIB
        await leave(*(writer for _, writer in callers))


async def test_given_a_caller_that_reads_fast_when_others_fill_the_room_then_it_gets_its_answer() -> None:
    async with serving(32 * MIB, unread_bytes_max=48 * MIB, write_timeout_s=30) as (listener, port):
        silent = [await ask(port) for _ in range(4)]
        await wait_until(lambda: len(waiting_bytes(listener)) == 4, "theirs wait")
        reader, writer = await ask(port)
        await reader.readuntil(b"\r\n\r\n")
        left = 32 * MIB + 2
        while left:
            left -= len(await reader.readexactly(min(left, MIB)))
            await asyncio.sleep(0.1)  # ten MiB a second
        await leave(writer, *(each for _, each in silent))
