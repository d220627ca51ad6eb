"""Plays random histories of every kind that sells:  python -m tests.rigs.kinds_booked --runs 10000."""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from tests.channels.test_kinds_booked import KINDS, play
from tests.rigs.order_histories.run import caller_on
from tests.support.stores import StoreProcess, start_valkey

SHOWN_MAX: Final = 10
PIECE: Final = 100
"""Histories on one store, which is thrown away then."""
Told = tuple[str, int, list[str]]
"""A kind, a seed, and what was wrong."""


def main() -> int:
    """Play, print the result, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--runs", type=int, default=900, help="how many in all, the kinds in turn (default: %(default)s)"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--only", action="append", choices=list(KINDS), help="a kind; may be there several times")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    given = parser.parse_args()
    kinds = given.only or list(KINDS)
    began_s = time.monotonic()
    wanted = [(kinds[number % len(kinds)], given.first + number) for number in range(given.runs)]
    pieces = [wanted[at : at + PIECE] for at in range(0, len(wanted), PIECE)]
    with ProcessPoolExecutor(given.jobs) as pool:
        told = [each for piece in pool.map(_piece, pieces) for each in piece]
    return _summary(told, time.monotonic() - began_s)


def _piece(wanted: list[tuple[str, int]]) -> list[Told]:
    with start_valkey(appendonly="no") as store:
        return asyncio.run(_play(store, wanted))


async def _play(store: StoreProcess, wanted: list[tuple[str, int]]) -> list[Told]:
    async with caller_on(store) as caller:
        return [(kind, seed, await play(kind, seed, caller)) for kind, seed in wanted]


def _summary(told: list[Told], took_s: float) -> int:
    wrong = [each for each in told if each[2]]
    for kind, seed, problems in wrong[:SHOWN_MAX]:
        _say(f"{kind}, seed {seed}: {'; '.join(problems[:3])}")
    for kind, count in sorted(Counter(kind for kind, _, _ in told).items()):
        _say(f"{kind}: {count} histories, {sum(1 for each in wrong if each[0] == kind)} wrong")
    _say(f"{len(told)} histories, {len(wrong)} wrong, {took_s:.0f} s")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
