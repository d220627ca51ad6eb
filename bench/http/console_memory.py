"""Whether the console's memory stays flat while things change, on Today and on a product."""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.harness import stock
from bench.harness.chromium import opened
from bench.http.console_page import WATCHED, Seller, on
from bench.http.console_shop import Shop

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, Page

CHANGES_PER_S: Final = 20
_TTL_S: Final = 30
"""Of a hold: each makes a change, and another one when it ends, so as many are held after an hour as after a minute."""
_WATCHED_EVERY: Final = 10
"""Every so many reserves are of the product whose page is open."""
_SETTLED_MIN: Final = 5
"""Minutes that are no part of the slope: what a page keeps once, it has by then."""
_MINUTE_S: Final = 60
_MB: Final = 1024 * 1024
_ADDRESSES: Final = {
    "Today": ("#/today", "#holds"),
    "a product": (f"#/product/{stock.sku(WATCHED)}", "#history"),
}


class Sample(NamedTuple):
    """What a page had after its rubbish was collected, at a minute, and how many units were reserved until then."""

    minute: float
    reserves: int
    heap_mb: float
    nodes: int
    listeners: int


class Kept(NamedTuple):
    """What a page had, minute by minute."""

    page: str
    samples: list[Sample]

    @property
    def changes_per_s(self) -> float:
        """How many changes there were, with the ends of the holds."""
        last = self.samples[-1]
        return 2 * last.reserves / (last.minute * _MINUTE_S)

    def slope(self, of: Callable[[Sample], float]) -> float:
        """Return by how much it grows in an hour, by least squares; the first minutes count only where all are few."""
        settled = [each for each in self.samples if each.minute >= _SETTLED_MIN]
        return 60 * least_squares([(each.minute, of(each)) for each in (settled if len(settled) > 1 else self.samples)])


def least_squares(points: Sequence[tuple[float, float]]) -> float:
    """Return how steep the line is that fits best."""
    middle_x, middle_y = (sum(each) / len(points) for each in zip(*points, strict=True))
    across = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / across if across else 0.0


class Selling(threading.Thread):
    """Holds a unit ten times a second, so that with the holds that end there are twenty changes."""

    def __init__(self, shop: Shop) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.reserves = 0
        self._seller, self._sold = Seller(shop, _TTL_S), shop.size.sold

    def run(self) -> None:
        """Reserve at an even pace until it is told to stop."""
        chance, began_s = random.Random(9), time.monotonic()
        with contextlib.closing(self._seller):
            while not self.stopping.wait(max(0.0, began_s + self.reserves * 2 / CHANGES_PER_S - time.monotonic())):
                number = chance.randrange(self._sold) if self.reserves % _WATCHED_EVERY else WATCHED
                self._seller.reserve(stock.sku(number))
                self.reserves += 1


async def measure(path: str, shop: Shop, minutes: int, report: Callable[[str], None]) -> list[Kept]:
    """Have the pages open for so many minutes while things change, each in a browser of its own."""
    async with contextlib.AsyncExitStack() as stack:
        sessions: dict[str, CDPSession] = {}
        for name, (address, ready) in _ADDRESSES.items():
            context = await stack.enter_async_context(opened(path))
            page = await stack.enter_async_context(on(context, shop, address, ready))
            sessions[name] = await _session(page)
        kept = [Kept(name, []) for name in sessions]
        selling = Selling(shop)
        selling.start()
        stack.callback(selling.join)
        stack.callback(selling.stopping.set)
        began_s = time.monotonic()
        for minute in range(minutes + 1):
            await asyncio.sleep(max(0.0, began_s + minute * _MINUTE_S - time.monotonic()))
            if not selling.is_alive():
                raise RuntimeError("nothing is sold any more: see the server's log")
            for each in kept:
                heap_mb, nodes, listeners = await _metrics(sessions[each.page])
                passed = (time.monotonic() - began_s) / _MINUTE_S
                each.samples.append(Sample(passed, selling.reserves, heap_mb, nodes, listeners))
                report(f"minute {minute}, {each.page}: {_write(each.samples[-1])}")
            shop.channels.forget()
    return kept


async def _session(page: "Page") -> "CDPSession":
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    return session


async def _metrics(session: "CDPSession") -> tuple[float, int, int]:
    await session.send("HeapProfiler.collectGarbage")
    answer: Any = await session.send("Performance.getMetrics")
    found = {each["name"]: each["value"] for each in answer["metrics"]}
    return found["JSHeapUsedSize"] / _MB, int(found["Nodes"]), int(found["JSEventListeners"])


def _write(sample: Sample) -> str:
    return (
        f"{sample.reserves:,} reserves, {sample.heap_mb:.2f} MB, {sample.nodes:,} nodes, {sample.listeners:,} listeners"
    )


def rows(kept: Kept) -> list[Sequence[str]]:
    """Write what there was of each kind at the beginning and the end, the most, and how much it grows in an hour."""
    kinds: list[tuple[str, Callable[[Sample], float], str]] = [
        ("heap, MB", lambda each: each.heap_mb, ",.2f"),
        ("DOM nodes", lambda each: each.nodes, ",.0f"),
        ("listeners", lambda each: each.listeners, ",.0f"),
    ]
    made: list[Sequence[str]] = []
    for kind, of, form in kinds:
        first, *_, last = map(of, kept.samples)
        most, slope = max(map(of, kept.samples)), kept.slope(of)
        made.append((f"{kept.page}: {kind}", *(format(each, form) for each in (first, last, most, slope))))
    return made
