"""One run on one store: set up, roll under load, stop the load, account for everything."""

import asyncio
import contextlib
import random
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp

from tests.rigs.rolling_upgrade import shelf
from tests.rigs.rolling_upgrade.balancer import Balancer
from tests.rigs.rolling_upgrade.channels import Channels
from tests.rigs.rolling_upgrade.checks import Findings, check
from tests.rigs.rolling_upgrade.desk import Crossings, Desk, StoryEndsError
from tests.rigs.rolling_upgrade.expected import State, expected
from tests.rigs.rolling_upgrade.load import tell_stories
from tests.rigs.rolling_upgrade.outcome import Outcome
from tests.rigs.rolling_upgrade.plan import Plan
from tests.rigs.rolling_upgrade.readback import available, read_back
from tests.rigs.rolling_upgrade.records import Diary
from tests.rigs.rolling_upgrade.servers import Server
from tests.rigs.rolling_upgrade.stage import Say, Stage
from tests.rigs.rolling_upgrade.timeline import PHASES_BACK, PHASES_UP, Rolling
from tests.support.stores import StoreProcess, start_redis7, start_valkey

StoreName = Literal["valkey", "redis7"]
STORES: Final[dict[StoreName, Callable[..., StoreProcess]]] = {"valkey": start_valkey, "redis7": start_redis7}
LAPSE_S: Final = 3.0
"""By then the last hold that is never paid has expired: it lasts 1 s, and is swept 20 times a second."""


async def run(plan: Plan, store_name: StoreName, say: Say) -> Outcome:
    """Run it on one store."""
    diary, crossings = Diary(), Crossings()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hf-upgrade-") as scratch:
        async with _stage(plan, store_name, Path(scratch), say) as (stage, channels):
            desk = Desk(stage.balancer, diary, random.Random(f"{plan.seed}/desk"), plan.callers / plan.rate, crossings)
            last, wanted = await _roll(plan, stage, channels, desk)
            say("the load has ended; reading everything back")
            findings, wrong_shown = await _account(plan, stage, channels, last, wanted)
            for server in [server for server in stage.servers if server.running]:
                await stage.stop(server)
    return Outcome(
        store=store_name,
        seed=plan.seed,
        diary=diary,
        crossings=crossings,
        findings=findings,
        wrong_shown=wrong_shown,
        verified=stage.verified,
        server_faults=stage.faults,
        asked=stage.balancer.asked,
        retried_on_connect=stage.balancer.retried_on_connect,
        slowest_s=stage.balancer.slowest_s,
        libraries=sorted(stage.libraries),
        libraries_wanted=len({plan.old.lua_digest(), plan.new.lua_digest()}),
        handovers=stage.handovers,
        reservations=len(wanted.reservations),
        pushed=channels.pushed,
        took_s=time.monotonic() - began_s,
    )


@contextlib.asynccontextmanager
async def _stage(plan: Plan, store_name: StoreName, scratch: Path, say: Say) -> AsyncIterator[tuple[Stage, Channels]]:
    """Open store, channels and balancer; whatever still runs at the end is ended."""
    async with contextlib.AsyncExitStack() as stack:
        channels = await stack.enter_async_context(Channels())
        store = stack.enter_context(STORES[store_name](tcp=True))
        balancer = await stack.enter_async_context(Balancer())
        config = scratch / "holdfast.toml"
        config.write_text(channels.toml(), "utf-8")
        settings = {"HOLDFAST_CONFIG": str(config), "HOLDFAST_LOG_FORMAT": "json"}
        stage = Stage(
            store, plan.old, plan.new, balancer, settings, channels.environment, scratch, plan.notice, say
        )  # fmt: skip
        stack.push_async_callback(stage.end)
        yield stage, channels


async def _roll(plan: Plan, stage: Stage, channels: Channels, desk: Desk) -> tuple[Server, State]:
    """Start the old release, fill the shelves, and roll under load."""
    first = await stage.start(plan.old, "api"), await stage.start(plan.old, "api")
    publisher = await stage.start(plan.old, "publisher")
    await stage.until_acts(publisher)
    desk.balancer.phase = "set-up"
    await _list(first[0].url, channels.listings())
    for ask in shelf.first_goods(plan.callers):
        with contextlib.suppress(StoryEndsError):
            await desk.ask(ask, rests=False)
    phases = PHASES_UP + (PHASES_BACK if plan.roll_back else 0)
    rolling = Rolling(stage, first, publisher, plan.seconds / phases)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_meanwhile(channels.misbehave(random.Random(f"{plan.seed}/faults"))))
        await stack.enter_async_context(tell_stories(desk, plan.callers, plan.seed))
        await rolling.upgrade(roll_back=plan.roll_back)
    channels.behave()
    await asyncio.sleep(LAPSE_S)
    return rolling.serving[0], expected(desk.diary.records)


async def _account(
    plan: Plan, stage: Stage, channels: Channels, last: Server, wanted: State
) -> tuple[Findings, list[str]]:
    """Read everything back through a server of each release, and hold the channels against what may be sold."""
    other = await stage.start(plan.new if last.release is plan.old else plan.old, "api")
    findings = Findings()
    for server in (last, other):
        found = check(wanted, await read_back(server.url, wanted), server.release.name)
        findings.lost += found.lost
        findings.double += found.double
        findings.miscounted += found.miscounted
    wrong_shown = await channels.wrong(await available(last.url, shelf.LISTED))
    await stage.verify("at the end")
    return findings, wrong_shown


async def _list(url: str, listings: dict[str, list[dict[str, Any]]]) -> None:
    async with aiohttp.ClientSession() as session:
        for channel, rows in listings.items():
            async with session.put(f"{url}/v1/channels/{channel}/listings", json={"listings": rows}) as response:
                assert response.status == 200, await response.text()


@contextlib.asynccontextmanager
async def _meanwhile(work: Any) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
