"""Callers that each send a request when the answer to the one before has come, and what that costs the server."""

import asyncio
import secrets
import time
from statistics import quantiles
from typing import Final, NamedTuple, cast

import click

from bench.harness.black_box import RESERVE, Ask, address_of, one_line, request
from bench.harness.http1 import Messages
from bench.harness.load import LoadError, load, loader
from bench.harness.neighbours import cpu_s

_WARM_UP_S: Final = 0.5


class Round(NamedTuple):
    """What one stretch of load showed."""

    rate: float
    p50_us: float
    p99_us: float
    server_us: float
    store_us: float


def reserve(name: str, address: tuple[str, int]) -> bytes:
    """Reserve one unit under an id of its own."""
    return request(RESERVE, one_line(name), address)


def reserve_unnamed(_name: str, address: tuple[str, int]) -> bytes:
    """Reserve one unit with the same bytes each time; the server makes the id."""
    body = one_line("")
    del body["reservation_id"]
    return request(RESERVE, body, address)


class _Connection(asyncio.Protocol):
    """Asks again and again on one connection, until it is told to stop."""

    def __init__(self, name: str, address: tuple[str, int], ask: Ask) -> None:
        self._name = name
        self._address = address
        self._write = ask
        self._messages = Messages()
        self._number = 0
        self._sent_s = 0.0
        self.took_s: list[float] = []
        self.failed = ""
        self.stopping = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        for head, body in self._messages.feed(data):
            self.took_s.append(time.perf_counter() - self._sent_s)
            if not head.startswith(b"HTTP/1.1 20"):
                self.failed = (head + body).decode("utf-8", "replace")
            if self.stopping or self.failed:
                self._transport.close()
            else:
                self._ask()

    def _ask(self) -> None:
        self._number += 1
        self._sent_s = time.perf_counter()
        self._transport.write(self._write(f"{self._name}-{self._number}", self._address))


async def _load(url: str, ask: Ask, connections: int, seconds: float) -> list[float]:
    """Load a server for so long; return how long each request took."""
    loop, address, run = asyncio.get_running_loop(), address_of(url), secrets.token_hex(4)
    made = [
        (await loop.create_connection(lambda number=number: _Connection(f"{run}-{number}", address, ask), *address))[1]  # type: ignore[misc]
        for number in range(connections)
    ]
    await asyncio.sleep(seconds)
    for each in made:
        each.stopping = True
    await asyncio.sleep(0.2)
    failed = [each.failed for each in made if each.failed]
    if failed:
        raise click.ClickException(failed[0][:500])
    return [took for each in made for took in each.took_s]


def measure_by_wrk(url: str, pids: list[int], connections: int, seconds: float) -> Round:
    """Load a server with wrk, which takes less of the machine than :func:`measure` does; for whole seconds.

    Raises
    ------
    LoadError
        wrk is missing, or an answer was not a success.

    """
    if loader() != "wrk":
        raise LoadError("wrk is missing: apt-get install wrk")
    load(url, connections, _WARM_UP_S, 1)
    before = [cpu_s(pid) for pid in pids]
    found = load(url, connections, seconds, 1)
    used_us = [1e6 * (now - was) / found.requests for now, was in zip(map(cpu_s, pids), before, strict=True)]
    return Round(found.rate, found.p50_us, found.p99_us, used_us[0], sum(used_us[1:], 0.0))


def measure(url: str, pids: list[int], connections: int, seconds: float, ask: Ask = reserve) -> Round:
    """Load a server, whose processes are ``pids``: itself, and its store if it has one."""
    asyncio.run(_load(url, ask, connections, _WARM_UP_S))
    before = [cpu_s(pid) for pid in pids]
    took_s = asyncio.run(_load(url, ask, connections, seconds))
    used_us = [1e6 * (now - was) / len(took_s) for now, was in zip(map(cpu_s, pids), before, strict=True)]
    hundredths = quantiles(took_s, n=100)
    return Round(len(took_s) / seconds, 1e6 * hundredths[49], 1e6 * hundredths[98], used_us[0], sum(used_us[1:], 0.0))
