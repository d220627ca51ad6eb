"""One publisher process of a simulated world: started, killed, started again."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final, Protocol

from server.channels.channel_plan import ChannelPlan
from server.channels.connection.clock import Clock
from server.channels.publisher import Publisher
from tests.rigs.simulation.loop import SimulatedLoop
from tests.rigs.simulation.scenario import LEASE_S
from tests.rigs.simulation.shop import Shop, SimulatedTransport
from tests.rigs.simulation.store import EPOCH_S, SimulatedClient, SimulatedFeed, SimulatedStore

FLUSH_S: Final = 0.25
"""Less often than in life, for half of the cost of a run is this."""


class SimulatedClock(Clock):
    """The clock of a process in the simulated world: it never jumps, and the store's may."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def now_s(self) -> float:
        """The loop's time."""
        return self._loop.time()

    def wall_s(self) -> float:
        """A date in that time."""
        return EPOCH_S + self._loop.time()

    def store_ms(self) -> int:
        """The store's clock, as it was when it last answered."""
        return int(1000 * self.wall_s() + self._offset_ms)

    def learn(self, store_ms: int, asked_s: float) -> None:  # noqa: ARG002
        """Set the store's time from an answer; how long it took does not matter here."""
        self._offset_ms = store_ms - 1000 * self.wall_s()


class Surroundings(Protocol):
    """What a process finds in its world. ``started`` counts the processes."""

    loop: SimulatedLoop
    random: Random
    store: SimulatedStore
    started: int

    @property
    def shops(self) -> Mapping[str, Shop]:
        """The shops by their channels."""

    @property
    def plans(self) -> Sequence[ChannelPlan]:
        """The channels."""


class Process:
    """One publisher process: started, killed, started again."""

    def __init__(self, world: "Surroundings", number: int) -> None:
        self.number = number
        self.publisher: Publisher | None = None
        self.client = SimulatedClient(world.store, world.random)
        self._world = world
        self._task: asyncio.Task[None] | None = None
        self._feed: SimulatedFeed | None = None

    def start(self) -> None:
        """Begin to publish, or to stand by."""
        if self._task is not None:
            return
        world = self._world
        self.client = SimulatedClient(world.store, world.random)
        self._feed = SimulatedFeed(self.client)
        self._feed.start()
        self.publisher = Publisher(
            self.client,  # type: ignore[arg-type]  # what it is asked, it knows
            world.store.keyspace,
            self._feed,
            world.plans,
            lease_s=LEASE_S,
            clock=SimulatedClock(world.loop),
            open_transport=lambda settings: SimulatedTransport(world.shops[settings.name]),
            flush_s=FLUSH_S,
        )
        world.started += 1
        self.publisher.owner = f"p{world.started}"
        self._task = asyncio.create_task(self.publisher.run())

    async def kill(self) -> None:
        """Tear it away: nothing is written any more, and what it had on its way may still arrive."""
        self.client.cut()
        await self._end()

    async def stop(self) -> None:
        """End it in order."""
        if self.publisher is not None:
            await self.publisher.finish()
        await self._end()

    async def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None and self._feed is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await self._feed.close()
