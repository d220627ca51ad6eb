"""Files with stock, orders and keys are this user's alone, whatever was there before."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.store.embedded import EmbeddedStore
from server.store.embedded.files import DataDirectory
from server.store.embedded.private_files import private_file, tighten
from server.store.errors import DataDirectoryError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def write(path: Path, content: bytes) -> None:
    with private_file(path) as file:
        file.write(content)


@pytest.mark.usefixtures("umask")
@pytest.mark.parametrize("before", [None, 0o644, 0o666, 0o400])
def test_a_file_is_its_users_alone_whatever_was_there(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "report.csv"
    if before is not None:
        path.write_bytes(b"what was there")
        path.chmod(before)

    write(path, b"new")

    assert (mode(path), path.read_bytes()) == (0o600, b"new")
    assert list(tmp_path.iterdir()) == [path]


def test_who_has_the_former_file_open_does_not_read_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"old")
    with path.open("rb") as spy:
        write(path, b"secret")
        assert spy.read() == b"old"


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_is_not_followed(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "theirs", tmp_path / "report.csv"
    if there:
        target.write_bytes(b"theirs")
    link.symlink_to(target)

    with pytest.raises(OSError, match="symbolic link"):
        write(link, b"new")

    assert (target.read_bytes() if there else target.exists()) == (b"theirs" if there else False)


def test_a_device_is_written_as_it_is() -> None:
    write(Path("/dev/null"), b"new")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write(tmp_path, b"new")


def test_a_file_that_could_not_be_written_whole_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"old")

    def write_half() -> None:
        with private_file(path) as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_not_tightened(tmp_path: Path) -> None:
    target = tmp_path / "theirs"
    target.write_bytes(b"")
    target.chmod(0o644)
    (tmp_path / "link").symlink_to(target)

    tighten(tmp_path / "link")
    tighten(tmp_path / "missing")

    assert mode(target) == 0o644


@pytest.mark.usefixtures("umask")
async def test_a_data_directory_that_others_could_read_is_tightened(tmp_path: Path) -> None:
    path = tmp_path / "data"
    store = EmbeddedStore(path, durability="fast")
    await store.start()
    await store.stop()
    for name in ("documents.sqlite3", "documents.sqlite3-wal", "documents.sqlite3-shm"):
        (path / name).touch()  # beside the store, and no others' files
    loosened = [path, *path.rglob("*")]
    for each in loosened:
        each.chmod(0o777 if each.is_dir() else 0o666)

    await store.start()
    try:
        loose = [each for each in (path, *path.rglob("*")) if mode(each) & 0o077]
    finally:
        await store.stop()

    assert loose == []
    assert [each for each in (path, *path.rglob("*")) if mode(each) & 0o077] == []


async def test_a_directory_with_files_of_others_keeps_its_rights_and_ours_in_it_are_tightened(tmp_path: Path) -> None:
    path = tmp_path / "home"
    path.mkdir()
    path.chmod(0o755)
    (path / "notes.txt").write_text("mine")
    (path / "notes.txt").chmod(0o644)
    store = EmbeddedStore(path, durability="fast")

    await store.start()
    await store.stop()

    assert (mode(path), mode(path / "notes.txt")) == (0o755, 0o644)
    assert mode(path / "store.conf") == mode(path / "holdfast.lock") == 0o600


@pytest.mark.parametrize("name", ["holdfast.lock", "store.lock", "store.conf", "store.log"])
async def test_a_link_that_somebody_laid_in_the_data_directory_is_not_followed(tmp_path: Path, name: str) -> None:
    path, target = tmp_path / "data", tmp_path / "theirs"
    path.mkdir()
    target.write_bytes(b"theirs")
    (path / name).symlink_to(target)

    with pytest.raises(DataDirectoryError):
        await EmbeddedStore(path, durability="fast").start()

    assert target.read_bytes() == b"theirs"


@pytest.mark.parametrize("name", ["a[b]", "a*", "a?b", "a\\b", "a\\[b", "a b", "a'b\"c"])
async def test_a_directory_whose_name_looks_like_a_pattern_has_its_own_settings(tmp_path: Path, name: str) -> None:
    store = EmbeddedStore(tmp_path / name, durability="durable")
    await store.start()
    await store.stop()

    assert DataDirectory(tmp_path / name).manifest.exists(), "without its configuration the store keeps no such file"
