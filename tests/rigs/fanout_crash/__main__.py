"""Crash runs from the command line:  python -m tests.rigs.fanout_crash --rounds 20 --seed 7."""

import argparse
import asyncio
import secrets
import sys

from tests.rigs.fanout_crash.driver import run
from tests.rigs.fanout_crash.table import HEAD, row, sums


def main() -> None:
    """Run, show the table, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    given = parser.parse_args()
    _say(f"seed {given.seed}", HEAD)
    done = asyncio.run(run(given.rounds, given.seed, lambda each: _say(row(each), *each.wrong)))
    _say(*sums(done), *done.faults)
    sys.exit(1 if done.wrong else 0)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
