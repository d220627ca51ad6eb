"""Writes that weigh much: batches without a pause, and holds or orders of 100 lines that end together."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tests.rigs.neighbours.apart import Apart
from tests.rigs.neighbours.filling import fill, stock_many
from tests.rigs.neighbours.ground import Ground
from tests.rigs.neighbours.loader import NUMBER, Load, Loaded
from tests.rigs.neighbours.registry import Pace, Row, Timed
from tests.support.operations import reserve

BATCH: Final = 500
SKUS: Final = 500
HOLDS: Final = 4_000
LINES: Final = 100
SMALL_HOLDS: Final = 20_000
FILL_S: Final = 12.0
"""From the first of many holds to the moment when all end: they are made meanwhile."""
ENDING_S: Final = 0.7
"""How long before that moment the neighbour begins to be looked at."""


class Batches(Timed):
    """Batches of one key on several connections."""

    name = "batches"
    does = "batches of 500 reservations on 8 connections of one key"
    variants = ("reservations", "movements", "single-on-64")

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:  # noqa: ARG002  # as the others have it
        await stock_many(ground, SKUS)

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        if variant == "movements":
            movements = [{"kind": "receive", "sku": f"sku-{number}", "quantity": 1} for number in range(BATCH)]
            return [ground.load("ask", 8, "POST /v1/stock/movements", body=json.dumps({"movements": movements}))]
        if variant == "single-on-64":
            return [ground.load("ask", 64, "POST /v1/reservations", body=json.dumps(_reservation(0)))]
        body = json.dumps({"reservations": [_reservation(number) for number in range(BATCH)]})
        return [ground.load("ask", 8, "POST /v1/reservations/batch", body=body)]


def _reservation(number: int) -> dict[str, object]:
    lines = [{"sku": f"sku-{number}", "quantity": 1}]
    return {"reservation_id": f"{NUMBER}-{number}", "channel": "web", "lines": lines}


class Lapse(Timed):
    """Holds that all end at one moment."""

    name = "lapse"
    does = (
        "4,000 holds of 100 lines, or 20,000 of one, lapse together; orders of 100 lines are settled on 8 connections"
    )
    variants = ("4,000-of-100-lines", "20,000-of-1-line", "settling")
    limit_s = 150.0

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:  # noqa: ARG002  # as the others have it
        await stock_many(ground, LINES)

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:  # noqa: ARG002  # only one of them loads
        lines = [{"sku": f"sku-{line}", "quantity": 1} for line in range(LINES)]
        order = {"reservation_id": NUMBER, "channel": "web", "lines": lines}
        body = json.dumps({"reservations": [{**order, "reservation_id": f"{NUMBER}-{each}"} for each in range(5)]})
        return [
            ground.load("ask", 4, "POST /v1/orders", body=json.dumps(order)),
            ground.load("ask", 4, "POST /v1/reservations/batch", body=body),
        ]

    @asynccontextmanager
    async def attacked(self, ground: Ground, variant: str, pace: Pace) -> AsyncIterator[list[Apart[Loaded]]]:
        """Make holds that end when the neighbour is looked at."""
        if variant == "settling":
            async with super().attacked(ground, variant, pace) as processes:
                yield processes
            return
        loop = asyncio.get_running_loop()
        holds, lines = (HOLDS, LINES) if variant == "4,000-of-100-lines" else (SMALL_HOLDS, 1)
        end_s = loop.time() + max(2.0, FILL_S * pace.size)
        each_line = [(f"sku-{line}", 1) for line in range(lines)]
        run = f"{end_s:.0f}"

        async def hold(start: int, count: int) -> int:
            ttl_ms = max(1, round(1000 * (end_s - loop.time())))
            made = (reserve(f"{run}-{number}", *each_line, ttl_ms=ttl_ms) for number in range(start, start + count))
            return await fill(ground, "attacker", made)

        for start in range(0, pace.of(holds), 200):
            await hold(start, 200)
        ground.begin_to_measure()  # what it took to make them is another row
        await asyncio.sleep(max(0.0, end_s - ENDING_S - loop.time()))
        yield []


ROWS: Final[tuple[Row, ...]] = (Batches(), Lapse())
