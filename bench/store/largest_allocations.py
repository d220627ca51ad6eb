"""The largest that is asked where every place has as many allocations as it may have."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from bench.store.largest_calls import (
    ACTOR,
    AT_ONCE,
    HOUR_MS,
    PRINT,
    SHORT_MS,
    Case,
    Step,
    World,
    done,
    holds,
    lines_of,
    orders,
    relocations,
    sku,
    stocked,
    sweep,
)
from server.domain.allocations import Allocation
from server.domain.limits import LINES_MAX
from server.domain.operations.reservations import Cancel, Commit, Fulfil, Order, Release, Reserve
from server.domain.operations.stock import Count
from server.domain.operations.transfers import Arrive, Ship, TransferItem
from server.domain.stock import StockRecord
from server.store.connection.commands import command

ALLOCATIONS_MAX: Final = 32
_PLACES: Final = ("main", "other")
_PER_WRITE: Final = 50


def _allocations() -> list[Allocation]:
    """Make those of ``web`` and of 31 channels with names as long as they usually are; half are caps."""
    names = ["web", *(f"marketplace-{number:03d}" for number in range(ALLOCATIONS_MAX - 1))]
    return [Allocation(name, "cap" if number % 2 else "own", 10**6, 0) for number, name in enumerate(names)]


async def allocated(world: World, skus: int = LINES_MAX, locations: Sequence[str] = _PLACES) -> None:
    """Count SKUs in, and write the allocations behind their records: to ask for each would take minutes."""
    for location in locations:
        await stocked(world, skus, location)
    fields = [f"{sku(n)}\0{location}" for n in range(skus) for location in locations]
    for first in range(0, len(fields), _PER_WRITE):
        some = fields[first : first + _PER_WRITE]
        found = await command(world.client, "HMGET", world.keyspace.stock, *some)
        records = [msgspec.msgpack.decode(each, type=StockRecord) for each in found]
        written = [msgspec.msgpack.encode([*each.buckets, each.seq, _allocations()]) for each in records]
        pairs = [value for pair in zip(some, written, strict=True) for value in pair]
        await command(world.client, "HSET", world.keyspace.stock, *pairs)


async def _all(world: World) -> None:
    await allocated(world)


async def _many(world: World) -> None:
    await allocated(world, 1_000, ("main",))


def _held(ttl_ms: int = HOUR_MS, count: int = AT_ONCE) -> Step:
    async def prepare(world: World) -> None:
        await allocated(world)
        await done(world, holds(count, ttl_ms=ttl_ms))

    return prepare


def _ordered(count: int = AT_ONCE) -> Step:
    async def prepare(world: World) -> None:
        await allocated(world)
        await done(world, orders(count))

    return prepare


async def _moved(world: World) -> None:
    await allocated(world)
    await done(world, orders(16))
    await done(world, relocations(16))


async def _shipped(world: World) -> None:
    await allocated(world)
    items = [TransferItem(sku(n), 1) for n in range(LINES_MAX)]
    await done(world, (Ship(PRINT, ACTOR, "", f"t{n}", "main", "other", items) for n in range(16)))


async def _counted(world: World) -> None:
    await done(world, (Count("", ACTOR, "", sku(n), "main", 10**8) for n in range(1_000)))


async def _short_orders(world: World) -> None:
    """Order a few lines at a time, so that many orders share a call, each of SKUs of its own."""
    await done(world, (Order(PRINT, ACTOR, f"s{n}", "web", lines_of(4 * n, 4, 1_000)) for n in range(500)))


def _commits() -> Iterator[Commit]:
    return (Commit(PRINT, ACTOR, f"r{n}", f"k{n}", []) for n in range(AT_ONCE))


CASES: Final[Sequence[Case]] = (
    Case("allocated: 16 holds of 100 lines", _all, lambda world: done(world, holds(16))),
    Case("allocated: 500 orders of 4 lines", _many, _short_orders),
    Case("allocated: 1,000 counts", _many, _counted),
    Case("allocated: 128 commits of 100 lines", _held(), lambda world: done(world, _commits())),
    Case(
        "allocated: 128 releases of 100 lines",
        _held(),
        lambda world: done(world, (Release(PRINT, ACTOR, f"r{n}", "", []) for n in range(AT_ONCE))),
    ),
    Case(
        "allocated: 128 cancels of 100 lines",
        _ordered(),
        lambda world: done(world, (Cancel(PRINT, ACTOR, f"r{n}", "", []) for n in range(AT_ONCE))),
    ),
    Case(
        "allocated: 16 fulfils of 200 lines",
        _moved,
        lambda world: done(world, (Fulfil(PRINT, ACTOR, f"r{n}", "", []) for n in range(16))),
    ),
    Case("allocated: 16 relocations of 100 lines", _ordered(16), lambda world: done(world, relocations(16))),
    Case(
        "allocated: 16 transfers of 100 lines arrive",
        _shipped,
        lambda world: done(world, (Arrive(PRINT, ACTOR, "", f"t{n}", [], everything=True) for n in range(16))),
    ),
    Case("allocated: 400 holds of 100 lines lapse", _held(SHORT_MS, 400), sweep),
    Case(
        "allocated: 100 lines of one SKU",
        _all,
        lambda world: done(
            world, (Reserve(PRINT, ACTOR, f"o{n}", "web", lines_of(0, LINES_MAX, 1), HOUR_MS) for n in range(16))
        ),
    ),
)
