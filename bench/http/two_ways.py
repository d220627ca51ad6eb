"""A reserve on the express lane, on the ordinary way, and at a handler that does nothing: in turn, in one run.

    python -m bench.http.two_ways
    python -m bench.http.two_ways --connections 32 --durability fast --rounds 5

For each it takes the rate, the median and the 99th percentile, and the processor time of a request in the server and in
its store, which depends on the loader least of all.
"""

import asyncio
import contextlib
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple, cast

import click
from rich.console import Console

from bench.harness.black_box import RESERVE, ROOT, Caller, address_of, one_line, request, server
from bench.harness.figures import figure
from bench.harness.http1 import Messages
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table, interval

EXPRESS, ORDINARY, NOOP = "express lane", "ordinary way", "no-op handler"
WAYS: Final = (EXPRESS, ORDINARY, NOOP)
_WARM_UP_S: Final = 0.5
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


class Round(NamedTuple):
    """What one stretch of load showed."""

    rate: float
    p50_us: float
    p99_us: float
    server_us: float
    store_us: float


class _Connection(asyncio.Protocol):
    """Reserves again and again on one connection, until it is told to stop."""

    def __init__(self, name: str, address: tuple[str, int]) -> None:
        self._name = name
        self._address = address
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
            if not head.startswith(b"HTTP/1.1 201 "):
                self.failed = (head + body).decode("utf-8", "replace")
            if self.stopping or self.failed:
                self._transport.close()
            else:
                self._ask()

    def _ask(self) -> None:
        self._number += 1
        self._sent_s = time.perf_counter()
        self._transport.write(request(RESERVE, one_line(f"{self._name}-{self._number}"), self._address))


async def _load(url: str, connections: int, seconds: float) -> list[float]:
    """Load a server for so long; return how long each request took."""
    loop, address, run = asyncio.get_running_loop(), address_of(url), secrets.token_hex(4)
    made = [
        (await loop.create_connection(lambda number=number: _Connection(f"{run}-{number}", address), *address))[1]  # type: ignore[misc]
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


def _cpu_s(pids: list[int]) -> list[float]:
    """Return the processor time that each process has taken."""
    found = []
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        found.append((int(fields[11]) + int(fields[12])) / _TICKS_PER_S)
    return found


def measure(url: str, pids: list[int], connections: int, seconds: float) -> Round:
    """Load a server, whose processes are ``pids``: itself, and its store if it has one."""
    asyncio.run(_load(url, connections, _WARM_UP_S))
    before = _cpu_s(pids)
    took_s = asyncio.run(_load(url, connections, seconds))
    used_us = [1e6 * (now - was) / len(took_s) for now, was in zip(_cpu_s(pids), before, strict=True)]
    hundredths = quantiles(took_s, n=100)
    return Round(len(took_s) / seconds, 1e6 * hundredths[49], 1e6 * hundredths[98], used_us[0], sum(used_us[1:], 0.0))


@contextlib.contextmanager
def started(way: str, durability: str) -> Iterator[tuple[str, list[int]]]:
    """Start a server of a way; give its URL and its processes."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as named:
        folder = Path(named)
        if way == NOOP:
            with ServerProcess("bench.peers.local_peers", "noop", log=folder / "log") as process:
                yield process.url, [process.pid]
            return
        settings = {"HOLDFAST_EXPRESS_LANE": str(way == EXPRESS).lower(), "HOLDFAST_DURABILITY": durability}
        with server(ROOT, folder, settings=settings) as process:
            with Caller(process.url) as caller:
                caller.fill()
            listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
            yield process.url, [process.pid, *map(int, listed.stdout.split())]


def table(connections: int, rounds: dict[str, list[Round]]) -> Table:
    """Lay the rounds out; the ratio is that of the server's processor time to the no-op handler's, round by round."""
    made = Table(
        f"{connections} connections",
        ["way", "requests/s", "p50 µs", "p99 µs", "server µs", "store µs", "server, of the no-op's"],
    )
    floor = figure(each.server_us for each in rounds[NOOP])
    for way, taken in rounds.items():
        columns = [interval(figure(column), ",.0f") for column in zip(*taken, strict=True)]
        made.add(way, *columns, interval(figure(each.server_us for each in taken).over(floor), ".2f"))
    return made


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--connections", default="1,32,128", help="Numbers of connections.")
@click.option("--durability", type=click.Choice(["durable", "fast"]), default="durable")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=3.0, help="Seconds of load for each cell.")
@click.option("--rounds", type=click.IntRange(1, 99), default=3, help="Rounds of each way.")
def main(*, connections: str, durability: str, seconds: float, rounds: int) -> None:
    """Run from the command line."""
    end_gently()
    console = Console(width=140)
    for number in map(int, connections.split(",")):
        taken: dict[str, list[Round]] = {way: [] for way in WAYS}
        for turn in range(rounds):
            for way in WAYS if turn % 2 == 0 else reversed(WAYS):
                with started(way, durability) as (url, pids):
                    taken[way].append(measure(url, pids, number, seconds))
        table(number, taken).show(console)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.two_ways")
