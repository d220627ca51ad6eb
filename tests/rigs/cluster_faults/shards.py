"""Faults of a cluster under load: slots that move, a node that joins, and a primary that is killed."""

import asyncio
import random
import time
from typing import Final

from tests.rigs.cluster_faults.counts import Counts
from tests.rigs.cluster_faults.ground import opened_ground
from tests.support.cluster_stores import Shards
from tests.support.stores import StoreProcess

PARTITIONS: Final = ("default", "merchant-b", "merchant-c", "merchant-d")
HOT: Final = PARTITIONS[0]
MOVES: Final = 3
LOAD_S: Final = (0.2, 0.5)


async def resharding(store: str, seed: int, rounds: int = 1) -> Counts:
    """Move the slot of a hot partition from shard to shard while orders run."""
    counts, away_s = Counts("reshard", store), 0.0
    with Shards(store).start() as shards:
        async with opened_ground(shards.url, shards.owner, PARTITIONS) as ground:
            for number in range(1, rounds + 1):
                chance = random.Random(f"{seed}/reshard/{store}/{number}")
                async with ground.load(counts, chance):
                    for _ in range(MOVES):
                        await asyncio.sleep(chance.uniform(*LOAD_S))
                        source = shards.owner(HOT)
                        target = chance.choice([each for each in shards.stores if each is not source])
                        away_s = max(away_s, await _move(shards, target))
                        await ground.recovered(counts, time.monotonic())
                    await asyncio.sleep(chance.uniform(*LOAD_S))
    counts.note = f"slot on its way up to {away_s:.2f} s"
    return counts


async def _move(shards: Shards, target: StoreProcess) -> float:
    """Move the hot partition; returns how long its slot was on the way, in which it answers store_unavailable."""
    began_s = time.monotonic()
    await asyncio.to_thread(shards.move, HOT, target)
    return time.monotonic() - began_s


async def joining(store: str, seed: int, rounds: int = 1) -> Counts:
    """Let a node join that has never seen the library, and move the slot of a hot partition to it."""
    counts, away_s = Counts("join", store), 0.0
    with Shards(store).start() as shards:
        async with opened_ground(shards.url, shards.owner, PARTITIONS) as ground:
            for number in range(1, rounds + 1):
                chance = random.Random(f"{seed}/join/{store}/{number}")
                async with ground.load(counts, chance):
                    newcomer = await asyncio.to_thread(shards.join)
                    away_s = max(away_s, await _move(shards, newcomer))
                    await ground.recovered(counts, time.monotonic())
                    await asyncio.sleep(chance.uniform(*LOAD_S))
    counts.note = f"slot on its way up to {away_s:.2f} s"
    return counts


async def shard_killed(store: str, seed: int, rounds: int = 1) -> Counts:
    """Kill the primary of a hot partition's shard, in ``replicated`` mode; its replica takes over."""
    counts = Counts("shard-kill", store)
    for number in range(1, rounds + 1):
        chance = random.Random(f"{seed}/shard-kill/{store}/{number}")
        with Shards(store, replicas=1).start() as shards:
            settings = {"durability": "replicated", "reply_timeout_s": 1.0}
            server = opened_ground(shards.url, shards.owner, PARTITIONS, **settings)
            async with server as ground, ground.load(counts, chance):
                await asyncio.sleep(chance.uniform(*LOAD_S))
                victim = shards.owner(HOT)
                victim.kill()
                began_s = time.monotonic()
                await _promoted(shards)
                # Alone now, the new primary may not write; an operator brings the old one back.
                await asyncio.to_thread(victim.start)
                await ground.recovered(counts, began_s)
                await asyncio.sleep(chance.uniform(*LOAD_S))
    return counts


async def _promoted(shards: Shards) -> None:
    async with asyncio.timeout(30.0):
        while True:
            try:
                await asyncio.to_thread(shards.owner, HOT)
            except AssertionError:
                await asyncio.sleep(0.02)
            else:
                return
