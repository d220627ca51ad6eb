"""Fixtures on real stores: one server of each kind for a whole run, a partition of its own for each test.

A test that only uses the ledger asks for ``ledger`` and runs on Valkey and on Redis 7.0. A test that stops, fills or
restarts a store asks for ``own_store``.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final

import msgspec
import pytest
import uvloop
from redis.asyncio import Redis

from adapters.testing.waiting import DEADLINE_S, wait_until
from server.domain.locations import Location
from server.store.connection import connect
from server.store.keys import PARTITIONS, ChannelKeys, Keyspace, SourceKeys
from server.store.ledger.batcher import Batcher, close_quietly
from server.store.ledger.ledger import EXPIRE_BATCH_MAX, Ledger, Retention
from server.store.repositories.locations import LocationStore
from tests.support import longest_scripts
from tests.support.stores import REDIS7, StoreProcess, start_redis7, start_valkey

__all__ = ["DEADLINE_S", "wait_until"]

DAY_S: Final = 86_400
RETENTION: Final = Retention(life_max_s=7 * DAY_S, idempotency_s=DAY_S, ended_s=7 * DAY_S, fulfilled_s=90 * DAY_S)
_KNOWN_OUTSIDE: Final = {PARTITIONS, "hf:apikeys", "hf:apikeys:used"}
_numbers = count(1)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run the tests on the event loop that serves in production."""
    return {"uvloop": uvloop.new_event_loop}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report how far the model-based test went, over all workers, and the longest scripts."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    runs = [value for report in reports for name, value in report.user_properties if name == "model_run"]
    if runs:
        steps, operations, mismatches = map(sum, zip(*runs, strict=True))
        line = f"model-based test: {steps} steps, {operations} operations, {mismatches} mismatches"
        terminalreporter.write_line(line, bold=True)
    terminalreporter.write_line(longest_scripts.summary())


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the longest scripts of a worker over."""
    output: dict[str, object] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["longest_us"] = longest_scripts.longest_us


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take the longest scripts of a worker over."""
    longest_scripts.merge(getattr(node, "workeroutput", {}).get("longest_us", {}))


async def now_ms(client: Redis) -> int:
    """Read the store's clock."""
    seconds, microseconds = await client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def wait_past(client: Redis, deadline_ms: int) -> None:
    """Wait until a deadline has passed on the store's clock."""

    async def passed() -> bool:
        return await now_ms(client) >= deadline_ms

    await wait_until(passed, "the deadline has passed")


def _start_redis7(**options: Any) -> StoreProcess:
    if not REDIS7.exists() and os.environ.get("CI") == "true":
        pytest.fail("Redis 7.0 must be tested too: apt-get install redis-server")
    return start_redis7(**options)


START: Final[Mapping[str, Callable[..., StoreProcess]]] = {"valkey": start_valkey, "redis7": _start_redis7}
"""How each kind of store is started; where Redis is missing, CI fails and others skip."""


@pytest.fixture(scope="session", params=START)
def store(request: pytest.FixtureRequest) -> Iterator[StoreProcess]:
    """Share a running store; its data need not survive, so it does not wait for a disk."""
    with START[request.param](appendonly="no") as process:
        yield process


_ONE: Final = ["valkey", pytest.param("redis7", marks=pytest.mark.soak)]
ON_ONE_STORE: Final = pytest.mark.parametrize("store", _ONE, indirect=True)
"""For what takes long and hardly depends on the kind of store: both in the soak."""
ON_ONE_OWN_STORE: Final = pytest.mark.parametrize("own_store", _ONE, indirect=True)
"""The same for a test that has a store of its own."""


@pytest.fixture(params=START)
def own_store(request: pytest.FixtureRequest) -> Iterator[StoreProcess]:
    """Start a store that the test may stop, fill or restart; it keeps what it acknowledged."""
    with START[request.param]() as process:
        yield process


@pytest.fixture
def partition() -> str:
    """Name a partition that no other test uses."""
    return f"test-{next(_numbers)}"


@pytest.fixture
async def client(store: StoreProcess) -> AsyncIterator[Redis]:
    """Open a client; afterwards every key must be one that Holdfast declares, and the store is emptied."""
    async with StoreClient(store) as client:
        yield client
        stray = await stray_keys(client)
        await client.flushdb()
    assert not stray, f"undeclared keys that never end: {stray}"


