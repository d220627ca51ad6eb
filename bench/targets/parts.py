"""What is measured for which rows: each part of the bench that the table of targets needs, in one run of its own."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.harness.black_box import ROOT
from bench.harness.figures import Figure, figure
from bench.harness.load import loader
from bench.harness.stock import SPREAD_SKUS
from bench.http import from_memory, instructions, tail, two_ways
from bench.peers import table as peers
from bench.peers.base import MissingError
from bench.propagation import propagation, told_items
from bench.scaling import fanout
from bench.targets import one_connection
from bench.targets.rows import Row

CHANNELS_MANY: Final = 100
CHANNELS: Final = 20
_NOOP: Final = "the no-op `Application` handler"


class Plan(NamedTuple):
    """How long is measured. ``before``: another checkout to compare with, if there is one.

    ``report`` takes a line of progress.
    """

    rounds: int
    seconds: int
    quick: bool
    before: Path | None
    report: Callable[[str], None]


class BeforeMissingError(Exception):
    """A row compares with another checkout, and none was given."""


class Part(NamedTuple):
    """Some rows that come out of one measurement; ``take`` gives the figure of each by its key."""

    rows: tuple[Row, ...]
    take: Callable[[Plan], Mapping[str, Figure]]


def _lane(connections: int, plan: Plan) -> dict[str, Figure]:
    _needs_wrk()
    ways = (two_ways.EXPRESS, two_ways.NOOP)
    taken = two_ways.take(ways, connections, plan.rounds, plan.seconds, plan.report)
    ours, noop = taken[two_ways.EXPRESS], taken[two_ways.NOOP]
    return {
        f"reserve-{connections}": two_ways.ratio(ours, noop, "rate"),
        "server-cpu": two_ways.ratio(ours, noop, "server_us"),
    }


def _one_connection(plan: Plan) -> dict[str, Figure]:
    _needs_wrk()
    rounds = one_connection.take(plan.rounds, plan.seconds, plan.report)
    return {"one-fast": one_connection.fast(rounds), "one-durable": one_connection.durable(rounds)}


def _needs_wrk() -> None:
    if loader() != "wrk":
        raise MissingError("wrk is missing: apt-get install wrk")


def _tail(plan: Plan) -> dict[str, Figure]:
    taken = []
    for turn in range(plan.rounds):
        plan.report(f"round {turn + 1}: durable reserves beside bare fsyncs")
        taken.append(tail.take(tail.JUDGED_AT, 2.0 * plan.seconds))
    return {"tail": tail.ratio(taken)}


def _availability(plan: Plan) -> dict[str, Figure]:
    taken = from_memory.take(plan.rounds, plan.seconds, 0, plan.report)
    return {
        "from-store": from_memory.of_noop(taken, from_memory.STORE),
        "from-memory": from_memory.of_noop(taken, from_memory.MEMORY),
        "thousand-skus": from_memory.many_p50_ms(taken),
    }


def _postgres(plan: Plan) -> dict[str, Figure]:
    _needs_wrk()
    wanted = (peers.HOLDFAST, peers.POSTGRES)
    others = [each for each in peers.PEERS if each not in wanted]
    found = peers.measure([peers.JUDGED_AT], plan.seconds, plan.rounds, plan.report, leave_out=others)
    if found.skipped:
        raise MissingError(found.skipped[0])
    return {
        f"postgres-{rival.pattern}": peers.ahead(found, peers.JUDGED_AT, rival)
        for rival in (peers.Rival(peers.POSTGRES, skus) for skus in (1, SPREAD_SKUS))
    }


def _channels(plan: Plan) -> dict[str, Figure]:
    with propagation.started(plan.report, apart=False) as (holdfast, channels):
        well, hanging = propagation.well_and_hanging(holdfast, channels, plan.rounds, plan.report, quick=plan.quick)
    return {
        "told-p50": figure(each.p50_ms for each in well),
        "told-p99": figure(each.p99_ms for each in well),
        "told-core": figure(each.cpu["server"] for each in well),
        "one-hangs": propagation.moved(well, hanging),
    }


def _many_channels(plan: Plan) -> dict[str, Figure]:
    seconds = fanout.SECONDS_QUICK if plan.quick else fanout.SECONDS
    found = fanout.measure((CHANNELS_MANY,), plan.rounds, seconds, plan.report)
    return {"many-channels": figure(each.p99_ms for each in found[CHANNELS_MANY])}


def _script(plan: Plan) -> dict[str, Figure]:
    def count(checkout: Path) -> float:
        plan.report(f"counting what a reserve costs the store of {checkout.name}")
        return instructions.measure(checkout, [1], {})["1 connections, its store"]

    return {"store-cpu": _of_before(plan, count)}


def _publisher(plan: Plan) -> dict[str, Figure]:
    def count(checkout: Path) -> float:
        plan.report(f"counting what a value costs the publisher of {checkout.name}")
        return told_items.measure(checkout, CHANNELS).of_one

    return {"publisher": _of_before(plan, count)}


def _of_before(plan: Plan, count: Callable[[Path], float]) -> Figure:
    if plan.before is None:
        raise BeforeMissingError("it compares with another checkout: --before DIR")
    before = count(plan.before)
    return Figure([count(ROOT) / before])


PARTS: Final = (
    Part(
        (Row("reserve-128", "durable reserves a second, one worker, 128 connections", _NOOP, "≥", 1.15),),
        partial(_lane, 128),
    ),
    Part(
        (
            Row("reserve-32", "durable reserves a second, one worker, 32 connections", _NOOP, "≥", 1.0),
            Row("server-cpu", "server's processor time of a reserve, 32 connections", _NOOP, "≤", 0.9),
        ),
        partial(_lane, 32),
    ),
    Part(
        (
            Row("one-fast", "p50 of a reserve at one connection, fast", _NOOP, "≤", one_connection.NOOPS),
            Row(
                "one-durable",
                "p50 of a reserve at one connection, durable",
                f"{one_connection.NOOPS} × the no-op + one measured fdatasync + the store's script",
                "≤",
                1.0,
            ),
        ),
        _one_connection,
    ),
    Part((Row("tail", "p99 of durable reserves, 32 connections", "p99 of bare fsyncs, same disk", "≤", 1.5),), _tail),
    Part(
        (
            Row("from-store", "availability of one SKU a second, 32 connections, from the store", _NOOP, "≥", 1.1),
            Row("from-memory", "availability of one SKU a second, 32 connections, from memory", _NOOP, "≥", 1.5),
            Row("thousand-skus", "availability of 1,000 SKUs in one call from memory, p50", "", "≤", 3.0, "ms"),
        ),
        _availability,
    ),
    Part(
        (
            Row("postgres-hot", "durable reserves a second of one SKU, 32 connections", "Postgres", "≥", 10.0),
            Row("postgres-spread", "durable reserves a second of 10,000 SKUs, 32 connections", "Postgres", "≥", 6.0),
        ),
        _postgres,
    ),
    Part(
        (Row("store-cpu", "store's instructions of a reserve of one line, batch of one", "--before", "≤", 0.5),),
        _script,
    ),
    Part(
        (
            Row("told-p50", "sale to request, 1,000 sales/s × 20 channels, p50", "", "≤", 10.0, "ms"),
            Row("told-p99", "sale to request, 1,000 sales/s × 20 channels, p99", "", "≤", 30.0, "ms"),
            Row("told-core", "the same: cores of the process that sells and publishes", "", "≤", 0.5, "cores"),
            Row("one-hangs", "one channel hangs: p99 of the others", "theirs while none hangs", "≤", 1.1),
        ),
        _channels,
    ),
    Part(
        (Row("many-channels", "sale to request, 200 sales/s × 100 channels, p99", "", "≤", 200.0, "ms"),),
        _many_channels,
    ),
    Part(
        (Row("publisher", "publisher's instructions of a value told, 20 channels", "--before", "≤", 0.5),),
        _publisher,
    ),
)
ROWS: Final = tuple(row for part in PARTS for row in part.rows)
