"""GET /v1/changes: newest values, resumed over disconnects and restarts, reset, heartbeat, drain, slow readers."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from server.app import Holdfast
from server.config.settings import Settings
from server.store.keys import Keyspace
from server.streams import event_fanout
from tests.conftest import wait_until
from tests.support.event_streams import CHANGES, stream
from tests.support.http import Api, Key, Server, opened

pytest_plugins = ("tests.support.http_fixtures",)

COUNTED_CHANGES: Final = 100
CALLS_OF_A_CHANGE: Final = 3
"""The change itself, the journal entry that the feed receives, and the query for the new value."""
HEARTBEAT_READS: Final = 4
"""A read at the journal's end that brings nothing within five seconds is repeated."""
COUNTED_COMMANDS: Final = (
    "cmdstat_xread",
    "cmdstat_xrange",
    "cmdstat_xinfo|stream",
    "cmdstat_fcall",
    "cmdstat_fcall_ro",
)


async def test_given_an_open_stream_when_units_are_sold_then_the_new_value_comes(api: Api) -> None:
    await api.count("A", 10)
    async with stream(api) as open_stream:
        (await api.reserve("A", 3)).ok(201)
        event = await open_stream.event()
    assert (event.name, event.data["sku"], event.data["available"]) == ("availability", "A", 7)
    assert event.id
    assert event.data == {**(await api.get("/v1/availability/A")).ok(), "as_of": event.data["as_of"]}


async def test_given_a_stream_from_now_on_that_breaks_before_its_first_event_when_resumed_then_nothing_was_missed(
    api: Api,
) -> None:
    await api.count("before", 1)
    async with stream(api) as open_stream:
        begins_at = open_stream.last_id
    await api.count("A", 5)
    async with stream(api, last_event_id=begins_at) as open_stream:
        assert open_stream.last_id == ""
        assert await open_stream.until({"A": 5}) == {"A": 5}


async def test_given_a_partition_without_changes_when_its_stream_breaks_then_it_is_resumed_from_the_start(
    api: Api,
) -> None:
    async with stream(api) as open_stream:
        begins_at = open_stream.last_id
    await api.count("A", 5)
    async with stream(api, last_event_id=begins_at) as open_stream:
        assert await open_stream.until({"A": 5}) == {"A": 5}


async def test_given_many_changes_of_a_sku_when_read_from_the_start_then_its_newest_value_comes_once(api: Api) -> None:
    await api.count("A", 100)
    for _ in range(50):
        (await api.reserve("A", 1)).ok(201)
    await api.count("last", 1)
    async with stream(api, "?after=0") as open_stream:
        events = [await open_stream.event(), await open_stream.event()]
    assert [(event.data["sku"], event.data["available"], bool(event.id)) for event in events] == [
        ("A", 50, False),
        ("last", 1, True),
    ]


async def test_given_a_disconnect_when_resumed_then_nothing_was_missed(api: Api) -> None:
    expected = {}
    last_id = "0"
    for number in range(20):
        sku = f"S{number}"
        async with stream(api, last_event_id=last_id) as open_stream:
            await api.count(sku, number)
            expected[sku] = number
            assert (await open_stream.until({sku: number}))[sku] == number
            last_id = open_stream.last_id
        await api.count(f"away{number}", 1)
        expected[f"away{number}"] = 1
    async with stream(api, "?after=0", last_event_id=last_id) as open_stream:
        assert await open_stream.until({"away19": 1}) == {"away19": 1}


