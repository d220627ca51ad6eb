"""Deliveries that are due are found in one pass over what is expected, which the console asks for every few seconds."""

import asyncio
from datetime import date

from redis.asyncio import Redis

from server.store.connection.scans import SLICE_FIELDS
from server.store.ledger.ledger import Ledger
from server.store.repositories.due import deliveries_until
from tests.support import operations as ops

MANY = 6_000


async def commands(client: Redis) -> int:
    """Return how many commands the store has run."""
    return sum(each["calls"] for each in (await client.info("commandstats")).values())


async def test_given_many_receipts_when_asked_what_is_due_then_the_earliest_come_and_few_commands_are_needed(
    ledger: Ledger, client: Redis
) -> None:
    await ops.stocked(ledger, A=1, B=1, C=1)
    for first in range(0, MANY, 500):
        numbers = range(first, first + 500)
        receipts = [ops.expect(f"po-{n:04}", "ABC"[n % 3], 5, on=f"2030-01-{1 + n % 28:02}") for n in numbers]
        await asyncio.gather(*(ops.ask(ledger, each) for each in receipts))
    await ops.ask(ledger, ops.expect("first", "A", 5, on="2029-12-31"))
    before = await commands(client)

    due = await deliveries_until(client, ledger.keyspace, date(2030, 1, 2), 3)

    assert await commands(client) - before < 1.5 * MANY / SLICE_FIELDS + 5
    assert [supply_id for supply_id, _ in due.found] == ["first", "po-0000", "po-0028"]
    assert due.total == 1 + 2 * (MANY // 28) + 2
