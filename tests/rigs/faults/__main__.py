"""The fault table from the command line:  python -m tests.rigs.faults --seed 7 --only power-cut --store valkey."""

import argparse
import secrets
import sys
import time

import uvloop

from tests.rigs.faults.kinds import KINDS
from tests.rigs.faults.registry import Fault, Setting, all_faults
from tests.rigs.faults.run import Row, run
from tests.rigs.faults.table import table
from tests.support import longest_scripts


def main() -> None:
    """Run the faults, show the table, and fail if anything was wrong."""
    faults = all_faults()
    given = _arguments([each.name for each in faults])
    chosen = [each for each in faults if each.name in (given.only or [each.name])]
    _say(f"seed {given.seed}")
    rows: list[Row] = []
    try:
        uvloop.run(_run(chosen, given, rows))
    finally:  # also of a run that was broken off, what there is
        _say("", table(rows), longest_scripts.summary())
    failed = [failure for row in rows for failure in row.failures]
    _say("", f"{len(failed)} failures" if failed else "all held")
    sys.exit(1 if failed else 0)


def _arguments(names: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--rounds", type=int, help="of each fault; else as many as each has for itself")
    parser.add_argument("--store", choices=KINDS, help="else both")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long a round of the soak lasts")
    return parser.parse_args()


async def _run(faults: list[Fault], given: argparse.Namespace, rows: list[Row]) -> None:
    for fault in faults:
        for store in fault.stores:
            if given.store in (None, store):
                setting = Setting(fault.name, store, given.seed, given.rounds or fault.rounds, given.minutes)
                rows.append(await run(fault, setting, _say))
                _say(f"{time.strftime('%H:%M:%S')} {fault.name} on {rows[-1].store}: {_came_to(rows[-1])}")


def _came_to(row: Row) -> str:
    if row.skipped:
        return f"skipped: {row.skipped}"
    return f"{len(row.failures)} failures" if row.failures else f"{len(row.rounds)} rounds held"


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