async def test_given_a_crash_of_server_and_store_when_resumed_then_nothing_was_missed(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with opened(server) as api:
        await api.count("A", 10)
        async with stream(api, "?after=0") as open_stream:
            await open_stream.until({"A": 10})
            last_id = open_stream.last_id
            (await api.reserve("A", 1)).ok(201)
            (await api.put("/v1/stock/B/main", {"on_hand": 5})).ok()
            server.kill()
            server.signal_store(signal.SIGKILL)
    server.start()
    async with opened(server) as api:
        await api.count("C", 7)
        async with stream(api, last_event_id=last_id) as open_stream:
            assert await open_stream.until({"A": 9, "B": 5, "C": 7}) == {"A": 9, "B": 5, "C": 7}


async def test_given_an_id_beyond_the_journal_s_end_when_resumed_then_a_reset_comes_at_once_and_it_goes_on(
    api: Api, server: Server
) -> None:
    """A backup was restored: the caller has read what the store has lost."""
    await api.count("A", 1)
    for where in ("header", "query"):
        ahead = "9999999999999-7"
        query, header = ("?after=" + ahead, "") if where == "query" else ("", ahead)
        async with asyncio.timeout(5), stream(api, query, last_event_id=header) as open_stream:
            reset = await open_stream.event()
            assert (reset.name, reset.data["reason"]) == ("reset", "the store came back without its newest entries")
            with server.store() as store:
                end = store.xinfo_stream(Keyspace(api.partition).journal)["last-generated-id"]
            assert reset.id == (end.decode() if isinstance(end, bytes) else end)
            await api.count("A", 20 + len(where))
            assert (await open_stream.event()).data["available"] == 20 + len(where)


async def test_given_an_id_that_was_lost_when_new_entries_came_since_then_a_reset_comes_all_the_same(
    api: Api, server: Server
) -> None:
    await api.count("A", 1)
    await api.count("A", 2)
    async with stream(api, "?after=0") as open_stream:
        await open_stream.until({"A": 2})
        last_id = open_stream.last_id
    with server.store() as store:
        store.xdel(Keyspace(api.partition).journal, last_id)
    await api.count("B", 3)
    async with asyncio.timeout(5), stream(api, last_event_id=last_id) as open_stream:
        assert (await open_stream.event()).name == "reset"


async def test_given_an_open_stream_when_the_store_comes_back_without_its_newest_entries_then_a_reset_comes(
    api: Api, server: Server
) -> None:
    # Given
    await api.count("A", 1)
    async with asyncio.timeout(20), stream(api, "?after=0") as open_stream:
        await open_stream.until({"A": 1})
        await api.count("A", 2)
        await open_stream.until({"A": 2})

        # When: its last entry is gone, and the feed has to connect again.
        with server.store() as store:
            journal = Keyspace(api.partition).journal
            [(first, fields), *_] = store.xrange(journal)
            store.delete(journal)
            store.xadd(journal, fields, id=first)
            store.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")

        # Then
        reset = await open_stream.event()
        assert (reset.name, reset.data["reason"]) == ("reset", "the store came back without its newest entries")
        await api.count("A", 30)
        assert (await open_stream.event()).data["available"] == 30


async def test_given_a_trimmed_journal_when_resumed_before_its_start_then_a_reset_comes_and_it_goes_on(
    api: Api, server: Server
) -> None:
    await api.count("A", 1)
    async with stream(api, "?after=0") as open_stream:
        await open_stream.until({"A": 1})
        last_id = open_stream.last_id
    for number in range(5):
        await api.count("A", 10 + number)
    with server.store() as store:
        store.xtrim(Keyspace(api.partition).journal, maxlen=1, approximate=False)
    async with stream(api, last_event_id=last_id) as open_stream:
        reset = await open_stream.event()
        assert (reset.name, bool(reset.id)) == ("reset", True)
        assert "journal" in reset.data["reason"]
        await api.count("A", 20)
        assert (await open_stream.event()).data["available"] == 20


async def test_given_another_merchant_s_changes_when_streamed_then_they_are_not_seen(api: Api, server: Server) -> None:
    async with stream(api) as open_stream, opened(server, Key("p0", "p0")) as other:
        await other.count("theirs", 1)
        await api.count("mine", 1)
        assert (await open_stream.event()).data["sku"] == "mine"


async def test_given_a_quiet_stream_when_time_passes_then_a_heartbeat_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_fanout, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(event_fanout, "_LOOK_S", 0.05)
    holdfast = Holdfast(Settings(data_dir=tmp_path / "data", port=0))
    await holdfast.start()
    try:
        async with (
            aiohttp.ClientSession() as session,
            asyncio.timeout(20),
            stream(Api(session, f"http://127.0.0.1:{holdfast.port}")) as open_stream,
        ):
            assert (await open_stream.block()).startswith(":")
    finally:
        await holdfast.drain()


async def test_given_open_streams_when_the_server_drains_then_they_end_by_themselves(
    start_server: Callable[..., Server],
) -> None:
    # A stream that waited for the drain's own deadline would outlive the wait for the process.
    server = start_server(drain_timeout_s=3600)
    async with opened(server) as api, stream(api) as first, stream(api) as second:
        server.process.terminate()
        for open_stream in (first, second):
            closed = await open_stream.event()
            assert (closed.name, closed.data["reason"], closed.data["retryable"]) == ("closed", "stopping", True)
            with pytest.raises(EOFError):
                await open_stream.event()
        assert await asyncio.to_thread(server.process.wait, 30) == 0


async def test_given_fifty_streams_when_units_change_then_the_store_gets_as_many_commands_as_for_one(
    start_server: Callable[..., Server],
) -> None:
    # Nothing else is to ask the store meanwhile: no maintenance, no figures, no history.
    server = start_server(role="api", durability="fast")
    async with opened(server) as api:
        await api.count("A", 1)
        calls = [await _calls_for_changes(server, api, streams) for streams in (1, 50)]
    one, fifty = calls
    # A wait that runs into its five seconds is repeated, which depends on how long all of it takes.
    assert abs(fifty - one) <= HEARTBEAT_READS
    assert one <= CALLS_OF_A_CHANGE * COUNTED_CHANGES + HEARTBEAT_READS


async def _calls_for_changes(server: Server, api: Api, streams: int) -> int:
    """Count the store's commands for a hundred changes, each awaited by all streams."""
    async with contextlib.AsyncExitStack() as stack:
        open_streams = [await stack.enter_async_context(stream(api)) for _ in range(streams)]
        await api.count("A", 0)
        await asyncio.gather(*(each.until({"A": 0}) for each in open_streams))
        before = _journal_and_script_calls(server)
        for number in range(1, COUNTED_CHANGES + 1):
            await api.count("A", number)
            await asyncio.gather(*(each.until({"A": number}) for each in open_streams))
        return _journal_and_script_calls(server) - before


def _journal_and_script_calls(server: Server) -> int:
    with server.store() as store:
        stats = store.info("commandstats")
    return sum(stats[name]["calls"] for name in COUNTED_COMMANDS if name in stats)


async def test_given_idle_streams_when_time_passes_then_the_store_is_not_asked(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(sweep_interval_s=60, figures_interval_s=0, audit_interval_s=0, durability="fast")
    async with opened(server) as api, contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(stream(api))
        before = -1

        def is_quiet() -> bool:
            nonlocal before
            earlier, before = before, _journal_and_script_calls(server)
            return earlier == before

        await wait_until(is_quiet, "all streams have begun", every_s=0.2)
        await asyncio.sleep(1.5)  # three looks of every stream
        assert _journal_and_script_calls(server) - before <= HEARTBEAT_READS


async def test_given_a_damaged_entry_when_reached_then_a_reset_comes_and_it_goes_on(
    start_server: Callable[..., Server],
) -> None:
    server = start_server()
    async with opened(server) as api, stream(api) as open_stream:
        with server.store() as store:
            damaged = store.xadd(Keyspace(api.partition).journal, {"x": "y"})
        event = await open_stream.event()
        assert (event.name, event.id) == ("reset", damaged if isinstance(damaged, str) else damaged.decode())
        await api.count("A", 2)
        assert (await open_stream.event()).data["available"] == 2


@pytest.mark.soak
async def test_given_a_reader_that_does_not_read_when_much_changes_then_others_get_it_all(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(durability="fast")
    skus = [f"{number:04}" + "x" * 120 for number in range(1000)]
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect((server.host, server.port))
    try:
        slow.sendall(b"GET /v1/changes?after=0 HTTP/1.1\r\nHost: x\r\n\r\n")
        async with opened(server) as api, stream(api, "?after=0") as fast:
            for round_ in range(8):
                movements = [{"kind": "count", "sku": sku, "on_hand": round_ + 1} for sku in skus]
                (await api.post("/v1/stock/movements", {"movements": movements})).ok()
                await fast.until(dict.fromkeys(skus, round_ + 1))
            (await api.reserve(skus[0], 1)).ok(201)
            await fast.until({skus[0]: 7})
    finally:
        slow.close()


@pytest.mark.soak
async def test_given_the_limit_of_streams_when_one_more_is_asked_for_then_503_until_one_ends(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(changes_streams_max=2)
    async with opened(server) as api:
        async with stream(api), stream(api):
            refused = await api.get(CHANGES)
            refused.problem(503, "overloaded")
            assert refused.headers["Retry-After"] == "1"
            (await api.get("/v1/reservations")).ok()

        async def one_ended() -> bool:
            try:
                async with stream(api):
                    return True
            except AssertionError:
                return False

        await wait_until(one_ended, "a stream that ended makes room")


async def test_given_an_open_stream_when_a_location_closes_then_what_lies_there_comes_and_a_resumed_one_gets_it_too(
    api: Api,
) -> None:
    for sku, units in (("A", 5), ("B", 7)):
        await api.count(sku, units, "store")
    await api.count("A", 2, "main")
    async with stream(api) as open_stream:
        await api.count("last", 1)
        await open_stream.until({"last": 1})
        (await api.put("/v1/locations/store", {"open": False})).ok()
        seen = await open_stream.until({"A": 2, "B": 0})
    assert seen.keys() == {"A", "B"}

    (await api.put("/v1/locations/store", {"open": True})).ok()

    async with stream(api, last_event_id=open_stream.last_id) as resumed:
        assert await resumed.until({"A": 7, "B": 7}) == {"A": 7, "B": 7}
