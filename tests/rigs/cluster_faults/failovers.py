"""Failovers by sentinels, in ``replicated`` mode: the primary is killed, stands still, or was cut off before."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from tests.rigs.cluster_faults.counts import Counts
from tests.rigs.cluster_faults.ground import opened_ground
from tests.support.cluster_stores import Watched, ask, frozen
from tests.support.stores import StoreProcess

PARTITION: Final = "default"
REPLY_TIMEOUT_S: Final = 1.0
"""Shorter than the default, so that a link that is cut shows in a short run."""
LOAD_S: Final = (0.4, 0.8)
CUT_S: Final = (0.5, 1.5)
BACK_S: Final = 30.0

Work = Callable[[Watched, StoreProcess, random.Random], Awaitable[float]]
"""Does the harm and waits until there is another primary; returns the moment from which recovering counts."""


async def primary_killed(store: str, seed: int, rounds: int = 1) -> Counts:
    """Kill the primary under load, with replicas that follow it: what was acknowledged is on the new one."""
    return await _run("failover-kill", store, seed, rounds, _kill)


async def link_cut_then_killed(store: str, seed: int, rounds: int = 1) -> Counts:
    """Cut the replicas off first, with nothing but WAIT between a write and its loss; then kill the primary."""
    return await _run("failover-link-cut", store, seed, rounds, _cut_and_kill)


async def one_replica_behind(store: str, seed: int, rounds: int = 1) -> Counts:
    """Cut one replica off, go on selling with the other, and kill the primary: the right one must take over."""
    return await _run("failover-one-behind", store, seed, rounds, _cut_one_and_kill)


async def primary_frozen(store: str, seed: int, rounds: int = 1) -> Counts:
    """Stop the primary, let another take over, and wake it up again: it still thinks that it is the primary."""
    return await _run("failover-frozen", store, seed, rounds, _freeze)


async def _kill(watched: Watched, primary: StoreProcess, _chance: random.Random) -> float:
    primary.kill()
    began_s = time.monotonic()
    await _another(watched, primary)
    return began_s


async def _cut_and_kill(watched: Watched, primary: StoreProcess, chance: random.Random) -> float:
    ask(primary.port, "CONFIG", "SET", "min-replicas-to-write", 0)
    replicas = [each for each in watched.stores if each.running and each is not primary]
    return await _kill_without(watched, primary, replicas, chance)


async def _cut_one_and_kill(watched: Watched, primary: StoreProcess, chance: random.Random) -> float:
    replicas = [each for each in watched.stores if each.running and each is not primary]
    return await _kill_without(watched, primary, [chance.choice(replicas)], chance)


async def _kill_without(
    watched: Watched, primary: StoreProcess, replicas: list[StoreProcess], chance: random.Random
) -> float:
    """Cut the link of some replicas, let orders run, kill the primary, and let the replicas log in again."""
    for replica in replicas:
        # It cannot log in when it comes back, so its link stays cut, and no other node notices.
        ask(replica.port, "CONFIG", "SET", "masterauth", "not-the-password", "masteruser", "nobody")
    ask(primary.port, "CLIENT", "KILL", "TYPE", "replica")
    await asyncio.sleep(chance.uniform(*CUT_S))
    primary.kill()
    began_s = time.monotonic()
    for replica in replicas:
        ask(replica.port, "CONFIG", "SET", "masterauth", "", "masteruser", "")
    await _another(watched, primary)
    return began_s


async def _freeze(watched: Watched, primary: StoreProcess, _chance: random.Random) -> float:
    with frozen(primary):
        began_s = time.monotonic()
        await _another(watched, primary)
    return began_s


async def _another(watched: Watched, than: StoreProcess) -> None:
    async with asyncio.timeout(BACK_S):
        while await asyncio.to_thread(lambda: watched.primary_port) == than.port:
            await asyncio.sleep(0.02)


async def _run(fault: str, store: str, seed: int, rounds: int, work: Work) -> Counts:
    counts = Counts(fault, store)
    for number in range(1, rounds + 1):
        chance = random.Random(f"{seed}/{fault}/{store}/{number}")
        # Anew for each round: the one before has left fewer replicas.
        with Watched(store).start() as watched:
            await _round(watched, counts, chance, work)
    return counts


async def _round(watched: Watched, counts: Counts, chance: random.Random, work: Work) -> None:
    ground_of = opened_ground(
        watched.url,
        lambda _: watched.primary,
        [PARTITION],
        durability="replicated",
        reply_timeout_s=REPLY_TIMEOUT_S,
    )
    async with ground_of as ground, ground.load(counts, chance):
        await asyncio.sleep(chance.uniform(*LOAD_S))
        began_s = await work(watched, watched.primary, chance)
        await ground.recovered(counts, began_s)
        await asyncio.sleep(chance.uniform(*LOAD_S))
