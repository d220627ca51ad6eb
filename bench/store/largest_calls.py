"""The largest that callers may ask of each function: states of a store, and what is asked of it there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from redis.asyncio import Redis

from server.domain.answers import Refused
from server.domain.limits import LINES_MAX
from server.domain.operations.reservations import (
    Cancel,
    Commit,
    Extend,
    Fulfil,
    Line,
    LineRelocation,
    Order,
    Release,
    ReleaseBecause,
    Relocate,
    Reserve,
)
from server.domain.operations.stock import Count
from server.store.connection.commands import run_function
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger, Retention
from server.store.lua_library import library

HOUR_MS: Final = 3_600_000
SHORT_MS: Final = 1
AT_ONCE: Final = 128
PLENTY: Final = 10**9
ACTOR: Final = "local"
WHY: Final = "the buyer has not paid"
PRINT: Final = "0123456789abcdef"


class World(NamedTuple):
    """What a case works on."""

    ledger: Ledger
    client: Redis
    keyspace: Keyspace
    retention: Retention


Step = Callable[[World], Awaitable[None]]


class Case(NamedTuple):
    """A state (``prepare``), and what is asked of it (``run``), whose calls are measured.

    ``commands``: it sends plain commands, too.
    """

    title: str
    prepare: Step
    run: Step
    commands: bool = False


def sku(number: int) -> str:
    """Name a SKU as long as they usually are."""
    return f"BENCH-{number:07d}"


async def done(world: World, operations: Iterable[Any], at_once: int = 1_000) -> None:
    """Run operations together; none of them may be refused."""
    waiting = list(operations)
    for start in range(0, len(waiting), at_once):
        answers = await asyncio.gather(*(world.ledger.run(each) for each in waiting[start : start + at_once]))
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        if refused:
            raise AssertionError(f"{len(refused)} operations were refused, such as {refused[0]}")


async def stocked(world: World, skus: int = LINES_MAX, location: str = "main", units: int = PLENTY) -> None:
    """Count SKUs in."""
    await done(world, (Count("", ACTOR, "", sku(n), location, units) for n in range(skus)))


def lines_of(first: int, lines: int = LINES_MAX, skus: int = LINES_MAX, location: str = "main") -> list[Line]:
    """Make the lines of a reservation, each of another SKU."""
    return [Line(sku((first + n) % skus), location, 2) for n in range(lines)]


def holds(count: int, lines: int = LINES_MAX, ttl_ms: int = HOUR_MS, first: int = 0) -> Iterator[Reserve]:
    """Make holds."""
    for n in range(first, first + count):
        yield Reserve(PRINT, ACTOR, f"r{n}", "web", lines_of(n, lines), ttl_ms)


def orders(count: int, lines: int = LINES_MAX) -> Iterator[Order]:
    """Make orders."""
    for n in range(count):
        yield Order(PRINT, ACTOR, f"r{n}", "web", lines_of(n, lines))


def _holding(count: int, lines: int = LINES_MAX, ttl_ms: int = HOUR_MS) -> Step:
    async def prepare(world: World) -> None:
        await stocked(world)
        await done(world, holds(count, lines, ttl_ms))
        await asyncio.sleep(0.01 if ttl_ms == SHORT_MS else 0)

    return prepare


def _ordered(count: int, lines: int = LINES_MAX, *, moved: bool = False) -> Step:
    """Order; ``moved``: half the units of each line are taken from another location, so that there are 200 lines."""

    async def prepare(world: World) -> None:
        await stocked(world)
        await done(world, orders(count, lines))
        if moved:
            await stocked(world, location="other")
            await done(world, relocations(count, lines))

    return prepare


def relocations(count: int, lines: int = LINES_MAX) -> Iterator[Relocate]:
    """Move one unit of each line to another location."""
    for n in range(count):
        yield Relocate(PRINT, ACTOR, f"r{n}", "", [LineRelocation(1 + line, 1, "other") for line in range(lines)])


def _each(make: Callable[[int], object], count: int = AT_ONCE) -> Step:
    async def run(world: World) -> None:
        await done(world, [make(n) for n in range(count)])

    return run


async def sweep(world: World) -> None:
    """End all holds that are due, as maintenance does."""
    more = True
    while more:
        reply = await run_function(world.client, library().function("expire_holds"), world.keyspace, _limits(world))
        more = reply[1:2] == b"\xc3"


def _limits(world: World) -> bytes:
    return world.retention.packed()


async def _stock(world: World) -> None:
    await stocked(world)


async def _one_short(world: World) -> None:
    await done(world, [Order(PRINT, ACTOR, "late", "web", lines_of(0))])


CASES: Final[Sequence[Case]] = (
    Case("128 holds of 100 lines", _stock, lambda world: done(world, holds(AT_ONCE))),
    Case("128 holds of 4 lines", _stock, lambda world: done(world, holds(AT_ONCE, 4))),
    Case("128 commits of 4 lines", _holding(AT_ONCE, 4), _each(lambda n: Commit(PRINT, ACTOR, f"r{n}", "", []))),
    Case("128 commits of 100 lines", _holding(AT_ONCE), _each(lambda n: Commit(PRINT, ACTOR, f"r{n}", f"k{n}", []))),
    Case("128 extensions of 100 lines", _holding(AT_ONCE), _each(lambda n: Extend(PRINT, ACTOR, f"r{n}", "", HOUR_MS))),
    Case("128 releases of 100 lines", _holding(AT_ONCE), _each(lambda n: Release(PRINT, ACTOR, f"r{n}", "", []))),
    Case(
        "128 releases of 100 lines, for a reason",
        _holding(AT_ONCE),
        _each(lambda n: ReleaseBecause(PRINT, ACTOR, f"r{n}", "", [], reason=WHY)),
    ),
    Case("128 cancels of 100 lines", _ordered(AT_ONCE), _each(lambda n: Cancel(PRINT, ACTOR, f"r{n}", "", []))),
    Case(
        "128 fulfils of 200 lines",
        _ordered(AT_ONCE, moved=True),
        _each(lambda n: Fulfil(PRINT, ACTOR, f"r{n}", "", [])),
    ),
    Case("128 relocations of 100 lines", _ordered(AT_ONCE), lambda world: _relocated(world)),  # noqa: PLW0108  # it stands below
    Case("4,000 holds of 100 lines lapse", _holding(4_000, ttl_ms=SHORT_MS), sweep),
    Case("4,000 holds of 1 line lapse", _holding(4_000, 1, ttl_ms=SHORT_MS), sweep),
)


async def _relocated(world: World) -> None:
    await stocked(world, location="other")
    await done(world, relocations(AT_ONCE))
