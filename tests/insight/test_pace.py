"""How long those rest whose work can wait: by what it has really cost, in whichever thread."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from server.insight.pace import LOOK_S, REST_BUSY, Pace
from server.store.documents.database import Session
from server.store.documents.documents import Documents
from server.store.documents.sqlite import SqliteDatabase
from tests.support.following_process import no_key

COST_S: Final = 0.05
LATE_S: Final = 0.5


class Machine:
    """A clock, and a process that serves others for a part of each second."""

    def __init__(self) -> None:
        self.now_s = self.served_s = self.own_s = 0.0
        self.share = 0.0
        self.pace = Pace(lambda: self.served_s + self.own_s, lambda: self.now_s)

    def work(self, cpu_s: float) -> None:
        """Take processor time for what can wait."""
        self.own_s += cpu_s
        self.pace.spend(cpu_s)
        self.passes(cpu_s)

    def passes(self, passing_s: float) -> None:
        """Let time pass, in which others are served."""
        self.now_s += passing_s
        self.served_s += passing_s * self.share

    def naps(self) -> Iterator[float]:
        """Rest for all that is owed."""
        while nap_s := self.pace.nap_s():
            self.passes(nap_s)
            yield nap_s


@pytest.mark.parametrize("cost_s", [0.001, COST_S, 1.0])
def test_a_busy_process_is_taken_a_hundredth_of_its_time(cost_s: float) -> None:
    machine = Machine()
    machine.share = 0.9
    machine.passes(1.0)

    machine.work(cost_s)

    assert sum(machine.naps()) == pytest.approx(cost_s * REST_BUSY)


def test_one_that_serves_nobody_is_taken_half_of_it_however_much_the_work_takes() -> None:
    machine = Machine()
    machine.passes(1.0)

    for _ in range(3):
        machine.work(1.0)
        assert sum(machine.naps()) == pytest.approx(1.0)


def test_a_rest_ends_soon_after_the_process_is_busy_no_more() -> None:
    machine = Machine()
    machine.share = 0.9
    machine.passes(1.0)
    machine.work(1.0)
    naps = machine.naps()

    assert [next(naps) for _ in range(3)] == [LOOK_S] * 3
    machine.share = 0.0
    assert sum(naps) < 1.0 + 2 * LOOK_S


def test_what_several_have_spent_is_paid_by_one_after_the_other() -> None:
    machine = Machine()
    machine.share = 0.9
    machine.passes(1.0)

    machine.work(COST_S)
    machine.work(COST_S)

    assert sum(machine.naps()) == pytest.approx(2 * COST_S * REST_BUSY)
    assert sum(machine.naps()) == 0.0


def owed_s(pace: Pace) -> float:
    """Return what is to be rested for in a process that serves nobody else."""
    owed_s = 0.0
    while nap_s := pace.nap_s():
        owed_s += nap_s
    return owed_s


def take(cpu_s: float) -> None:
    """Keep this thread's processor busy."""
    end_s = time.thread_time() + cpu_s
    while time.thread_time() < end_s:
        pass


async def test_steps_are_counted_and_what_others_do_between_them_is_not() -> None:
    pace = Pace(cpu_s=lambda: 0.0)

    async def work() -> str:
        take(COST_S)
        await asyncio.sleep(COST_S)
        take(COST_S)
        return "done"

    async def other() -> None:
        await asyncio.sleep(0)
        take(LATE_S)

    result, _ = await asyncio.gather(pace.counted(work()), other())

    assert result == "done"
    assert 2 * COST_S <= owed_s(pace) < LATE_S


async def test_an_error_and_a_cancellation_reach_the_work() -> None:
    pace, seen = Pace(), list[str]()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def fails() -> None:
        await asyncio.sleep(0)
        raise ValueError("wrong")

    task = asyncio.create_task(pace.counted(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ValueError, match="wrong"):
        await pace.counted(fails())
    assert seen == ["cancelled"]


async def test_the_thread_that_writes_is_counted(tmp_path: Path) -> None:
    documents, spent = Documents(SqliteDatabase(tmp_path / "documents.sqlite3"), no_key), list[float]()

    async def work(_session: Session) -> None:
        take(COST_S)

    await documents.follow(work, spent.append)
    await documents.look(work, spent.append)
    await documents.close()

    assert [each >= COST_S for each in spent] == [True, True]
