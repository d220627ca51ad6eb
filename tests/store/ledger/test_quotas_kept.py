"""That what is counted of quotas is right after kills and upgrades, in each partition, and in a cluster."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from redis.asyncio import Redis

from server.domain.key_limits import Quota
from server.store.audit.audit import audit
from server.store.command_session import open_store
from server.store.connection.commands import command
from server.store.errors import OutcomeUnknownError, StoreError
from server.store.keys import Keyspace
from server.store.ledger.batcher import close_quietly
from server.store.ledger.ledger import Ledger
from tests.conftest import RETENTION, START, StoreClient, make_batcher, wait_until
from tests.support import operations as ops
from tests.support.cluster_stores import Shards
from tests.support.operations import ask, changed, stocked
from tests.support.stores import StoreProcess

QUOTA: Final = Quota("partner", 40, 9)
CALLERS: Final = 20
ROUNDS: Final = 6
STEPS_BEFORE_KILL: Final = 150
PREFIX: Final = b"quota\0"


async def counters(client: Redis, keyspace: Keyspace) -> dict[str, int]:
    """Read the counters: a key, or a key and a customer, and the units."""
    meta: dict[bytes, bytes] = await command(client, "HGETALL", keyspace.meta)
    found = {name.removeprefix(PREFIX).decode(): int(units) for name, units in meta.items() if name.startswith(PREFIX)}
    return {name.replace("\0", " "): units for name, units in found.items()}


async def is_whole(client: Redis, keyspace: Keyspace) -> None:
    """See that the audit finds nothing, and that nobody has more than the quota."""
    report = await audit(client, keyspace)
    assert (report.drift, report.conclusive) == ([], True)
    found = await counters(client, keyspace)
    assert found.pop("partner", 0) <= QUOTA.units_max
    assert max(found.values(), default=0) <= QUOTA.customer_units_max


# -- kills


class Shoppers:
    """Reserve with one key, and commit, release and edit that, as long as the store answers."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.numbers = count(1)
        self.steps = 0

    async def run(self, ledger: Ledger) -> None:
        with contextlib.suppress(StoreError, OutcomeUnknownError):
            while True:
                await self._one(ledger, f"r{next(self.numbers)}")

    async def _one(self, ledger: Ledger, reservation_id: str) -> None:
        draw = self.random
        lines = [(sku, draw.randint(1, 3)) for sku in draw.choice((("A",), ("A",), ("A", "B")))]
        customer, ttl_ms = f"c{draw.randrange(5)}", draw.choice((ops.SHORT_MS, ops.HOUR_MS))
        await ask(ledger, ops.reserve(reservation_id, *lines, quota=QUOTA, customer_ref=customer, ttl_ms=ttl_ms))
        self.steps += 1
        change = draw.choice((ops.commit, ops.release, None, None))
        await ask(ledger, change(reservation_id) if change else ops.edit(reservation_id, (1, 2), quota=QUOTA))
        if change is None and draw.random() < 0.7:
            await ask(ledger, ops.release(reservation_id))


@contextlib.asynccontextmanager
async def opened(store: StoreProcess) -> AsyncIterator[tuple[Redis, Ledger]]:
    batcher = make_batcher(store)
    batcher.start()
    async with StoreClient(store) as client:
        yield client, Ledger(batcher, Keyspace("default"), RETENTION)
    await close_quietly(batcher, timeout_s=0.5)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", START)
async def test_a_store_that_is_killed_at_any_moment_leaves_no_wrong_count(kind: str) -> None:
    shoppers = Shoppers(seed=1)
    with START[kind](appendfsync="always") as store:
        async with opened(store) as (_, ledger):
            await stocked(ledger, A=1_000_000, B=1_000_000)
        for _ in range(ROUNDS):
            async with opened(store) as (_, ledger):
                shopping = [asyncio.create_task(shoppers.run(ledger)) for _ in range(CALLERS)]
                wanted = shoppers.steps + STEPS_BEFORE_KILL
                await wait_until(lambda wanted=wanted: shoppers.steps >= wanted)  # type: ignore[misc]
                store.kill()
                for each in shopping:
                    each.cancel()  # else it waits for the store to come back
                await asyncio.gather(*shopping, return_exceptions=True)
            store.start()
            async with opened(store) as (client, ledger):
                await is_whole(client, ledger.keyspace)


# -- upgrades


async def test_what_was_reserved_before_there_were_quotas_goes_on_and_counts_for_none(
    ledger: Ledger, client: Redis
) -> None:
    """Such a store has no counter, and its records have no key: as those of keys without a quota today."""
    await stocked(ledger, A=100)
    for reservation_id in ("commits", "goes", "shrinks", "stays"):
        await changed(ledger, ops.reserve(reservation_id, ("A", 10), customer_ref="ayşe"))
    before: list[bytes] = await command(client, "HVALS", ledger.keyspace.reservations)
    assert not any(b"partner" in each for each in before)

    await changed(ledger, ops.reserve("new", ("A", 9), quota=QUOTA, customer_ref="ayşe"))
    await changed(ledger, ops.commit("commits"))
    await changed(ledger, ops.release("goes"))
    await changed(ledger, ops.edit("shrinks", (1, 3), quota=QUOTA))

    assert await counters(client, ledger.keyspace) == {"partner": 9, "partner ayşe": 9}
    await is_whole(client, ledger.keyspace)


# -- partitions, and a cluster of them


@pytest.fixture(params=START)
def shards(request: pytest.FixtureRequest) -> Iterator[Shards]:
    with Shards(request.param).start() as cluster:
        yield cluster


async def test_two_partitions_count_the_same_key_apart(
    make_ledger: Callable[..., Ledger], client: Redis, partition: str
) -> None:
    ledger, other = make_ledger(), make_ledger(partition=f"{partition}-other")
    for each in (ledger, other):
        await stocked(each, A=100)
        await changed(each, ops.reserve("r1", ("A", 9), quota=QUOTA, customer_ref="ayşe"))
    await changed(other, ops.release("r1"))

    assert await counters(client, ledger.keyspace) == {"partner": 9, "partner ayşe": 9}
    assert await counters(client, other.keyspace) == {}


async def test_in_a_cluster_each_partition_holds_exactly_its_quota(shards: Shards) -> None:
    partitions = ("default", "merchant-b", "merchant-c", "merchant-d")
    assert len({shards.owner(partition).port for partition in partitions}) > 1
    async with open_store(
        store_url=shards.url, data_dir=Path("/nonexistent"), durability="durable", retention=RETENTION
    ) as store:
        for partition in partitions:
            await store.register(partition)
            await stocked(store.ledger(partition), A=1_000)
        wanted = [
            ask(store.ledger(partition), ops.reserve(f"r{n}", ("A", 1), quota=QUOTA, customer_ref=f"c{n % 9}"))
            for n in range(100)
            for partition in partitions
        ]
        await asyncio.gather(*wanted)

        for partition in partitions:
            keyspace = Keyspace(partition)
            assert (await counters(store.client, keyspace))["partner"] == QUOTA.units_max
            await is_whole(store.client, keyspace)
