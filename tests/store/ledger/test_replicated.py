"""Replicated mode: nothing is acknowledged that a replica does not have, asked for the first time or again."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from redis.exceptions import InvalidResponse

from server.store.errors import FencedError, OutcomeUnknownError, StoreUnavailableError
from server.store.keys import Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.ledger.replica_ack import ReplicaAck
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.topology import deployment
from tests.conftest import RETENTION, START
from tests.support.cluster_stores import frozen
from tests.support.operations import ask, moved, receive
from tests.support.stores import StoreProcess, wait_until

OpenBatcher = Callable[..., Batcher]
PARTITION = "replicated"


class Pair(NamedTuple):
    primary: StoreProcess
    replica: StoreProcess

    def in_step(self) -> bool:
        with self.primary.admin() as client:
            return str(client.info("replication").get("slave0", {}).get("state")) == "online"


@pytest.fixture(params=START)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    start = START[request.param]
    settings = {"repl-diskless-sync-delay": "0"}
    with start(tcp=True, settings=settings) as primary, start(replicaof=primary, tcp=True) as replica:
        both = Pair(primary, replica)
        wait_until(both.in_step, "the replica is online")
        yield both


def ledger_over(batcher: Batcher) -> Ledger:
    return Ledger(batcher, Keyspace(PARTITION), RETENTION)


async def test_given_an_outcome_unknown_for_want_of_a_replica_when_asked_again_then_the_replay_is_no_yes_either(
    pair: Pair, open_batcher: OpenBatcher
) -> None:
    first, second = (open_batcher(pair.primary, replicas=1, reply_timeout_s=0.5) for _ in range(2))
    patient = open_batcher(pair.primary, replicas=1)
    await moved(ledger_over(patient), receive("A", 1))
    wanted = receive("A", 1, key="k")
    with frozen(pair.replica):
        with pytest.raises(OutcomeUnknownError):
            await ask(ledger_over(first), wanted)
        with pytest.raises(OutcomeUnknownError):  # another connection, which has written nothing itself
            await ask(ledger_over(second), wanted)
    assert (await moved(ledger_over(patient), wanted)).replayed


async def test_given_a_primary_with_too_few_replicas_when_asked_to_write_then_it_is_unavailable_at_once_not_unknown(
    pair: Pair, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(pair.primary, replicas=1))
    await moved(ledger, receive("A", 1))
    pair.primary.command("CONFIG", "SET", "min-replicas-to-write", 2)
    with pytest.raises(StoreUnavailableError, match="NOREPLICAS"):
        await ask(ledger, receive("A", 1))
    pair.primary.command("CONFIG", "SET", "min-replicas-to-write", 1)
    assert (await moved(ledger, receive("A", 1))).level.on_hand == 2


async def test_given_a_replica_that_stands_still_when_only_reading_then_it_is_answered(
    pair: Pair, open_batcher: OpenBatcher
) -> None:
    ledger = ledger_over(open_batcher(pair.primary, replicas=1))
    await moved(ledger, receive("A", 1))
    with frozen(pair.replica):
        assert (await ledger.availability(["A"])).skus
    pair.replica.kill()
    assert (await ledger.stock("A")).levels


@pytest.mark.parametrize("came", [[[b"7"], 1], [b"confirmed", b"confirmed"], [1, 1]])
def test_given_a_reply_that_comes_twice_when_confirming_then_it_is_not_taken_for_the_confirmation(
    came: list[Any],
) -> None:
    with pytest.raises(InvalidResponse):
        ReplicaAck(replicas=1, timeout_s=1.0).check(came, [[b"an answer"]])


async def publisher_of(url: str, **options: Any) -> tuple[PublisherStore, Any]:
    store = deployment(url, **options)
    return PublisherStore(store.clients.requests, Keyspace(PARTITION)), store


async def test_given_a_replica_that_does_not_answer_when_the_lease_is_taken_then_no_process_holds_it(
    pair: Pair,
) -> None:
    publisher, store = await publisher_of(pair.primary.url, durability="replicated", confirm_s=1.0)
    try:
        assert (await publisher.acquire("one", 60_000)).token
        with frozen(pair.replica), pytest.raises(StoreUnavailableError):
            await publisher.acquire("one", 60_000)
    finally:
        await store.close()


async def test_given_a_lease_that_a_failover_forgot_when_another_takes_it_then_the_first_is_fenced(pair: Pair) -> None:
    """The replica never heard of the first holder's token, and counts on from what it knows."""
    first, first_store = await publisher_of(pair.primary.url)
    second, second_store = await publisher_of(pair.replica.url)
    try:
        await first.acquire("zero", 1)
        wait_until(lambda: bool(pair.replica.command("HGET", Keyspace(PARTITION).publisher, "token")), "replicated")
        pair.replica.command("REPLICAOF", "NO", "ONE")
        await asyncio.sleep(0.002)
        forgotten = await first.acquire("one", 60_000)
        await asyncio.sleep(0.002)  # tokens count on by the millisecond, and a failover takes longer than that
        newest = await second.acquire("two", 60_000)
        assert forgotten.token != newest.token
        writes = Writes()
        writes.set(Keyspace(PARTITION).channel_cursors, "shop", "1-1")
        with pytest.raises(FencedError):
            await second.record(forgotten.token, writes)
        await second.record(newest.token, writes)
    finally:
        await first_store.close()
        await second_store.close()
