"""A count while orders run, from the command line:  python -m tests.rigs.count_run --rows 10000 --seed 7."""

import argparse
import asyncio
import secrets
import sys

from tests.rigs.count_run.driver import run, table


def main() -> None:
    """Run, show the table, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    given = parser.parse_args()
    done = asyncio.run(run(given.rows, given.seed))
    sys.stdout.write("".join(f"{line}\n" for line in (f"seed {given.seed}", *table(done))))
    sys.exit(1 if done.wrong else 0)


if __name__ == "__main__":
    main()
