"""How long an order takes from a marketplace to the last other channel: ``python -m tests.rigs.order_propagation``.

Marketplaces in a process of their own sell; one server takes the orders in and shows the new number everywhere. What
is measured is from the buyer's order until the last of the other channels has been told, by webhook and by reading.
Beside it stands what an order costs of the machine: the processor's time of the server, of its store, and of the
marketplaces. Where they share the machine with others, the times are too long and the costs nearly right.
"""

import argparse
import asyncio
import contextlib
import io
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import SECRET, SIGNATURE, Market, signed
from tests.rigs.idle_partitions.measure import used_s
from tests.support.http import Server, opened

START_UNITS: Final = 1_000_000
LATE_S: Final = 20.0
"""What is not told by then counts as lost."""
PULL_S: Final = 1.0


@dataclass
class Watched(Market):
    """A marketplace that notes when each number of each product was told. It keeps its connections, as real ones do."""

    told_s: dict[tuple[str, int], float] = field(default_factory=dict)
    session: aiohttp.ClientSession | None = None

    def show(self, key: str, quantity: int, price: str | None = None) -> None:
        """Note when a number took effect; a lower one stands for all above it."""
        super().show(key, quantity, price)
        self.told_s.setdefault((key, quantity), time.monotonic())

    async def deliver(self, body: bytes, *, secret: str = SECRET, path: str = "/orders", method: str = "POST") -> int:
        """Send one delivery; return the status of the answer."""
        self.session = self.session or aiohttp.ClientSession()
        headers = {SIGNATURE: signed(body, secret)}
        async with self.session.request(method, self.webhook + path, data=io.BytesIO(body), headers=headers) as answer:
            return answer.status

    async def close(self) -> None:
        """Close the connections."""
        if self.session is not None:
            await self.session.close()


@dataclass
class Figures:
    """What was measured, in seconds; ``lost``: orders that some channel was not told of in time.

    ``used_s``: the processor's time of the server, of its store, and of the marketplaces.
    """

    way: str
    orders: int
    lags_s: list[float]
    lost: int
    used_s: list[float]

    def row(self) -> str:
        """Return a row of the table."""
        lags = sorted(self.lags_s) or [float("nan")]
        p50, p99 = statistics.median(lags), lags[min(len(lags) - 1, int(0.99 * len(lags)))]
        each = " | ".join(f"{1000 * used / self.orders:.1f} ms" for used in self.used_s)
        return f"| {self.way} | {self.orders} | {1000 * p50:.0f} ms | {1000 * p99:.0f} ms | {self.lost} | {each} |"


async def measure(*, hears: bool, channels: int, per_s: float, seconds: float) -> Figures:
    """Sell at a steady rate, and return how long each sale took to the last other channel."""
    async with contextlib.AsyncExitStack() as stack:
        markets = {f"m{n}": await stack.enter_async_context(Watched()) for n in range(channels)}
        for market in markets.values():
            stack.push_async_callback(market.close)
        every_s = 60.0 if hears else PULL_S
        toml = "".join(
            table(name, market, orders=f"pull_every_s = {every_s}\nopen_orders_every_s = 86400.0")
            for name, market in markets.items()
        )
        server = Server(toml=toml, environment=environment(), durability="durable")
        try:
            await asyncio.to_thread(server.start)
            return await _sell(server, markets, hears=hears, per_s=per_s, seconds=seconds)
        finally:
            await asyncio.to_thread(server.close)


async def _sell(server: Server, markets: dict[str, Watched], *, hears: bool, per_s: float, seconds: float) -> Figures:
    skus = [f"sku-{number}" for number in range(int(per_s * seconds))]
    names = list(markets)
    async with opened(server) as api:
        movements = [{"kind": "receive", "sku": sku, "quantity": START_UNITS} for sku in skus]
        for start in range(0, len(movements), 500):
            (await api.post("/v1/stock/movements", {"movements": movements[start : start + 500]})).ok()
    for name, market in markets.items():
        market.webhook = f"{server.url}/v1/notifications/{name}"
    await _until(lambda: all(len(market.told_s) >= len(skus) for market in markets.values()), 120.0)
    placed_s: dict[str, tuple[str, float]] = {}
    telling = set[asyncio.Task[Any]]()
    processes = (server.process.pid, server.store_pid, os.getpid())
    before_s = [used_s(each) for each in processes]
    begin_s = time.monotonic()
    for number, sku in enumerate(skus):
        await asyncio.sleep(max(0.0, begin_s + number / per_s - time.monotonic()))
        name = names[number % len(names)]
        markets[name].place(f"N{number}", {sku: 1})
        placed_s[sku] = (name, time.monotonic())
        if hears:
            task = asyncio.create_task(markets[name].tell(f"N{number}"))
            telling.add(task)
            task.add_done_callback(telling.discard)
    left = START_UNITS - 1
    with contextlib.suppress(TimeoutError):
        await _until(lambda: all((sku, left) in m.told_s for sku in skus for m in markets.values()), LATE_S)
    used = [used_s(each) - before for each, before in zip(processes, before_s, strict=True)]
    lags, lost = [], 0
    for sku, (seller, at_s) in placed_s.items():
        told = [market.told_s.get((sku, left)) for name, market in markets.items() if name != seller]
        if None in told:
            lost += 1
        else:
            lags.append(max(each for each in told if each is not None) - at_s)
    way = "webhook" if hears else f"read every {PULL_S:g} s"
    return Figures(way, len(placed_s), lags, lost, used)


async def _until(reached: Callable[[], bool], seconds: float) -> None:
    end_s = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > end_s:
            raise TimeoutError
        await asyncio.sleep(0.02)


def main() -> None:
    """Measure both ways, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--channels", type=int, default=10)
    parser.add_argument("--per-s", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--only", choices=["webhook", "read"], help="measure one of the ways alone")
    given = parser.parse_args()
    _say(f"{given.per_s:g} orders/s over {given.channels} channels, {given.seconds:g} s; one SKU each")
    _say("| told by | orders | p50 | p99 | lost | server an order | store | marketplaces |")
    _say("|---|--:|--:|--:|--:|--:|--:|--:|")
    for hears in (True, False) if given.only is None else (given.only == "webhook",):
        figures = asyncio.run(measure(hears=hears, channels=given.channels, per_s=given.per_s, seconds=given.seconds))
        _say(figures.row())


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
