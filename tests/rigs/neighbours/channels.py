"""Readers that hold the store's connections, and what a change then takes to a channel."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from tests.channels.webhook_receiver import PATH, SECRET, WebhookReceiver
from tests.rigs.neighbours.apart import Apart
from tests.rigs.neighbours.filling import fill, stock_many
from tests.rigs.neighbours.ground import NEIGHBOUR, Ground, Measured, opened_ground
from tests.rigs.neighbours.loader import Load, Loaded
from tests.rigs.neighbours.registry import Line, Pace, Row, Timed
from tests.support.operations import reserve

READERS: Final = 64
READ_RESERVATIONS: Final = 5_000
LISTED: Final = 2_000
CHANGES: Final = 30
CHANGE_S_MAX: Final = 10.0
CHANGES_S_MAX: Final = 8.0
"""Where changes are late, so many fewer are enough to tell."""
DELAY_MS_MAX: Final = 100.0
DELAY_TIMES_MAX: Final = 2.0
"""A change's slowest way to the channel under attack must be within one of these."""
_CHANNEL: Final = """
[channels.shop]
kind = "webhook"
partition = "%s"
allow_private = ["127.0.0.1"]

[channels.shop.options]
url = "http://127.0.0.1:%d%s"

[channels.shop.credentials]
secret = { env = "SHOP_SECRET" }
"""


class Readers(Timed):
    """Readers without a pause, while the neighbour's stock changes and a shop of his waits for it."""

    name = "readers"
    does = "64 readers of lists, reports and stock, while the neighbour's changes go to his channel"
    variants = ("reservations", "reports", "listings")

    @asynccontextmanager
    async def ground(self, variant: str, pace: Pace) -> AsyncIterator[Ground]:  # noqa: ARG002  # as the others have it
        async with WebhookReceiver() as self._shop:
            self._shop.stock("watched")
            toml = _CHANNEL % (NEIGHBOUR.partition, self._shop.port, PATH)
            async with opened_ground(toml=toml, environment={"SHOP_SECRET": SECRET}) as ground:
                listing = {"listings": [{"sku": "watched", "key": "watched"}]}
                (await ground.neighbour.put("/v1/channels/shop/listings", listing)).ok()
                yield ground

    async def prepare(self, ground: Ground, variant: str, pace: Pace) -> None:
        await stock_many(ground, LISTED)
        if variant == "reservations":
            held = pace.of(READ_RESERVATIONS)
            await fill(ground, "attacker", (reserve(f"r{each}", (f"sku-{each % LISTED}", 1)) for each in range(held)))

    def loads(self, ground: Ground, variant: str) -> Sequence[Load]:
        lines = {
            "reservations": "GET /v1/reservations?sku=sku-1&limit=200",
            "reports": "GET /v1/reports/velocity",
            "listings": "GET /v1/replenishment",
        }
        return [ground.load("ask", READERS, lines[variant])]

    async def run(self, variant: str, pace: Pace, line: Line) -> None:
        """Beside the neighbour's own times, measure how late the shop shows what has changed."""
        self._alone_ms: list[float] = []
        self._under_ms: list[float] = []
        await super().run(variant, pace, line)
        alone_ms, under_ms = max(self._alone_ms), max(self._under_ms)
        line.notes.append(
            f"a change to the channel: alone p50 {_middle(self._alone_ms):.0f} ms, slowest {alone_ms:.0f} ms;"
            f" attacked p50 {_middle(self._under_ms):.0f} ms, slowest {under_ms:.0f} ms"
        )
        if under_ms > max(DELAY_MS_MAX, DELAY_TIMES_MAX * alone_ms):
            line.failures.append(f"a change took {under_ms:.0f} ms to the channel, alone {alone_ms:.0f} ms")

    @asynccontextmanager
    async def attacked(self, ground: Ground, variant: str, pace: Pace) -> AsyncIterator[list[Apart[Loaded]]]:
        """Change the neighbour's stock again and again, before and meanwhile."""
        changes = max(5, pace.of(CHANGES))
        self._alone_ms += await self._delays(ground, changes)
        async with super().attacked(ground, variant, pace) as processes:
            changing = asyncio.create_task(self._delays(ground, changes))
            try:
                yield processes
                self._under_ms += await changing
            finally:
                changing.cancel()

    async def _delays(self, ground: Ground, changes: int) -> list[float]:
        taken_ms: list[float] = []
        until_s = time.monotonic() + CHANGES_S_MAX
        while len(taken_ms) < changes and (not taken_ms or time.monotonic() < until_s):
            self._units = getattr(self, "_units", 0) + 1
            began_s = time.monotonic()
            await ground.neighbour.count("watched", self._units)
            while self._shop.shown["watched"] != self._units and time.monotonic() < began_s + CHANGE_S_MAX:
                await asyncio.sleep(0.001)
            taken_ms.append(1000 * (time.monotonic() - began_s))
            await asyncio.sleep(0.02)
        return taken_ms

    async def failures(self, ground: Ground, variant: str, done: Measured) -> list[str]:  # noqa: ARG002  # as the others
        statuses = done.attack[0].statuses
        return [] if set(statuses) <= {"200", "429", "503"} else [f"the readers were answered {statuses}"]


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


ROWS: Final[tuple[Row, ...]] = (Readers(),)
