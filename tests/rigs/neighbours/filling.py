"""Fills a store quickly, past the server and through its own scripts."""

import asyncio
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from server.domain.answers import Refused
from server.domain.operations.reservations import ReservationOperation
from server.domain.operations.stock import StockOperation
from server.store.errors import OutcomeUnknownError, OverloadedError, StoreUnavailableError
from server.store.ledger.ledger import Ledger
from tests.rigs.neighbours.ground import Ground
from tests.support.operations import receive

AT_ONCE: Final = 2_000
PATIENCE_S: Final = 60.0
Filling = StockOperation | ReservationOperation


async def fill(ground: Ground, partition: str, operations: Iterable[Filling]) -> int:
    """Run operations in their order as far as it matters to none; return how many were not refused."""
    ledger, waiting, done = ground.store.ledger(partition), iter(operations), 0
    await ground.store.register(partition)
    while some := list(islice(waiting, AT_ONCE)):
        answers: Sequence[Any] = await asyncio.gather(*(_run(ledger, each) for each in some))
        done += sum(not isinstance(answer, Refused) for answer in answers)
    return done


async def _run(ledger: Ledger, operation: Filling) -> Any:
    """Run one operation; where the store is held by something that it is filled for, again until that is over."""
    until_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            return await ledger.run(operation)
        except (StoreUnavailableError, OverloadedError, OutcomeUnknownError):
            if asyncio.get_running_loop().time() > until_s:
                raise
            await asyncio.sleep(0.2)


async def stock_at_many(ground: Ground, sku: str, places: int, partition: str = "attacker") -> int:
    """Put a SKU on the shelf at many locations; return at how many it may be."""
    return await fill(ground, partition, (receive(sku, 10_000, f"store-{place:05}") for place in range(places)))


async def stock_many(ground: Ground, skus: int, prefix: str = "sku", partition: str = "attacker") -> None:
    """Put many SKUs on the shelf at one location."""
    await fill(ground, partition, (receive(f"{prefix}-{number}", 1_000_000) for number in range(skus)))
