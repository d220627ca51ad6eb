"""What is reported of the store: that it answers, keeps what it acknowledges, has room, and has its publisher."""

import shutil
import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from server.store.errors import StoreUnavailableError
from server.store.keys import Keyspace
from server.store.maintenance import health_watch
from server.store.maintenance.health_watch import StoreWatch
from server.store.repositories.publisher import PublisherStore
from tests.conftest import StoreClient, now_ms, wait_past
from tests.support.stores import StoreProcess


def sample(name: str) -> float:
    value = REGISTRY.get_sample_value(f"holdfast_{name}")
    assert value is not None
    return value


@pytest.fixture
async def own_client(own_store: StoreProcess) -> AsyncIterator[Redis]:
    async with StoreClient(own_store) as client:
        yield client


async def test_given_a_store_as_it_should_be_when_looked_at_then_it_is_up_durable_and_has_room(
    own_store: StoreProcess, own_client: Redis
) -> None:
    with capture_logs() as logs:
        await StoreWatch(own_client, "durable", is_here=True).look()

    assert (sample("store_up"), sample("store_durable")) == (1, 1)
    assert 0 < sample("store_memory_used_bytes") < sample("store_memory_limit_bytes")
    assert sample("store_disk_size_bytes") == pytest.approx(shutil.disk_usage(own_store.directory).total)
    assert 0 < sample("store_disk_free_bytes") <= sample("store_disk_size_bytes")
    assert logs == []


async def test_given_a_store_elsewhere_when_looked_at_then_its_disk_is_not_made_up(own_client: Redis) -> None:
    await StoreWatch(own_client, "durable").look()

    assert (sample("store_disk_free_bytes"), sample("store_disk_size_bytes")) == (0, 0)


async def test_given_a_maxmemory_when_looked_at_then_that_is_the_limit(
    own_store: StoreProcess, own_client: Redis
) -> None:
    own_store.command("CONFIG", "SET", "maxmemory", "100mb")

    await StoreWatch(own_client, "durable").look()

    assert sample("store_memory_limit_bytes") == 100 * 2**20


async def test_given_fsync_switched_off_while_serving_when_looked_at_then_it_is_said_once_and_taken_back(
    own_store: StoreProcess, own_client: Redis
) -> None:
    watching = StoreWatch(own_client, "durable")
    await watching.look()
    own_store.command("CONFIG", "SET", "appendfsync", "everysec")

    with capture_logs() as logs:
        await watching.look()
        await watching.look()
        not_durable = sample("store_durable")
        own_store.command("CONFIG", "SET", "appendfsync", "always")
        await watching.look()

    assert (not_durable, sample("store_durable")) == (0, 1)
    assert [entry["event"] for entry in logs] == ["store_not_durable", "store_durable_again"]
    assert "CONFIG SET appendfsync always" in logs[0]["problems"][0]


async def test_given_everysec_when_only_fast_was_asked_for_then_the_store_keeps_it(
    own_store: StoreProcess, own_client: Redis
) -> None:
    own_store.command("CONFIG", "SET", "appendfsync", "everysec")

    await StoreWatch(own_client, "fast").look()

    assert sample("store_durable") == 1


@pytest.mark.parametrize(("hides_settings", "durable"), [(False, 0), (True, 1)])
async def test_given_a_store_that_hides_its_settings_when_that_was_accepted_then_it_counts_as_durable(
    own_store: StoreProcess, own_client: Redis, hides_settings: bool, durable: int
) -> None:
    own_store.command("ACL", "SETUSER", "default", "-config")

    await StoreWatch(own_client, "durable", hides_settings=hides_settings, is_here=True).look()

    assert (sample("store_up"), sample("store_durable")) == (1, durable)


async def test_given_a_store_that_is_away_when_looked_at_then_it_counts_as_down(
    own_store: StoreProcess, own_client: Redis
) -> None:
    watching = StoreWatch(own_client, "durable")
    await watching.look()
    own_store.kill()

    with pytest.raises(StoreUnavailableError):
        await watching.look()

    assert sample("store_up") == 0


async def test_given_a_store_that_hangs_when_looked_at_then_no_caller_waits_for_it(
    own_store: StoreProcess, own_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_watch, "ANSWER_S", 0.05)
    watching = StoreWatch(own_client, "durable")
    process: Any = own_store._child
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(StoreUnavailableError, match="has not answered"):
            await watching.look()
    finally:
        process.send_signal(signal.SIGCONT)

    assert sample("store_up") == 0


async def test_given_channels_when_no_process_holds_the_lease_then_the_publisher_is_missing(
    client: Redis, partition: str
) -> None:
    watching = StoreWatch(client, "fast", with_channels=lambda: [partition, partition + "-2"])
    publisher = PublisherStore(client, Keyspace(partition))

    await watching.look()
    before = sample("publisher_missing_partitions")
    lease = await publisher.acquire("one", 60_000)
    await watching.look()
    taken = sample("publisher_missing_partitions")
    await publisher.release("one")
    await wait_past(client, await now_ms(client) + 1)
    await watching.look()

    assert lease.token
    assert (before, taken, sample("publisher_missing_partitions")) == (2, 1, 2)
