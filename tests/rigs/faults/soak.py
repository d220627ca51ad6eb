"""A long run of mixed load with channels: what every process needs in memory, and how long answers take, by slices."""

import asyncio
import itertools
import time
from collections import defaultdict
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from tests.rigs.fanout_crash.shops import all_shops, opened_shops
from tests.rigs.faults.flat import Sample, growth
from tests.rigs.faults.ground import SKUS, Ground, opened_ground
from tests.rigs.faults.kills import SHOPS, WORKERS, serving, workers
from tests.rigs.faults.registry import Fault, Round, Setting

MINUTES: Final = 1.0
JUDGED_MINUTES: Final = 10.0
"""A shorter run is shown and not judged: in it, everything is still warming up."""
SLICES: Final = 20
LOADERS: Final = 6
PAUSE_S: Final = 0.05
"""Some hundred requests a second: the account at the end holds every one of them in memory."""
PROBE_S: Final = 0.05
MEMORY_GROWTH_MAX: Final = 0.10
LATENCY_GROWTH_MAX: Final = 0.50
_MIB: Final = 1 << 20


class Soak(Fault):
    """No fault at all, but time."""

    name = "soak"
    does = "mixed load with channels for `--minutes`; memory of each process and latency, in slices, must stay flat"
    rounds = 1

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        shops = [shop for shop in all_shops() if shop.name in SHOPS]
        minutes = setting.minutes or MINUTES
        async with opened_shops(shops, SKUS), opened_ground(serving(setting, shops), shops=shops) as ground:
            await ground.api.count("aside", 1_000_000)
            for number in range(1, setting.rounds + 1):
                async with ground.load(number, setting.chance(number), LOADERS) as loaders:
                    for loader in loaders:
                        loader.pause_s = PAUSE_S
                    rows = await _measure(ground, number, minutes * 60)
                done = await ground.settle(loaders)
                done.note = "; ".join(_shown(name, row) for name, row in rows.items())
                if minutes >= JUDGED_MINUTES:
                    done.wrong += [f"{name} grew" for name, row in rows.items() if _grew(name, row)]
                yield done


async def _measure(ground: Ground, number: int, seconds: float) -> dict[str, list[Sample]]:
    """Take memory and latency in slices; returns a row of samples for each process and percentile."""
    rows: dict[str, list[Sample]] = defaultdict(list)
    names, began_s = itertools.count(), time.monotonic()
    for slice_number in range(1, SLICES + 1):
        took_ms: list[float] = []
        while time.monotonic() < began_s + slice_number * seconds / SLICES:
            took_ms.append(await _probe(ground, f"probe-{number}-{next(names)}"))
            await asyncio.sleep(PROBE_S)
        at_s = time.monotonic() - began_s
        for name, pid in _processes(ground).items():
            rows[f"{name} MiB"].append(Sample(at_s, _resident_bytes(pid) / _MIB))
        for percent in (50, 99):
            rows[f"p{percent} ms"].append(Sample(at_s, sorted(took_ms)[len(took_ms) * percent // 100]))
    return rows


async def _probe(ground: Ground, name: str) -> float:
    """Reserve and release one unit; returns the milliseconds of the reserve."""
    ground.asked_aside.add(name)
    began_s = time.monotonic()
    (await ground.api.reserve("aside", 1, name)).ok(201)
    took_ms = (time.monotonic() - began_s) * 1000
    (await ground.api.post(f"/v1/reservations/{name}/release", {})).ok()
    return took_ms


def _processes(ground: Ground) -> dict[str, int]:
    named = {f"worker {number}": pid for number, pid in workers(ground.server).items()}
    publisher = named.pop(f"worker {WORKERS}")
    return {"parent": ground.server.process.pid, **named, "publisher": publisher, "store": ground.server.store_pid}


def _resident_bytes(pid: int) -> int:
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def _shown(name: str, row: list[Sample]) -> str:
    return f"{name} {row[0].value:.1f} → {row[-1].value:.1f} ({growth(row):+.1%})"


def _grew(name: str, row: list[Sample]) -> bool:
    """Report whether it grew too much; the store keeps what is written, for as long as its retention."""
    if name.startswith("store"):
        return False
    return growth(row) > (LATENCY_GROWTH_MAX if name.endswith("ms") else MEMORY_GROWTH_MAX)


FAULTS: Final[tuple[Fault, ...]] = (Soak(),)
