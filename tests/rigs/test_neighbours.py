"""The rig of neighbours in short: its rows run to their end, and what must not be makes a line fail.

How late a neighbour is served is not judged here: that takes a quiet machine, and ``make neighbours``.
"""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rigs.neighbours.ground import Measured
from tests.rigs.neighbours.neighbour import Served
from tests.rigs.neighbours.registry import GROWN_MB_MAX, QUICK, Checked, Functional, Line, Pace, Row, Timed, all_rows
from tests.rigs.neighbours.run import run
from tests.rigs.neighbours.table import table
from tests.support.http import ROOT
from tests.support.processes import ending
from tests.support.stores import wait_until

SHORT = Pace(rounds=1, alone_s=0.3, under_s=0.5, calm_s=0.1, size=0.01)
ROWS = {row.name: row for row in all_rows()}
CLAIMS = [("foreign", "host-and-origin"), ("shown", "order")]
"""What is checked and not timed; other tests are about the rest."""
BROKE_OFF = "it broke off"


async def run_one(row: Row, variant: str, pace: Pace = SHORT) -> Line:
    lines: list[Line] = []
    await run([row], pace, lines, lambda _: None, variant=variant)
    return lines[0]


@pytest.mark.parametrize(("name", "variant"), CLAIMS)
async def test_given_a_claim_when_it_is_checked_then_it_holds(name: str, variant: str) -> None:
    line = await run_one(ROWS[name], variant)

    assert line.failures == [], table([line])


async def test_given_load_when_a_row_runs_then_the_neighbour_is_measured_alone_and_under_attack() -> None:
    line = await run_one(ROWS["query"], "one-SKU-alone")

    [done] = line.rounds
    assert done.alone.asked == 30
    assert done.under.asked == 50
    assert done.attack[0].answers > 0, "the loader was answered"
    assert set(done.attack[0].statuses) == {"200"}
    assert done.memory_mb > done.grown_mb
    assert "query" in table([line])


@pytest.mark.soak
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize(("name", "variant"), [(row.name, each) for row in ROWS.values() for each in row.variants])
async def test_given_any_row_when_it_runs_then_it_comes_to_its_end(name: str, variant: str) -> None:
    line = await run_one(ROWS[name], variant, QUICK)

    assert not [failure for failure in line.failures if BROKE_OFF in failure], table([line])


def test_every_row_says_what_it_does_and_has_two_siblings_at_least() -> None:
    for row in ROWS.values():
        assert row.does
        assert len(set(row.variants)) >= 3, row.name


# -- how a line is judged


def measured(alone_ms: float = 5, under_ms: float = 5, refused: int = 0, grown_mb: float = 0) -> Measured:
    alone, under = Served(100, 0, 1, alone_ms), Served(100, refused, 1, under_ms, "503" if refused else "")
    return Measured(alone, under, 80 + grown_mb, grown_mb, 0.0)


@pytest.mark.parametrize(
    ("rounds", "failing"),
    [
        ([measured()], ""),
        ([measured(under_ms=20)], ""),
        ([measured(under_ms=21)], "p99"),
        ([measured(alone_ms=30, under_ms=60)], ""),
        ([measured(alone_ms=30, under_ms=61)], "p99"),
        ([measured(), measured(under_ms=500), measured()], ""),
        ([measured(), measured(under_ms=500), measured(under_ms=500)], "p99"),
        ([measured(), measured(refused=1), measured()], "refused"),
        ([measured(grown_mb=GROWN_MB_MAX)], ""),
        ([measured(grown_mb=GROWN_MB_MAX + 1)], "memory"),
    ],
)
def test_a_line_fails_for_what_the_neighbour_notices(rounds: list[Measured], failing: str) -> None:
    row = ROWS["query"]
    assert isinstance(row, Timed)

    found = row.judged(Line("query", "planted", rounds))

    assert [failing in each for each in found] == ([True] if failing else [])


class Planted(Functional):
    """Fails as it is told."""

    name = "planted"
    does = "nothing"
    variants = ("a-figure", "a-failure", "an-error", "too-slow")
    rounds_max = 3

    def __init__(self) -> None:
        self._figures = [1.0, 9.0, 2.0]
        self.limit_s = 0.01

    async def check(self, variant: str, pace: Pace) -> Checked:  # noqa: ARG002  # as the rows have it
        match variant:
            case "a-failure":
                return Checked(["it is so"])
            case "an-error":
                raise OSError("the disk is gone")
            case "too-slow":
                await asyncio.Event().wait()
        return Checked([], self._figures.pop(), 1.5, "figure")


@pytest.mark.parametrize(
    ("variant", "failure"),
    [
        ("a-figure", "figure: 2.00, more than 1.5"),
        ("a-failure", "it is so"),
        ("an-error", "it broke off: OSError: the disk is gone"),
        ("too-slow", "it broke off: it took more than 0.01 s"),
    ],
)
async def test_a_row_that_does_not_hold_or_breaks_off_is_a_line_that_fails(variant: str, failure: str) -> None:
    line = await run_one(Planted(), variant, Pace())

    assert line.failures[0] == failure
    assert "FAILED" in table([line])


# -- the command


def command(*words: str, folder: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.rigs.neighbours", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def test_help_names_every_row_and_what_it_does(tmp_path: Path) -> None:
    with ending(command("--help", folder=tmp_path)) as process:
        said = process.communicate(timeout=30)[0].decode()

    assert process.returncode == 0
    for row in ROWS.values():
        assert row.does in said
        assert all(variant in said for variant in row.variants)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.soak)])
def test_given_a_run_that_is_broken_off_when_it_ends_then_it_leaves_no_process_and_no_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    with ending(command("--only", "query", "--variant", "one-SKU-alone", folder=tmp_path)) as process:
        written: list[str] = []

        def has_a_store() -> bool:
            written[:] = [path.read_text() for path in tmp_path.glob("hf-http-*/data/store.pid")]
            return any(written)  # the file is there a moment before its number

        wait_until(has_a_store, "its server has a store", 30)
        store_pid = int(next(filter(None, written)))

        process.send_signal(number)
        said = process.communicate(timeout=60)[0].decode()

    assert process.returncode == 1
    assert "broken off" in said
    assert "FAILED" in said
    assert "held" not in said
    assert list(tmp_path.glob("hf-*")) == []
    wait_until(lambda: not Path(f"/proc/{store_pid}").exists(), "the store has ended")
