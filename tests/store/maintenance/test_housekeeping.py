"""Housekeeping on real stores: holds end on time and once, what is over is forgotten, what is young is kept."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.domain.locations import Location
from server.store.connection.commands import command
from server.store.errors import StoreUnavailableError
from server.store.journal.journal import START, bounds, read
from server.store.keys import PARTITIONS, Keyspace
from server.store.ledger.ledger import Ledger, Retention
from server.store.maintenance import housekeeping
from server.store.maintenance.housekeeping import Housekeeper, watch_event_loop
from server.store.repositories.locations import LocationStore
from tests.conftest import RETENTION, now_ms, wait_past, wait_until
from tests.store.maintenance.running import running
from tests.support.operations import (
    SHORT_MS,
    available,
    cancel,
    changed,
    commit,
    level,
    moved,
    order,
    receive,
    release,
    reserve,
    stocked,
)

Make = Callable[..., Housekeeper]


@pytest.fixture
def make(client: Redis, partition: str) -> Make:
    def make(**settings: Any) -> Housekeeper:
        chosen: dict[str, Any] = {"journal_retention_s": 3600, "audit_interval_s": 0.0, "retention": RETENTION}
        return Housekeeper(client, lambda: [partition], **{**chosen, **settings})

    return make


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_given_overdue_holds_when_housekeeping_runs_then_each_ends_once_and_never_early(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    # Given
    await stocked(ledger, cap=1000)
    holds = [reserve(f"r{number}", ("cap", 1), ttl_ms=SHORT_MS + number % 200) for number in range(1000)]
    before = sample("holdfast_expiry_lateness_seconds_count")

    # When
    async with running(make(sweep_interval_s=0.005)):
        made = await asyncio.gather(*(changed(ledger, hold) for hold in holds))

        async def all_back() -> bool:
            return await available(ledger, "cap") == 1000

        await wait_until(all_back, "every unit is back")

        def counted() -> bool:
            return sample("holdfast_expiry_lateness_seconds_count") == before + 1000

        await wait_until(counted, "the sweeper has reported each")

    # Then
    names = [hold.reservation_id for hold in holds]
    deadlines = {name: each.reservation.deadline_ms for name, each in zip(names, made, strict=True)}
    ended = [
        (change.reservation_id, change.at_ms)
        async for _, changes in read(client, ledger.keyspace)
        for change in changes
        if change.operation == "expire"
    ]
    assert sorted(name for name, _ in ended) == sorted(names)
    assert all(at_ms >= deadlines[name] for name, at_ms in ended)
    assert max(at_ms for _, at_ms in ended) <= await now_ms(client)


async def test_given_more_than_one_script_may_end_when_swept_once_then_all_are_ended(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=900)
    made = await asyncio.gather(*(changed(ledger, reserve(f"r{n}", ("cap", 1), ttl_ms=1)) for n in range(900)))
    await wait_past(client, max(each.reservation.deadline_ms for each in made))
    await make().sweep()
    assert await client.zcard(ledger.keyspace.deadlines) == 0
    assert (await level(ledger, "cap")).held == 0


async def test_given_only_deadlines_without_a_reservation_when_swept_then_it_says_so_and_does_not_spin(
    make: Make, client: Redis, partition: str
) -> None:
    await client.zadd(Keyspace(partition).deadlines, {f"ghost{number}": 1 for number in range(400)})
    async with asyncio.timeout(5):
        with capture_logs() as logs:
            await make().sweep()
    assert [entry["event"] for entry in logs] in ([], ["sweep_blocked"])


async def test_given_a_partition_in_the_registry_when_housekeeping_runs_then_it_is_swept_too(
    make: Make, make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    other = make_ledger(partition="another")
    await client.sadd(PARTITIONS, "another")
    await stocked(other, cap=1)
    await changed(other, reserve("r1", ("cap", 1), ttl_ms=1))
    async with running(make(sweep_interval_s=0.01, gauge_interval_s=0.01)):

        async def back() -> bool:
            return (await level(other, "cap")).held == 0

        await wait_until(back, "the hold of the other partition ended")


async def test_given_a_store_that_lost_its_scripts_when_swept_then_they_are_loaded_again(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=1)
    hold = await changed(ledger, reserve("r1", ("cap", 1), ttl_ms=1))
    await wait_past(client, hold.reservation.deadline_ms)
    await command(client, "FUNCTION FLUSH")
    await make().sweep()
    assert await client.zcard(ledger.keyspace.deadlines) == 0


async def test_given_what_is_over_when_forgetting_then_it_goes_but_the_key_of_a_live_reservation_stays(
    make: Make, make_ledger: Callable[..., Ledger], client: Redis
) -> None:
    # Given: nothing is kept for longer than it takes to look.
    none = Retention(life_max_s=86_400, idempotency_s=0, ended_s=0, fulfilled_s=0)
    ledger = make_ledger(idempotency_s=0, ended_s=0)
    idempotency = ledger.keyspace.all[5]
    await stocked(ledger, cap=9)
    await changed(ledger, reserve("live", ("cap", 2)))
    await changed(ledger, release("live", (1, 1), key="key of the living"))
    await changed(ledger, reserve("over", ("cap", 2)))
    await changed(ledger, release("over", key="key of the ended"))
    await moved(ledger, receive("cap", 1, key="key of a movement"))

    # When
    await make(retention=none).forget()

    # Then
    assert await client.hkeys(idempotency) == [b"key of the living"]
    assert await client.hkeys(ledger.keyspace.ended) == []
    assert await client.hkeys(ledger.keyspace.reservations) == [b"live"]


async def test_given_a_location_that_an_older_release_closed_when_settling_then_the_scripts_know_it(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    keys = ledger.keyspace
    await stocked(ledger, A=5)
    await client.hset(keys.locations, "main", msgspec.json.encode(Location("main", open=False)))
    await client.hincrby(keys.locations, "\0version", 1)
    assert await available(ledger, "A") == 5

    await make(settle_locations=lambda each: LocationStore(client, each, RETENTION.packed()).settle()).settle()

    assert (await ledger.availability(["A"])).skus[0][0].available == 0


async def test_given_what_is_not_over_when_forgetting_then_it_stays(make: Make, ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, cap=9)
    await changed(ledger, reserve("r1", ("cap", 2)))
    await changed(ledger, release("r1", key="k"))
    await make().forget()
    assert await client.hkeys(ledger.keyspace.ended) == [b"r1"]


def _old_journal(first_ms: int, entries: int) -> Iterator[str]:
    return (f"{first_ms + number}-0" for number in range(entries))


async def test_given_a_long_journal_when_trimmed_then_what_is_younger_than_the_retention_is_kept(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    # Given: a thousand entries of two hours ago, and some of now.
    two_hours_ago_ms = await now_ms(client) - 7_200_000
    for entry_id in _old_journal(two_hours_ago_ms, 1000):
        await command(client, "XADD", ledger.keyspace.journal, entry_id, "e", b"\x90")
    for units in range(1, 20):
        await stocked(ledger, cap=units)

    # When
    await make(journal_retention_s=3600).trim()

    # Then: the store trims in whole nodes of some hundred entries.
    rest = await bounds(client, ledger.keyspace)
    assert 19 <= rest.entries < 19 + 200
    young = [entry async for entry in read(client, ledger.keyspace, f"{two_hours_ago_ms + 3_600_000}-0")]
    assert len(young) == 19
    assert sample("holdfast_journal_oldest_seconds") < sample("holdfast_journal_retention_seconds") == 3600


async def test_given_a_follower_that_is_behind_when_trimmed_then_what_it_has_not_confirmed_is_kept(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    old_ms = await now_ms(client) - 7_200_000
    for entry_id in _old_journal(old_ms, 500):
        await command(client, "XADD", ledger.keyspace.journal, entry_id, "e", b"\x90")
    asked: list[str] = []

    async def lowest_cursor(partition: str) -> str | None:
        asked.append(partition)
        return f"{old_ms + 10}-0"

    await make(lowest_cursor=lowest_cursor).trim()

    rest = await bounds(client, ledger.keyspace)
    assert not rest.is_lost(f"{old_ms + 10}-0")
    assert sample("holdfast_journal_oldest_seconds") == pytest.approx(7200, abs=60)
    assert asked == [ledger.keyspace.partition]


async def test_given_a_young_journal_when_trimmed_then_nothing_goes(make: Make, ledger: Ledger, client: Redis) -> None:
    await stocked(ledger, cap=1)
    await make().trim()
    assert not (await bounds(client, ledger.keyspace)).is_lost(START)


async def test_given_reservations_when_measured_then_the_gauges_say_how_many(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    # Given
    await stocked(ledger, cap=5)
    await changed(ledger, reserve("h1", ("cap", 1)))
    await changed(ledger, reserve("h2", ("cap", 1)))
    await changed(ledger, order("c1", ("cap", 5), accept_shortage=True))
    await changed(ledger, release("h2"))
    await changed(ledger, order("c2", ("nobody", 2), ("knows", 1), accept_shortage=True))
    await changed(ledger, cancel("c2", (1, 2)))

    # When
    await make().measure()

    # Then
    counted = [sample("holdfast_reservations", state=state) for state in ("held", "committed", "ended")]
    assert counted == [1, 2, 1]
    assert sample("holdfast_shortage_units") == 1
    assert sample("holdfast_unmapped_lines") == 1
    assert sample("holdfast_journal_entries") == (await bounds(client, ledger.keyspace)).entries


async def test_given_drift_when_audited_then_the_gauge_shows_it_and_each_line_is_logged(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=5)
    await changed(ledger, order("o1", ("cap", 3)))
    await client.hdel(ledger.keyspace.reservations, "o1")

    with capture_logs() as logs:
        await make(audit_pause_s=0.0).audit()

    assert sample("holdfast_drift_units") == 3
    logged = [
        (entry["sku"], entry["what"], entry["expected"], entry["found"]) for entry in logs if entry["event"] == "drift"
    ]
    assert logged == [("cap", "committed", 0, 3)]
    assert all(entry["log_level"] == "error" for entry in logs)


async def test_given_no_drift_when_audited_then_the_gauge_is_zero_and_nothing_is_logged(
    make: Make, ledger: Ledger
) -> None:
    await stocked(ledger, cap=5)
    with capture_logs() as logs:
        await make(audit_pause_s=0.0).audit()
    assert (sample("holdfast_drift_units"), logs) == (0, [])


async def test_given_a_chore_that_fails_when_housekeeping_runs_then_the_others_and_it_go_on(
    make: Make, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given: forgetting fails twice.
    monkeypatch.setattr(housekeeping, "RETRY_S", 0.001)
    failures = 0

    async def failing(_: Housekeeper) -> None:
        nonlocal failures
        failures += 1
        if failures <= 2:
            raise StoreUnavailableError("The store is away.")

    monkeypatch.setattr(Housekeeper, "forget", failing)
    keeper = make(sweep_interval_s=0.005, forget_interval_s=0.001)
    await stocked(ledger, cap=1)
    await changed(ledger, reserve("r1", ("cap", 1), ttl_ms=1))

    # When
    with capture_logs() as logs:
        async with running(keeper):
            await wait_until(lambda: failures > 5, "the chore is tried again")

            async def swept() -> bool:
                return (await level(ledger, "cap")).held == 0

            await wait_until(swept, "the sweeper goes on")

    # Then: one line for the failure, one for the recovery.
    events = [entry["event"] for entry in logs if entry.get("chore") == "forget"]
    assert events == ["housekeeping_waits", "housekeeping_recovered"]


async def test_given_the_event_loop_when_watched_then_its_lag_is_measured() -> None:
    before = sample("holdfast_event_loop_lag_seconds_count")
    task = asyncio.create_task(watch_event_loop(interval_s=0.001))
    await wait_until(lambda: sample("holdfast_event_loop_lag_seconds_count") >= before + 3)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_given_a_keyspace_when_named_then_the_idempotency_keys_are_where_these_tests_look() -> None:
    assert Keyspace("p").all[5].endswith(":idempotency")


async def test_given_a_late_commit_when_swept_then_what_was_ordered_stays(
    make: Make, ledger: Ledger, client: Redis
) -> None:
    await stocked(ledger, cap=3)
    hold = await changed(ledger, reserve("r1", ("cap", 2), ttl_ms=1))
    await wait_past(client, hold.reservation.deadline_ms)
    await make().sweep()
    await changed(ledger, commit("r1"))
    await make().sweep()
    assert (await level(ledger, "cap")).committed == 2
