"""`holdfast backup` and `holdfast restore`: what they refuse, what a kill leaves, and that a backup is for its user."""

import json
import os
import shutil
import signal
import stat
import subprocess
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from server.store.backup.archive import Backup
from tests.support.launch import Process
from tests.support.processes import Server, good, holdfast, refused, start
from tests.support.stores import REDIS7, start_redis7, wait_until

Cli = Callable[..., "subprocess.CompletedProcess[str]"]
pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def run(tmp_path: Path) -> Cli:
    def command(*words: str | Path, **settings: str) -> "subprocess.CompletedProcess[str]":
        return holdfast(*words, cwd=tmp_path, **settings)

    return command


@pytest.fixture
def stocked(tmp_path: Path, run: Cli) -> Path:
    """A data directory with some stock."""
    rows = "".join(f"SKU-{number},{number}\n" for number in range(300))
    (tmp_path / "stock.csv").write_text(f"sku,on_hand\n{rows}")
    good(run("import", "stock.csv", "--yes", "--data-dir", "data"))
    return tmp_path / "data"


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_given_a_backup_then_only_its_user_can_read_it_and_nothing_is_overwritten(
    run: Cli, stocked: Path, tmp_path: Path, name: str
) -> None:
    good(run("backup", name, "--data-dir", stocked))

    made = tmp_path / name
    files = [made, *made.iterdir()] if made.is_dir() else [made]
    assert [stat.S_IMODE(each.stat().st_mode) & 0o077 for each in files] == [0] * len(files)
    assert "never overwritten" in refused(run("backup", name, "--data-dir", stocked))
    assert not list(tmp_path.glob("*.partial*"))
    good(run("backup", name, "--check"))
    assert json.loads(good(run("backup", name, "--check", "--json")))["partitions"]["default"]["places"] == 300


def test_given_an_empty_folder_then_the_backup_goes_there(run: Cli, stocked: Path, tmp_path: Path) -> None:
    (tmp_path / "backup").mkdir()

    good(run("backup", "backup", "--data-dir", stocked))

    assert Backup(tmp_path / "backup").manifest.version == 1


def test_given_a_store_that_is_not_empty_then_nothing_is_restored(run: Cli, stocked: Path) -> None:
    good(run("backup", "backup", "--data-dir", stocked))

    assert "not empty" in refused(run("restore", "backup", "--data-dir", stocked))
    assert "SKU-7" in good(run("show", "SKU-7", "--data-dir", stocked))
    assert "never restored" in refused(run("restore", "--release", "--data-dir", stocked))


def test_given_a_server_on_the_data_directory_then_nothing_is_restored(run: Cli, stocked: Path, tmp_path: Path) -> None:
    good(run("backup", "backup", "--data-dir", stocked))

    with Server(cwd=tmp_path):
        assert "in use by a running Holdfast" in refused(run("restore", "backup", "--data-dir", ".holdfast"))


@pytest.mark.parametrize("name", ["backup", "backup.tar"])
def test_given_one_changed_byte_then_nothing_is_written(run: Cli, stocked: Path, tmp_path: Path, name: str) -> None:
    good(run("backup", name, "--data-dir", stocked))
    damaged = tmp_path / name / "store-1.mpk.gz" if (tmp_path / name).is_dir() else tmp_path / name
    content = bytearray(damaged.read_bytes())
    place = content.find(b"\x1f\x8b", content.find(b"store-1.mpk.gz") if damaged.suffix == ".tar" else 0) + 40
    content[place] ^= 1
    damaged.write_bytes(content)

    assert "checksum" in refused(run("restore", name, "--data-dir", "new"))
    assert "checksum" in refused(run("backup", name, "--check"))
    assert not (tmp_path / "new").exists()


