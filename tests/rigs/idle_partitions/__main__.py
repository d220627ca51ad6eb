"""Processor time that idle partitions take:  python -m tests.rigs.idle_partitions [partitions] [seconds].

Each has stock and a short history, and none has a hold. The figure is the share of one core that the server and its
embedded store take together, after their first look at everything, without any request.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from server.domain.operations.stock import Receive
from server.store.command_session import open_store
from server.store.keys import PARTITIONS, Keyspace
from server.store.ledger.ledger import Ledger
from tests.conftest import RETENTION
from tests.support.http import Server
from tests.support.operations import receive

COUNT: Final = 10_000
SECONDS: Final = 60.0
SHARE_MAX: Final = 0.02
_SETTLE_S_MAX: Final = 300.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_AT_ONCE: Final = 500


def main() -> None:
    """Fill, measure, and fail if it is more than it may be."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS  # the second word
    with tempfile.TemporaryDirectory(prefix="hf-idle-") as folder:
        uvloop.run(_fill(Path(folder), count))
        server = Server(data_dir=Path(folder)).start()
        try:
            pids = server.process.pid, server.store_pid
            _settle(pids)
            before = [_used_s(pid) for pid in pids]
            time.sleep(seconds)
            shares = [(_used_s(pid) - was) / seconds for pid, was in zip(pids, before, strict=True)]
        finally:
            server.close()
    total = sum(shares)
    sys.stdout.write(
        f"{count:,} idle partitions: server {shares[0]:.1%}, store {shares[1]:.1%}, together {total:.1%} of a core\n"
    )
    sys.exit(0 if total <= SHARE_MAX else 1)


async def _fill(folder: Path, count: int) -> None:
    async with open_store(store_url="", data_dir=folder, durability="fast", retention=RETENTION, create=True) as store:
        names = [f"m{number}" for number in range(count)]
        for start in range(0, count, _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            await asyncio.gather(*(Ledger(store.batcher, Keyspace(name), RETENTION).run(_stock()) for name in some))
            await store.client.sadd(PARTITIONS, *some)


def _stock() -> Receive:
    return receive("A", 10)


def _settle(pids: tuple[int, ...]) -> None:
    """Wait until the first look at everything is over: two seconds that cost less than half a core."""
    until_s, was = time.monotonic() + _SETTLE_S_MAX, sum(map(_used_s, pids))
    while time.monotonic() < until_s:
        time.sleep(2)
        now = sum(map(_used_s, pids))
        if now - was < 0.2:  # a tenth of a core
            time.sleep(12)  # the slowest regular chores have had their first turn
            return
        was = now


def _used_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICKS


if __name__ == "__main__":
    main()
