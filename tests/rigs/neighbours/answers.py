"""Large answers that nobody reads: what they take, and how long the server's stop takes with them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tests.rigs.neighbours.filling import stock_at_many
from tests.rigs.neighbours.ground import Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import Load
from tests.rigs.neighbours.registry import Line, Pace, Row, Timed

CONNECTIONS: Final = 16
PLACES: Final = 500
"""A thousand times that is an answer of 17 MB, where it is given at all."""
DRAIN_S: Final = 5.0
DRAIN_GRACE_S: Final = 1.0
"""The process's own end."""
PIPELINED: Final = 200
_QUERY: Final = "POST /v1/availability/query"


class Unread(Timed):
    """Answers that wait for callers who do not read, and a SIGTERM in the middle."""

    name = "unread"
    limit_s = 150.0
    does = "16 answers of 17 MB that nobody reads, then SIGTERM: memory, and a stop within the drain's limit"
    variants = ("16-of-17-MB", "streams-from-the-start", "pipelined")

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        async with opened_ground(drain_timeout_s=DRAIN_S) as ground:
            yield ground

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:  # noqa: ARG002  # as the others have it
        await stock_at_many(ground, "wide", PLACES)

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        if variant == "streams-from-the-start":
            return [ground.load("hold", CONNECTIONS, "GET /v1/changes?after=0")]
        if variant == "pipelined":
            return [ground.load("hold", CONNECTIONS, "GET /v1/availability/wide", times=PIPELINED)]
        return [ground.load("hold", CONNECTIONS, _QUERY, body=json.dumps({"skus": ["wide"] * 1_000}))]

    async def run(self, variant: str, pace: Pace, line: Line) -> None:
        """Each round has a server of its own, which is stopped while the answers wait."""
        for _ in range(pace.rounds):
            async with self.ground(variant, pace) as ground:
                await self.prepare(ground, variant, pace)
                line.rounds.append(await self._stopped(ground, variant, pace, line))
        line.failures += self.judged(line)

    async def _stopped(self, ground: Ground, variant: str, pace: Pace, line: Line) -> Measured:
        await ground.calm_down(pace.calm_s)
        alone = await ground.serve(pace.alone_s)
        before_mb = ground.begin_to_measure()
        async with self.attacked(ground, variant, pace):
            under = await ground.serve(pace.under_s)
            highest_mb, script_ms = ground.memory_mb(), ground.longest_script_ms()
            began_s = time.monotonic()
            await asyncio.to_thread(ground.server.stop)
            took_s = time.monotonic() - began_s
        line.notes.append(f"stopped after {took_s:.1f} s, limit {DRAIN_S:g}")
        if took_s > DRAIN_S + DRAIN_GRACE_S:
            line.failures.append(f"the stop took {took_s:.1f} s, with a limit of {DRAIN_S:g} s")
        return Measured(alone, under, highest_mb, highest_mb - before_mb, script_ms)


ROWS: Final[tuple[Row, ...]] = (Unread(),)
