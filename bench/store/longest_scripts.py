"""How long each script runs at the largest that its callers may ask:  python -m bench.store.longest_scripts [rounds].

Further words choose cases by their titles.

A store with the settings of the embedded one keeps the time of every command in its slow log. Each case brings the
store into a state, then asks for the most that the service lets through, through the very code that serves. The time is
what the command took inside the store, without queue, network and fsync.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import uvloop
from rich.console import Console

from bench.harness.report import Table
from bench.harness.stores import Store
from bench.store import largest_allocations, largest_calls, largest_others
from bench.store.largest_calls import Case, World
from server.store.command_session import LINES_MAX
from server.store.connection import connect
from server.store.connection.slow_calls import LIMIT_US, slow_calls
from server.store.embedded.binary import find_binary
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher, close_quietly
from server.store.ledger.ledger import Ledger, Retention

_ROUNDS: Final = 3
_LOG_LENGTH: Final = 1_000_000
_OWN: Final = frozenset({"SLOWLOG", "CONFIG", "CLIENT", "HELLO", "FUNCTION"})
"""Commands of the bench itself, and of a connection that opens."""
_LOGGED_US: Final = 100
"""The commands that a script calls are logged as well, so to log them all would take longer than most of them."""
_WAIT_S: Final = 120.0
_DAY_S: Final = 86_400


@dataclass
class Measured:
    """The times of one command in one case, in microseconds: of all its calls, and the longest of each round.

    ``cpu_us``: the store's processor time for all that it did in a round, by the calls. It has the reading and writing
    of bytes as well, but hardly depends on what else the machine does.
    """

    calls_us: list[int] = field(default_factory=list)
    longest_us: list[int] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


Cells = dict[tuple[str, str], Measured]
"""By the title of the case, and the name of the function or command."""


async def measure(rounds: int, cases: list[Case]) -> Cells:
    """Run every case so many times, each in a store of its own."""
    cells: Cells = {}
    binary = find_binary()
    for case in cases:
        for _ in range(rounds):
            with Store(binary) as store:
                store.client.config_set("slowlog-max-len", _LOG_LENGTH)
                async with opened(store) as world:
                    await case.prepare(world)
                    store.client.config_set("slowlog-log-slower-than", _LOGGED_US)
                    store.client.slowlog_reset()
                    before_us = _cpu_us(store)
                    await case.run(world)
                    _take(cells, case, store, _cpu_us(store) - before_us)
        print(f"  {case.title}", file=sys.stderr)
    return cells


@contextlib.asynccontextmanager
async def opened(store: Store) -> AsyncIterator[World]:
    """Open a ledger on a store, with the bounds that the settings have by default."""
    pool = connect.connection_pool(f"unix://{store.socket}")
    batcher = Batcher(
        pool.make_connection, operations_max=128, lines_max=LINES_MAX, queue_max=1_000_000, queue_timeout_s=_WAIT_S,
        reply_timeout_s=_WAIT_S,
    )  # fmt: skip
    batcher.start()
    keyspace = Keyspace("bench")
    retention = Retention(life_max_s=7 * _DAY_S, idempotency_s=_DAY_S, ended_s=_DAY_S, fulfilled_s=_DAY_S)
    try:
        yield World(Ledger(batcher, keyspace, retention), connect.client(pool), keyspace, retention)
    finally:
        await close_quietly(batcher, timeout_s=_WAIT_S)
        await pool.aclose()


def _cpu_us(store: Store) -> float:
    """Read how long the store's one thread that runs commands has had a processor."""
    process = int(store.info("process_id"))
    return int(Path(f"/proc/{process}/schedstat").read_text("ascii").split()[0]) / 1000


def _take(cells: Cells, case: Case, store: Store, cpu_us: float) -> None:
    found: dict[str, list[int]] = {}
    for call in slow_calls(store.client.slowlog_get(_LOG_LENGTH)):
        if call.name not in _OWN and (call.is_ours or case.commands):
            found.setdefault(call.name, []).append(call.microseconds)
    for name, durations_us in found.items():
        cell = cells.setdefault((case.title, name), Measured())
        cell.calls_us += durations_us
        cell.longest_us.append(max(durations_us))
        cell.cpu_us.append(cpu_us / sum(map(len, found.values())))


def table(cells: Cells, version: str) -> Table:
    """Lay the figures out."""
    columns = ["case", "function", "calls", "cpu a call", "median", "longest", "at least"]
    made = Table(f"Milliseconds of one call inside {version}", columns)
    for (title, name), cell in cells.items():
        made.add(
            title,
            name,
            f"{len(cell.calls_us):,}",
            f"{statistics.median(cell.cpu_us) / 1000:.2f}",
            f"{statistics.median(cell.calls_us) / 1000:.2f}",
            f"{statistics.median(cell.longest_us) / 1000:.2f}",
            f"{min(cell.longest_us) / 1000:.2f}",
        )
    return made


def main() -> None:
    """Measure, and print the table; fail where even the quietest round of a case has a call beyond the limit."""
    parser = argparse.ArgumentParser(prog="python -m bench.store.longest_scripts", description=__doc__)
    parser.add_argument("words", nargs="*", help=f"the number of rounds, else {_ROUNDS}; then words of titles")
    words: list[str] = parser.parse_args().words
    rounds = int(words.pop(0)) if words and words[0].isdigit() else _ROUNDS
    cases = [
        case
        for case in (*largest_calls.CASES, *largest_allocations.CASES, *largest_others.CASES)
        if not words or any(word in case.title for word in words)
    ]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        cells = runner.run(measure(rounds, cases))
    table(cells, "the store").show(Console())
    beyond = [f"{title}: {name}" for (title, name), cell in cells.items() if min(cell.longest_us) > LIMIT_US]
    if beyond:
        sys.exit("longer than {:g} ms: {}".format(LIMIT_US / 1000, "; ".join(beyond)))


if __name__ == "__main__":
    main()
