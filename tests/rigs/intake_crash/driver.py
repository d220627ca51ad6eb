"""One run: rounds of traffic, each ended by a kill -9 of the server; then quiet, and the books are compared."""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from tests.channels.market_server import environment, table
from tests.channels.orders_simulator import Market
from tests.rigs.intake_crash.buyers import SKUS, Traffic
from tests.rigs.intake_crash.checks import (
    START_UNITS,
    counters,
    not_acknowledged,
    not_right,
    orders_that_differ,
    said_wrongly,
    units_apart,
    wanted,
)
from tests.support.http import Server, opened

MARKETS: Final = 3
ROUND_S: Final = (0.5, 3.0)
QUIET_S: Final = 120.0
"""What is wrong for so long, and does not grow less, is wrong for good: a busy machine takes in a backlog slowly."""
RULES: Final = 'acknowledge = "at_once"\nship = "when_fulfilled"\nopen_orders_every_s = 2.0'


@dataclass
class Run:
    """What a run did, and what was wrong in the end."""

    rounds: int = 0
    orders: int = 0
    said: int = 0
    heard: int = 0
    parcels: int = 0
    documents_lost: int = 0
    wrong: list[str] = field(default_factory=list)


def markets_of(seed: int) -> dict[str, Market]:
    """Make marketplaces that double, lose and reorder what they tell."""
    return {
        f"m{number}": Market(seed=seed + number, doubles=0.2, loses=0.2, delays=0.2, open_to_all=True)
        for number in range(MARKETS)
    }


async def run(rounds: int, seed: int, report: Callable[[int, Run], None] = lambda *_: None) -> Run:
    """Run, and return what came of it."""
    draws = random.Random(seed)
    done = Run()
    async with contextlib.AsyncExitStack() as stack:
        markets = {name: await stack.enter_async_context(each) for name, each in markets_of(seed).items()}
        toml = "".join(table(name, market, orders=RULES) for name, market in markets.items())
        server = Server(toml=toml, environment=environment(), publisher_lease_s=1)
        try:
            await asyncio.to_thread(server.start)
            async with opened(server) as api:
                for sku in SKUS:
                    await api.count(sku, START_UNITS)
            for name, market in markets.items():
                market.webhook = f"{server.url}/v1/notifications/{name}"
            traffic = Traffic(markets, server.url, draws)
            buying = asyncio.create_task(traffic.run())
            for number in range(rounds):
                await _round(server, draws, done)
                report(number, done)
            await traffic.stop()
            await buying
            done.orders, done.parcels = traffic.placed, traffic.parcels
            done.wrong += await _settled(server, markets)
            done.said = sum(sum(market.said.values()) for market in markets.values())
        finally:
            await asyncio.to_thread(server.close)
    return done


async def _round(server: Server, draws: random.Random, done: Run) -> None:
    """Kill the process at some moment; in some rounds the documents are gone, too, before it starts again."""
    await asyncio.sleep(draws.uniform(*ROUND_S))
    await asyncio.to_thread(server.kill)
    if draws.random() < 0.3:
        for path in server.data_dir.glob("*.sqlite*"):
            path.unlink()
            done.documents_lost += 1
    await asyncio.to_thread(server.start)
    done.rounds += 1


async def _settled(server: Server, markets: dict[str, Market]) -> list[str]:
    """Wait until the books agree, and return what is wrong for good."""
    wrong: list[str] = ["nothing was compared"]
    async with opened(server) as api:
        loop, least = asyncio.get_running_loop(), math.inf
        end_s = loop.time() + QUIET_S
        while wrong and loop.time() < end_s:
            await asyncio.sleep(1.0)
            have, should = await counters(api), wanted(markets)
            wrong = not_right(have, should) + not_acknowledged(markets)
            left = units_apart(have, should) + len(wrong)
            if left < least:
                least, end_s = left, loop.time() + QUIET_S
        for name, market in markets.items() if wrong else ():
            wrong += await orders_that_differ(api, name, market)
    return wrong + said_wrongly(markets) + [line for line in server.faults if "Traceback" in line]
