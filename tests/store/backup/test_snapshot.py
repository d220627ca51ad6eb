"""A snapshot of each store has what it has, in whatever form that is kept, and fills each store with the same."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server.store.backup.archive import Backup
from server.store.backup.rdb_values import Pieces, SnapshotError, listpack, unpacked
from server.store.backup.replication import receive_snapshot
from server.store.backup.restoring import restore
from server.store.backup.snapshot import Snapshot
from server.store.backup.taking import take
from server.store.connection.connect import client, connection_pool
from tests.support.stores import StoreProcess, start_redis7, start_valkey

STARTS: dict[str, Callable[..., StoreProcess]] = {"valkey": start_valkey, "redis7": start_redis7}
SETTINGS = {"enable-debug-command": "yes", "repl-diskless-sync-delay": "0"}
PLAIN = {
    "hash-max-listpack-entries": "0", "zset-max-listpack-entries": "0", "set-max-intset-entries": "0",
    "list-max-listpack-size": "1", "stream-node-max-entries": "3", "rdbcompression": "no",
}  # fmt: skip
"""Settings with which a store keeps even small values in the form of large ones."""


def started(product: str, **settings: str) -> StoreProcess:
    return STARTS[product](settings=SETTINGS | settings, appendfsync="everysec")


@pytest.fixture(params=STARTS)
def source(request: pytest.FixtureRequest) -> Iterator[StoreProcess]:
    with started(request.param) as store:
        yield store


@pytest.fixture(params=STARTS)
def target(request: pytest.FixtureRequest) -> Iterator[StoreProcess]:
    with started(request.param) as store:
        yield store


async def taken(store: StoreProcess, path: Path) -> Backup:
    pool = connection_pool(store.url)
    try:
        await take(path, [client(pool)], None)
    finally:
        await pool.aclose()
    return Backup(path)


async def restored(backup: Backup, store: StoreProcess) -> None:
    pool = connection_pool(store.url)
    try:
        await restore(backup, client(pool), None)
    finally:
        await pool.aclose()


def value(chance: random.Random) -> bytes:
    kind = chance.randrange(6)
    if kind == 0:
        return str(chance.randrange(-(2 ** chance.choice((3, 7, 12, 13, 15, 16, 23, 24, 31, 32, 62))), 2**62)).encode()
    if kind == 1:
        return bytes([chance.randrange(256)]) * chance.choice((0, 1, 21, 63, 64, 300, 5_000, 70_000))
    if kind == 2:  # repeats with gaps: what compression finds
        return b"".join(chance.choice((b"holdfast", b"stock", b"-")) for _ in range(chance.randrange(400)))
    return chance.randbytes(chance.choice((1, 3, 20, 21, 62, 127, 128, 4_100)))


def filled(store: StoreProcess, seed: int, size: int) -> None:
    """Write random values of every type under keys of ours, and what is none of ours beside them."""
    chance = random.Random(seed)
    with store.admin() as admin:
        for number in range(4):
            name = f"hf:{{p}}:{number}:"
            admin.set(name + "string", value(chance))
            admin.hset(name + "hash", mapping={value(chance): value(chance) for _ in range(size)})
            admin.sadd(name + "set", *(value(chance) for _ in range(size)))
            admin.sadd(name + "ints", *(chance.randrange(-(2 ** (8 * number + 7)), 2**15) for _ in range(size)))
            admin.rpush(name + "list", *(value(chance) for _ in range(size)))
            scores = [chance.choice((0.1, -7.0, 1.5e300, 1796069887742.0, chance.random())) for _ in range(size)]
            admin.zadd(name + "zset", {value(chance): score for score in scores})
            ids = [
                admin.xadd(
                    name + "journal",
                    {b"e": value(chance)} if chance.random() < 0.8 else {b"x": b"1", b"y": value(chance)},
                )
                for _ in range(size)
            ]
            admin.xdel(name + "journal", *ids[::3])
        admin.xtrim("hf:{p}:3:journal", maxlen=0)
        admin.pexpireat("hf:{p}:0:string", int(time.time() * 1000) + 3_600_000)
        admin.hset("somebody:else", mapping={"a": "b"})
        admin.hset("hf:session:abc", mapping={"a": "b"})


def content(store: StoreProcess) -> dict[bytes, Any]:
    """Return what each key of ours holds, as the store itself sums it up, and all that a stream knows beside."""
    with store.admin() as admin:
        found = {}
        for key in admin.scan_iter("hf:{*"):
            stream = admin.xinfo_stream(key) if admin.type(key) == b"stream" else {}
            ends = [
                stream.get(name) for name in ("last-generated-id", "entries-added", "max-deleted-entry-id", "length")
            ]
            # The products sum up scores in different texts.
            is_scored = admin.type(key) == b"zset"
            held = (
                admin.zrange(key, 0, -1, withscores=True)
                if is_scored
                else admin.execute_command("DEBUG", "DIGEST-VALUE", key)
            )
            found[key] = (held, admin.pexpiretime(key), ends)
        return found


@pytest.mark.parametrize("size", [1, 30, 1_500])
async def test_given_any_values_when_restored_elsewhere_then_each_key_holds_the_same(
    source: StoreProcess, target: StoreProcess, size: int, tmp_path: Path
) -> None:
    filled(source, seed=size, size=size)

    await restored(await taken(source, tmp_path / "backup"), target)

    here, there = content(source), content(target)
    there.pop(b"hf:{p}:meta")  # what the restore itself notes
    assert there == here
    assert target.command("EXISTS", "somebody:else", "hf:session:abc") == 0


@pytest.mark.parametrize("product", STARTS)
async def test_given_a_store_that_keeps_all_in_its_large_forms_then_each_key_holds_the_same(
    product: str, target: StoreProcess, tmp_path: Path
) -> None:
    with started(product, **PLAIN) as source:
        filled(source, seed=7, size=40)

        await restored(await taken(source, tmp_path / "backup"), target)

        there = content(target)
        there.pop(b"hf:{p}:meta")
        assert there == content(source)


async def test_given_another_database_of_the_server_then_it_is_no_part_of_the_backup(
    source: StoreProcess, tmp_path: Path
) -> None:
    with source.admin() as admin:
        admin.select(1)
        admin.set("hf:{other}:x", "1")
    source.command("SET", "hf:{p}:x", "1")

    backup = await taken(source, tmp_path / "backup")

    assert set(backup.manifest.partitions) == {"p"}


async def test_given_consumer_groups_in_a_stream_of_ours_then_no_backup_is_made(
    source: StoreProcess, tmp_path: Path
) -> None:
    source.command("XGROUP", "CREATE", "hf:{p}:journal", "somebody", "$", "MKSTREAM")

    with pytest.raises(Exception, match="consumer groups"):
        await taken(source, tmp_path / "backup")

    assert list(tmp_path.iterdir()) == []


async def test_given_a_user_who_may_not_copy_then_the_message_names_the_commands(tmp_path: Path) -> None:
    user = "backup on >secret ~* +@all -psync"
    with start_redis7(tcp=True, acl_users=[user]) as store:
        pool = connection_pool(f"redis://backup:secret@127.0.0.1:{store.port}/0")
        with pytest.raises(Exception, match="PSYNC and REPLCONF"):
            await take(tmp_path / "backup", [client(pool)], None)
        await pool.aclose()


async def test_given_a_snapshot_that_was_cut_off_or_changed_anywhere_then_no_other_error_than_its_own_comes(
    source: StoreProcess, tmp_path: Path
) -> None:
    filled(source, seed=3, size=2)
    pool = connection_pool(source.url)
    await receive_snapshot(client(pool), tmp_path / "snapshot", lambda _: None)
    await pool.aclose()
    whole = (tmp_path / "snapshot").read_bytes()
    assert list(Snapshot(whole, 0).records())

    for at in range(0, len(whole), max(1, len(whole) // 300)):
        with pytest.raises(SnapshotError):
            list(Snapshot(whole[:at], 0).records())
        changed = bytearray(whole)
        changed[at] ^= 0x5A
        with contextlib.suppress(SnapshotError):
            list(Snapshot(bytes(changed), 0).records())


def test_given_damaged_pieces_then_they_are_refused() -> None:
    for packed, size in ((b"\xff", 5), (b"\x20\xff", 3), (b"\x05abc", 6), (b"", 1)):
        with pytest.raises(SnapshotError):
            unpacked(packed, size)
    with pytest.raises(SnapshotError):
        list(listpack(b"\0\0\0\0\0\0\xf9\xff"))
    with pytest.raises(SnapshotError):
        Pieces(b"\xc7").string()
