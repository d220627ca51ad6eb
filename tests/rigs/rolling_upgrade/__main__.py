"""A rolling upgrade under load:  python -m tests.rigs.rolling_upgrade --from v0.1.0 --seconds 60."""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import uvloop

from tests.rigs.rolling_upgrade.plan import Plan
from tests.rigs.rolling_upgrade.releases import WORKING_TREE, release
from tests.rigs.rolling_upgrade.run import STORES, StoreName, run
from tests.rigs.rolling_upgrade.stage import Say
from tests.rigs.rolling_upgrade.table import problems, table
from tests.support import longest_scripts
from tests.support.stores import REDIS7

SECONDS: Final = 70.0
RATE: Final = 150.0
CALLERS: Final = 40


def main() -> None:
    """Run it, show the table, and fail if anything was wrong."""
    given = arguments(sys.argv[1:])
    _say(f"seed {given.seed}")
    with tempfile.TemporaryDirectory(prefix="hf-releases-") as scratch:
        old = release("old", given.old, Path(scratch))
        new = release("new", given.new, Path(scratch))
        for each in (old, new):
            _say(f"{each.name} is {each.revision}, in {each.module_path().parent}, Lua {each.lua_digest()}")
        plan = Plan(
            old, new, given.seconds, given.seed, given.rate, given.callers,
            roll_back=not given.no_roll_back, notice=not given.abrupt,
        )  # fmt: skip
        outcomes = [uvloop.run(run(plan, name, _said_on(name))) for name in _stores(given.store)]
    for outcome in outcomes:
        _say("", table(outcome), *problems(outcome), longest_scripts.summary())
    held = bool(outcomes) and all(outcome.held for outcome in outcomes)
    _say("", "all held" if held else f"FAILED; again with --seed {given.seed}")
    sys.exit(0 if held else 1)


def arguments(words: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.rolling_upgrade", description=__doc__)
    what = "a git revision, or a directory with the release's files"
    parser.add_argument("--from", dest="old", required=True, metavar="REV", help=f"the old release: {what}")
    parser.add_argument(
        "--to", dest="new", default=WORKING_TREE, metavar="REV", help="the new one; %(default)s if left out"
    )
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="under load, starts and stops not counted; %(default)s"
    )
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--store", choices=(*STORES, "both"), default="valkey", help="%(default)s if left out")
    parser.add_argument("--rate", type=float, default=RATE, help="requests per second, about; %(default)s")
    parser.add_argument("--callers", type=int, default=CALLERS, help="%(default)s")
    parser.add_argument("--no-roll-back", action="store_true", help="end with the new release")
    parser.add_argument("--abrupt", action="store_true", help="stop servers without taking them out of rotation first")
    return parser.parse_args(words)


def _stores(wanted: str) -> list[StoreName]:
    chosen = [name for name in STORES if wanted in (name, "both")]
    if "redis7" in chosen and not REDIS7.exists():
        raise SystemExit("Redis is not installed: apt-get install redis-server, or --store valkey")
    return chosen


def _said_on(store: str) -> Say:
    began_s = time.monotonic()
    return lambda words: _say(f"{store} {time.monotonic() - began_s:6.1f} s  {words}")


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
