"""Connections of their own for requests, publisher and maintenance: whoever holds all of his, the others go on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from server.store.connection.clients import CONNECTIONS_MAX, Clients
from server.store.keys import Keyspace
from server.store.maintenance.housekeeping import Housekeeper
from server.store.repositories.publisher import PublisherStore
from server.store.topology import deployment
from tests.conftest import RETENTION, wait_until
from tests.support.cluster_stores import Shards, Watched
from tests.support.stores import start_redis7, start_valkey

READERS: Final = 64
NOBODY_WRITES: Final = "hf:{default}:nobody-writes-this"
PLACES: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "valkey": start_valkey,
    "redis7": start_redis7,
    "sentinels": lambda: Watched("valkey").start(),
    "cluster": lambda: Shards("valkey").start(),
}


@asynccontextmanager
async def readers(client: Redis, connections: int, watching: Redis) -> AsyncIterator[None]:
    """Have readers hold all of the connections that a client may open, and more wait for one."""
    tasks = [asyncio.create_task(_read(client)) for _ in range(READERS)]

    async def all_are_held() -> bool:
        return (await _blocked(watching)) == connections

    try:
        await wait_until(all_are_held, f"{connections} connections are held")
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(client: Redis) -> None:
    await client.execute_command("BLPOP", NOBODY_WRITES, 0)  # type: ignore[no-untyped-call]


async def _blocked(client: Redis) -> int:
    # Of the server that has the key: in a cluster the command goes where a key of the partition is.
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("EXISTS", NOBODY_WRITES)
        pipeline.execute_command("CLIENT", "LIST")
        listed: bytes = (await pipeline.execute())[1]
    return listed.count(b"cmd=blpop")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("busy", Clients._fields)
async def test_given_one_kind_of_work_that_holds_all_its_connections_then_the_others_go_on(
    place: str, busy: str
) -> None:
    with PLACES[place]() as store:
        opened = deployment(store.url)
        others = [each for each in Clients._fields if each != busy]
        keyspace = Keyspace("default")
        try:
            one, another = (getattr(opened.clients, name) for name in others)
            async with readers(getattr(opened.clients, busy), CONNECTIONS_MAX[busy], one):
                for client in (one, another):
                    lease = await PublisherStore(client, keyspace).acquire(f"{client}", 60_000)
                    await Housekeeper(client, lambda: ["default"], RETENTION, journal_retention_s=3600.0).sweep()
                    assert lease.token
        finally:
            await opened.close()
