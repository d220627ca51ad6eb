"""Many partitions: a fault of one stops no other and is told, and those in which nothing happens cost nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.store.connection import connect
from server.store.keys import PARTITIONS, Keyspace
from server.store.ledger.batcher import Batcher
from server.store.ledger.ledger import Ledger
from server.store.maintenance import activity
from server.store.maintenance.housekeeping import Housekeeper
from server.store.repositories.locations import LocationStore, unsettled
from tests.conftest import RETENTION, now_ms, wait_past, wait_until
from tests.store.maintenance.running import running
from tests.support.operations import available, changed, moved, receive, release, reserve
from tests.support.stores import StoreProcess

IDLE = [f"idle{number}" for number in range(300)]


def failing(chore: str) -> float:
    return REGISTRY.get_sample_value("holdfast_maintenance_failing_partitions", {"chore": chore}) or 0.0


@pytest.fixture
async def own_client(own_store: StoreProcess) -> AsyncIterator[Redis]:
    pool = connect.connection_pool(own_store.url)
    yield connect.client(pool)
    await pool.aclose()


@pytest.fixture
async def batcher(own_store: StoreProcess, open_batcher: Callable[..., Batcher]) -> Batcher:  # it needs the loop
    return open_batcher(own_store)


def ledger_of(batcher: Batcher, name: str) -> Ledger:
    return Ledger(batcher, Keyspace(name), RETENTION)


def housekeeper(client: Redis, names: list[str], **settings: Any) -> Housekeeper:
    chosen: dict[str, Any] = {"journal_retention_s": 3600, "audit_interval_s": 0.0, **settings}
    return Housekeeper(client, lambda: names, RETENTION, **chosen)


# -- a fault of one


@pytest.mark.parametrize(("chore", "key"), [("forget", "forget"), ("trim", "journal"), ("gauges", "reservations")])
async def test_given_a_damaged_key_of_one_when_a_chore_runs_then_the_others_get_theirs_and_it_is_told_once(
    own_client: Redis, batcher: Batcher, chore: str, key: str
) -> None:
    names = ["a-damaged", "b", "c"]
    for name in names:
        await moved(ledger_of(batcher, name), receive("cap", 10))
    damaged = f"hf:{{a-damaged}}:{key}"
    await own_client.delete(damaged)
    await own_client.set(damaged, "not what it should be")
    kept = housekeeper(own_client, names)
    work = {"forget": kept.forget, "trim": kept.trim, "gauges": kept.measure}[chore]
    await kept.activity.look()

    with capture_logs() as logs:
        for _ in range(3):
            await work()

    told = [line for line in logs if line["event"] == "partition_fails"]
    assert [(line["chore"], line["partition"]) for line in told] == [(chore, "a-damaged")]
    assert "WRONGTYPE" in told[0]["reason"]
    assert failing(chore) == 1
    assert [each.partition for each in kept.activity.due(chore)] == ["a-damaged"]

    await own_client.delete(damaged)
    with capture_logs() as logs:
        await work()

    assert [line["event"] for line in logs] == ["partition_recovered"]
    assert failing(chore) == 0


async def test_given_damaged_deadlines_of_one_when_swept_then_the_holds_of_the_others_end(
    own_client: Redis, batcher: Batcher
) -> None:
    names = ["a-damaged", "b"]
    for name in names:
        await moved(ledger_of(batcher, name), receive("cap", 10))
    made = await changed(ledger_of(batcher, "b"), reserve("r1", ("cap", 1), ttl_ms=1))
    await own_client.set("hf:{a-damaged}:deadlines", "not what it should be")
    kept = housekeeper(own_client, names)
    await wait_past(own_client, made.reservation.deadline_ms)

    with capture_logs() as logs:
        async with running(kept):

            async def ended() -> bool:
                return await available(ledger_of(batcher, "b"), "cap") == 10

            await wait_until(ended, "its hold has ended")

            def told() -> bool:
                return ("sweep", "a-damaged") in {(line.get("chore"), line.get("partition")) for line in logs}

            await wait_until(told, "the fault is told")


async def test_given_a_store_that_is_away_when_a_chore_runs_then_no_partition_is_blamed(
    own_store: StoreProcess,
) -> None:
    pool = connect.connection_pool(own_store.url)
    kept = housekeeper(connect.client(pool), ["a", "b"])
    own_store.kill()

    with capture_logs() as logs, suppress(Exception):
        await kept.forget()

    assert [line for line in logs if line["event"] == "partition_fails"] == []
    await pool.aclose()


# -- idle ones


async def calls(client: Redis) -> int:
    """How many commands the store has served, those within scripts not counted."""
    stats: dict[str, Any] = await client.info("commandstats")
    outside = ("cmdstat_fcall", "cmdstat_xtrim", "cmdstat_exec", "cmdstat_multi")
    return sum(int(stats[name]["calls"]) for name in outside if name in stats)


async def test_given_idle_partitions_when_time_passes_then_they_are_looked_at_together_and_nothing_else(
    own_client: Redis, batcher: Batcher
) -> None:
    await moved(ledger_of(batcher, IDLE[0]), receive("cap", 1))  # loads the scripts
    await asyncio.gather(*(moved(ledger_of(batcher, name), receive("cap", 10)) for name in IDLE))
    await own_client.sadd(PARTITIONS, *IDLE)
    kept = housekeeper(own_client, [], forget_interval_s=0.1, trim_interval_s=0.1, gauge_interval_s=0.1)
    await kept.measure()
    for _ in range(2):  # all have had their turn
        await kept.activity.look()
        for chore in (kept.forget, kept.trim, kept.measure, kept.recount, kept.forget_orders):
            await chore()
    kept.activity._changed_s.clear()  # long ago

    before = await calls(own_client)
    async with running(kept):
        await asyncio.sleep(2.5)
    looks = -(-len(IDLE) // activity.AT_ONCE) * 4

    assert await calls(own_client) - before <= looks


async def test_given_one_hold_among_idle_partitions_when_looked_at_then_its_deadline_alone_is_found(
    own_client: Redis, batcher: Batcher
) -> None:
    names = IDLE[:70]
    await moved(ledger_of(batcher, names[0]), receive("cap", 1))  # loads the scripts
    await asyncio.gather(*(moved(ledger_of(batcher, name), receive("cap", 10)) for name in names))
    made = await changed(ledger_of(batcher, names[-3]), reserve("r1", ("cap", 1)))
    await own_client.set(f"hf:{{{names[-2]}}}:deadlines", "not what it should be")
    kept = housekeeper(own_client, names)

    await kept.activity.look()  # what is seen for the first time is not busy, or a start would sweep all of them

    damaged = [names[-2]]  # is swept all the same, so that it is told
    assert kept.activity.sweepable(made.reservation.deadline_ms - 1) == damaged
    assert kept.activity.sweepable(made.reservation.deadline_ms) == [*damaged, names[-3]]


async def test_given_holds_that_end_or_are_renewed_when_looked_at_then_only_their_next_deadline_counts(
    own_client: Redis, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "OVERTAKEN_MAX", 3)
    ledger = ledger_of(batcher, "renewed")
    await moved(ledger, receive("cap", 10))
    last = await changed(ledger, reserve("last", ("cap", 1), ttl_ms=90_000))
    kept = housekeeper(own_client, ["renewed"])
    await kept.activity.look()

    names = [f"r{seconds}" for seconds in range(9, 1, -1)]
    sooner = [await changed(ledger, reserve(name, ("cap", 1), ttl_ms=1_000 * int(name[1:]))) for name in names]
    for name in names:
        await kept.activity.look()
        await changed(ledger, release(name))
    await kept.activity.look()
    kept.activity._changed_s.clear()  # long ago

    soonest_ms = min(made.reservation.deadline_ms for made in sooner)
    assert kept.activity.sweepable(soonest_ms) == [], "they have ended"
    assert kept.activity.sweepable(last.reservation.deadline_ms) == ["renewed"]
    assert kept.activity.sweepable(last.reservation.deadline_ms) == ["renewed"], "until it is swept"
    assert len(kept.activity._deadlines) <= 2 + 3


async def test_given_partitions_of_which_one_is_not_settled_when_settled_then_it_alone_is_asked_by_itself(
    own_client: Redis, batcher: Batcher
) -> None:
    names = ["calm", "damaged", "described"]
    for name in names:
        await moved(ledger_of(batcher, name), receive("cap", 10))
    described = Keyspace("described")
    await own_client.hset(described.locations, b"\0version", "7")  # as an older release does
    damaged = Keyspace("damaged").locations
    await own_client.set(damaged, "not what it should be")
    asked = []

    async def settle(keyspace: Keyspace) -> None:
        asked.append(keyspace.partition)
        await LocationStore(own_client, keyspace, RETENTION.packed()).settle()

    kept = housekeeper(own_client, names, settle_locations=settle, unsettled=partial(unsettled, own_client))
    await kept.activity.look()

    with capture_logs() as logs:
        await kept.settle()
        await kept.settle()

    assert asked == ["damaged", "described", "damaged"]
    assert await own_client.hget(described.meta, "closed_as_of") == b"7"
    assert [line["partition"] for line in logs if line["event"] == "partition_fails"] == ["damaged"]

    await own_client.delete(damaged)
    with capture_logs() as logs:
        await kept.settle()

    assert [line["event"] for line in logs] == ["partition_recovered"]
    assert kept.activity.due("settle") == []


async def test_given_an_idle_partition_when_a_hold_is_made_there_then_it_ends_and_is_counted(
    own_client: Redis, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "BUSY_S", 0.2)
    monkeypatch.setattr(activity, "LOOK_S", 0.1)
    ledger = ledger_of(batcher, "sleepy")
    await moved(ledger, receive("cap", 10))
    kept = housekeeper(own_client, ["sleepy"], gauge_interval_s=0.1)
    async with running(kept):
        await wait_until(lambda: kept.activity.sweepable(0) == [] and bool(kept.activity._keyspaces), "it is idle")

        made = await changed(ledger, reserve("r1", ("cap", 3), ttl_ms=1500))
        await wait_until(lambda: held() == 1, "the gauge shows it")

        async def ended() -> bool:
            return await own_client.zcard(Keyspace("sleepy").deadlines) == 0

        await wait_until(ended, "the hold has ended")
        assert await now_ms(own_client) < made.reservation.deadline_ms + 1500
        await wait_until(lambda: held() == 0, "the gauge shows that")


async def test_given_a_release_when_looked_at_then_every_chore_is_due_once(own_client: Redis, batcher: Batcher) -> None:
    ledger = ledger_of(batcher, "one")
    await moved(ledger, receive("cap", 10))
    await changed(ledger, reserve("r1", ("cap", 3)))
    kept = housekeeper(own_client, ["one", "other"])
    for _ in range(2):
        await kept.activity.look()
        await kept.measure()
        await kept.forget()
    assert kept.activity.due("gauges") == kept.activity.due("forget") == []

    await changed(ledger, release("r1"))
    await kept.activity.look()

    assert [each.partition for each in kept.activity.due("gauges")] == ["one"]
    await kept.measure()
    assert held() == 0
    assert kept.activity.due("gauges") == []
    assert [each.partition for each in kept.activity.due("forget")] == ["one"]


def held() -> float:
    return REGISTRY.get_sample_value("holdfast_reservations", {"state": "held"}) or 0.0
