"""What people at the console take from those who reserve: the p99 of reserves alone, and with streams and a browser."""

import asyncio
import contextlib
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

from bench.harness.chromium import opened
from bench.harness.neighbours import cpu_s, family_s
from bench.harness.paced import Sold
from bench.http.console_page import on
from bench.http.console_shop import Shop
from bench.http.event_streams import Subscribers
from bench.http.finding import sell
from bench.http.finding_fill import Report

STREAMS: Final = 50
RATE: Final = 100
"""Reserves a second: far from what the machine can do, so that nothing waits for its own kind."""
WANTED: Final = 1.1
_WARM_UP_S: Final = 2
BROWSER: Final = "chrom"
"""How the names of all its processes begin."""


class Way(NamedTuple):
    """Who is there meanwhile. ``yields``: the browser takes only what processor nobody else wants."""

    name: str
    streams: int
    browsers: int
    yields: bool = False


ALONE: Final = Way("nobody", 0, 0)
JUDGED: Final = (
    Way("50 streams and a browser", STREAMS, 1),
    Way("the same, and the browser yields", STREAMS, 1, yields=True),
)
WAYS: Final = (ALONE, Way("50 streams", STREAMS, 0), Way("a browser on Today", 0, 1), *JUDGED)


class Round(NamedTuple):
    """What reserves took, and how much of a core each took meanwhile: server, store, streams' readers, browser."""

    sold: Sold
    cores: tuple[float, ...]


class Reserved(NamedTuple):
    """What reserves took while somebody was there, round by round."""

    way: Way
    rounds: list[Round]

    @property
    def p50_ms(self) -> float:
        """The median of the rounds."""
        return median(each.sold.p50_us for each in self.rounds) / 1000

    @property
    def p99_ms(self) -> float:
        """The median of the rounds."""
        return median(each.sold.p99_us for each in self.rounds) / 1000

    def times(self, alone: "Reserved") -> float:
        """Compare with nobody: the median of the rounds' ratios."""
        rounds = zip(self.rounds, alone.rounds, strict=True)
        return median(each.sold.p99_us / other.sold.p99_us for each, other in rounds)

    @property
    def cores(self) -> list[float]:
        """How much of a core each of them took, the medians of the rounds."""
        return [median(each) for each in zip(*(each.cores for each in self.rounds), strict=True)]

    @property
    def spread_ms(self) -> tuple[float, float]:
        """The least and the greatest p99 of a round."""
        taken_ms = [each.sold.p99_us / 1000 for each in self.rounds]
        return min(taken_ms), max(taken_ms)


async def measure(path: str, shop: Shop, rounds: int, seconds: int, report: Report) -> list[Reserved]:
    """Reserve at an even pace with nobody there and with each that may be, in turn."""
    found = [Reserved(way, []) for way in WAYS]
    for number in range(1, rounds + 1):
        for each in found if number % 2 else reversed(found):
            each.rounds.append(await _one(path, shop, each.way, seconds))
            report(f"round {number}, {each.way.name}: p99 {each.rounds[-1].sold.p99_us / 1000:.1f} ms")
    return found


async def _one(path: str, shop: Shop, way: Way, seconds: int) -> Round:
    url = f"{shop.url}/v1/reservations"
    async with contextlib.AsyncExitStack() as stack:
        pids = [shop.holdfast.pid, shop.holdfast.store_pid]
        if way.streams:
            pids.append(stack.enter_context(await asyncio.to_thread(Subscribers, shop.url, way.streams)).pid)
        if way.browsers:
            program = stack.enter_context(_yielding(path)) if way.yields else path
            context = await stack.enter_async_context(opened(program))
            await stack.enter_async_context(on(context, shop, "#/today", "#holds"))
        await asyncio.to_thread(sell, url, shop.size.sold, RATE, _WARM_UP_S)
        began_s, before = time.monotonic(), _used_s(pids)
        sold = await asyncio.to_thread(sell, url, shop.size.sold, RATE, seconds)
        took_s = time.monotonic() - began_s
        return Round(sold, tuple((now_s - was_s) / took_s for was_s, now_s in zip(before, _used_s(pids), strict=True)))


@contextlib.contextmanager
def _yielding(path: str) -> Iterator[str]:
    """Make a program that runs another as one that yields: nearly as if it ran on a machine of its own. Linux only."""
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as folder:
        program = Path(folder) / "browser"
        program.write_text(f'#!/bin/sh\nexec chrt --idle 0 {shlex.quote(path)} "$@"\n')
        program.chmod(0o700)
        yield str(program)


def _used_s(pids: Sequence[int]) -> list[float]:
    """Processor seconds of server, store, the streams' readers where there are any, and the browser."""
    server_s, store_s, *readers_s = map(cpu_s, pids)
    return [server_s, store_s, sum(readers_s), family_s(BROWSER)]
