"""Three times as much is asked for as can be done: what is accepted is quick, the rest is refused quickly."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import msgspec

from server.store.keys import Keyspace
from tests.rigs.faults import shim
from tests.rigs.faults.ground import PARTITION, Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.offer import ACCEPTED, SKU, UNSENT, Offered
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support.http import ROOT, Server

FSYNC_US: Final = 20_000
"""A slow disk, so that the store is overloaded, and not the load generator."""
BATCH: Final = 8
TIMES: Final = 3
RAMP_PER_S: Final = (250.0, 500.0, 1_000.0, 2_000.0)
RAMP_S: Final = 1.0
OFFER_S: Final = 3.0
CONNECTIONS: Final = 400
SLO_MS: Final = 100.0
"""Shown beside the p99, and never a reason to fail: a busy machine would fail it for reasons of its own."""
UNITS: Final = 10_000_000
REFUSALS: Final = {"overloaded", "store_unavailable"}


class Overload(Fault):
    """A short ramp finds what the server can do; then three times that is offered."""

    name = "overload"
    does = (
        f"{TIMES} times what a short ramp found the server able to do on a slow disk; the rest gets 503 and Retry-After"
    )
    rounds = 1

    def missing(self) -> str:
        return shim.missing()

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        for number in range(1, setting.rounds + 1):
            disk = shim.preloaded("disk", fsync_us=FSYNC_US)
            server = Server(
                environment=environment(setting.store) | disk,
                durability="durable",
                batch_operations_max=BATCH,
            )
            async with opened_ground(server) as ground:
                await ground.api.count(SKU, UNITS)
                yield await self._round(ground, number)

    async def _round(self, ground: Ground, number: int) -> Round:
        ramp = [await _offer(ground.server, f"ramp{number}.{rate:g}", rate, RAMP_S) for rate in RAMP_PER_S]
        capacity_per_s = max(len(each.names.get(ACCEPTED, ())) for each in ramp) / RAMP_S
        over = await _offer(ground.server, f"over{number}", TIMES * capacity_per_s, OFFER_S)
        began_s = time.monotonic()
        await ground.writable()
        recover_s = time.monotonic() - began_s
        done = Round(sum(len(each.names.get(ACCEPTED, ())) for each in (*ramp, over)), recover_s=recover_s)
        done.wrong += _misplaced(ground, [*ramp, over], done)
        without = sum(each.without_retry_after for each in (*ramp, over))
        done.wrong += [f"{without} refusals without Retry-After"] if without else []
        done.verify = await ground.verify()
        done.note = _figures(capacity_per_s, over)
        return done


async def _offer(server: Server, name: str, rate_per_s: float, seconds: float) -> Offered:
    words = [server.host, server.port, name, rate_per_s, seconds, CONNECTIONS]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.rigs.faults.offer", *map(str, words)), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return msgspec.json.decode(out, type=Offered)


def _misplaced(ground: Ground, offered: Sequence[Offered], done: Round) -> list[str]:
    """Compare what every caller was answered with what is there; what was accepted and is missing goes to ``lost``."""
    keyspace = Keyspace(PARTITION)
    with ground.store() as store:
        there = {name.decode() for name in store.hkeys(keyspace.reservations)}
        held = msgspec.msgpack.decode(store.hget(keyspace.stock, f"{SKU}\0main"))[1]
    wrong = []
    for each in offered:
        for outcome, names in each.names.items():
            present = [name for name in names if name in there]
            if outcome == ACCEPTED:
                done.lost += [f"{name}: accepted, nothing there" for name in names if name not in there]
            elif outcome in REFUSALS | {UNSENT}:
                wrong += [f"{name}: there, but answered {outcome}" for name in present]
            else:
                wrong += [f"{len(names)} callers were answered {outcome}"]
    if held != len(there):
        done.double.append(f"{held} units held by {len(there)} reservations of one unit")
    return wrong


def _figures(capacity_per_s: float, over: Offered) -> str:
    accepted, refused = sorted(over.accepted_ms), sorted(over.refused_ms)
    return (
        f"capacity {capacity_per_s:,.0f}/s, offered {over.sent / OFFER_S:,.0f}/s; accepted {len(accepted):,}, "
        f"p50 {_percentile(accepted, 50):.0f} ms, p99 {_percentile(accepted, 99):.0f} ms (SLO {SLO_MS:.0f} ms); "
        f"refused {len(refused):,}, p50 {_percentile(refused, 50):.0f} ms, p99 {_percentile(refused, 99):.0f} ms; "
        f"not sent for want of a connection {len(over.names.get(UNSENT, ())):,}"
    )


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] if ordered else 0.0


FAULTS: Final[tuple[Fault, ...]] = (Overload(),)
