"""kill -9 of every process in turn: a worker of several, the publisher, the store, their parent, all at once."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

from tests.rigs.fanout_crash.shops import ENVIRONMENT, Shop, all_shops, opened_shops
from tests.rigs.faults.ground import SKUS, Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support import processes
from tests.support.http import Server

WORKERS: Final = 2
PROCESSES: Final = WORKERS + 1
"""The parent's children: those that serve, and the one that publishes."""
LOAD_S: Final = (0.15, 0.6)
"""How long a round runs before the kill; drawn anew each time, so that the kill falls anywhere."""
LAST_S: Final = (0.05, 0.2)
LOOK_S: Final = 0.1
"""Looking through all processes is no light work."""
SHOPS: Final = ("calm", "hook")
"""A shop that is polled by REST, and a receiver of webhooks."""


class Kill(Fault):
    """kill -9 of one process of a Holdfast with several workers, a publisher, an embedded store and two channels."""

    rounds = 3

    def __init__(self, victim: str, does: str) -> None:
        self.name = f"kill-{victim}"
        self.does = does
        self._victim = victim

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        shops = [shop for shop in all_shops() if shop.name in SHOPS]
        async with opened_shops(shops, SKUS), opened_ground(serving(setting, shops), shops=shops) as ground:
            for number in range(1, setting.rounds + 1):
                yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        server = ground.server
        async with ground.load(number, chance) as loaders:
            await asyncio.sleep(chance.uniform(*LOAD_S))
            victims = _victims(server, self._victim, chance)
            began_s = time.monotonic()
            for pid in victims:
                os.kill(pid, signal.SIGKILL)
            if server.process.pid in victims:
                await self._start_again(server)
            await ground.writable(lambda: _complete(server, victims))
            recover_s = time.monotonic() - began_s
            await asyncio.sleep(chance.uniform(*LAST_S))
        done = await ground.settle(loaders)
        done.recover_s = recover_s
        return done

    async def _start_again(self, server: Server) -> None:
        """Start it on the same port, which the workers free when they have noticed that their parent is gone."""
        server.process.wait()
        while orphans(server):  # there is no notice when they have gone
            await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(server.start)


def serving(setting: Setting, shops: list[Shop]) -> Server:
    """Make a Holdfast of several workers, a publisher and an embedded store, not yet started."""
    toml = "".join(shop.toml() for shop in shops)
    given = {**ENVIRONMENT, **environment(setting.store)}
    return Server(toml=toml, environment=given, workers=WORKERS, publisher_lease_s=1, durability="durable")


def _victims(server: Server, victim: str, chance: random.Random) -> list[int]:
    ours, parent, store = workers(server), server.process.pid, server.store_pid
    match victim:
        case "worker":
            return [ours[chance.randrange(WORKERS)]]
        case "publisher":
            return [ours[WORKERS]]
        case "store":
            return [store]
        case "parent":
            return [parent]
        case _:
            everyone = [*ours.values(), parent, store]
            chance.shuffle(everyone)
            return everyone


def workers(server: Server) -> dict[int, int]:
    """Return the process ids of the parent's children by their numbers; the last one publishes."""
    return {_number(pid): pid for pid in processes.children(server.process.pid)}


def _number(pid: int) -> int:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return int(words[words.index(b"--worker") + 1])


def _complete(server: Server, gone: list[int]) -> bool:
    """Whether everybody is there again, and none of those who were killed."""
    try:
        present = [*workers(server).values(), server.store_pid]
    except (OSError, ValueError):
        return False
    return len(present) == PROCESSES + 1 and not set(present) & set(gone)


def orphans(server: Server) -> list[int]:
    """Find workers whose parent is gone: they know their configuration, which is this server's own."""
    mine = f"HOLDFAST_DATA_DIR={server.data_dir}".encode()
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]
    return [pid for pid in pids if mine in _environment(pid) and not processes.is_store(pid)]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


FAULTS: Final[tuple[Fault, ...]] = (
    Kill("worker", "kill -9 of one of two workers that serve"),
    Kill("publisher", "kill -9 of the process that publishes to the channels"),
    Kill("store", "kill -9 of the store"),
    Kill("parent", "kill -9 of the parent of the workers; they end by themselves, and it is started again"),
    Kill("all", "kill -9 of parent, workers, publisher and store at one moment"),
)
