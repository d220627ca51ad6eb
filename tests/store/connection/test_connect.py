"""Connecting to real stores: by every scheme, exactly once, and with settings that keep the guarantees."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from server.store.connection import connect
from server.store.connection.clients import Durability
from server.store.connection.required_settings import check_settings
from server.store.errors import StoreMisconfiguredError, StoreUnavailableError, StoreUrlError
from tests.support.stores import StoreProcess, free_port, make_certificates, start_redis7, start_valkey, wait_until

Start = Callable[..., StoreProcess]


@pytest.fixture(params=[start_valkey, start_redis7], ids=["valkey", "redis7"])
def start(request: pytest.FixtureRequest) -> Start:
    chosen: Start = request.param
    return chosen


@pytest.fixture(scope="module")
def tls_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    certificates = make_certificates(tmp_path_factory.mktemp("tls"))
    with start_redis7(tls=certificates, requirepass="s3cret") as store:  # the wheel's Valkey is built without TLS
        yield store


@asynccontextmanager
async def client(url: str) -> AsyncIterator[Any]:
    pool = connect.connection_pool(url)
    try:
        yield connect.client(pool)
    finally:
        await pool.aclose()


async def check(url: str, durability: Durability = "durable") -> None:
    async with client(url) as store:
        await check_settings(store, durability)


async def problems(url: str, durability: Durability = "durable") -> list[str]:
    with pytest.raises(StoreMisconfiguredError) as caught:
        await check(url, durability)
    return caught.value.problems


# URLs


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://host", "redis://, rediss://, unix://"),
        ("redis+sentinel://host", "redis+sentinel://"),
        ("localhost:6379", "redis://, rediss://, unix://"),
        ("", "no scheme"),
        ("redis://", "no host"),
        ("unix://", "no socket"),
        ("redis://host/stock", "number of a database"),
        ("redis://user:p4ss/word@host:6379/0", "%2F"),
        ("redis://user:p4ss#word@host:6379/0", "#"),
        ("redis://user:p4ssword@host:port", "port"),
        ("redis://host?retry_on_timeout=yes", "'retry_on_timeout'"),
        ("redis://host?socket_timeout=1", "'socket_timeout'"),
        ("redis://host?protocol=3", "'protocol'"),
        ("redis://host?decode_responses=yes", "'decode_responses'"),
        ("redis://host?db=first", "cannot be read"),
    ],
)
def test_given_an_unusable_url_when_a_pool_is_made_then_the_error_says_what_and_never_the_password(
    url: str, message: str
) -> None:
    with pytest.raises(StoreUrlError) as caught:
        connect.connection_pool(url)
    assert message in str(caught.value)
    assert "p4ss" not in str(caught.value)


# exactly once


@asynccontextmanager
async def losing_server(lost: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve as a store that takes commands, answers none that contains ``lost``, and hangs up instead."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            if lost in data:
                seen.append(data)
                break
            writer.write(b"+OK\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"redis://127.0.0.1:{port}/0", seen


async def test_given_a_lost_reply_when_the_client_sent_a_write_then_it_was_sent_once() -> None:
    async with losing_server(b"INCR") as (url, seen), client(url) as store:
        with pytest.raises(RedisConnectionError):
            await store.incr("units")
        assert len(seen) == 1


async def test_given_a_lost_reply_when_a_made_connection_sent_a_write_then_it_was_sent_once() -> None:
    async with losing_server(b"INCR") as (url, seen):
        pool: Any = connect.connection_pool(url)
        connection = pool.make_connection()
        await connection.connect()
        await connection.send_packed_command(b"*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n", check_health=False)
        with pytest.raises(RedisConnectionError):
            await connection.read_response(disable_decoding=True)
        assert len(seen) == 1
        assert not connection.is_connected


async def test_given_a_real_store_when_a_made_connection_pipelines_then_answers_come_as_bytes_in_order(
    start: Start,
) -> None:
    with start() as store:
        pool: Any = connect.connection_pool(store.url)
        connection = pool.make_connection()
        await connection.connect()
        await connection.send_packed_command(
            b"*1\r\n$4\r\nPING\r\n*2\r\n$4\r\nECHO\r\n$1\r\n\xff\r\n", check_health=False
        )
        assert await connection.read_response(disable_decoding=True) == b"PONG"
        assert await connection.read_response(disable_decoding=True) == b"\xff"
        assert b"name=holdfast" in store.command("CLIENT", "LIST", "TYPE", "normal")
        await connection.disconnect()


async def test_given_300_concurrent_reads_when_the_client_serves_them_then_none_fails() -> None:
    with start_valkey() as store:
        async with client(store.url) as reader:
            await reader.set("sku", "7")
            assert await asyncio.gather(*[reader.get("sku") for _ in range(300)]) == [b"7"] * 300


# failing to connect


async def unavailable(url: str) -> str:
    with pytest.raises(StoreUnavailableError) as caught:
        await check(url)
    assert "s3cret" not in str(caught.value)
    return str(caught.value)


async def test_given_no_server_at_the_address_when_checked_then_it_says_cannot_be_reached() -> None:
    assert "cannot be reached" in await unavailable("redis://127.0.0.1:1/0")


async def test_given_no_socket_when_checked_then_it_says_so() -> None:
    assert "no such socket" in await unavailable("unix:///nonexistent/s.sock")


async def test_given_a_host_that_does_not_resolve_when_checked_then_it_names_the_dns() -> None:
    assert "cannot be resolved" in await unavailable("redis://store.invalid:6379/0")


async def test_given_a_password_when_it_is_missing_wrong_or_needless_then_each_is_reported_as_such(
    start: Start,
) -> None:
    with start(tcp=True, requirepass="right") as store:
        address = f"127.0.0.1:{store.port}"
        assert "asks for a password" in await unavailable(f"redis://{address}")
        assert "refuses this user and password" in await unavailable(f"redis://:s3cret@{address}")
        await check(f"redis://:right@{address}")
    with start(tcp=True) as store:
        assert "asks for no password" in await unavailable(f"redis://:s3cret@127.0.0.1:{store.port}")


async def test_given_an_acl_user_when_the_url_names_it_then_it_connects(start: Start) -> None:
    with start(tcp=True, acl_users=["default off", "shop on >p%40ss ~* +@all"]) as store:
        await check(f"redis://shop:p%2540ss@127.0.0.1:{store.port}/0")


async def test_given_tls_when_the_authority_is_named_then_it_connects(tls_store: StoreProcess) -> None:
    await check(tls_store.url.replace("rediss://", "rediss://:s3cret@"))


async def test_given_tls_when_the_authority_is_not_named_then_the_certificate_is_refused(
    tls_store: StoreProcess,
) -> None:
    assert "ssl_ca_certs" in await unavailable(f"rediss://:s3cret@127.0.0.1:{tls_store.port}")


async def test_given_a_plain_port_when_tls_is_asked_then_it_says_no_tls(tls_store: StoreProcess) -> None:
    with start_valkey(tcp=True) as store:
        assert "TLS" in await unavailable(f"rediss://:s3cret@127.0.0.1:{store.port}")
    assert "TLS (rediss://)" in await unavailable(f"redis://:s3cret@127.0.0.1:{tls_store.port}")


# settings


async def test_given_right_settings_when_checked_then_it_passes(start: Start) -> None:
    with start() as store:
        await check(store.url, "durable")
        await check(store.url, "fast")


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("maxmemory-policy", "allkeys-lru"),
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("no-appendfsync-on-rewrite", "yes"),
        ("aof-load-truncated", "no"),
    ],
)
async def test_given_one_wrong_setting_when_checked_then_only_it_is_reported_with_the_command_that_corrects_it(
    start: Start, name: str, wrong: str
) -> None:
    with start(settings={name: wrong}) as store:
        (problem,) = await problems(store.url)
        assert f"{name} is {wrong}" in problem
        command = problem.partition("Run: ")[2].partition(" (")[0]
        store.command(*command.split())
        if name == "appendonly":  # the file is written in the background first
            wait_until(lambda: b"aof_rewrite_in_progress:0" in store_info(store), "the first AOF is written")
        await check(store.url)


def store_info(store: StoreProcess) -> bytes:
    with store.admin() as admin:
        admin.set_response_callback("INFO", lambda answer, **_: answer)
        return bytes(admin.execute_command("INFO", "persistence"))


async def test_given_several_wrong_settings_when_checked_then_every_one_is_reported() -> None:
    with start_valkey(appendonly="no", appendfsync="no", maxmemory_policy="volatile-ttl") as store:
        assert len(await problems(store.url)) == 3
        assert len(await problems(store.url, "fast")) == 3


async def test_given_everysec_when_durability_is_fast_then_it_passes(start: Start) -> None:
    with start(appendfsync="everysec") as store:
        await check(store.url, "fast")


async def test_given_no_replica_when_replicated_is_asked_then_both_needs_are_reported(start: Start) -> None:
    with start() as store:
        messages = await problems(store.url, "replicated")
        assert ["No replica" in messages[0], "min-replicas-to-write is 0" in messages[1]] == [True, True]


async def test_given_a_replica_when_replicated_is_asked_then_the_primary_passes_and_the_replica_does_not(
    start: Start,
) -> None:
    with (
        start(tcp=True, settings={"min-replicas-to-write": "1", "repl-diskless-sync-delay": "0"}) as primary,
        start(replicaof=primary) as replica,
    ):
        with replica.admin() as admin:
            wait_until(lambda: admin.info("replication")["master_link_status"] == "up", "the replica is in step")
        await check(primary.url, "replicated")
        (problem,) = await problems(replica.url)
        assert f"127.0.0.1:{primary.port}" in problem


async def test_given_a_store_that_hides_its_settings_when_checked_then_the_override_is_named(start: Start) -> None:
    with start(tcp=True, acl_users=["shop on >secret ~* +@all -config"]) as store:
        (problem,) = await problems(f"redis://shop:secret@127.0.0.1:{store.port}/0")
        assert "HOLDFAST_STORE_CHECK=false" in problem


async def test_given_a_store_without_the_config_command_when_checked_then_the_override_is_named() -> None:
    with start_redis7(settings={"rename-command": 'CONFIG ""'}) as store:
        (problem,) = await problems(store.url)
        assert "HOLDFAST_STORE_CHECK=false" in problem


async def test_given_a_cluster_node_when_checked_then_it_is_refused(start: Start) -> None:
    with start(tcp=True, settings={"cluster-enabled": "yes", "cluster-port": str(free_port())}) as store:
        assert "cluster-enabled no" in (await problems(store.url))[0]