class StoreClient:
    """A client of a store, closed with its pool."""

    def __init__(self, store: StoreProcess) -> None:
        self._pool = connect.connection_pool(store.url)

    async def open(self) -> Redis:
        return connect.client(self._pool)

    async def close(self) -> None:
        await self._pool.aclose()

    async def __aenter__(self) -> Redis:
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def stray_keys(client: Redis) -> list[str]:
    """List the keys that are neither declared nor carry a TTL."""
    stray = []
    async for key in client.scan_iter(count=1000):
        name = key.decode()
        tag = name[len("hf:{") : name.find("}")]
        keyspace = Keyspace(tag)
        channel = name.removeprefix(f"hf:{{{tag}}}:channel:").rpartition(":")[0]
        declared = name in {
            *_KNOWN_OUTSIDE,
            *keyspace.reserving,
            *keyspace.noting,
            *keyspace.transferring,
            *keyspace.supplying,
            *keyspace.safeguarding,
            keyspace.barcodes,
            keyspace.locations,
            keyspace.names,
            keyspace.likeness,
            keyspace.secrets,
            keyspace.erased_orders,
            keyspace.order_channels,
            keyspace.imports,
            keyspace.imports_before,
            keyspace.files,
            *keyspace.publishing,
            *keyspace.insight,
            *ChannelKeys(keyspace, channel).all,
            *ChannelKeys(keyspace, channel).ordering,
            *SourceKeys(keyspace, name.removeprefix(f"hf:{{{tag}}}:source:").rpartition(":")[0]).all,
        }
        if not declared and (not name.startswith("hf:") or await client.ttl(name) < 0):
            stray.append(name)
    return stray


async def close_locations(client: Redis, ledger: Ledger, *names: str) -> None:
    """Register locations as closed."""
    locations = LocationStore(client, ledger.keyspace, RETENTION.packed())
    await locations.put([Location(name, open=False) for name in names], "tester")


def make_batcher(store: StoreProcess | str, **settings: Any) -> Batcher:
    """Make a batcher with generous bounds, so that a test sets only the one that it is about."""
    url = store if isinstance(store, str) else store.url
    pool = connect.connection_pool(url)
    bounds: dict[str, Any] = {
        "operations_max": 128,
        "lines_max": 256,
        "queue_max": 2048,
        "queue_timeout_s": 10.0,
        "reply_timeout_s": 10.0,
    }
    return Batcher(pool.make_connection, **{**bounds, **settings})


@pytest.fixture
async def open_batcher() -> AsyncIterator[Callable[..., Batcher]]:
    """Return a function that makes and starts batchers, which are closed after the test."""
    started: list[Batcher] = []

    def start(store: StoreProcess | str, **settings: Any) -> Batcher:
        batcher = make_batcher(store, **settings)
        batcher.start()
        started.append(batcher)
        return batcher

    yield start
    for batcher in started:
        await close_quietly(batcher, timeout_s=2.0)


@pytest.fixture
async def batcher(
    client: Redis,  # noqa: ARG001  # it checks the keys afterwards
    store: StoreProcess,
    open_batcher: Callable[..., Batcher],
) -> Batcher:
    """Start a batcher on the shared store."""
    return open_batcher(store)


@pytest.fixture
def make_ledger(batcher: Batcher, partition: str) -> Callable[..., Ledger]:
    """Return a function that makes a ledger of this test's partition; arguments replace those of RETENTION."""

    def make(batcher: Batcher = batcher, partition: str = partition, **retention: int) -> Ledger:
        kept = {name: getattr(RETENTION, name) for name in Retention.__slots__} | retention
        return Ledger(batcher, Keyspace(partition), Retention(**kept))

    return make


@pytest.fixture
def ledger(make_ledger: Callable[..., Ledger]) -> Ledger:
    """Open the ledger of this test's partition."""
    return make_ledger()


@pytest.fixture
def limits_with() -> Callable[..., bytes]:
    """Return a function that packs a script's first argument; arguments replace those of RETENTION."""

    def pack(expire_max: int = EXPIRE_BATCH_MAX, **retention: int) -> bytes:
        kept = {name: getattr(RETENTION, name) for name in Retention.__slots__} | retention
        limits = msgspec.msgpack.decode(Retention(**kept).packed())
        return msgspec.msgpack.encode([expire_max, *limits[1:]])

    return pack
