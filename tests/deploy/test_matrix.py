"""``make matrix``: a row for each Python and store that is promised; *not run* with its reason where there is none."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROWS: Final = ["Python 3.11", "Python 3.12", "Python 3.13", "Valkey 9", "Redis 7", "Redis 8"]


def listed(*words: str, **environment: str) -> dict[str, str]:
    """Run it for what there is; return what each row says."""
    done = subprocess.run(
        [sys.executable, ".ci/matrix.py", "--list", *words],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    return {line[:12].strip(): line[12:].strip() for line in done.stdout.splitlines()}


def test_every_row_says_where_it_runs_or_why_not() -> None:
    found = listed()

    assert list(found) == ROWS
    for name, told in found.items():
        version = name.split()[1]
        assert told.startswith((f"{version}.", "not run: ")), (name, told)


def test_what_is_not_to_be_had_is_not_run_and_the_row_says_why(tmp_path: Path) -> None:
    found = listed(PATH=str(tmp_path), HOME=str(tmp_path))

    for minor in (11, 12, 13):
        assert found[f"Python 3.{minor}"] == f"not run: there is no python3.{minor} on PATH, and none of pyenv"
    assert found["Redis 7"].startswith("not run: there is no Redis 7 on PATH")
    assert found["Valkey 9"].startswith("9."), "it comes with the tests"


def test_another_major_version_is_no_row_of_its_name(tmp_path: Path) -> None:
    server = tmp_path / "redis-server"
    server.write_text('#!/bin/sh\necho "Redis server v=6.2.7 sha=0:0 malloc=libc bits=64 build=0"\n')
    server.chmod(0o755)

    found = listed("--only", "Redis 7", PATH=f"{tmp_path}:/usr/bin:/bin", HOME=str(tmp_path))

    assert list(found) == ["Redis 7"]
    assert found["Redis 7"] == f"not run: {server} is 6.2.7"
