"""Random histories of a shop and its ERP, with faults and kills: nothing is sold twice, and the end is exact."""

import asyncio
import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import pytest

from tests.channels.source_world import EVERY_S, SourceWorld, source_world
from tests.conftest import ON_ONE_STORE
from tests.support.stores import StoreProcess

SKUS: Final = ("A", "B", "C", "D")
STEPS: Final = 40
UNITS: Final = 1_000
FAULTS: Final = ("reset_after", "silent_after", "failing", "not_json", "reset", "throttled")
BELIEVE_ALL: Final = {"factor": 1_000_000, "share": 1, "places_min": 1_000_000}


class History:
    """One history. ``orders``: what each has left, as (SKU, committed, shipped)."""

    def __init__(self, world: SourceWorld, seed: int) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.orders: dict[str, tuple[str, int, int]] = {}
        self.gone_there: dict[str, int] = dict.fromkeys(SKUS, 0)
        """Units that left the ERP's shelf without being of an order of ours, by SKU."""
        self._steps: list[Callable[[], Any]] = [
            self.buy, self.buy, self.buy, self.cancel, self.ship, self.deliver, self.sell_there, self.receive_there,
            self.misbehave, self.wait,
        ]  # fmt: skip

    async def step(self) -> None:
        await self.chance.choice(self._steps)()

    async def buy(self) -> None:
        key, sku, units = f"o{len(self.orders)}", self.chance.choice(SKUS), self.chance.randint(1, 3)
        await self.world.order(key, sku, units)
        self.orders[key] = (sku, units, 0)

    def _open(self) -> list[str]:
        return [key for key, (_, committed, _) in self.orders.items() if committed]

    async def cancel(self) -> None:
        # What was delivered there could not be taken back: a person would have to look.
        free = [key for key in self._open() if not self._is_delivered(key) and not self.orders[key][2]]
        if free:
            key = self.chance.choice(free)
            sku, committed, shipped = self.orders[key]
            units = self.chance.randint(1, committed)
            await self.world.cancel(key, units)
            self.orders[key] = (sku, committed - units, shipped)

    async def ship(self) -> None:
        if self._open():
            key = self.chance.choice(self._open())
            sku, committed, shipped = self.orders[key]
            await self.world.ship(key, committed)
            self.orders[key] = (sku, 0, shipped + committed)

    def _is_delivered(self, key: str) -> bool:
        return any(
            line.delivered
            for order in self.world.odoo.orders.values()
            if order.reference == key
            for line in order.lines.values()
        )

    async def deliver(self) -> None:
        # Only what cannot change any more and is known there, so that no cancel here meets a delivery there.
        shipped = {key: {sku: shipped} for key, (sku, committed, shipped) in self.orders.items() if not committed}
        sold = [
            key
            for key, units in shipped.items()
            if any(units.values()) and self.world.odoo.sold(key) == units and not self._is_delivered(key)
        ]
        if sold:
            self.world.odoo.deliver(self.chance.choice(sold))

    async def sell_there(self) -> None:
        self._move_there(-self.chance.randint(1, 5))

    async def receive_there(self) -> None:
        self._move_there(self.chance.randint(1, 5))

    def _move_there(self, units: int) -> None:
        sku, odoo = self.chance.choice(SKUS), self.world.odoo
        product = next(number for number, known in odoo.products.items() if known == sku)
        odoo.add(sku, odoo.on_hand[product, 1] + units)
        self.gone_there[sku] -= units

    async def misbehave(self) -> None:
        odoo = self.world.odoo
        odoo.faults.extend(self.chance.choice(FAULTS) for _ in range(self.chance.randint(1, 3)))

    async def wait(self) -> None:
        await asyncio.sleep(self.chance.uniform(0, 2 * EVERY_S))

    def left(self, sku: str) -> int:
        """What can still be given of a SKU, by all that has happened anywhere."""
        taken = sum(committed + shipped for name, committed, shipped in self.orders.values() if name == sku)
        return UNITS - self.gone_there[sku] - taken


async def play(world: SourceWorld, seed: int) -> None:
    history = History(world, seed)
    for sku in SKUS:
        world.odoo.add(sku, UNITS)
    rules: dict[str, Any] = {"changes": BELIEVE_ALL, "timeout_s": 0.2}
    async with AsyncExitStack() as runs:
        await runs.enter_async_context(world.running(finish=False, whole_every_s=EVERY_S, **rules))
        for sku in SKUS:
            await world.becomes(sku, UNITS)
        for number in range(STEPS):
            await history.step()
            if number % 15 == 14:
                await runs.aclose()  # it is torn away, as by a kill
                await runs.enter_async_context(world.running(finish=False, whole_every_s=EVERY_S, **rules))
        world.odoo.faults.clear()
        for sku in SKUS:
            await world.becomes(sku, history.left(sku))
        await world.until(lambda: _all_told(world, history), f"the ERP has all orders (seed {seed})")
        await world.walks(2)
        assert {sku: await world.available(sku) for sku in SKUS} == {sku: history.left(sku) for sku in SKUS}, seed
        assert {sku: world.odoo.free(sku) for sku in SKUS} == {sku: history.left(sku) for sku in SKUS}, seed


def _all_told(world: SourceWorld, history: History) -> bool:
    return all(
        world.odoo.sold(key) == ({sku: committed + shipped} if committed + shipped else {})
        for key, (sku, committed, shipped) in history.orders.items()
    )


@pytest.mark.parametrize("seed", range(3))
async def test_a_random_history_ends_with_what_all_that_happened_leaves(
    seed: int,
    store: StoreProcess,
    partition: str,
    client: Any,  # noqa: ARG001
) -> None:
    async with source_world(store, partition) as world:
        await play(world, seed)


@pytest.mark.soak
@pytest.mark.timeout(1_200)
@ON_ONE_STORE
async def test_many_random_histories(store: StoreProcess, partition: str, client: Any) -> None:  # noqa: ARG001
    for seed in range(1_000, 1_100):
        async with source_world(store, f"{partition}-{seed}") as world:
            await play(world, seed)
