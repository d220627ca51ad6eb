"""A store on several servers: its URLs, where things go in a cluster, and who finds the primary by its sentinels."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from server.config.settings import redact_url
from server.domain.principal import Scope
from server.store.audit.audit import audit
from server.store.command_session import open_store
from server.store.connection.clients import Durability
from server.store.connection.cluster import slot_of
from server.store.connection.multi_host_url import take_apart
from server.store.errors import StoreMisconfiguredError, StoreUnavailableError, StoreUrlError
from server.store.journal import journal
from server.store.journal.feed import JournalFeed
from server.store.keys import Keyspace
from server.store.maintenance.health_watch import StoreWatch
from server.store.maintenance.housekeeping import Housekeeper
from server.store.repositories.api_keys import ApiKeyStore
from server.store.repositories.channels import ChannelStore
from server.store.topology import Deployment, deployment
from tests.conftest import RETENTION, wait_until
from tests.support.cluster_stores import SERVICE, Shards, Watched, ask
from tests.support.operations import changed, commit, moved, receive, reserve
from tests.support.stores import free_port, start_valkey

PARTITIONS = ("default", "merchant-b", "merchant-c", "merchant-d", "merchant-e", "merchant-f")
STORES = ("valkey", "redis7")
_numbers = count(1)


# URLs


def test_given_a_url_of_sentinels_when_taken_apart_then_it_names_them_the_service_and_both_logins() -> None:
    given = take_apart(
        "rediss+sentinel://app:p%40ss@a,b:1234,[::1]:5/shop?db=3&sentinel_username=s&sentinel_password=t"
    )

    assert (given.kind, given.tls, given.service) == ("sentinel", True, "shop")
    assert given.hosts == (("a", 26_379), ("b", 1_234), ("::1", 5))
    assert given.store_url == "rediss://app:p%40ss@store:6379/?db=3"
    assert given.sentinel_login == {"username": "s", "password": "t"}
    assert "p%40ss" not in given.name


def test_given_a_url_of_a_cluster_when_taken_apart_then_it_names_its_nodes() -> None:
    given = take_apart("redis+cluster://a,b:7000")

    assert (given.kind, given.tls, given.hosts) == ("cluster", False, (("a", 6_379), ("b", 7_000)))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis+sentinel://:s3cret@a:26379", "names no primary"),
        ("redis+sentinel://:s3cret@a:26379,:1/shop", "hosts"),
        ("redis+sentinel://:s3cret@a:port/shop", "hosts"),
        ("redis+cluster://:s3cret@a:70000", "hosts"),
        ("redis+cluster://:s3cret@a/3", "only one"),
        ("redis+cluster://a?sentinel_password=s3cret", "sentinels"),
        ("http+cluster://:s3cret@a", "redis+cluster://"),
        ("redis+cluster://:s3cret@a#x", "%23"),
        ("redis+sentinel://:s3cret@a/shop?socket_timeout=1", "'socket_timeout'"),
        ("redis+sentinel://:s3cret@a/shop?db=first", "cannot be read"),
    ],
)
def test_given_an_unusable_url_of_several_when_opened_then_the_error_says_what_and_never_the_password(
    url: str, message: str
) -> None:
    with pytest.raises(StoreUrlError) as caught:
        deployment(url)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_given_a_login_for_sentinels_when_the_url_is_shown_then_neither_login_is() -> None:
    url = "redis+sentinel://app:one@a,b/shop?sentinel_username=s&sentinel_password=two&db=1"

    shown = redact_url(url)

    assert shown == "redis+sentinel://***@a,b/shop?sentinel_username=***&sentinel_password=***&db=1"


# Cluster


@pytest.fixture(scope="module", params=STORES)
def shards(request: pytest.FixtureRequest) -> Iterator[Shards]:
    with Shards(request.param).start() as cluster:
        yield cluster


@asynccontextmanager
async def opened(url: str, durability: Durability = "durable") -> AsyncIterator[Deployment]:
    store = deployment(url, durability)
    try:
        yield store
    finally:
        await store.close()


async def sold_everywhere(shards: Shards) -> None:
    """Sell something in each partition: two reserved, one of them committed."""
    async with open_store(
        store_url=shards.url, data_dir=Path("/nonexistent"), durability="durable", retention=RETENTION
    ) as store:
        number = next(_numbers)
        for partition in PARTITIONS:
            ledger = store.ledger(partition)
            await store.register(partition)
            await moved(ledger, receive("A", 100))
            await changed(ledger, reserve(f"a{number}", ("A", 1)))
            await changed(ledger, reserve(f"b{number}", ("A", 2)))
            await changed(ledger, commit(f"b{number}"))


async def test_given_several_partitions_when_they_sell_then_each_is_whole_on_the_node_of_its_slot(
    shards: Shards,
) -> None:
    await sold_everywhere(shards)

    assert len({shards.owner(partition).port for partition in PARTITIONS}) == 3
    async with opened(shards.url) as store:
        for partition in PARTITIONS:
            keyspace = Keyspace(partition)
            assert ask(shards.owner(partition).port, "HLEN", keyspace.stock) == 1
            report = await audit(store.clients.requests, keyspace)
            assert (report.drift, report.conclusive) == ([], True)
            operations = [c.operation async for _, cs in journal.read(store.clients.requests, keyspace) for c in cs]
            assert {"receive", "reserve", "commit"} <= set(operations)


async def test_given_several_partitions_when_house_is_kept_then_all_of_them_are_cared_for(shards: Shards) -> None:
    await sold_everywhere(shards)
    async with opened(shards.url) as store:
        keeper = Housekeeper(store.clients.requests, list, RETENTION, journal_retention_s=3600.0)

        for chore in (keeper.measure, keeper.sweep, keeper.forget, keeper.trim, keeper.audit):
            await chore()

        assert {each.partition for each in keeper._partitions()} == set(PARTITIONS)


async def test_given_a_cluster_when_keys_and_channels_are_kept_there_then_they_are_found_again(shards: Shards) -> None:
    async with opened(shards.url) as store:
        keys = ApiKeyStore(store.clients.requests)
        _, key = await keys.create([Scope("read")], "merchant-b", "for a test")
        channels = ChannelStore(store.clients.requests, Keyspace("merchant-b"))
        await channels.set_rules("shop", {"buffer": 2}, "tester")

        assert key in await keys.list()
        assert await channels.given_rules() == {"shop": {"buffer": 2}}
        assert await channels.channels() == ["shop"]


async def test_given_a_cluster_when_its_partitions_are_listed_then_those_of_all_nodes_are(shards: Shards) -> None:
    await sold_everywhere(shards)
    async with open_store(
        store_url=shards.url, data_dir=Path("/nonexistent"), durability="durable", retention=RETENTION
    ) as store:
        assert set(PARTITIONS) <= set(await store.partitions())
        assert await store.is_empty("nobody")


async def test_given_a_slot_that_moves_when_its_journal_is_followed_then_the_follower_goes_along(
    shards: Shards,
) -> None:
    keyspace = Keyspace("merchant-f")
    await sold_everywhere(shards)
    async with (
        open_store(
            store_url=shards.url, data_dir=Path("/nonexistent"), durability="durable", retention=RETENTION
        ) as store,
        opened(shards.url) as other,
    ):
        feed = JournalFeed(other.clients.requests, keyspace, other.connections(keyspace))
        feed.start()
        try:
            await wait_until(lambda: feed.last_id != journal.START, "the feed has arrived")
            source = shards.owner("merchant-f")
            target = next(each for each in shards.stores if each is not source)

            shards.move("merchant-f", target)
            await moved(store.ledger("merchant-f"), receive("A", 1))

            newest = (await journal.bounds(store.client, keyspace)).last_id
            assert await feed.grown(journal.format_entry_id(journal.before(journal.parse_entry_id(newest))), 10.0)
            assert shards.owner("merchant-f") is target
        finally:
            await feed.close()


async def test_given_a_cluster_when_its_settings_are_checked_then_those_of_each_node_are(shards: Shards) -> None:
    async with opened(shards.url) as store:
        await store.check()
        ask(shards.stores[2].port, "CONFIG", "SET", "appendfsync", "everysec")
        try:
            with pytest.raises(StoreMisconfiguredError, match=f"{shards.stores[2].port} .*\n.*appendfsync"):
                await store.check()
        finally:
            ask(shards.stores[2].port, "CONFIG", "SET", "appendfsync", "always")


async def test_given_a_node_of_a_cluster_when_it_is_opened_alone_then_the_error_gives_the_url_to_use(
    shards: Shards,
) -> None:
    async with opened(f"redis://127.0.0.1:{shards.stores[0].port}/0") as store:
        with pytest.raises(StoreMisconfiguredError, match=r"redis\+cluster://"):
            await store.check()


async def test_given_a_store_alone_when_it_is_opened_as_a_cluster_then_the_error_says_so() -> None:
    with start_valkey(tcp=True) as alone:
        async with opened(f"redis+cluster://127.0.0.1:{alone.port}") as store:
            with pytest.raises((StoreUnavailableError, StoreMisconfiguredError), match="cluster"):
                await store.check()


def test_the_slot_of_a_command_is_that_of_its_first_key() -> None:
    keyspace = Keyspace("merchant-b")
    of_the_partition = slot_of(("HGET", keyspace.meta, "seq"))

    assert slot_of(("FCALL", "take_0", 2, keyspace.stock, keyspace.skus, b"hf:other")) == of_the_partition
    assert slot_of(("XINFO STREAM", keyspace.journal.encode())) == of_the_partition
    assert slot_of(("SCAN", 0, "MATCH", "hf:{merchant-b}:channel:*")) == of_the_partition


# Sentinels


async def test_given_no_sentinel_when_the_store_is_asked_then_it_is_unavailable_and_the_sentinels_are_named() -> None:
    port = free_port()
    async with opened(f"redis+sentinel://127.0.0.1:{port}/{SERVICE}") as store:
        with pytest.raises(StoreUnavailableError, match=f"127.0.0.1:{port}/{SERVICE}"):
            await store.check()


@pytest.mark.soak
@pytest.mark.parametrize("kind", STORES)
async def test_given_sentinels_when_asked_for_another_name_then_the_error_says_which_names_they_know(kind: str) -> None:
    with Watched(kind).start() as watched:
        async with opened(watched.url, "replicated") as store:
            await store.check()
        async with opened(watched.url.replace(SERVICE, "other")) as store:
            with pytest.raises(StoreUnavailableError, match="SENTINEL MASTERS"):
                await store.check()


async def test_given_a_cluster_when_watched_then_the_worst_of_its_nodes_counts(shards: Shards) -> None:
    """One has little room left; another one's fsync is switched off while it serves, and is named."""
    first, second = shards.stores[:2]
    async with opened(shards.url) as store:
        watching = StoreWatch(store.clients.requests, "durable", nodes=store.nodes, with_channels=lambda: PARTITIONS)
        first.command("CONFIG", "SET", "maxmemory", "50mb")
        try:
            await watching.look()
            well = [REGISTRY.get_sample_value(f"holdfast_store_{name}") for name in ("up", "durable")]
            second.command("CONFIG", "SET", "appendfsync", "everysec")
            with capture_logs() as logs:
                await watching.look()
        finally:
            first.command("CONFIG", "SET", "maxmemory", "0")
            second.command("CONFIG", "SET", "appendfsync", "always")

    assert well == [1, 1]
    assert REGISTRY.get_sample_value("holdfast_store_memory_limit_bytes") == 50 * 2**20
    assert REGISTRY.get_sample_value("holdfast_store_durable") == 0
    assert REGISTRY.get_sample_value("holdfast_publisher_missing_partitions") == len(PARTITIONS)
    assert [problem.partition(": ")[0] for problem in logs[0]["problems"]] == [f"127.0.0.1:{second.port}"]
