"""The table of targets: every row is taken by one command, judged, and says so where it cannot be taken."""

import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench.harness import pages
from bench.harness.black_box import ROOT
from bench.harness.figures import Figure
from bench.http import instructions
from bench.peers.base import MissingError
from bench.targets import one_connection
from bench.targets.__main__ import MARK, take
from bench.targets.one_connection import Halves
from bench.targets.parts import ROWS, Part, Plan
from bench.targets.rows import NotRun, Row, table

SPEED = Row("speed", "requests a second", "the no-op", "≥", 1.5)
DELAY = Row("delay", "p99", "", "≤", 30.0, "ms")


def plan(before: Path | None = None) -> Plan:
    return Plan(1, 1, quick=True, before=before, report=lambda _: None)


def command(*words: str, timeout_s: float) -> tuple[str, list[str]]:
    """Run it; return the table, and the lines of progress."""
    words = (sys.executable, "-m", "bench.targets", "--quick", *words)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


def result(progress: list[str], key: str) -> str:
    """Find what was said of a row."""
    [row] = [row for row in ROWS if row.key == key]
    [line] = [line for line in progress if f"{row.title}: " in line]
    return line.partition(f"{row.title}: ")[2]


def test_every_row_has_a_key_of_its_own() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_a_row_says_what_was_wanted_and_found_and_whether_it_is_held() -> None:
    found = {"speed": Figure([1.4]), "delay": Figure([20.0, 30.0, 40.0])}

    assert table((SPEED, DELAY), found).rows == [
        ("requests a second", "the no-op", "≥ 1.50 ×", "1.40 ×", "NO"),
        ("p99", "", "≤ 30 ms", "30 ms (20 ms – 40 ms)", "yes"),
    ]


def test_a_row_that_was_not_asked_for_says_so() -> None:
    assert table((SPEED,), {}).rows[0][-2:] == ("not run: not asked for", "not run")


def test_a_row_that_cannot_be_taken_says_why_and_the_others_are_taken() -> None:
    # given a machine without what the first part needs
    def missing(_: Plan) -> Mapping[str, Figure]:
        raise MissingError("the tool is missing:\napt-get install tool | or not")

    parts = [Part((SPEED,), missing), Part((DELAY,), lambda _: {"delay": Figure([1.5]), "other": Figure([1.0])})]

    found = take(["speed", "delay"], plan(), parts)

    assert set(found) == {"speed", "delay"}
    assert [row[-2:] for row in table((SPEED, DELAY), found).rows] == [
        ("not run: the tool is missing: apt-get install tool / or not", "not run"),
        ("1.5 ms", "yes"),
    ]


def test_a_long_reason_is_its_first_line_and_its_last() -> None:
    why = "no result:\nTraceback\n  File x\nTimeoutError: too slow\n"

    assert NotRun(why).line == "no result: … TimeoutError: too slow"


def test_a_part_is_left_alone_where_none_of_its_rows_is_asked_for() -> None:
    def never(_: Plan) -> Mapping[str, Figure]:
        raise AssertionError("nobody asked")

    assert take(["delay"], plan(), [Part((SPEED,), never)]) == {}


def test_a_row_that_compares_with_another_checkout_needs_one() -> None:
    found = take(["store-cpu", "publisher"], plan())

    assert all(isinstance(each, NotRun) and "--before DIR" in each.why for each in found.values())
    assert len(found) == 2


class KnownCounter:
    """Says that a server takes 100 instructions for its work, and its store 50."""

    requests = 10

    def __init__(self, _folder: Path) -> None:
        self._readings = iter([[0, 0], [100, 50]])

    def python(self, interpreter: str) -> Sequence[str]:
        return (interpreter,)

    def count(self, _pids: Sequence[int], work: Callable[[], object]) -> list[int]:
        work()
        return next(self._readings)


def test_the_store_s_share_of_a_reserve_is_held_against_the_other_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "counter", KnownCounter)
    monkeypatch.setattr(instructions, "_IDLE_S", 0.01)

    assert take(["store-cpu"], plan(before=ROOT)) == {"store-cpu": Figure([1.0])}


def test_a_durable_answer_may_take_the_no_op_s_share_and_the_disk_and_the_script() -> None:
    rounds = [Halves(noop_us=100, fast_us=150, durable_us=430, fsync_us=200, script_us=70)]

    assert one_connection.fast(rounds).rounds == [1.5]
    assert one_connection.durable(rounds).rounds == [1.0]


def test_the_report_has_a_place_for_the_table() -> None:
    text = pages.REPORT.read_text("utf-8")

    assert text.index(MARK) < text.index(pages.END, text.index(MARK))


def test_a_page_without_the_place_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a page\n")

    with pytest.raises(ValueError, match="no place for results"):
        pages.put(page, MARK, ["results"])

    assert page.read_text() == "a page\n"


def test_the_command_takes_the_rows_that_are_asked_for() -> None:
    shown, progress = command("--only", "tail", "--only", "store-cpu", timeout_s=100)

    assert result(progress, "tail").endswith((", yes", ", NO"))
    assert result(progress, "store-cpu").endswith("it compares with another checkout: --before DIR, not run")
    assert shown.count("not asked for") == len(ROWS) - 2


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_the_command_takes_every_row_that_needs_no_other_checkout() -> None:
    _, progress = command(timeout_s=1100)

    not_run = {row.key for row in ROWS if result(progress, row.key).endswith("not run")}
    assert not_run == {"store-cpu", "publisher"}
