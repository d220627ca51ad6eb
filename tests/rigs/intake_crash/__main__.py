"""Crash runs from the command line:  python -m tests.rigs.intake_crash --rounds 20 --seed 7."""

import argparse
import asyncio
import secrets
import sys

from tests.rigs.intake_crash.driver import Run, run


def main() -> None:
    """Run, show what was done, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    given = parser.parse_args()
    _say(f"seed {given.seed}")
    done = asyncio.run(run(given.rounds, given.seed, lambda number, _: _say(f"round {number + 1}: killed and back")))
    _say(*summary(done))
    sys.exit(1 if done.wrong else 0)


def summary(done: Run) -> list[str]:
    """Say what a run did, and what was wrong."""
    head = (
        f"{done.rounds} kills; {done.orders} orders, {done.parcels} parcels, {done.said} commands told,"
        f" {done.documents_lost} files of documents deleted; {len(done.wrong)} wrong"
    )
    return [head, *done.wrong]


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
