"""One run: callers ask and faults strike, with a pause to compare everything now and then."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from tests.rigs.fanout_crash.shops import opened_shops
from tests.rigs.two_partitions.faults import Say
from tests.rigs.two_partitions.stage import HOT, Plan, Stage, entered, shops_of_partitions
from tests.rigs.two_partitions.tally import Tally

Plant = Callable[[Stage], Awaitable[None]]
"""Spoils something before the last comparison, so that a test can see whether it is found."""


async def run(plan: Plan, say: Say, plant: Plant | None = None) -> Tally:
    """Run it, and return what it came to."""
    shops = shops_of_partitions()
    async with opened_shops(list(shops.values()), len(HOT)):
        return await _run(Stage(plan, shops, say), plant)


async def _run(stage: Stage, plant: Plant | None) -> Tally:
    plan, say = stage.plan, stage.say
    if plan.faults is not None:
        stage.faults.kinds = {name: each for name, each in stage.faults.kinds.items() if name in plan.faults}
    try:
        await stage.open()
        say(f"{sum(len(side.books) for side in stage.sides.values())} assortments are set up")
        await _under_load(plan, stage)
        if plant is not None:
            await plant(stage)
        await stage.checkpoint(last=True)
        for side in stage.sides.values():
            entered(side, stage.tally)
        stage.tally.findings.servers += [line for line in stage.server.faults if "Traceback" in line]
    finally:
        await stage.close()
    return stage.tally


async def _under_load(plan: Plan, stage: Stage) -> None:
    end_s = time.monotonic() + plan.seconds
    while True:
        left_s = end_s - time.monotonic()
        stage.begin()
        striking = asyncio.create_task(stage.faults.run()) if stage.faults.kinds else None
        waited = asyncio.create_task(asyncio.sleep(min(plan.checkpoint_s, left_s)))
        try:
            await asyncio.wait([waited, *([striking] if striking else [])], return_when=asyncio.FIRST_COMPLETED)
            async with stage.faults.lock:  # the fault that is on comes to its end
                if striking is not None:
                    striking.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await striking
                await stage.pause()
        finally:
            waited.cancel()
        if time.monotonic() >= end_s:
            return
        await stage.checkpoint()
