"""A connection for calls: replies come in the order of the calls, errors among them, and an end is known at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from redis.exceptions import InvalidResponse, ResponseError

from server.store.connection.call_connection import CallConnection
from server.store.connection.connect import connection_pool
from tests.conftest import wait_until
from tests.support.stores import StoreProcess

PING = b"*1\r\n$4\r\nPING\r\n"
WRONG = b"*1\r\n$5\r\nWRONG\r\n"


@asynccontextmanager
async def opened(store: StoreProcess) -> AsyncIterator[CallConnection]:
    connection = CallConnection(connection_pool(store.url).make_connection())  # type: ignore[no-untyped-call]
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


async def test_replies_come_in_the_order_of_the_calls_and_errors_are_among_them(store: StoreProcess) -> None:
    async with opened(store) as connection:
        first, wrong, last = await connection.ask(PING, WRONG, PING)

    assert (first, last) == (b"PONG", b"PONG")
    assert isinstance(wrong, ResponseError)


async def test_further_replies_to_what_was_sent_come_behind_the_first(store: StoreProcess) -> None:
    async with opened(store) as connection:
        came: list[object] = []
        further: list[asyncio.Future[list[object]]] = []

        def done(replies: list[object] | Exception) -> None:
            came.append(replies)
            further.append(connection.further(1))

        connection.send([PING, WRONG], 1, done)
        await wait_until(lambda: bool(further))

        assert came == [[b"PONG"]]
        assert isinstance((await further[0])[0], ResponseError)


async def test_a_reply_that_nobody_asked_for_ends_the_connection(store: StoreProcess) -> None:
    async with opened(store) as connection:
        connection.send([PING, PING], 1, lambda _: None)

        await wait_until(lambda: not connection.is_open)


async def test_a_connection_that_the_store_closes_is_known_at_once_and_opens_again(store: StoreProcess) -> None:
    async with opened(store) as connection:
        store.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        await wait_until(lambda: not connection.is_open)

        await connection.open()

        assert await connection.ask(PING) == [b"PONG"]


async def test_replies_that_are_awaited_get_the_reason_of_a_cut(store: StoreProcess) -> None:
    async with opened(store) as connection:
        waiting = connection.further(1)

        connection.cut(InvalidResponse("out of step"))

        with pytest.raises(InvalidResponse, match="out of step"):
            await waiting
        assert not connection.is_open
