"""Maintenance: a damaged key of one partition, thousands of idle merchants, and names without end."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from server.store.keys import Keyspace
from tests.rigs.idle_partitions.measure import WITHOUT_AUDIT, fill_partitions, settle, used_s
from tests.rigs.neighbours.filling import Filling, fill, stock_many
from tests.rigs.neighbours.ground import Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import NUMBER, Load
from tests.rigs.neighbours.registry import Checked, Functional, Pace, Row, Timed
from tests.support.http import Key, Server
from tests.support.operations import order, receive, reserve

DAMAGED: Final = "a-damaged"
BEHIND: Final = "z-behind"
FORGOTTEN_S_MAX: Final = 30.0
"""Purging has its turn every ten seconds."""
MERCHANTS: Final = 1_500
IDLE_SHARE_MAX: Final = 0.02
"""Of one core, with ten thousand idle partitions; fifteen hundred may not take more."""
SETTLE_S: Final = 150.0
IDLE_S: Final = 15.0
NAMES: Final = 20_000
LOCATIONS: Final = 5_000
"""As a chain of stores may have; more could be refused."""
TOLD: Final = "partition_fails"


class Damaged(Functional):
    """A key of one partition that is of another type than it should be."""

    name = "damaged"
    does = "one partition's damaged key: those behind it forget and sweep, and the fault is told"
    variants = ("forget", "deadlines", "journal")

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # it is short already
        keys = [Key(name, name) for name in (DAMAGED, BEHIND)]  # maintenance knows the partitions of keys at once
        async with opened_ground(keys=keys) as ground:
            for partition in (DAMAGED, BEHIND):
                await fill(ground, partition, [receive("cap", 10), reserve("held", ("cap", 1), ttl_ms=1_500)])
            keyspace, found = Keyspace(BEHIND), []
            forget = f"hf:{{{BEHIND}}}:forget"
            with ground.server.store() as store:
                damaged = f"hf:{{{DAMAGED}}}:{variant}"
                store.delete(damaged)
                store.set(damaged, "not what it should be")
                found += await _until(
                    lambda: store.hlen(keyspace.reservations) == 0, "the hold behind it has not ended"
                )
                for member in store.zrange(forget, 0, -1):
                    store.zadd(forget, {member: 1})
                await fill(ground, BEHIND, [receive("cap", 1)])  # something happens there
                found += await _until(lambda: store.zcard(forget) == 0, "nothing is forgotten behind it")
            found += await _until(lambda: TOLD in ground.server.stderr, f"the log has no {TOLD}")
        return Checked(found)


async def _until(condition: Any, otherwise: str) -> list[str]:
    until_s = time.monotonic() + FORGOTTEN_S_MAX
    while not condition():
        if time.monotonic() > until_s:
            return [f"{otherwise} after {FORGOTTEN_S_MAX:g} s"]
        await asyncio.sleep(0.05)
    return []


class Merchants(Functional):
    """Merchants for whom nothing happens."""

    name = "merchants"
    does = "1,500 idle merchants: the share of a core that server and store take for them"
    variants = ("with-history", "without-anything", "with-a-hold-each")
    limit_s = 300.0

    async def check(self, variant: str, pace: Pace) -> Checked:
        count = pace.of(MERCHANTS)
        with tempfile.TemporaryDirectory(prefix="hf-merchants-") as folder:
            await fill_partitions(Path(folder), count, lambda name: _history(variant, name))
            server = Server(data_dir=Path(folder), **WITHOUT_AUDIT)
            try:
                await asyncio.to_thread(server.start)
                pids = server.process.pid, server.store_pid
                await asyncio.to_thread(settle, pids, SETTLE_S)
                before = sum(map(used_s, pids))
                await asyncio.sleep(IDLE_S)
                share = (sum(map(used_s, pids)) - before) / IDLE_S
            finally:
                server.close()
        return Checked([], 100 * share, 100 * IDLE_SHARE_MAX, f"percent of a core for {count:,} idle merchants")


def _history(variant: str, name: str) -> list[Filling]:
    if variant == "without-anything":
        return []
    held = [reserve(f"{name}-1", ("A", 1), ttl_ms=86_400_000)] if variant == "with-a-hold-each" else []
    return [receive("A", 10), *held]


class Names(Timed):
    """Names that a caller invents, each of which is counted by itself."""

    name = "names"
    does = (
        "20,000 invented names of channels or SKUs in a day, or 5,000 of locations: what two orders a second then cost"
    )
    variants = ("channels", "locations", "SKUs")
    limit_s = 150.0

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        async with opened_ground(figures_interval_s=0.5) as ground:
            yield ground

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:
        await stock_many(ground, 1, "known")
        await fill(ground, "attacker", _invented(variant, pace.of(LOCATIONS if variant == "locations" else NAMES)))
        with ground.server.store() as store:
            keyspace = Keyspace("attacker")
            await _until(lambda: _counted(store, keyspace), "the figures are not counted")

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:  # noqa: ARG002  # the same for all
        body = '{"reservation_id":"' + NUMBER + '","channel":"' + NUMBER + '","lines":[{"sku":"known-0","quantity":1}]}'
        return [ground.load("ask", 1, "POST /v1/orders", body=body, pause_s=0.5)]

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002  # as the others
        statuses = done.attack[0].statuses
        return [] if set(statuses) <= {"201", "409", "422", "429"} else [f"the orders were answered {statuses}"]


def _invented(variant: str, count: int) -> Iterator[Filling]:
    for number in range(count):
        if variant == "channels":
            yield order(f"o{number}", ("known-0", 1), channel=f"invented-{number}")
        elif variant == "locations":
            yield receive("known-0", 1, f"invented-{number}")
        else:
            yield receive(f"invented-{number}", 1)


def _counted(store: Any, keyspace: Keyspace) -> bool:
    """Whether the daily figures stand at the journal's end."""
    end = store.xinfo_stream(keyspace.journal)["last-generated-id"]
    return bool(end in (store.hgetall(keyspace.figures) or {}).values())


ROWS: Final[tuple[Row, ...]] = (Damaged(), Merchants(), Names())
