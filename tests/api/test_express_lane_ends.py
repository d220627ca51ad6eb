"""The express lane where it ends: a stop, an aiohttp that is another, a setting, and callers that do not read."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from server.api.http.large_answers import PIECE_BYTES
from tests.conftest import wait_until
from tests.support.both_ways import MADE, admitted, masked
from tests.support.http import ROOT, Server, opened
from tests.support.scraping import express_requests, figure

pytest_plugins = ("tests.support.http_fixtures",)


# -- a stop


async def test_a_stop_waits_for_the_lane_and_its_answer_closes_the_connection(
    start_server: Callable[..., Server],
) -> None:
    server = start_server(express_lane=True, drain_timeout_s=10, reply_timeout_s=30, queue_timeout_s=30)
    async with admitted(server) as connection:
        with server.frozen_store():
            await connection.send_apart(MADE.reserve("last"))
            server.process.terminate()
            await wait_until(lambda: not _takes_connections(server), "it lets nobody in")
        status, headers, _ = await connection.answer()
        assert (status, headers["connection"]) == (201, "close")
        assert await connection.rest() == b""
    assert await asyncio.to_thread(server.process.wait, 20) == 0
    assert server.faults == []


async def test_a_stop_cuts_the_lane_off_when_its_time_is_up(start_server: Callable[..., Server]) -> None:
    server = start_server(express_lane=True, drain_timeout_s=2, reply_timeout_s=60, queue_timeout_s=60)
    async with admitted(server) as connection:
        server.signal_store(signal.SIGSTOP)  # a stop ends it all the same
        await connection.send_apart(MADE.reserve("never"))
        server.process.terminate()
        assert await asyncio.to_thread(server.process.wait, 15) == 0
        assert await connection.rest() == b""


def _takes_connections(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((server.host, server.port)) == 0


# -- off


RENAMED = """
import importlib.util, sys
spec = importlib.util.find_spec("aiohttp.web_protocol")
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
exec(compile(spec.loader.get_source(spec.name).replace("{name}", "_renamed"), spec.origin, "exec"), module.__dict__)
"""


@pytest.mark.parametrize("name", ["_next_keepalive_close_time", "_handler_waiter", "_messages", "_waiter"])
async def test_an_aiohttp_without_a_name_that_the_lane_needs_turns_it_off_and_all_works(
    start_server: Callable[..., Server], tmp_path: Path, name: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(RENAMED.replace("{name}", name))
    server = start_server(express_lane=True, environment={"PYTHONPATH": f"{tmp_path}:{ROOT}"})
    async with admitted(server) as connection:
        for number in range(3):
            await connection.send(MADE.reserve(f"off-{number}"))
            assert await connection.status() == 201
    assert f"RequestHandler.{name}" in server.stderr
    assert "express_lane_off" in server.stderr
    assert [await figure(server, "holdfast_http_express_lane"), await express_requests(server)] == [0, 0]
    assert server.faults == []


async def test_the_lane_can_be_turned_off(start_server: Callable[..., Server]) -> None:
    on, off = start_server(express_lane=True), start_server(express_lane="false")
    async with admitted(off) as connection:
        await connection.send(MADE.reserve("off"))
        assert await connection.status() == 201
    assert [await figure(off, "holdfast_http_express_lane"), await express_requests(off)] == [0, 0]
    assert await figure(on, "holdfast_http_express_lane") == 1
    assert "express_lane_off" not in off.stderr


# -- large answers


async def test_a_large_answer_is_the_same_and_who_does_not_read_it_is_closed(
    start_server: Callable[..., Server],
) -> None:
    express, ordinary = (start_server(write_timeout_s=1, express_lane=lane) for lane in ("true", "false"))
    places = [
        {"kind": "count", "sku": "wide", "location": f"{'n' * 50}{number}", "on_hand": 1, "allow_similar": True}
        for number in range(1_000)
    ]
    ask = MADE.plain("GET", "/v1/availability/wide")
    answers = []
    for each in (express, ordinary):
        async with opened(each) as api:
            (await api.post("/v1/stock/movements", {"movements": places})).ok()
        async with admitted(each) as connection:
            await connection.send(ask)
            status, headers, body = await connection.answer()
            assert (status, len(body)) == (200, int(headers["content-length"]))
            answers.append(masked(b"", body))
    assert len(answers[0]) > PIECE_BYTES
    assert answers[0] == answers[1]
    assert await express_requests(express) == 1

    async with admitted(express) as connection:
        for _ in range(40):  # more than the kernels take
            await connection.send(ask)
        await wait_until(lambda: "answer_not_read" in express.stderr, "its connection is closed")
    assert express.faults == []
