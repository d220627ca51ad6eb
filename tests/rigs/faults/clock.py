"""The application's clock is off by an hour: a hold ends on the store's clock, and on no other."""

import random
from collections.abc import AsyncGenerator, Iterable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from server.store.journal.journal import decode_entry
from server.store.keys import Keyspace
from tests.conftest import wait_until
from tests.rigs.faults import shim
from tests.rigs.faults.ground import PARTITION, Ground, opened_ground
from tests.rigs.faults.kinds import START
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.support.http import Server

HOUR_S: Final = 3_600
HOLDS: Final = 20
HOLD_S: Final = (1, 3)
MINUTE_S: Final = 60
LATE_MS: Final = 30_000
"""Far more than a hold may end late even on a busy machine, and far less than the hour by which the clock is wrong."""


class WrongClock(Fault):
    """Only the server's process has the wrong time; the store has the right one."""

    rounds = 2

    def __init__(self, name: str, wrong_by_s: int) -> None:
        self.name = name
        way = "fast" if wrong_by_s > 0 else "slow"
        self.does = f"the application's clock is an hour {way}; holds end on the store's, and dates are the store's"
        self._wrong_by_s = wrong_by_s

    def missing(self) -> str:
        return shim.missing()

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        with START[setting.store]() as store:
            clock = shim.preloaded("clock", clock_s=self._wrong_by_s)
            server = Server(environment=clock, store_url=store.url)
            async with opened_ground(server, store.admin, store.url) as ground:
                await ground.api.count("aside", 1_000_000)
                for number in range(1, setting.rounds + 1):
                    yield await self._round(ground, number, setting.chance(number))

    async def _round(self, ground: Ground, number: int, chance: random.Random) -> Round:
        wrong = await self._is_off(ground)
        async with ground.load(number, chance, loaders=2) as loaders:
            deadlines = {}
            for each in range(HOLDS):
                name = f"hold-{number}-{each}"
                answer = await ground.api.reserve("aside", 1, name, ttl_s=chance.randint(*HOLD_S))
                deadlines[name] = datetime.fromisoformat(answer.ok(201)["expires_at"])
            ground.asked_aside.update(deadlines)
            ended_ms = await all_ended(ground, deadlines.keys())
        done = await ground.settle(loaders)
        done.wrong += wrong
        lateness_ms = [ended_ms[name] - round(deadline.timestamp() * 1000) for name, deadline in deadlines.items()]
        done.wrong += [f"a hold ended {late} ms after its deadline" for late in lateness_ms if not 0 <= late < LATE_MS]
        done.acknowledged += HOLDS
        done.note = f"{HOLDS} holds ended {min(lateness_ms)} to {max(lateness_ms)} ms after their deadlines"
        return done

    async def _is_off(self, ground: Ground) -> list[str]:
        """Make certain that the clock is wrong: the server dates its answers by it."""
        answer = await ground.api.get("/livez")
        off_s = (parsedate_to_datetime(answer.headers["Date"]) - datetime.now(UTC)).total_seconds()
        return [] if abs(off_s - self._wrong_by_s) < MINUTE_S else [f"the server's clock is off by {off_s} s only"]


async def all_ended(ground: Ground, names: Iterable[str]) -> dict[str, int]:
    """Wait until holds have ended; returns when, on the store's clock, as the journal has it."""

    def ended() -> dict[str, int]:
        with ground.store() as store:
            journal = store.xrange(Keyspace(PARTITION).journal)
            changes = [each for _, fields in journal for each in decode_entry(fields)]
        return {each.reservation_id: each.at_ms for each in changes if each.operation == "expire"}

    def all_there() -> bool:
        return set(names) <= ended().keys()

    # Seldom: the whole journal each time is no light reading.
    await wait_until(all_there, "all holds have ended", 60.0, every_s=0.1)
    return ended()


FAULTS: Final[tuple[Fault, ...]] = (WrongClock("clock-fast", HOUR_S), WrongClock("clock-slow", -HOUR_S))
