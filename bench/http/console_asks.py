"""What an open console asks for in a minute on Today, and what each of these requests costs.

    python -m bench.http.console_asks                      the shop of bench.http.console
    python -m bench.http.console_asks --data /tmp/shop     fill it once, and look at it again and again

Chromium has Today open while there are 20 changes a second; its requests are counted. Then each one is made by itself,
a moment after a unit was reserved, so that nothing is answered from what was kept only because nothing changes.

- **server, loop**: the processor's time of one request in all threads of the server, and on the event loop alone.
- **longest turn**: the longest stretch of the event loop in which nothing else had a turn, by the processor's time.
- **longest call**: the longest command inside the store, by its own slow log.

The server runs on asyncio's own loop, whose callbacks can be timed (:mod:`bench.http.timed_server`); uvloop's cannot.
What it does by itself in as long a time stands in a row of its own.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import click
from rich.console import Console

from bench.harness import stock
from bench.harness.black_box import Caller
from bench.harness.chromium import INSTALL, find, opened
from bench.harness.neighbours import Neighbours, ran_s
from bench.harness.processes import ServerFailedError, end_gently
from bench.harness.report import Table
from bench.http.console_memory import Selling
from bench.http.console_page import Seller, on
from bench.http.console_shop import Report, Shop, Size, running
from bench.http.reserve_way import Control

if TYPE_CHECKING:
    from playwright.async_api import Request

PROGRAM: Final = Path(__file__).with_name("timed_server.py")
STREAM: Final = "/v1/changes"
NOTHING: Final = "(nothing, as long)"
_REST_S: Final = 0.4
"""After a reserve: publisher, index and history have followed it by then."""
_BEHIND_S: Final = 0.01
_TTL_S: Final = 900
_SETTLED_S: Final = 5
LAPSED_S: Final = 40
"""Until the last holds of the minute have lapsed, each of which changes something."""


class Asked(NamedTuple):
    """How often a page asked for a path in a minute, and how many bytes it got each time."""

    times: float
    bytes_each: float


class Cost(NamedTuple):
    """What a request took, in milliseconds, the median of many."""

    server_ms: float
    loop_ms: float
    store_ms: float
    turn_ms: float
    call_ms: float


class Watch(Control):
    """A server whose event loop is timed."""

    def taken_us(self, work: Callable[[], object]) -> tuple[int, int]:
        """Return the longest callback while something is done, and the sum of all."""
        self._ask(b"begin\n")
        work()
        longest_us, sum_us = self._ask(b"end\n")
        return longest_us, sum_us


async def count(path: str, shop: Shop, seconds: int) -> dict[str, Asked]:
    """Have Today open so long while things change, and count what it asks for."""
    sizes: dict[str, list[int]] = {}
    pending = set[asyncio.Task[None]]()

    async def note(request: "Request") -> None:
        asked = urlsplit(request.url)
        name = f"{asked.path}?{asked.query}" if asked.query else asked.path
        sizes.setdefault(name, []).append((await request.sizes())["responseBodySize"])

    def finished(request: "Request") -> None:
        if urlsplit(request.url).path.startswith("/v1/"):
            pending.add(asyncio.create_task(note(request)))

    selling = Selling(shop)
    async with opened(path) as context, on(context, shop, "#/today", "#holds") as page:
        selling.start()
        try:
            await asyncio.sleep(_SETTLED_S)
            page.on("requestfinished", finished)
            await asyncio.sleep(seconds)
            page.remove_listener("requestfinished", finished)
            await asyncio.gather(*pending)
        finally:
            selling.stopping.set()
            await asyncio.to_thread(selling.join)
    return {name: Asked(len(each) * 60 / seconds, sum(each) / len(each)) for name, each in sorted(sizes.items())}


def costs(shop: Shop, watch: Watch, paths: Sequence[str], times: int, report: Report) -> dict[str, Cost]:
    """Ask for each path many times, each time after something changed."""
    time.sleep(LAPSED_S)
    shop.holdfast.client.config_set("slowlog-log-slower-than", 0)
    shop.holdfast.client.config_set("slowlog-max-len", 10_000)
    seller, number, found = Seller(shop, _TTL_S), 0, dict[str, Cost]()
    with contextlib.closing(seller), Caller(shop.url) as caller:
        for path in (*paths, NOTHING):
            taken = list[Cost]()
            for _ in range(times + 1):
                seller.reserve(stock.sku(number := (number + 7_919) % shop.size.sold))
                time.sleep(_REST_S)
                taken.append(_one(shop, watch, lambda: caller.call(f"GET {path}", {}, 200) if path != NOTHING else 0))  # noqa: B023  # called at once
            found[path] = Cost(*(median(each) for each in zip(*taken[1:], strict=True)))
            report(f"{path}: {found[path].server_ms:.1f} ms of the server")
    return found


def _one(shop: Shop, watch: Watch, ask: Callable[[], object]) -> Cost:
    pids = shop.holdfast.pid, shop.holdfast.store_pid

    def timed() -> None:
        ask()
        time.sleep(_BEHIND_S)

    shop.holdfast.client.slowlog_reset()
    before_s = [ran_s(pid) for pid in pids]
    longest_us, sum_us = watch.taken_us(timed)
    server_ms, store_ms = ((ran_s(pid) - was_s) * 1000 for pid, was_s in zip(pids, before_s, strict=True))
    calls_us = [each["duration"] for each in shop.holdfast.client.slowlog_get(10_000)]
    return Cost(server_ms, sum_us / 1000, store_ms, longest_us / 1000, max(calls_us, default=0) / 1000)


def table(asked: dict[str, Asked], found: dict[str, Cost]) -> Table:
    """Lay out what a minute costs."""
    each_ms = ["server, ms", "loop, ms", "store, ms", "longest turn, ms", "longest call, ms"]
    columns = ["GET", "a minute", "bytes", *each_ms, "server, ms a minute"]
    made = Table("What Today asks for in a minute of 20 changes a second", columns)
    own = found[NOTHING]
    for path, cost in found.items():
        times, size = asked.get(path, Asked(0, 0))
        less = cost if path == NOTHING else cost._replace(
            server_ms=max(0, cost.server_ms - own.server_ms), loop_ms=max(0, cost.loop_ms - own.loop_ms),
            store_ms=max(0, cost.store_ms - own.store_ms),
        )  # fmt: skip
        made.add(
            path, f"{times:.0f}", f"{size:,.0f}", *(f"{each:.2f}" for each in less), f"{times * less.server_ms:.0f}"
        )
    return made


@contextlib.contextmanager
def watched(folder: Path, size: Size, report: Report) -> Iterator[tuple[Shop, Watch]]:
    """Serve the shop from a server whose event loop is timed."""
    with tempfile.TemporaryDirectory(prefix="hf-bench-") as made:
        path = Path(made) / "control"
        python = (sys.executable, "-c", PROGRAM.read_text("utf-8"), str(path))
        with Watch(path) as watch, running(folder, size, report, python) as shop:
            watch.accept()
            yield shop, watch


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--skus", type=click.IntRange(2_000, 1_000_000), default=Size().skus, help="SKUs of the shop.")
@click.option("--orders", type=click.IntRange(100, 1_000_000), default=Size().orders, help="Its open orders.")
@click.option("--channels", type=click.IntRange(1, 99), default=Size().channels, help="Its channels.")
@click.option("--listings", type=click.IntRange(1, 100_000), default=Size().listings, help="SKUs that each lists.")
@click.option("--seconds", type=click.IntRange(1, 600), default=60, help="Of counting requests.")
@click.option("--times", type=click.IntRange(1, 1_000), default=40, help="How often each request is made.")
@click.option("--ask", "also", multiple=True, help="A path to ask for besides; repeatable.")
@click.option("--data", type=click.Path(path_type=Path), help="A folder for the shop, which stays; else it goes.")
def main(
    *, skus: int, orders: int, channels: int, listings: int, seconds: int, times: int, also: Sequence[str],
    data: Path | None,
) -> None:  # fmt: skip
    """Count what Today asks for, and what that costs."""
    end_gently()
    path, out = find(), Console(stderr=True)
    if path is None:
        raise click.ClickException(f"there is no Chromium: {INSTALL}")

    def report(text: str) -> None:
        out.print(text, highlight=False)

    size = Size(skus, orders, channels, listings)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="holdfast-bench-") as made,
            watched(data or Path(made), size, report) as (shop, watch),
        ):
            noise = Neighbours()
            asked = asyncio.run(count(path, shop, seconds))
            paths = list(dict.fromkeys([*(name for name in asked if not name.startswith(STREAM)), *also]))
            found = costs(shop, watch, paths, times, report)
            others = noise.cores()
    except ServerFailedError as error:
        raise click.ClickException(str(error)) from None
    table(asked, found).show(Console(width=150))
    if others is not None:
        print(f"Other processes meanwhile: {others:.2f} cores of {os.cpu_count()}")


if __name__ == "__main__":
    main(prog_name="python -m bench.http.console_asks")
