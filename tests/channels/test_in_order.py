"""Orders are taken in many at once, and those that are about the same thing in the order in which they were told."""

import asyncio
from collections import Counter

import pytest

from adapters.contract.orders import Order, OrderLine
from server.channels.inbound.in_order import AT_ONCE, take_in_order
from server.store.errors import StoreUnavailableError


def order(key: str, *listings: str, changed_ms: int = 1) -> Order:
    lines = tuple(OrderLine(key=f"L{each}", listing=each, ordered=1) for each in listings)
    return Order(key=key, changed_ms=changed_ms, lines=lines, complete=True)


class Taker:
    """Takes each order in some turns of the event loop; ``fails``: these find the store away."""

    def __init__(self, *fails: str) -> None:
        self.fails = fails
        self.taken: list[tuple[str, int]] = []
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.at_once = 0

    async def take(self, order: Order) -> None:
        about = [order.key, *(line.listing for line in order.lines)]
        self.now.update(about)
        self.most |= self.now
        self.at_once = max(self.at_once, len({*self.now.elements()}) // 2)
        # Who comes later is faster, so that who does not wait overtakes.
        for _ in range(100 - 10 * len(self.taken)):
            await asyncio.sleep(0)
        self.now.subtract(about)
        if order.key in self.fails:
            raise StoreUnavailableError("away")
        self.taken.append((order.key, order.changed_ms))


async def test_orders_of_different_things_are_taken_at_once_but_not_too_many() -> None:
    taker = Taker()

    await take_in_order([order(f"o{number}", f"s{number}") for number in range(5 * AT_ONCE)], taker.take)

    assert len(taker.taken) == 5 * AT_ONCE
    assert taker.at_once == AT_ONCE


async def test_snapshots_of_one_order_and_orders_of_one_thing_come_one_after_the_other() -> None:
    taker = Taker()
    told = [
        order("a", "x", changed_ms=1), order("b", "y"), order("c", "x", "y"), order("a", "z", changed_ms=2),
        order("d", "z"),
    ]  # fmt: skip

    await take_in_order(told, taker.take)

    assert max(taker.most.values()) == 1
    place = {each: at for at, each in enumerate(taker.taken)}
    assert place["a", 1] < place["c", 1]
    assert place["b", 1] < place["c", 1]
    assert place["a", 1] < place["a", 2] < place["d", 1]


async def test_after_a_failure_what_is_behind_it_is_not_begun_and_the_others_are_taken() -> None:
    taker = Taker("a")

    with pytest.raises(StoreUnavailableError):
        await take_in_order([order("a", "x"), order("b", "x"), order("c", "y")], taker.take)

    assert taker.taken == [("c", 1)]


async def test_nothing_is_taken_any_more_once_it_is_cancelled() -> None:
    taker = Taker()
    task = asyncio.create_task(take_in_order([order("a", "x"), order("b", "x"), order("c", "y")], taker.take))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(300):
        await asyncio.sleep(0)

    assert taker.taken == []
