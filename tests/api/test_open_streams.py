"""Open change streams on a real server: whose key holds, who has how many, who does not read, and how they end."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from server.domain.principal import Scope
from tests.conftest import wait_until
from tests.support.event_streams import CHANGES, Stream, closed_with, stream
from tests.support.http import Api, Key, Server, opened, store_key

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("admin", "ada")
READER = Key("page", "ada", ("read",))
OTHER = Key("other", "bob", ("admin",))
SKUS = [f"{number:03}" + "x" * 100 for number in range(400)]


@contextlib.asynccontextmanager
async def reader_of(server: Server, key: Key = READER) -> AsyncIterator[Stream]:
    """Open a stream with a key of the store, as soon as the server knows it."""

    async with opened(server, key) as api:

        async def is_known() -> bool:
            return (await api.get("/v1/availability/A")).status != 401

        await wait_until(is_known, "the server knows the key")
        async with stream(api) as open_stream:
            yield open_stream


async def figure(server: Server, name: str) -> float:
    """Read one figure of a server's metrics port."""
    async with opened(server, Key("scraper", "ada", ("metrics",))) as api:
        page = (await api.get("/metrics")).raw.decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE)
    return float(found[1]) if found else 0.0


SCRAPER = Key("scraper", "ada", ("metrics",))


# -- the key is asked again


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "key_revoked"),
        ({"scopes": frozenset({Scope.RESERVE})}, "scope_removed"),
        ({"partition": "bob"}, "partition_changed"),
        ({"sha256": "0" * 64}, "key_revoked"),
    ],
    ids=["revoked", "without read", "moved", "made anew under the same id"],
)
async def test_given_an_open_stream_when_its_key_changes_then_it_ends_and_says_why_and_another_key_s_goes_on(
    start_server: Callable[..., Server], changed: dict[str, Any], reason: str
) -> None:
    server = start_server(keys=[ADMIN, SCRAPER])
    store_key(server, READER)
    async with opened(server, ADMIN) as api, stream(api) as of_admin, reader_of(server) as of_reader:
        await api.count("A", 1)
        await of_reader.until({"A": 1})

        store_key(server, READER, **changed)

        told = await closed_with(of_reader)
        assert (told["reason"], told["retryable"]) == (reason, reason == "partition_changed")
        await api.count("A", 2)
        await of_admin.until({"A": 2})
        assert await figure(server, f'holdfast_changes_streams_closed_total{{reason="{reason}"}}') == 1
        assert await figure(server, "holdfast_changes_streams") == 1


async def test_given_an_open_stream_when_only_the_key_s_name_changes_then_it_goes_on(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN])
    store_key(server, READER)
    another = Key("later", "ada", ("read",))
    async with opened(server, ADMIN) as api, reader_of(server) as of_reader:
        store_key(server, READER, name="the page")
        store_key(server, another)
        async with reader_of(server, another):  # so the server has read the keys anew
            await api.count("A", 3)
            await of_reader.until({"A": 3})


async def test_given_a_server_without_keys_when_the_first_is_made_then_its_streams_end(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with opened(server) as api, stream(api) as open_stream:
        store_key(server, READER)
        assert (await closed_with(open_stream))["reason"] == "key_needed"


# -- places


async def test_given_all_places_taken_by_one_key_when_others_ask_then_they_get_their_share_and_no_more(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN, READER, OTHER, SCRAPER], changes_streams_max=8)
    async with opened(server, READER) as api, opened(server, OTHER) as other, AsyncExitStack() as stack:
        greedy = [await stack.enter_async_context(stream(api)) for _ in range(8)]
        (await api.get(CHANGES)).problem(503, "overloaded")

        theirs = [await stack.enter_async_context(stream(other)) for _ in range(4)]

        for made_room in greedy[:3:-1]:  # the newest first
            told = await closed_with(made_room)
            assert (told["reason"], told["retryable"]) == ("made_room", True)
        for one_more in (other, api):
            refused = await one_more.get(CHANGES)
            assert "share" in refused.problem(503, "overloaded")["detail"]
            assert refused.headers["Retry-After"] == "1"
        await other.count("A", 5)
        await asyncio.gather(*(each.until({"A": 5}) for each in theirs))
        async with opened(server, ADMIN) as admin:  # another key of the same partition
            await admin.count("A", 7)
            await asyncio.gather(*(each.until({"A": 7}) for each in greedy[:4]))
            of_admin = [await stack.enter_async_context(stream(admin)) for _ in range(2)]
            (await admin.get(CHANGES)).problem(503, "overloaded")
            assert len(of_admin) == 2
            assert await figure(server, "holdfast_changes_streams") == 8
        assert await figure(server, 'holdfast_changes_streams_refused_total{limit="process"}') == 4
        assert await figure(server, 'holdfast_changes_streams_closed_total{reason="made_room"}') == 6


