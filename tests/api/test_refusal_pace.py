"""Strangers who come again and again are refused at a pace; callers with a key are not; and a stop does not wait."""

import asyncio
import time
from collections.abc import Callable, Collection

import pytest
from aiohttp import web

from server.api.http import refusal_pace
from server.api.http.refusal_pace import AT_ONCE, LATEST_S, PER_S, RefusalPace
from server.api.http.serving import Serving
from tests.conftest import wait_until
from tests.support.http import Key, Server, opened, raw_connection

pytest_plugins = ("tests.support.http_fixtures",)

ADMIN = Key("boss", "default")
LIST = b"GET /v1/locations HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def test_some_refusals_are_sent_at_once_and_the_others_one_after_the_other_within_a_limit() -> None:
    pace = RefusalPace()
    began_s = time.monotonic()
    delays_s = [pace.delay_s() for _ in range(2_000)]
    took_s = time.monotonic() - began_s

    assert delays_s[:AT_ONCE] == [0.0] * AT_ONCE
    paced = delays_s[AT_ONCE : AT_ONCE + int(PER_S)]
    assert paced == sorted(paced)
    assert abs(paced[-1] - paced[0] - 1) < 0.1 + took_s
    assert max(delays_s) <= LATEST_S
    late = [each for each in delays_s if each >= LATEST_S / 2]
    assert max(late) - min(late) > LATEST_S / 3, "they do not come back all at once"
    assert RefusalPace().delay_s() == 0.0


async def test_who_has_left_does_not_wait_and_a_stop_sends_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusal_pace, "LATEST_S", 60.0)
    pace = RefusalPace()
    async with asyncio.timeout(5):
        waiting = {name: asyncio.create_task(pace.wait(name, 30)) for name in ("left", "stays")}
        await asyncio.sleep(0)
        pace.release("left")
        pace.release("unknown")
        await waiting["left"]
        assert not waiting["stays"].done()
        pace.hurry()
        await waiting["stays"]
        assert [pace.delay_s() for _ in range(100)] == [0.0] * 100


async def refused(server: Server) -> int:
    async with raw_connection(server) as connection:
        await connection.send(LIST)
        return await connection.status()


async def test_given_strangers_that_come_again_and_again_then_they_are_refused_at_a_pace_and_others_are_served(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(keys=[ADMIN])
    async with opened(server, ADMIN) as api, asyncio.timeout(30):
        await api.count("A", 1_000)
        began_s = time.monotonic()
        strangers = asyncio.gather(*(refused(server) for _ in range(AT_ONCE + 100)))
        for _ in range(20):
            (await api.reserve("A", 1)).ok(201)
        served_s = time.monotonic() - began_s
        assert set(await strangers) == {401}
        took_s = time.monotonic() - began_s
    assert took_s > 0.9 * 100 / PER_S
    assert served_s < took_s
    assert '"refusals_slowed"' in server.stderr


async def test_given_strangers_that_wait_when_the_server_stops_then_they_are_refused_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their turns are ten minutes away, so whoever is answered did not wait for one."""
    monkeypatch.setattr(refusal_pace, "PER_S", 1 / 600)
    monkeypatch.setattr(refusal_pace, "LATEST_S", 3_600.0)
    listener = Serving(
        web.Application(), connections_max=100, per_address_max=0, first_request_s=600, keepalive_timeout_s=600,
        write_timeout_s=600, unread_bytes_max=1 << 20,
    )  # fmt: skip
    port = await listener.start("127.0.0.1", 0, shares_port=False)
    strangers = [await asyncio.open_connection("127.0.0.1", port) for _ in range(AT_ONCE + 30)]
    for _, writer in strangers:
        writer.write(LIST)
    await wait_until(lambda: len(waiting_at(listener)) >= 30, "those beyond the first ones wait")

    await listener.stop(within_s=600)

    answers = [await reader.readline() for reader, _ in strangers]
    assert answers == [b"HTTP/1.1 404 Not Found\r\n"] * len(strangers)
    for _, writer in strangers:
        writer.close()


def waiting_at(listener: Serving) -> Collection[object]:
    """Those whose refusal waits for its turn."""
    assert listener._door is not None
    return listener._door.pace._waiting
