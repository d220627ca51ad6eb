"""Plays random histories of orders:  python -m tests.rigs.order_histories --runs 10000."""

import argparse
import asyncio
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from tests.rigs.order_histories.plants import names, planted
from tests.rigs.order_histories.run import play
from tests.rigs.order_histories.world import Told
from tests.support.stores import start_valkey

SHOWN_MAX: Final = 10


def main() -> int:
    """Play, print the result, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this one alone and print its story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--plant", default="", choices=["", *names()], help="a fault that is to be found")
    given = parser.parse_args()
    if given.seed is not None:
        told = _piece((given.seed, given.seed + 1, given.plant))
        _say("\n".join(told[0].story))
        return _summary(told, 0.0)
    began_s = time.monotonic()
    size = -(-given.runs // given.jobs)
    starts = range(given.first, given.first + given.runs, size)
    pieces = [(start, min(start + size, given.first + given.runs), given.plant) for start in starts]
    with ProcessPoolExecutor(given.jobs) as pool:
        told = [each for piece in pool.map(_piece, pieces) for each in piece]
    return _summary(told, time.monotonic() - began_s)


def _piece(piece: tuple[int, int, str]) -> list[Told]:
    first, end, plant = piece
    with planted(plant), start_valkey(appendonly="no") as store:
        return asyncio.run(play(store, range(first, end)))


def _summary(told: list[Told], took_s: float) -> int:
    wrong = [each for each in told if each.problems]
    for each in wrong[:SHOWN_MAX]:
        _say(f"seed {each.seed}: {'; '.join(each.problems[:3])}")
    _say(f"{len(told)} histories, {len(wrong)} wrong, {took_s:.0f} s")
    return 1 if wrong else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
