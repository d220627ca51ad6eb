"""A backup of a cluster and of a primary behind sentinels: all partitions, wherever they lie, restored anywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from server.store.audit.audit import audit
from server.store.backup.archive import Backup
from server.store.backup.restoring import restore
from server.store.backup.taking import take
from server.store.command_session import OpenStore, open_store
from server.store.keys import Keyspace
from tests.conftest import RETENTION
from tests.support.cluster_stores import Shards, Watched
from tests.support.operations import receive, reserve
from tests.support.stores import start_valkey

PARTITIONS = ("default", "merchant-b", "merchant-c", "merchant-d", "merchant-e", "merchant-f")
pytestmark = pytest.mark.timeout(240)


@asynccontextmanager
async def opened(url: str, tmp_path: Path, *, to_restore: bool = False) -> AsyncIterator[OpenStore]:
    async with open_store(
        store_url=url, data_dir=tmp_path, durability="durable", retention=RETENTION, check=False, to_restore=to_restore
    ) as store:
        yield store


async def filled(store: OpenStore) -> None:
    for number, partition in enumerate(PARTITIONS, 1):
        ledger = store.ledger(partition)
        await ledger.run(receive("A", 10 * number))
        await ledger.run(reserve(f"r-{partition}", ("A", number)))


async def held(store: OpenStore) -> dict[str, tuple[int, int]]:
    return {name: (each.on_hand, each.held) for name in PARTITIONS async for each in store.levels(name)}


@pytest.mark.parametrize("kind", ["valkey", "redis7"])
async def test_a_backup_of_a_cluster_fills_one_server_and_the_other_way_round(kind: str, tmp_path: Path) -> None:
    with Shards(kind).start() as source, Shards(kind).start() as target, start_valkey() as single:
        async with opened(source.url, tmp_path) as store:
            await filled(store)
            before = await held(store)
            await take(tmp_path / "first", await store.servers(), None)
        first = Backup(tmp_path / "first")
        assert set(first.manifest.partitions) == set(PARTITIONS)
        assert len(first.manifest.store_files) == 3
        async with opened(single.url, tmp_path, to_restore=True) as store:
            await restore(first, store.client, None)
            assert await held(store) == before
            await take(tmp_path / "second", await store.servers(), None)
        async with opened(target.url, tmp_path, to_restore=True) as store:
            await restore(Backup(tmp_path / "second"), store.client, None)

            assert await held(store) == before
            for partition in PARTITIONS:
                report = await audit(store.client, Keyspace(partition))
                assert (report.conclusive, report.drift_count) == (True, 0)


async def test_a_backup_behind_sentinels_is_that_of_the_primary_and_counts_as_no_replica(tmp_path: Path) -> None:
    with Watched("valkey").start() as watched:
        async with opened(watched.url, tmp_path) as store:
            await filled(store)
            before = await held(store)
            online = watched.online_replicas(watched.primary)

            await take(tmp_path / "backup", await store.servers(), None)

            assert watched.online_replicas(watched.primary) == online
        with start_valkey() as single:
            async with opened(single.url, tmp_path, to_restore=True) as store:
                await restore(Backup(tmp_path / "backup"), store.client, None)
                assert await held(store) == before
