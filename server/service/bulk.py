"""Many operations of one request: some at a time, so that they leave room in the queue of their key and for others."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

_AWAY: Final = frozenset({"store_unavailable", "outcome_unknown"})

Item = TypeVar("Item")
Result = TypeVar("Result")


async def each(
    items: Sequence[Item],
    act: Callable[[Item], Awaitable[Result]],
    at_once: int,
    outcome_of: Callable[[Result], str] = lambda _: "",
) -> list[Result]:
    """Act on each, ``at_once`` at a time; return the results in the order of the items.

    ``outcome_of`` a result: where the store is away, the rest is sent together, so that all of it waits once only.
    """
    results: list[Any] = [None] * len(items)
    rest = iter(enumerate(items))

    async def one(place: int, item: Item) -> None:
        results[place] = await act(item)

    async def some() -> None:
        for place, item in rest:
            await one(place, item)
            if outcome_of(results[place]) in _AWAY:
                await asyncio.gather(*(one(*numbered) for numbered in rest))

    await asyncio.gather(*(some() for _ in range(min(at_once, len(items)))))
    return results
