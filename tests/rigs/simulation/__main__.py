"""Simulates the fan-out, thousands of times:  python -m tests.rigs.simulation --runs 10000."""

import argparse
import logging
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

import structlog
from rich.console import Console
from rich.progress import track

from tests.rigs.simulation.plants import names, planted
from tests.rigs.simulation.scenario import draw
from tests.rigs.simulation.world import Played, play

PIECE: Final = 25
SHOWN_MAX: Final = 10
_HASH_SEED: Final = "PYTHONHASHSEED"


def main() -> int:
    """Play, print the result, and fail if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000, help="how many seeds (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this one alone and print its log")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--plant", default="", choices=["", *names()], help="a fault that is to be found")
    given = parser.parse_args()
    _silence()
    if given.seed is not None:
        return _print_one(given.seed, given.plant)
    return _play_many(given.first, given.runs, given.jobs, given.plant)


def _print_one(seed: int, plant: str) -> int:
    with planted(plant):
        played = play(draw(seed))
    for line in played.story:
        _say(line)
    _say(f"seed {seed}: " + ("clean" if not played.problems else "; ".join(played.problems)))
    return 1 if played.problems else 0


def _play_many(first: int, runs: int, jobs: int, plant: str) -> int:
    began_s, console = time.monotonic(), Console(stderr=True)
    pieces = [(start, min(start + PIECE, first + runs), plant) for start in range(first, first + runs, PIECE)]
    done: list[Played] = []
    with ProcessPoolExecutor(jobs, initializer=_silence) as pool:
        for piece in track(pool.map(_play_piece, pieces), "Simulating", total=len(pieces), console=console):
            done += piece
    wrong = [each for each in done if each.problems]
    for each in wrong[:SHOWN_MAX]:
        _say(f"seed {each.seed}: {'; '.join(each.problems[:3])}")
    if wrong:
        again = f" --plant {plant}" if plant else ""
        _say(f"Again, with its story: python -m tests.rigs.simulation --seed {wrong[0].seed}{again}")
    _say(
        f"runs {len(done):,}  requests {sum(each.requests for each in done):,}"
        f"  values that took effect {sum(each.applied for each in done):,}"
        f"  kills {sum(each.kills for each in done):,}  dead letters {sum(each.dead_letters for each in done):,}"
        f"  simulated {sum(each.settled_s for each in done) / 3600:,.0f} h of settling"
        f"  wrong {len(wrong):,}  in {time.monotonic() - began_s:,.0f} s"
    )
    return 1 if wrong else 0


def _play_piece(piece: tuple[int, int, str]) -> list[Played]:
    start, end, plant = piece
    with planted(plant):
        return [_without_story(play(draw(seed))) for seed in range(start, end)]


def _without_story(played: Played) -> Played:
    played.story = []
    return played


def _silence() -> None:
    """What goes wrong is made to go wrong: the log would hold nothing else."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


def _same_sets() -> None:
    """Begin anew with a fixed order of sets of text, so that a seed plays the same way in every process."""
    if os.environ.get(_HASH_SEED) != "0":
        environment = {**os.environ, _HASH_SEED: "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.rigs.simulation", *sys.argv[1:]], environment)  # noqa: S606


if __name__ == "__main__":
    _same_sets()
    sys.exit(main())
