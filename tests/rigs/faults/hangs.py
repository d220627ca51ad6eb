"""A process that stands still: a worker, which its parent replaces, and the store, which must be waited for."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from tests.conftest import wait_until
from tests.rigs.faults.ground import Ground, opened_ground
from tests.rigs.faults.kills import WORKERS, workers
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support import processes
from tests.support.http import Server

LOAD_S: Final = (0.2, 0.6)
HANG_S: Final = 2.0
"""So long a worker may be without a sign of life."""
REPLACED_S: Final = 150.0
"""One that still starts is given a minute before it is taken for hung."""
REPLY_S: Final = 1.0
"""So long a reply of the store is waited for."""
STILL_S: Final = (1.5, 3.0)


class Hang(Fault):
    """Several workers on one port, one of which is stopped and never goes on by itself."""

    name = "hang-worker"
    does = "SIGSTOP of one of two workers, for good: its parent must kill and replace it"

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        given = environment(setting.store)
        server = Server(environment=given, workers=WORKERS, worker_hang_s=HANG_S, durability="durable")
        async with opened_ground(server) as ground:
            for number in range(1, setting.rounds + 1):
                yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        server = ground.server
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            victim = chance.choice(sorted(workers(server).values()))
            began_s = time.monotonic()
            os.kill(victim, signal.SIGSTOP)
            try:
                await wait_until(lambda: not processes.alive(victim), "the hung worker is gone", REPLACED_S)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGCONT)
            await ground.writable(lambda: len(workers(server)) == WORKERS)
            recover_s = time.monotonic() - began_s
        done = await ground.settle(loaders)
        done.recover_s, done.note = recover_s, f"a worker may hang for {HANG_S:.0f} s"
        return done


class StoreHangs(Fault):
    """The store stands still longer than its replies are waited for: those callers are told that it is not known."""

    name = "hang-store"
    does = "SIGSTOP of the store for longer than a reply is waited for; what was sent is carried out when it goes on"

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        server = Server(environment=environment(setting.store), reply_timeout_s=REPLY_S, durability="durable")
        async with opened_ground(server) as ground:
            for number in range(1, setting.rounds + 1):
                yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            with ground.server.frozen_store():
                await asyncio.sleep(chance.uniform(*STILL_S))
            began_s = time.monotonic()
            await ground.writable()
            recover_s = time.monotonic() - began_s
            await asyncio.sleep(chance.uniform(*LOAD_S))
        unknown = sum(request.outcome == "outcome_unknown" for loader in loaders for request in loader.requests)
        done = await ground.settle(loaders)
        done.recover_s, done.note = recover_s, f"{unknown} callers received outcome_unknown"
        done.wrong += [] if unknown else ["nobody was told that the outcome is unknown: it did not hang long enough"]
        return done


FAULTS: Final[tuple[Fault, ...]] = (Hang(), StoreHangs())
