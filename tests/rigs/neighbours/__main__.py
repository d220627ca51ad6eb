"""The table of neighbours from the command line:  python -m tests.rigs.neighbours --only query --only streams.

One merchant does its worst, and a neighbour with a key of its own reserves 100 times a second meanwhile. Each row is an
attack; its first variant is the attack as it was first met, the others are its siblings. Each line shows the
neighbour's times alone and under attack (medians of three rounds in turn), what it was refused, the server's memory at
its highest, and the longest script of the store. Loaders and neighbour are processes of their own.

A line holds if the neighbour's p99 is within twice what it is alone, or within 20 ms; if nothing was refused to it; if
the server's memory grew by no more than 200 MB; and if what the row says besides is so. Rows without times are checked
for what happens. The exit code is 1 if a line fails.

All of it takes some fifteen minutes on two cores, longer where lines fail. Run it on a quiet machine: other load shows
in the times.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
import sys
import time

import msgspec
import structlog
import uvloop

from tests.rigs.neighbours.registry import QUICK, Line, Pace, Row, all_rows
from tests.rigs.neighbours.run import run
from tests.rigs.neighbours.table import table

MINUTES_MAX = 20.0


def main() -> None:
    """Run the rows, show the table, and fail if one does not hold."""
    # Stores are opened in this process, too, and what they say is no part of the table.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    rows = all_rows()
    given = _arguments(rows)
    chosen = [row for row in rows if row.name in (given.only or [row.name])]
    lines: list[Line] = []
    began_s = time.monotonic()
    broken_off = False
    try:
        uvloop.run(_run(chosen, given, lines))
    except (KeyboardInterrupt, asyncio.CancelledError):
        broken_off = True
    finally:  # also of a run that was broken off, what there is
        _say("", table(lines), "")
    failed = [line for line in lines if line.failures]
    took = f"{(time.monotonic() - began_s) / 60:.1f} minutes"
    _say(
        "broken off"
        if broken_off
        else f"{len(failed)} of {len(lines)} failed, {took}"
        if failed
        else f"all held, {took}"
    )
    sys.exit(1 if failed or broken_off else 0)


def _arguments(rows: list[Row]) -> argparse.Namespace:
    listed = "\n".join(f"  {row.name:<13}{row.does}\n{'':<15}variants: {', '.join(row.variants)}" for row in rows)
    parser = argparse.ArgumentParser(
        prog="python -m tests.rigs.neighbours",
        description=__doc__,
        epilog=f"rows:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [row.name for row in rows]
    parser.add_argument(
        "--only", action="append", choices=names, metavar="ROW", help="a row; may be given several times"
    )
    parser.add_argument("--variant", default="", help="of the chosen rows only the variant of this name")
    parser.add_argument("--quick", action="store_true", help="one short round of a tenth of the size: a rough look")
    parser.add_argument("--rounds", type=int, help="how many rounds the medians are of; else 3")
    parser.add_argument("--minutes", type=float, default=MINUTES_MAX, help=f"begin no row after them ({MINUTES_MAX:g})")
    return parser.parse_args()


async def _run(rows: list[Row], given: argparse.Namespace, lines: list[Line]) -> None:
    task = asyncio.current_task()
    assert task is not None
    # An end from outside is taken as Ctrl-C is: everything that was started is stopped.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    pace = QUICK if given.quick else Pace()
    if given.rounds:
        pace = msgspec.structs.replace(pace, rounds=given.rounds)
    await run(rows, pace, lines, _say, variant=given.variant, minutes=given.minutes)


def _say(*lines: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write("".join(f"{line}\n" for line in lines))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
