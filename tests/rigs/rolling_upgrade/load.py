"""The load: callers who play stories, and one who has old requests replayed through the other release."""

import asyncio
import contextlib
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Final

from tests.rigs.rolling_upgrade.desk import Desk, StoryEndsError
from tests.rigs.rolling_upgrade.records import Record
from tests.rigs.rolling_upgrade.stories import STORIES, Teller

REPLAY_EVERY_S: Final = 0.05
"""Between two replays of requests that were answered some time ago."""
END_S: Final = 60.0
"""How long callers may take to bring what they are at to its end."""


@contextlib.asynccontextmanager
async def tell_stories(desk: Desk, callers: int, seed: int) -> AsyncIterator[None]:
    """Have so many callers play stories meanwhile; each ends with the request that it is at."""
    tasks = [asyncio.create_task(_caller(number, desk, seed)) for number in range(callers)]
    tasks.append(asyncio.create_task(_replay_late(desk, random.Random(f"{seed}/replays"))))
    try:
        yield
    finally:
        desk.ending = True
        async with asyncio.timeout(END_S):
            await asyncio.gather(*tasks)


async def _caller(number: int, desk: Desk, seed: int) -> None:
    chance = random.Random(f"{seed}/{number}")
    teller = Teller(number, desk, chance)
    stories, often = zip(*STORIES, strict=True)
    while not desk.ending:
        [story] = chance.choices(stories, often)
        with contextlib.suppress(StoryEndsError):
            await story(teller)


async def _replay_late(desk: Desk, chance: random.Random) -> None:
    """Replay through the other release what one has written, the kinds that had fewest replays first."""
    written: dict[tuple[str, str], list[Record]] = defaultdict(list)
    sorted_in = 0
    while not desk.ending:
        await asyncio.sleep(REPLAY_EVERY_S)
        for record in desk.diary.records[sorted_in:]:
            if record.reply.granted and record.ask.is_protected:
                written[record.ask.kind, record.reply.release].append(record)
        sorted_in = len(desk.diary.records)
        may = [each for each in written if desk.balancer.other(each[1])]
        if may:
            fewest = min(may, key=lambda each: (desk.crossings.replays[each], each))
            await desk.replay(chance.choice(written[fewest]))
