"""Two partitions under faults:  python -m tests.rigs.two_partitions --seconds 600 --seed 7 --store valkey."""

import argparse
import secrets
import sys
import time
from typing import Final

import uvloop

from tests.rigs.faults.kinds import KINDS, absent
from tests.rigs.two_partitions.run import run
from tests.rigs.two_partitions.stage import Plan
from tests.rigs.two_partitions.table import problems, table

SECONDS: Final = 600.0
_HELP: Final = """\
Starts one server (two workers, embedded store) with two partitions and three keys, and lets callers send random
operations of every kind: half of them are sent badly on purpose. Meanwhile processes are killed, stopped and started,
connections are cut, and the store's memory is full.

Each caller has some SKUs of its own, so its books say what every answer must be, to the last field; some callers share
SKUs that run out. Now and then, and at the end, everything is compared. What must be nought: lost, double, differing,
seen of the other partition, what `holdfast verify` finds, and faults of the servers. The exit code is 1 otherwise.

The seed decides what is drawn, not what the operating system does with it: a failure may need some runs to return.
"""


def main() -> None:
    """Run it, show the table, and fail if anything was wrong."""
    given = arguments(sys.argv[1:])
    if absent(given.store):
        raise SystemExit(f"{absent(given.store)}, or --store valkey")
    began_s = time.monotonic()
    plan = Plan(given.store, given.seed, given.seconds, given.callers, given.rest_s, given.checkpoint_s, given.fault)
    _say(f"seed {plan.seed}")
    tally = uvloop.run(run(plan, lambda words: _say(f"{time.monotonic() - began_s:6.1f} s  {words}")))
    _say("", table(plan, tally), *problems(tally))
    _say("", "all held" if tally.findings.clean else f"FAILED; again with --seed {plan.seed} --store {plan.store}")
    sys.exit(0 if tally.findings.clean else 1)


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.rigs.two_partitions", description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=SECONDS, help="under load; %(default)s")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="a new one each time if left out")
    parser.add_argument("--store", choices=KINDS, default="valkey", help="%(default)s if left out")
    parser.add_argument("--callers", type=int, default=32, help="of both partitions; %(default)s")
    parser.add_argument("--rest-s", type=float, default=0.25, help="that a caller rests after an answer; %(default)s")
    parser.add_argument("--checkpoint-s", type=float, default=45.0, help="between two comparisons; %(default)s")
    parser.add_argument("--fault", action="append", metavar="KIND", help="only this kind; can be given several times")
    return parser.parse_args(words)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
