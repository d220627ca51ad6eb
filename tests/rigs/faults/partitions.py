"""One partition's key is damaged: its own callers are refused, everybody else is served as before."""

import random
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.rigs.faults.clock import LATE_MS, all_ended
from tests.rigs.faults.ground import PARTITION, Ground, opened_ground
from tests.rigs.faults.kinds import environment
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support.http import Api, Key, Server, opened

WELL: Final = Key("well", PARTITION)
ILL: Final = Key("ill", "a-damaged-one")
"""It comes before the other one in every order."""
HOLDS: Final = 10
HOLD_S: Final = (1, 2)
ASIDE: Final = "aside-from-it"


class PartitionDamaged(Fault):
    """The deadlines of one partition are no sorted set any more, so that every script that reads them fails."""

    name = "partition-damaged"
    does = (
        "a key of one of two partitions cannot be read: holds of the other end in time, the fault is told, and goes"
        " when the key is well"
    )
    rounds = 2

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        server = Server(keys=[WELL, ILL], environment=environment(setting.store), durability="durable")
        async with opened_ground(server, key=WELL) as ground, opened(server, ILL) as ill:
            await ground.api.count("aside", 1_000_000)
            await ill.count("cup", 1_000)
            for number in range(1, setting.rounds + 1):
                yield await self._round(ground, ill, number, setting.chance(number))

    async def _round(self, ground: Ground, ill: Api, number: int, chance: random.Random) -> Round:
        said = len(ground.server.stderr)
        (await ill.reserve("cup", 1, f"ill-{number}", ttl_s=1)).ok(201)
        async with ground.load(number, chance) as loaders:
            with _damaged(ground):
                deadlines = await self._holds(ground, number, chance)
                ended_ms = await all_ended(ground, deadlines.keys())
                await wait_until(lambda: "partition_fails" in ground.server.stderr[said:], "the fault is told")
            began_s = time.monotonic()
            await wait_until(lambda: _is_free(ill), "the hold of the damaged partition has ended", LATE_MS / 1_000)
            recover_s = time.monotonic() - began_s
        done = await ground.settle(loaders)
        late_ms = [ended_ms[name] - at_ms for name, at_ms in deadlines.items()]
        done.wrong += [f"a hold ended {late} ms after its deadline" for late in late_ms if not 0 <= late < LATE_MS]
        if ILL.partition not in ground.server.stderr[said:]:
            done.wrong.append("the log does not name the damaged partition")
        done.recover_s, done.note = recover_s, f"holds of the other partition ended {max(late_ms)} ms late at most"
        done.acknowledged += HOLDS
        return done

    async def _holds(self, ground: Ground, number: int, chance: random.Random) -> dict[str, int]:
        """Make holds in the partition that is well; returns their deadlines in milliseconds."""
        deadlines = {}
        for each in range(HOLDS):
            name = f"hold-{number}-{each}"
            body = (await ground.api.reserve("aside", 1, name, ttl_s=chance.randint(*HOLD_S))).ok(201)
            deadlines[name] = round(datetime.fromisoformat(body["expires_at"]).timestamp() * 1_000)
        ground.asked_aside.update(deadlines)
        return deadlines


@contextmanager
def _damaged(ground: Ground) -> Iterator[None]:
    """Put something else in the place of the deadlines, and put them back."""
    deadlines = Keyspace(ILL.partition).deadlines
    aside = f"{deadlines}:{ASIDE}"
    with ground.store() as store:
        store.rename(deadlines, aside)
        store.set(deadlines, "no sorted set")
    try:
        yield
    finally:
        with ground.store() as store:
            store.rename(aside, deadlines)


async def _is_free(ill: Api) -> bool:
    [level] = (await ill.get("/v1/stock/cup")).ok()["levels"]
    return bool(level["held"] == 0)


FAULTS: Final[tuple[Fault, ...]] = (PartitionDamaged(),)