def test_given_a_manifest_of_a_later_version_or_one_that_was_changed_then_it_is_refused(
    run: Cli, stocked: Path, tmp_path: Path
) -> None:
    good(run("backup", "backup", "--data-dir", stocked))
    manifest = tmp_path / "backup" / "manifest.json"
    said = json.loads(manifest.read_text())

    manifest.write_text(json.dumps({**said, "version": 2}))
    assert "newer one" in refused(run("restore", "backup", "--data-dir", "new"))
    manifest.write_text(json.dumps({**said, "taken_at": "2020-01-01T00:00:00Z"}))
    assert "was changed" in refused(run("restore", "backup", "--data-dir", "new"))
    manifest.unlink()
    assert "no backup, or not a whole one" in refused(run("restore", "backup", "--data-dir", "new"))


def test_given_no_backup_or_one_beside_the_release_then_it_is_refused(run: Cli) -> None:
    assert run("restore").returncode == 2
    assert run("restore", "backup", "--release").returncode == 2


def _killed_in_the_middle(process: Process, data_dir: Path) -> bool:
    """Kill a restore once it has begun to write; whether that was before its end."""
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        incremental = list((data_dir / "appendonlydir").glob("*.incr.aof"))
        if incremental and incremental[0].stat().st_size > 20_000:
            process.kill()
            break
        time.sleep(0.0005)
    return process.wait(60) == -signal.SIGKILL


def test_given_a_restore_that_was_killed_then_the_store_says_so_and_serves_nobody_until_it_is_done_again(
    run: Cli, tmp_path: Path
) -> None:
    rows = "".join(f"SKU-{number},{number}\n" for number in range(20_000))
    (tmp_path / "stock.csv").write_text(f"sku,on_hand\n{rows}")
    good(run("import", "stock.csv", "--yes", "--data-dir", "data"))
    good(run("backup", "backup.tar", "--data-dir", "data"))
    was_killed = False
    for _ in range(5):
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        with start("restore", "backup.tar", "--data-dir", "new", cwd=tmp_path) as process:
            was_killed = _killed_in_the_middle(process, tmp_path / "new")
        os.kill(int((tmp_path / "new" / "store.pid").read_text()), signal.SIGKILL) if was_killed else None
        if was_killed:
            break
    assert was_killed

    for words in (["serve", "--port", "0"], ["serve", "--port", "0", "--workers", "2"], ["verify"], ["show", "SKU-7"],
                  ["backup", "other"], ["status"]):  # fmt: skip
        said = run(*words, "--data-dir", "new")
        assert said.returncode in (1, 2), words
        assert "restore was interrupted" in said.stderr, (words, said.stderr)
    assert "interrupted" in refused(run("restore", "--release", "--data-dir", "new"))
    wait_until(
        lambda: "less than half a minute" not in run("restore", "backup.tar", "--data-dir", "new").stderr, "again", 60
    )
    assert "20,000 stock records" in good(run("verify", "--data-dir", "new"))
    good(run("restore", "--release", "--data-dir", "new"))


def test_given_a_store_of_its_own_then_its_backup_fills_another_product(
    run: Cli, stocked: Path, tmp_path: Path
) -> None:
    """From the embedded Valkey to Redis 7.0 by URL, and from there back."""
    assert REDIS7.exists()
    good(run("backup", "from-valkey.tar", "--data-dir", stocked))
    with start_redis7(settings={"repl-diskless-sync-delay": "0"}) as store:
        good(run("restore", "from-valkey.tar", "--store-url", store.url, "--without-documents"))
        assert "clean" in good(run("verify", "--all", "--store-url", store.url))
        good(run("backup", "from-redis.tar", "--store-url", store.url))
        assert "not empty" in refused(run("restore", "from-redis.tar", "--store-url", store.url))
    good(run("restore", "from-redis.tar", "--data-dir", "back"))
    assert "300 stock records" in good(run("verify", "--data-dir", "back"))
    with tarfile.open(tmp_path / "from-redis.tar") as tar:
        assert tar.getnames() == ["store-1.mpk.gz", "manifest.json"]


def test_given_documents_and_no_database_for_them_then_the_restore_says_what_to_do(run: Cli, stocked: Path) -> None:
    good(run("backup", "backup", "--data-dir", stocked))
    with start_redis7() as store:
        said = refused(run("restore", "backup", "--store-url", store.url))

        assert "HOLDFAST_DOCUMENTS_URL" in said
        assert "--without-documents" in said
        assert store.command("DBSIZE") == 0
