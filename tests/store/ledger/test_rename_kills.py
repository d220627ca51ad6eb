"""Renames of a SKU and of a location with very much to them, with kill -9 in the middle, while sales go on.

The long run is ``pytest tests/store/ledger/test_rename_kills.py -m soak -s``. It prints how long reserves took and the
longest script.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Final, NamedTuple

import pytest
from redis.asyncio import Redis

from server.store.audit.audit import audit
from server.store.errors import OutcomeUnknownError, StoreError
from server.store.keys import Keyspace
from server.store.ledger import slices
from server.store.ledger.batcher import close_quietly
from server.store.ledger.ledger import Ledger
from server.store.repositories.aliases import moving_names
from server.store.repositories.location_names import read_location_names
from server.store.repositories.location_renames import LocationRenames
from server.store.repositories.renames import AliasStore, finish_renames
from tests.conftest import RETENTION, START, StoreClient, make_batcher, wait_until
from tests.support import operations as ops
from tests.support.stores import StoreProcess

KEYSPACE: Final = Keyspace("default")
LIMITS: Final = RETENTION.packed()
UNITS: Final = 200
"""At each place; holds take a part of them."""
AUDITED_EVERY: Final = 5
"""Rounds: an audit of 100,000 holds takes some seconds."""


class Size(NamedTuple):
    """How much there is to a rename. ``places``: of the SKU, or SKUs at the location."""

    places: int
    holds: int
    rounds: int


SIZES: Final = [
    pytest.param(Size(places=450, holds=200, rounds=2), id="small"),
    pytest.param(Size(places=5_000, holds=100_000, rounds=20), id="large", marks=pytest.mark.soak),
]


class Sales:
    """Reserves one after the other at places in turn, as long as the store answers."""

    def __init__(self, places: list[tuple[str, str]]) -> None:
        self.places = places
        self.took_s: list[float] = []
        self._number = 0

    async def run(self, ledger: Ledger) -> None:
        with contextlib.suppress(StoreError, OutcomeUnknownError):
            while True:
                self._number += 1
                sku, location = self.places[self._number * 7 % len(self.places)]
                began_s = time.perf_counter()
                await ops.changed(ledger, ops.reserve(f"sale-{self._number}", (sku, 1, location)))
                self.took_s.append(time.perf_counter() - began_s)

    async def of_late(self, count: int) -> None:
        """Wait for so many."""
        wanted = len(self.took_s) + count
        await wait_until(lambda: len(self.took_s) >= wanted)

    def p99_ms(self) -> float:
        ordered = sorted(self.took_s)
        return 1000 * ordered[len(ordered) * 99 // 100]


@contextlib.asynccontextmanager
async def opened(store: StoreProcess) -> AsyncIterator[tuple[Redis, Ledger]]:
    batcher = make_batcher(store)
    batcher.start()
    async with StoreClient(store) as client:
        await client.config_set("slowlog-log-slower-than", 1_000)
        yield client, Ledger(batcher, KEYSPACE, RETENTION)
    await close_quietly(batcher, timeout_s=0.5)


async def fill(ledger: Ledger, places: list[tuple[str, str]], holds: int) -> None:
    for first in range(0, len(places), 500):
        receipts = (ops.receive(sku, UNITS, location=location) for sku, location in places[first : first + 500])
        await asyncio.gather(*(ledger.run(each) for each in receipts))
    for first in range(0, holds, 500):
        lines = ((number, *places[number % len(places)]) for number in range(first, min(holds, first + 500)))
        await asyncio.gather(
            *(ledger.run(ops.reserve(f"r{number}", (sku, 1, location))) for number, sku, location in lines)
        )


Begin = Callable[[Redis, int, asyncio.Event], Coroutine[None, None, None]]
"""Renames for a round, and sets the event where the store is to be killed."""
Check = Callable[[Redis, Ledger, int], Awaitable[None]]


async def rounds(kind: str, size: Size, sales: Sales, begin: Begin, check: Check) -> None:
    """Kill the store in the middle of a rename in each round, see that all is whole, and let maintenance finish it."""
    longest_us, killed = 0, 0
    with START[kind](appendfsync="always") as store:
        async with opened(store) as (client, ledger):
            await fill(ledger, sales.places, size.holds)
        for number in range(size.rounds):
            async with opened(store) as (client, ledger):
                selling, at_kill = asyncio.create_task(sales.run(ledger)), asyncio.Event()
                await sales.of_late(5)
                renaming = asyncio.create_task(begin(client, number, at_kill))
                await asyncio.wait_for(at_kill.wait(), 60)
                store.kill()
                for each in (selling, renaming):
                    each.cancel()  # else it waits for the store to come back
                await asyncio.gather(selling, renaming, return_exceptions=True)
            store.start()
            async with opened(store) as (client, ledger):
                killed += await is_moving(client)
                await check(client, ledger, number)
                await client.slowlog_reset()
                await finish_renames(client, KEYSPACE, LIMITS)
                longest_us = max(longest_us, await longest(client))
                await check(client, ledger, number)
                if number % AUDITED_EVERY == 0 or number == size.rounds - 1:
                    report = await audit(client, KEYSPACE)
                    assert (report.drift, report.conclusive) == ([], True)
    said = f"{kind}, {size}: reserve p99 {sales.p99_ms():.1f} ms of {len(sales.took_s)}"
    print(f"\n{said}, longest script {longest_us / 1000:.1f} ms, {killed} kills in the middle")  # noqa: T201
    assert killed


async def is_moving(client: Redis) -> bool:
    locations = await read_location_names(client, KEYSPACE)
    return bool(await moving_names(client, KEYSPACE) or locations.moving)


async def longest(client: Redis) -> int:
    """How long the longest rename script took, in microseconds."""
    found = await client.slowlog_get(10_000)
    return max((each["duration"] for each in found if b"FCALL rename" in each["command"]), default=0)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", START)
@pytest.mark.parametrize("size", SIZES)
async def test_given_a_store_that_is_killed_while_a_sku_with_much_to_it_is_renamed_then_all_of_it_is_there(
    kind: str, size: Size
) -> None:
    sales = Sales([("S0", f"store-{number}") for number in range(size.places)])

    async def begin(client: Redis, number: int, at_kill: asyncio.Event) -> None:
        names, calls = (f"S{number}", f"S{number + 1}"), 1 + number % max(1, size.places // 200 - 1)
        for _ in range(calls):
            await AliasStore(client, KEYSPACE, LIMITS).rename_some(*names, "tester", (), 200)
        at_kill.set()
        await AliasStore(client, KEYSPACE, LIMITS).rename_sku(*names, "tester", ())

    async def check(_: Redis, ledger: Ledger, number: int) -> None:
        for name in ("S0", f"S{number}", f"S{number + 1}"):
            levels = (await slices.stock(ledger, name)).levels
            assert len({level.location for level in levels}) == len(levels) == size.places
            assert sum(level.on_hand for level in levels) == UNITS * size.places

    await rounds(kind, size, sales, begin, check)


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", START)
@pytest.mark.parametrize("size", SIZES)
async def test_given_a_store_that_is_killed_while_a_location_with_much_in_it_is_renamed_then_each_sku_is_whole(
    kind: str, size: Size
) -> None:
    sales = Sales([(f"S{number}", "depot 0") for number in range(size.places)])

    async def begin(client: Redis, number: int, at_kill: asyncio.Event) -> None:
        target = size.places * (number + 1) // (size.rounds + 2)

        def report(moved: int) -> None:
            if moved >= target:
                at_kill.set()

        names = f"depot {number}", f"depot {number + 1}"
        await LocationRenames(client, KEYSPACE, LIMITS).rename(*names, "tester", report=report)

    async def check(_: Redis, ledger: Ledger, number: int) -> None:
        for first in range(0, size.places, 100):
            skus = [f"S{sku}" for sku in range(first, min(size.places, first + 100))]
            everywhere = await _available(ledger, skus)
            assert [len(places) for places in everywhere] == [1] * len(skus), "at one location, and seen once"
            for name in ("depot 0", f"depot {number}", f"depot {number + 1}"):
                assert await _available(ledger, skus, name) == everywhere

    await rounds(kind, size, sales, begin, check)


async def _available(ledger: Ledger, skus: list[str], location: str = "") -> list[list[int]]:
    found: dict[int, list[int]] = {number: [] for number in range(len(skus))}
    async for each in slices.availability(ledger, skus, location):
        assert isinstance(each.value, list)
        found[each.number] += [level.available for level in each.value]
    return list(found.values())