@pytest.mark.parametrize("limit", ["key", "partition"])
async def test_given_a_limit_of_a_key_or_a_partition_when_it_is_met_then_503_says_which_and_others_get_theirs(
    start_server: Callable[..., Server], limit: str
) -> None:
    server = start_server(keys=[ADMIN, READER, OTHER, SCRAPER], **{f"changes_streams_per_{limit}_max": 2})
    async with opened(server, READER) as api, opened(server, ADMIN) as same, opened(server, OTHER) as other:
        async with stream(api), stream(api):
            assert "2 streams" in (await api.get(CHANGES)).problem(503, "overloaded")["detail"]
            async with stream(other):
                pass
            if limit == "key":
                async with stream(same):
                    pass
            else:
                (await same.get(CHANGES)).problem(503, "overloaded")
        refused = 1 if limit == "key" else 2
        assert await figure(server, f'holdfast_changes_streams_refused_total{{limit="{limit}"}}') == refused

        async def is_free() -> bool:
            return await figure(server, "holdfast_changes_streams") == 0

        await wait_until(is_free, "callers that have left free their places")


# -- who does not read


@contextlib.asynccontextmanager
async def unread(server: Server, key: Key) -> AsyncIterator[socket.socket]:
    """Open a stream, and read nothing of it."""
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, (server.host, server.port))
        request = f"GET {CHANGES} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key.token}\r\n\r\n"
        await loop.sock_sendall(caller, request.encode())
        yield caller


async def change_much(api: Api, number: int) -> None:
    movements = [{"kind": "count", "sku": sku, "on_hand": number} for sku in SKUS]
    (await api.post("/v1/stock/movements", {"movements": movements})).ok()


@pytest.mark.parametrize("dribbles", [False, True], ids=["reads nothing", "reads a byte now and then"])
async def test_given_a_stream_that_is_not_read_when_much_changes_then_it_is_closed_and_its_place_is_free(
    start_server: Callable[..., Server], *, dribbles: bool
) -> None:
    server = start_server(
        keys=[ADMIN, READER, SCRAPER], changes_streams_per_key_max=1, write_timeout_s=1, durability="fast"
    )
    async with opened(server, ADMIN) as api, opened(server, READER) as reader, stream(api) as fast:
        async with unread(server, READER) as caller:

            async def dribble() -> None:
                while dribbles:
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        caller.recv(1)
                    await asyncio.sleep(0.02)

            dribbling = asyncio.create_task(dribble())
            number = 0

            async def is_closed() -> bool:
                nonlocal number
                number += 1
                await change_much(api, number)
                await fast.until(dict.fromkeys(SKUS, number))  # this one reads, so it stays
                return '"changes_stream_not_read"' in server.stderr

            await wait_until(is_closed, "it is closed", within_s=30)
            dribbling.cancel()
        async with stream(reader):  # the place is free
            await change_much(api, number + 1)
            await fast.until(dict.fromkeys(SKUS, number + 1))
        assert server.stderr.count('"changes_stream_not_read"') == 1
        assert await figure(server, 'holdfast_changes_streams_closed_total{reason="not_read"}') == 1


async def test_given_a_stream_that_leaves_a_little_unread_when_its_time_is_up_then_it_is_closed_and_quiet_ones_are_not(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN, READER, OTHER, SCRAPER], write_timeout_s=1, durability="fast")
    async with (
        opened(server, ADMIN) as api,
        stream(api) as reading,
        unread(server, OTHER),  # nothing changes there, so it leaves nothing unread
        unread(server, READER) as caller,
    ):
        few = SKUS[:120]  # 30 kB: less than would fill the connection
        movements = [{"kind": "count", "sku": sku, "on_hand": 1} for sku in few]
        (await api.post("/v1/stock/movements", {"movements": movements})).ok()
        await reading.until(dict.fromkeys(few, 1))
        caller.recv(64)  # that was before its time began

        await wait_until(lambda: '"changes_stream_not_read"' in server.stderr, "it is closed", within_s=10)

        await asyncio.sleep(2)  # twice the time of those who do not read: the quiet ones are still there
        assert await figure(server, 'holdfast_changes_streams_closed_total{reason="not_read"}') == 1
        assert await figure(server, "holdfast_changes_streams") == 2
        await api.count("A", 1)
        await reading.until({"A": 1})


async def test_given_streams_that_are_not_read_when_the_server_drains_then_they_end_with_the_others(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN, READER, SCRAPER], write_timeout_s=3600, drain_timeout_s=3600, durability="fast")
    async with opened(server, ADMIN) as api, stream(api) as fast, unread(server, READER):
        for number in range(1, 9):
            await change_much(api, number)
            await fast.until(dict.fromkeys(SKUS, number))

        server.process.terminate()

        assert (await closed_with(fast))["reason"] == "stopping"
        assert await asyncio.to_thread(server.process.wait, 30) == 0


async def test_given_a_caller_of_http_1_0_when_units_change_then_it_gets_events_without_frames(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(f"GET {CHANGES} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" not in head.lower()
    assert re.fullmatch(rb"retry: 1000\nid: \d+-\d+\n\n", await reader.readuntil(b"\n\n"))
    async with opened(server) as api:
        await api.count("A", 4)
    event = (await reader.readuntil(b"\n\n")).decode()
    assert re.fullmatch(r'id: \d+-\d+\nevent: availability\ndata: \{"sku":"A","available":4,.*\}\n\n', event)
    server.process.terminate()
    assert (await reader.read()).startswith(b"event: closed\n")
    writer.close()
