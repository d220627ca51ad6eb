"""Partitions in which nothing happens, and the processor time that they take."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from server.domain.operations.reservations import ReservationOperation
from server.domain.operations.stock import StockOperation
from server.store.command_session import open_store
from server.store.connection import commands
from server.store.keys import PARTITIONS, Keyspace
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from tests.conftest import RETENTION
from tests.support.operations import receive

SETTLE_S_MAX: Final = 300.0
_QUIET_LOOKS: Final = 3
_LOOK_S: Final = 5.0
_QUIET_SHARE: Final = 0.02
WITHOUT_AUDIT: Final[Mapping[str, Any]] = {"audit_interval_s": 0}
"""For the server: an audit of thousands of partitions takes minutes, and an idle one is audited once a day."""
_REST_S: Final = 12.0
"""The slowest regular chores have had their first turn by then."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_AT_ONCE: Final = 500
Happened = StockOperation | ReservationOperation


async def fill_partitions(
    folder: Path,
    count: int,
    history: Callable[[str], Sequence[StockOperation | ReservationOperation]] = lambda _: [receive("A", 10)],
) -> None:
    """Make partitions in a data directory; ``history`` is what happened in the one of a name."""
    async with open_store(store_url="", data_dir=folder, durability="fast", retention=RETENTION, create=True) as store:
        await commands.load(store.client, library())  # or each of the first calls would, at once
        names = [f"m{number}" for number in range(count)]

        async def happen(name: str) -> None:
            for operation in history(name):
                await Ledger(store.batcher, Keyspace(name), RETENTION).run(operation)

        for start in range(0, count, _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            await asyncio.gather(*map(happen, some))
            await store.client.sadd(PARTITIONS, *some)


def settle(pids: Sequence[int], within_s: float = SETTLE_S_MAX) -> None:
    """Wait until the first look at everything is over: several looks in a row find next to nothing used."""
    until_s, was, quiet = time.monotonic() + within_s, sum(map(used_s, pids)), 0
    while quiet < _QUIET_LOOKS and time.monotonic() < until_s:
        time.sleep(_LOOK_S)
        now = sum(map(used_s, pids))
        quiet = quiet + 1 if now - was < _LOOK_S * _QUIET_SHARE else 0
        was = now
    time.sleep(_REST_S)


def used_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    words = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS
