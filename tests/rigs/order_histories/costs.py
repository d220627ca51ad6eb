"""What a channel's order costs: bytes in the store, and its time:  python -m tests.rigs.order_histories.costs."""

import asyncio
import statistics
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from server.domain.channel_orders import IntakeRules
from server.domain.operations.orders import Numbered
from server.domain.operations.reservations import Order
from server.service.caller import Caller
from server.service.orders import book
from tests.rigs.order_histories.run import caller_on
from tests.support.channel_orders import CHANNEL, line, told
from tests.support.operations import commit, order, reserve, stocked
from tests.support.stores import StoreProcess, start_valkey

ORDERS: Final = 4_000
AT_ONCE: Final = 64
ROUNDS: Final = 5
RULES: Final = IntakeRules()


async def each(things: Sequence[Any], do: Callable[[Any], Awaitable[Any]]) -> None:
    """Do something for each, some at once."""
    for first in range(0, len(things), AT_ONCE):
        await asyncio.gather(*(do(thing) for thing in things[first : first + AT_ONCE]))


def store_us(store: StoreProcess) -> int:
    """Return how long the store's functions have run."""
    with store.admin() as admin:
        return int(admin.info("commandstats")["cmdstat_fcall"]["usec"])


async def record_bytes(caller: Caller) -> tuple[float, float]:
    """Return the bytes of the record of an order that came in, and of one that was posted."""
    client: Any = caller.partition.client
    key = caller.partition.keyspace.orders

    async def come_in(i: int) -> None:
        await book(caller, CHANNEL, told(f"1{i:09d}", 10**12, line("l123456789", 1)), fetched=False, rules=RULES)

    async def post(i: int) -> None:
        operation = order(f"posted-{i:09d}", ("A", 1), channel=CHANNEL, accept_shortage=True)
        await caller.ledger.run(Numbered(CHANNEL, f"2{i:09d}", (), operation))

    sizes = []
    for make in (come_in, post):
        before = int(await client.memory_usage(key, samples=0) or 0)
        await each(range(ORDERS), make)
        sizes.append((int(await client.memory_usage(key, samples=0)) - before) / ORDERS)
    return sizes[0], sizes[1]


async def times(caller: Caller, store: StoreProcess) -> dict[str, float]:
    """Return the store's microseconds for orders and commits, with the number of an order and without; medians."""
    took: dict[str, list[float]] = {}
    for turn in range(ROUNDS):
        for numbered in (False, True):
            name = f"{turn}-{numbered}"
            orders = [order(f"o{name}-{i}", ("A", 1), channel=CHANNEL, accept_shortage=True) for i in range(ORDERS)]
            holds = [reserve(f"h{name}-{i}", ("A", 1), channel=CHANNEL) for i in range(ORDERS)]
            commits = [commit(f"h{name}-{i}", order_ref=f"h{name}-{i}") for i in range(ORDERS)]
            for what, operations in (("order", orders), ("", holds), ("commit", commits)):

                async def run(operation: Any, *, is_numbered: bool = numbered and bool(what)) -> None:
                    channel, channels = (CHANNEL, ()) if isinstance(operation, Order) else ("", (CHANNEL,))
                    number = operation.reservation_id
                    await caller.ledger.run(
                        Numbered(channel, number, channels, operation) if is_numbered else operation
                    )

                before_us = store_us(store)
                await each(operations, run)
                if what:
                    took.setdefault(f"{what}, {'with' if numbered else 'without'} a number", []).append(
                        (store_us(store) - before_us) / ORDERS
                    )
    return {what: statistics.median(of) for what, of in took.items()}


async def measure() -> list[str]:
    """Measure and return the lines to print."""
    with start_valkey(appendonly="no") as store:
        async with caller_on(store) as caller:
            await stocked(caller.ledger, A=10_000_000)
            came_in, posted = await record_bytes(caller)
            found = await times(caller, store)
    lines = [f"record of an order that came in: {came_in:.0f} B", f"record of one that was posted: {posted:.0f} B"]
    return [*lines, *(f"{what}: {us:.1f} us of the store's time" for what, us in found.items())]


if __name__ == "__main__":
    sys.stdout.write("\n".join(asyncio.run(measure())) + "\n")
