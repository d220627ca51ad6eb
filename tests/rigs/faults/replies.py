"""Replies of the store that are lost, late, doubled or cut off: callers get the true answer, or `outcome_unknown`."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Final

from tests.rigs.faults.ground import Ground, opened_ground
from tests.rigs.faults.kinds import START
from tests.rigs.faults.registry import Fault, Round, Setting
from tests.rigs.faults.unreliable import Mishap, Unreliable
from tests.support.http import Server

REPLY_TIMEOUT_S: Final = 0.3
LATE_S: Final = 2 * REPLY_TIMEOUT_S
"""Every other late reply comes when no caller waits for it any more."""
PROBABILITY: Final = 0.1
TROUBLE_S: Final = (1.0, 2.0)
LAST_S: Final = (0.05, 0.2)


class Replies(Fault):
    """A TCP proxy between server and store does one kind of thing to one in ten calls."""

    rounds = 3

    def __init__(self, name: str, does: str, mishaps: Sequence[Mishap]) -> None:
        self.name = name
        self.does = does
        self._mishaps = mishaps

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        with START[setting.store]() as store:
            dice = setting.chance(0)
            async with Unreliable(store.socket, dice, probability=PROBABILITY, late_s=LATE_S) as proxy:
                server = Server(store_url=proxy.url, reply_timeout_s=REPLY_TIMEOUT_S)
                async with opened_ground(server, store.admin, store.url) as ground:
                    for number in range(1, setting.rounds + 1):
                        yield await self._round(ground, proxy, number, setting.chance(number))

    async def _round(self, ground: Ground, proxy: Unreliable, number: int, chance: random.Random) -> Round:
        proxy.chance, before = chance, proxy.met.total()
        async with ground.load(number, random.Random(chance.random())) as loaders:
            proxy.mishaps = self._mishaps
            await asyncio.sleep(chance.uniform(*TROUBLE_S))
            proxy.mishaps = ()
            began_s = time.monotonic()
            await ground.writable()
            recover_s = time.monotonic() - began_s
            await asyncio.sleep(chance.uniform(*LAST_S))
        unknown = sum(request.outcome == "outcome_unknown" for loader in loaders for request in loader.requests)
        done = await ground.settle(loaders)
        met = proxy.met.total() - before
        done.recover_s, done.note = recover_s, f"{met} calls met it, {unknown} callers were answered outcome_unknown"
        done.wrong += [] if met else ["no call met it"]
        return done


FAULTS: Final[tuple[Fault, ...]] = (
    Replies("reply-lost", "one reply in ten of the store never comes", ["lost"]),
    Replies("reply-late", "one reply in ten comes late, half of those after the caller has given up", ["late"]),
    Replies("reply-twice", "one reply in ten comes twice: at once, or when the next call has gone out",
            ["twice", "twice_later"]),
    Replies("connection-cut", "one call in ten loses its connection: before it, within it, within its reply, after it",
            ["cut_before", "cut_request", "cut_reply", "cut_after"]),
)  # fmt: skip
