"""Runs one fault on one kind of store, and sums its rounds up into a row of the table."""

import contextlib
import time
from collections.abc import Callable

import msgspec

from tests.rigs.faults.kinds import absent, version
from tests.rigs.faults.registry import Fault, Round, Setting


class Row(msgspec.Struct):
    """One row of the table."""

    fault: str
    store: str
    rounds: list[Round] = []
    failures: list[str] = []
    """What must not be, each with the command that repeats it."""
    skipped: str = ""
    guarantee: str = ""
    took_s: float = 0.0

    @property
    def notes(self) -> str:
        """The figures that only this fault has, of each round that had any."""
        return "; ".join(each.note for each in self.rounds if each.note)


async def run(fault: Fault, setting: Setting, say: Callable[[str], None]) -> Row:
    """Run a fault; ``say`` gets at once what must not be, and how to repeat it."""
    row = Row(
        fault.name, version(setting.store) if not absent(setting.store) else setting.store, guarantee=fault.guarantee
    )
    row.skipped = absent(setting.store) or fault.missing()
    if row.skipped:
        return row
    began_s = time.monotonic()
    try:
        async with contextlib.aclosing(fault.run(setting)) as rounds:
            async for done in rounds:
                row.rounds.append(done)
                _judge(row, setting, fault.failures(done), say)
    except Exception as error:  # noqa: BLE001  # the other rows are still wanted, and how to repeat this one
        row.rounds.append(Round(0))
        _judge(row, setting, [f"it broke off: {type(error).__name__}: {error}"], say)
    row.took_s = time.monotonic() - began_s
    return row


def _judge(row: Row, setting: Setting, failures: list[str], say: Callable[[str], None]) -> None:
    if not failures:
        return
    number = len(row.rounds)
    messages = [f"{row.fault}, {row.store}, round {number}: {failure}" for failure in failures]
    row.failures += messages
    for line in (*messages, f"seed {setting.seed}; to repeat it: {setting.command(number)}"):
        say(line)
