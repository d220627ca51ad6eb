"""Every program that people start says with --help what it does, and does nothing else."""

import ast
import os
import re
from pathlib import Path

import pytest

from tests.support.http import ROOT
from tests.support.launch import run


def name_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__main__")


def is_started(file: Path) -> bool:
    """Whether it is a package's own program, or says of itself how it is started."""
    words = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return file.name == "__main__.py" or re.search(rf"python -m {re.escape(name_of(file))}(?![\w.])", words) is not None


STARTED_BY_OTHERS = {
    "bench.harness.paced", "bench.harness.pictures", "bench.http.event_subscribers", "bench.peers.local_peers",
    "bench.peers.postgres_server", "bench.peers.redis_server", "bench.propagation.channels", "tests.rigs.faults.offer",
}  # fmt: skip
"""What takes no options, or only those that another program gives it."""
PROGRAMS = [name_of(file) for folder in ("tests/rigs", "bench") for file in sorted((ROOT / folder).rglob("*.py"))
            if is_started(file) and name_of(file) not in STARTED_BY_OTHERS]  # fmt: skip


def test_the_programs_are_found() -> None:
    assert {"tests.rigs.idle_partitions", "tests.rigs.neighbours", "bench"} <= set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_is_asked_for_help_says_how_it_is_used(program: str) -> None:
    ended = run(["--help"], cwd=ROOT, env=os.environ, within_s=60, module=program)

    assert (ended.returncode, "Traceback" in ended.stderr) == (0, False), ended.stderr
    assert "usage: " in ended.stdout.lower()
