"""What ``replicated`` costs against ``durable``, in one run:  python -m bench.store.replicated.

A primary with one replica, both on this machine and both with an fsync before each reply. The same reserves go to the
primary through the ledger of the server, without HTTP, which would hide most of the difference.
"""

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console
from rich.table import Table

from bench.harness.stores import Store
from server.domain.operations.reservations import Line, Reserve
from server.domain.operations.stock import Receive
from server.domain.reservation import Changed
from server.store.connection.clients import Durability
from server.store.embedded.binary import find_binary
from server.store.keys import Keyspace
from server.store.ledger.batcher import close_quietly
from server.store.ledger.ledger import Ledger, Retention
from server.store.topology import deployment

MODES: Final[Sequence[Durability]] = ("durable", "replicated")
CALLERS: Final = (1, 32)
UNITS: Final = 1_000_000_000
DAY_S: Final = 86_400
RETENTION: Final = Retention(life_max_s=7 * DAY_S, idempotency_s=DAY_S, ended_s=7 * DAY_S, fulfilled_s=90 * DAY_S)
BOUNDS: Final = {
    "operations_max": 128, "lines_max": 256, "queue_max": 2_048, "queue_timeout_s": 10.0, "reply_timeout_s": 10.0,
}  # fmt: skip

Figures = tuple[float, float]
"""Reserves a second, and the median latency in milliseconds."""


@asynccontextmanager
async def _ledger(socket: Path, durability: Durability) -> AsyncIterator[Ledger]:
    store = deployment(f"unix://{socket}", durability)
    batcher = store.batcher(**BOUNDS)
    batcher.start()
    try:
        ledger = Ledger(batcher, Keyspace(durability), RETENTION)
        await ledger.run(Receive("", "bench", "", "hot", "main", UNITS))
        yield ledger
    finally:
        await close_quietly(batcher, 5.0)
        await store.close()


async def _measure(socket: Path, durability: Durability, callers: int, seconds: float, round_number: int) -> Figures:
    latencies_ms: list[float] = []
    async with _ledger(socket, durability) as ledger:
        until_s = time.monotonic() + seconds

        async def call(number: int) -> None:
            while time.monotonic() < until_s:
                began_s = time.monotonic()
                name = f"{round_number}-{callers}-{number}-{len(latencies_ms)}-{began_s}"
                answer = await ledger.run(_reserve(name))
                if type(answer) is not Changed:
                    raise RuntimeError(f"a reserve was answered {answer}")
                latencies_ms.append(1000 * (time.monotonic() - began_s))

        await asyncio.gather(*map(call, range(callers)))
    return len(latencies_ms) / seconds, statistics.median(latencies_ms)


def _reserve(name: str) -> Reserve:
    return Reserve(
        fingerprint=name,
        actor="bench",
        reservation_id=name,
        channel="bench",
        lines=[Line("hot", "main", 1)],
        ttl_ms=1000 * DAY_S,
        partial=False,
        order_ref="",
        customer_ref="",
        flags=[],
    )


async def _take(socket: Path, seconds: float, rounds: int) -> dict[tuple[int, Durability], list[Figures]]:
    found: dict[tuple[int, Durability], list[Figures]] = {}
    for round_number in range(rounds):
        for callers in CALLERS:
            for durability in MODES:
                figures = await _measure(socket, durability, callers, seconds, round_number)
                found.setdefault((callers, durability), []).append(figures)
    return found


def _table(version: str, found: dict[tuple[int, Durability], list[Figures]]) -> Table:
    table = Table(title=f"{version}: replicated against durable, medians of the rounds")
    for column in ("callers", "durable/s", "p50 ms", "replicated/s", "p50 ms", "throughput ratio", "p50 ratio"):
        table.add_column(column, justify="right")
    for callers in CALLERS:
        durable, replicated = (found[callers, mode] for mode in MODES)
        pairs = list(zip(durable, replicated, strict=True))
        table.add_row(
            str(callers),
            *(f"{statistics.median(each):,.2f}" for mode in (durable, replicated) for each in zip(*mode, strict=True)),
            f"{statistics.median(ours[0] / plain[0] for plain, ours in pairs):.2f}",
            f"{statistics.median(ours[1] / plain[1] for plain, ours in pairs):.2f}",
        )
    return table


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.store.replicated", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each cell [3]")
    parser.add_argument("--rounds", type=int, default=3, help="[3]")
    given = parser.parse_args()
    binary = find_binary()
    with Store(binary) as primary, Store(binary) as replica:
        primary.lead(replica)
        found = uvloop.run(_take(primary.socket, given.seconds, given.rounds))
        Console(file=sys.stdout, width=120).print(_table(primary.version, found))


if __name__ == "__main__":
    main()
