"""What happens when: one server after the other is replaced by one of the new release, and then all of them back.

Servers of the API go first and the publisher last, as docs/operations.md asks for; on the way back the same.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from tests.rigs.rolling_upgrade.releases import Release
from tests.rigs.rolling_upgrade.servers import Server
from tests.rigs.rolling_upgrade.stage import Stage

PHASES_UP: Final = 4
PHASES_BACK: Final = 3


@dataclass
class Rolling:
    """The servers that serve just now, all of one release, and how long each phase lasts."""

    stage: Stage
    serving: tuple[Server, Server]
    publisher: Server
    phase_s: float

    async def upgrade(self, *, roll_back: bool) -> None:
        """Roll from the old release to the new one, and back if ``roll_back``."""
        await self._phase("old alone")
        await self._roll("up", self.stage.new)
        await self._phase("new alone")
        await self.stage.verify("new alone")
        if roll_back:
            await self._roll("back", self.stage.old)
            await self._phase("old again")

    async def _roll(self, way: str, to: Release) -> None:
        """Replace all servers by those of a release, one at a time, in two phases that have both."""
        stage, (one, two) = self.stage, self.serving
        leaving = one.release
        three = await stage.start(to, "api")
        await self._phase(f"{way}: {leaving.name} 2, {to.name} 1")
        await stage.stop(one)
        four = await stage.start(to, "api")
        self._enter(f"{way}: {leaving.name} 1, {to.name} 2")
        self.publisher = await stage.hand_over(self.publisher, to)
        await stage.verify(f"{way}, side by side")
        await asyncio.sleep(self.phase_s)
        await stage.stop(two)
        self.serving = three, four

    async def _phase(self, name: str) -> None:
        self._enter(name)
        await asyncio.sleep(self.phase_s)

    def _enter(self, name: str) -> None:
        self.stage.balancer.phase = name
        self.stage.say(f"-- {name}")
