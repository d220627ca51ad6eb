"""The fault table: its short form, and what it is made of. The long form is ``python -m tests.rigs.faults``."""

import secrets
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest

from tests.rigs.faults.aof import blocks, commands
from tests.rigs.faults.flat import Sample, growth, slope_per_s
from tests.rigs.faults.kinds import Kind
from tests.rigs.faults.registry import Fault, Round, Setting, all_faults
from tests.rigs.faults.run import Row, run
from tests.rigs.faults.table import table

FAULTS: Final = {fault.name: fault for fault in all_faults()}
SHORT: Final[tuple[tuple[str, Kind], ...]] = (
    ("power-cut-torn", "redis"),
    ("connection-cut", "valkey"),
)
"""A few seconds of each kind of fault that no other test brings about; that the shim bites, the long form shows."""


async def _holds(name: str, store: Kind, rounds: int) -> None:
    setting = Setting(name, store, secrets.randbelow(2**31), rounds)
    said: list[str] = []
    row = await run(FAULTS[name], setting, said.append)
    if row.skipped:
        pytest.skip(row.skipped)
    print(f"\n{table([row])}")  # noqa: T201  # pytest shows it with -s, and on failure
    assert not row.failures, "\n".join(said)


@pytest.mark.parametrize(("name", "store"), SHORT)
async def test_given_a_server_under_load_when_a_fault_strikes_then_nothing_acknowledged_is_lost_or_done_twice(
    name: str, store: Kind
) -> None:
    await _holds(name, store, rounds=1)


def test_given_the_page_on_faults_when_read_then_it_describes_each() -> None:
    page = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
    assert [name for name in FAULTS if f"| `{name}` |" not in page] == []


class _Planned(Fault):
    """A fault that comes to what the test says; the second round is the bad one."""

    name = "planned"
    does = "nothing"

    def __init__(self, *rounds: Round | Exception) -> None:
        self._planned = rounds

    async def run(self, setting: Setting) -> AsyncGenerator[Round]:
        assert setting.rounds
        for planned in self._planned:
            if isinstance(planned, Exception):
                raise planned
            yield planned


async def _planned(*rounds: Round | Exception) -> tuple[Row, list[str]]:
    said: list[str] = []
    row = await run(_Planned(*rounds), Setting("planned", "valkey", seed=7, rounds=3), said.append)
    return row, said


async def test_given_a_round_that_lost_something_when_run_then_the_seed_and_the_command_that_repeats_it_are_said() -> (
    None
):
    row, said = await _planned(Round(5), Round(4, lost=["r1: gone"]))
    assert said == [
        f"planned, {row.store}, round 2: lost: r1: gone",
        "seed 7; to repeat it: python -m tests.rigs.faults --seed 7 --only planned --rounds 2 --store valkey",
    ]
    assert row.failures == said[:1]


@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (Round(1, lost=["a"]), "| 1    | 0      | clean   | –        |"),
        (Round(1, double=["a"]), "| 0    | 1      | clean   | –        |"),
        (Round(1, verify=["a"], channels=["b"]), "| 0    | 0      | 1 found | 1 differ |"),
        (Round(1, channels=[]), "| 0    | 0      | clean   | equal    |"),
    ],
)
async def test_given_what_did_not_add_up_when_shown_then_each_column_has_its_own(bad: Round, shown: str) -> None:
    row, _ = await _planned(bad)
    columns = [cell.strip() for cell in shown.strip("|").split("|")]
    assert [cell.strip() for cell in table([row]).splitlines()[2].strip("|").split("|")][4:8] == columns


async def test_given_a_fault_that_breaks_off_when_run_then_that_is_a_failure_of_its_next_round() -> None:
    row, _ = await _planned(Round(1), RuntimeError("the ground gave way"))
    assert row.failures == [f"planned, {row.store}, round 2: it broke off: RuntimeError: the ground gave way"]


def test_given_a_seed_when_the_dice_of_a_round_are_thrown_then_they_are_its_own_and_come_again() -> None:
    setting = Setting("planned", "valkey", seed=7, rounds=3)
    thrown = [setting.chance(number).random() for number in (1, 2)]
    assert thrown == [setting.chance(number).random() for number in (1, 2)]
    assert len({*thrown, Setting("planned", "redis", seed=7, rounds=3).chance(1).random()}) == 3


# -- what is flat


def _row(*values: float) -> list[Sample]:
    return [Sample(10.0 * number, value) for number, value in enumerate(values)]


def test_given_values_on_a_line_when_the_slope_is_taken_then_it_is_that_of_the_line() -> None:
    assert slope_per_s(_row(5, 7, 9, 11)) == pytest.approx(0.2)


def test_given_one_spike_in_a_level_row_when_its_growth_is_taken_then_it_is_none() -> None:
    assert growth(_row(100, 100, 100, 100, 900, 100, 100, 100, 100)) == 0.0


def test_given_a_row_that_only_warms_up_when_its_growth_is_taken_then_it_is_none() -> None:
    assert growth(_row(10, 60, 100, 100, 100, 100, 100, 100)) == 0.0


def test_given_a_leak_of_a_tenth_after_the_warm_up_when_its_growth_is_taken_then_it_is_a_tenth() -> None:
    assert growth(_row(0, 0, 95, 97, 99, 101, 103, 105)) == pytest.approx(0.1)


def test_given_too_few_slices_when_the_growth_is_taken_then_nothing_is_said() -> None:
    assert growth(_row(1, 2, 3)) == 0.0


# -- what an append-only file holds


def test_given_a_file_that_ends_within_a_script_when_read_then_whole_scripts_are_found_with_their_places() -> None:
    script = b"*1\r\n$5\r\nMULTI\r\n*2\r\n$4\r\nINCR\r\n$1\r\na\r\n*1\r\n$4\r\nEXEC\r\n"
    alone = b"*2\r\n$4\r\nINCR\r\n$1\r\nb\r\n"
    data = script + alone + script[:-3]
    assert [[span.words[0] for span in block] for block in blocks(data)] == [[b"MULTI", b"INCR", b"EXEC"], [b"INCR"]]
    [*_, last] = list(commands(script + alone))
    assert (last.begin, last.end) == (len(script), len(script + alone))
    assert data[last.starts[1] : last.starts[1] + 1] == b"b"
