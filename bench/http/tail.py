"""How long the slowest durable answers take, beside bare fsyncs on the same disk: in turn, in one run.

    python -m bench.http.tail
    python -m bench.http.tail --connections 32,128 --rounds 5

A durable answer waits for one fsync at least, and where one is under way already, for that and its own. So the disk's
own tail is the floor. The bare fsyncs append as much as a batch does; half of them come before the load and half after.
"""

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import quantiles
from typing import Final, NamedTuple

import click
from rich.console import Console

from bench.harness.bars import Bar
from bench.harness.black_box import ROOT, Caller, server
from bench.harness.closed_loop import Round, measure
from bench.harness.figures import Figure, figure
from bench.harness.processes import end_gently
from bench.harness.report import Table, bars_table, interval

RESERVE_BYTES: Final = 700
"""What one reserve adds to the append-only file, by its size after a run."""
JUDGED_AT: Final = 32


class Tail(NamedTuple):
    """One round: of the bare fsyncs and of the durable answers, in milliseconds; and how many fsyncs a second."""

    fsync_p50_ms: float
    fsync_p99_ms: float
    fsync_max_ms: float
    answer_p50_ms: float
    answer_p99_ms: float
    fsyncs_per_s: float
    answers_per_s: float


def fsyncs(folder: Path, seconds: float, size: int) -> list[float]:
    """Append and fsync again and again; return how long each fsync took, in seconds."""
    block, took_s = os.urandom(size), []
    descriptor = os.open(folder / "fsyncs", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        until_s = time.perf_counter() + seconds
        while (began_s := time.perf_counter()) < until_s:
            os.write(descriptor, block)
            os.fdatasync(descriptor)  # as the store does
            took_s.append(time.perf_counter() - began_s)
    finally:
        os.close(descriptor)
    return took_s


@contextlib.contextmanager
def started(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Start a durable server with its store in a folder; give its URL and its processes."""
    with server(ROOT, folder, settings={"HOLDFAST_DURABILITY": "durable"}) as process:
        with Caller(process.url) as caller:
            caller.fill()
        listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
        yield process.url, [process.pid, *map(int, listed.stdout.split())]


def take(connections: int, seconds: float) -> Tail:
    """Take one round."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as named:
        folder, size = Path(named), RESERVE_BYTES * connections
        bare = fsyncs(folder, seconds / 2, size)
        with started(folder) as (url, pids):
            loaded: Round = measure(url, pids, connections, seconds)
        bare += fsyncs(folder, seconds / 2, size)
    hundredths = quantiles(bare, n=100)
    return Tail(
        1e3 * hundredths[49], 1e3 * hundredths[98], 1e3 * max(bare), loaded.p50_us / 1e3, loaded.p99_us / 1e3,
        len(bare) / sum(bare), loaded.rate,
    )  # fmt: skip


def _of(rounds: list[Tail], name: str) -> Figure:
    return figure(getattr(each, name) for each in rounds)


def ratio(rounds: list[Tail]) -> Figure:
    """Divide the 99th percentile of the answers by that of the bare fsyncs, round by round."""
    return _of(rounds, "answer_p99_ms").over(_of(rounds, "fsync_p99_ms"))


def table(taken: dict[int, list[Tail]]) -> Table:
    """Lay the rounds out; the ratio is that of the 99th percentiles, round by round."""
    made = Table(
        "Durable reserves beside bare fsyncs on the same disk",
        [
            "connections",
            "fsync p50 ms",
            "p99 ms",
            "max ms",
            "answer p50 ms",
            "p99 ms",
            "fsyncs/s",
            "answers/s",
            "p99 ×",
        ],
    )
    for connections, rounds in taken.items():
        cells = [interval(figure(column), ",.1f") for column in zip(*rounds, strict=True)]
        made.add(str(connections), *cells, interval(ratio(rounds), ".2f"))
    return made


def bars(taken: dict[int, list[Tail]]) -> Iterator[Bar]:
    """Compare with the bar, where it is set."""
    if JUDGED_AT in taken:
        title = f"p99 of durable reserves at {JUDGED_AT} connections, of that of bare fsyncs"
        yield Bar(title, "≤", 1.5, ratio(taken[JUDGED_AT]))


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--connections", default="32", help="Numbers of connections.")
@click.option("--seconds", type=click.FloatRange(1, 600), default=6.0, help="Seconds of load, and of bare fsyncs.")
@click.option("--rounds", type=click.IntRange(1, 99), default=3)
def main(*, connections: str, seconds: float, rounds: int) -> None:
    """Run from the command line."""
    end_gently()
    console = Console(width=160)
    taken = {number: [take(number, seconds) for _ in range(rounds)] for number in map(int, connections.split(","))}
    table(taken).show(console)
    bars_table([*bars(taken)]).show(console)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.tail")
