"""Takes many orders in at once. Those that are about the same things come one after the other, as they were told.

So the store gets the steps of many orders in one batch, and whoever was first still gets the last unit.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from adapters.contract.orders import Order

AT_ONCE: Final = 8
"""Orders of one channel; more would keep other channels, and people, waiting for connections to the store."""


async def take_in_order(orders: Sequence[Order], take: Callable[[Order], Awaitable[None]]) -> None:
    """Take orders in, and return when all are. After a failure those behind it are not begun; it is raised at last."""
    room = asyncio.Semaphore(AT_ONCE)
    last: dict[str, asyncio.Task[None]] = {}
    tasks = list[asyncio.Task[None]]()
    for order in orders:
        about = _about(order)
        before = {last[name] for name in about if name in last}
        task = asyncio.create_task(_take(order, take, before, room))
        last |= dict.fromkeys(about, task)
        tasks.append(task)
    await all_of(tasks)


async def all_of(works: Iterable[Awaitable[None]]) -> None:
    """Wait until all works have ended, whatever becomes of the others; then raise the first failure."""
    for each in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(each, BaseException):
            raise each


async def _take(
    order: Order,
    take: Callable[[Order], Awaitable[None]],
    before: Iterable[asyncio.Task[None]],
    room: asyncio.Semaphore,
) -> None:
    for task in before:
        await task
    async with room:
        await take(order)


def _about(order: Order) -> set[str]:
    """Name the order and what it sells, as the channel does."""
    return {f"order {order.key}", *(line.listing or line.barcode or line.sku_hint for line in order.lines)}
