"""A lease and a status that were written by a clock which was fast and is right again: nobody waits for that time."""

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.channels import LEASE_S_MAX, PUBLISHER_MISSING_MS, ChannelStatus
from server.store.connection.commands import command
from server.store.errors import FencedError
from server.store.keys import Keyspace
from server.store.maintenance.health_watch import StoreWatch
from server.store.repositories.channels import CURSOR_LIFE_MS, lowest_cursor
from server.store.repositories.publisher import PublisherStore, Writes
from tests.conftest import now_ms, wait_past
from tests.store.maintenance.test_health_watch import sample

HALF_AN_HOUR_MS = 1_800_000
TTL_MS = 300


@pytest.fixture
def leases(client: Redis, partition: str) -> PublisherStore:
    return PublisherStore(client, Keyspace(partition))


async def as_if_the_clock_went_back(client: Redis, leases: PublisherStore, by_ms: int = HALF_AN_HOUR_MS) -> None:
    """Move all times of the lease ahead: that looks the same as a clock that went back."""
    names = ("token", "until_ms", "ttl_until_ms")
    known = await command(client, "HMGET", leases.keyspace.publisher, *names)
    for name, value in zip(names, known, strict=True):
        if value is not None:
            await command(client, "HSET", leases.keyspace.publisher, name, int(value) + by_ms)


async def test_given_a_lease_of_a_clock_that_was_fast_when_its_holder_is_dead_then_another_waits_for_one_ttl_only(
    client: Redis, leases: PublisherStore
) -> None:
    # Given
    await leases.acquire("dead", TTL_MS)
    await as_if_the_clock_went_back(client, leases)
    [token] = await command(client, "HMGET", leases.keyspace.publisher, "token")

    # When
    first = await leases.acquire("other", TTL_MS)
    await wait_past(client, first.until_ms)
    second = await leases.acquire("other", TTL_MS)

    # Then
    assert (first.token, first.owner) == (0, "dead")
    assert first.until_ms - first.now_ms == TTL_MS
    assert second.token > int(token)  # also where that came from the future


async def test_given_a_clock_that_goes_back_when_the_holder_lives_then_it_keeps_its_lease_and_its_token(
    client: Redis, leases: PublisherStore
) -> None:
    held = await leases.acquire("one", 60_000)
    await as_if_the_clock_went_back(client, leases, 3_600_000)
    moved_on = held.token + 3_600_000
    assert (await leases.acquire("other", 60_000)).token == 0
    renewed = await leases.acquire("one", 60_000)
    assert (renewed.token, renewed.until_ms - renewed.now_ms) == (moved_on, 60_000)
    assert (await leases.acquire("other", 60_000)).token == 0
    await leases.record(renewed.token, Writes())


async def test_given_a_lease_of_an_older_release_when_it_claims_half_an_hour_then_it_is_cut_to_seconds(
    client: Redis, leases: PublisherStore
) -> None:
    # Given: it wrote no ttl; or it renewed a lease that this release had taken with another ttl.
    until_ms = await now_ms(client) + HALF_AN_HOUR_MS
    await command(client, "HSET", leases.keyspace.publisher, "owner", "old", "token", 7, "until_ms", until_ms)
    cut = await leases.acquire("other", TTL_MS)
    assert (cut.token, cut.until_ms - cut.now_ms) == (0, 15_000)
    until_ms = await now_ms(client) + HALF_AN_HOUR_MS
    await command(client, "HSET", leases.keyspace.publisher, "until_ms", until_ms)
    cut = await leases.acquire("other", TTL_MS)
    assert (cut.token, cut.until_ms - cut.now_ms) == (0, 15_000)


async def test_given_a_long_lease_of_an_older_release_when_it_is_within_bounds_then_it_is_left_alone(
    client: Redis, leases: PublisherStore
) -> None:
    until_ms = await now_ms(client) + 1000 * LEASE_S_MAX
    await command(client, "HSET", leases.keyspace.publisher, "owner", "old", "token", 7, "until_ms", until_ms)
    assert (await leases.acquire("other", TTL_MS)).until_ms == until_ms
    assert (await leases.acquire("old", TTL_MS)).token == 7


async def test_given_a_lease_that_was_cut_when_its_holder_writes_after_another_came_then_it_is_fenced(
    client: Redis, leases: PublisherStore
) -> None:
    held = await leases.acquire("slow", TTL_MS)
    await as_if_the_clock_went_back(client, leases)
    await wait_past(client, (await leases.acquire("other", TTL_MS)).until_ms)
    await leases.acquire("other", TTL_MS)
    writes = Writes()
    writes.set(leases.keyspace.channel_cursors, "shop", "1-1")
    with pytest.raises(FencedError):
        await leases.record(held.token + HALF_AN_HOUR_MS, writes)


async def test_given_a_lease_that_claims_half_an_hour_when_nobody_acts_then_the_publisher_is_missing(
    client: Redis, leases: PublisherStore
) -> None:
    watching = StoreWatch(client, "fast", with_channels=lambda: [leases.keyspace.partition])
    await leases.acquire("dead", 60_000)
    await watching.look()
    assert sample("publisher_missing_partitions") == 0
    await as_if_the_clock_went_back(client, leases)
    await watching.look()
    assert sample("publisher_missing_partitions") == 1


@pytest.mark.parametrize(
    ("ahead_ms", "is_current"),
    [(0, True), (-PUBLISHER_MISSING_MS, True), (PUBLISHER_MISSING_MS + 1, False), (-PUBLISHER_MISSING_MS - 1, False),
     (HALF_AN_HOUR_MS, False)],
)  # fmt: skip
def test_given_a_status_that_was_written_at_another_time_when_asked_then_only_a_fresh_one_is_current(
    ahead_ms: int, is_current: bool
) -> None:
    status = ChannelStatus(publisher="one", written_ms=1_800_000_000_000 + ahead_ms)
    assert status.is_current(1_800_000_000_000) is is_current


async def test_given_a_channel_whose_last_status_lies_ahead_for_days_when_trimmed_then_it_holds_nothing_back(
    client: Redis, leases: PublisherStore
) -> None:
    keyspace = leases.keyspace
    for name, ahead_ms in (("gone", CURSOR_LIFE_MS + 60_000), ("here", 0)):
        status = ChannelStatus(publisher="p", written_ms=await now_ms(client) + ahead_ms)
        await command(client, "HSET", keyspace.channel_status, name, msgspec.json.encode(status))
    await command(client, "HSET", keyspace.channel_cursors, "gone", "1-0", "here", "5-0")
    assert await lowest_cursor(client, keyspace) == "5-0"
