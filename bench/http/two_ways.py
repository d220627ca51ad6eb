"""A reserve on the express lane, on the ordinary way, and at handlers that do nothing: in turn, in one run.

    python -m bench.http.two_ways
    python -m bench.http.two_ways --connections 32 --durability fast --rounds 5
    python -m bench.http.two_ways --bodies unique --bodies fixed

The no-op is taken in both forms: as an aiohttp application with a router, and as a server without. Bodies are unique,
each with an id, or fixed: the same bytes each time. For each it takes the rate, the median and the 99th percentile, and
the processor time of a request in the server and in its store, which depends on the loader least of all. ``--loader
wrk`` takes the least of the cores that server and store need, too; its bodies are unique.
"""

import contextlib
import itertools
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import click
from rich.console import Console

from bench.harness.black_box import ROOT, Caller, server
from bench.harness.closed_loop import Round, measure, measure_by_wrk, reserve, reserve_unnamed
from bench.harness.figures import Figure, figure
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table, interval
from server.store.embedded.files import DataDirectory

EXPRESS, ORDINARY, NOOP, BARE = "express lane", "ordinary way", "no-op, Application", "no-op, Server"
WAYS: Final = (EXPRESS, ORDINARY, NOOP, BARE)
_PEERS: Final = {NOOP: "noop", BARE: "bare"}
_BODIES: Final = {"unique": reserve, "fixed": reserve_unnamed}

Measure = Callable[[str, list[int], int, float], Round]
"""Loads a server, whose processes are these, over so many connections for so many seconds."""


class Started(NamedTuple):
    """A running server: its processes, its own first, and the socket of its store if it has one."""

    url: str
    pids: list[int]
    store: Path | None


@contextlib.contextmanager
def started(way: str, durability: str) -> Iterator[Started]:
    """Start a server of a way, with a store of its own."""
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as named:
        folder = Path(named)
        if way in _PEERS:
            with ServerProcess("bench.peers.local_peers", _PEERS[way], log=folder / "log") as process:
                yield Started(process.url, [process.pid], None)
            return
        settings = {"HOLDFAST_EXPRESS_LANE": str(way == EXPRESS).lower(), "HOLDFAST_DURABILITY": durability}
        with server(ROOT, folder, settings=settings) as process:
            with Caller(process.url) as caller:
                caller.fill()
            listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
            pids = [process.pid, *map(int, listed.stdout.split())]
            yield Started(process.url, pids, DataDirectory(folder / "store").socket)


def take(
    ways: Sequence[str],
    connections: int,
    rounds: int,
    seconds: float,
    report: Callable[[str], None],
    *,
    durability: str = "durable",
    measured: Measure = measure_by_wrk,
) -> dict[str, list[Round]]:
    """Take the rounds of some ways, in turn."""
    taken: dict[str, list[Round]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way in ways if turn % 2 == 0 else reversed(ways):
            report(f"round {turn + 1}: {way}, {connections} connections")
            with started(way, durability) as server:
                taken[way].append(measured(server.url, server.pids, connections, seconds))
    return taken


def table(title: str, rounds: dict[str, list[Round]]) -> Table:
    """Lay the rounds out; the ratios are those to the no-op application, round by round."""
    shown = ["requests/s", "p50 µs", "p99 µs", "server µs", "store µs"]
    made = Table(title, ["way", *shown, "requests/s, of the no-op's", "server µs, of its"])
    for way, taken in rounds.items():
        cells = [interval(figure(column), ",.0f") for column in zip(*taken, strict=True)]
        ratios = [ratio(taken, rounds[NOOP], name) for name in ("rate", "server_us")]
        made.add(way, *cells, *(interval(each, ".2f") for each in ratios))
    return made


def ratio(ours: list[Round], theirs: list[Round], name: str) -> Figure:
    """Divide one figure of two ways, round by round."""
    mine, other = (figure(getattr(each, name) for each in taken) for taken in (ours, theirs))
    return mine.over(other)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--connections", default="1,32,128", help="Numbers of connections.")
@click.option("--durability", type=click.Choice(["durable", "fast"]), default="durable")
@click.option("--bodies", type=click.Choice([*_BODIES]), multiple=True, default=("unique",), help="May be repeated.")
@click.option("--loader", type=click.Choice(["python", "wrk"]), default="python")
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=3.0, help="Seconds of load for each cell.")
@click.option("--rounds", type=click.IntRange(1, 99), default=3, help="Rounds of each way.")
def main(
    *, connections: str, durability: str, bodies: tuple[str, ...], loader: str, seconds: float, rounds: int
) -> None:
    """Run from the command line."""
    end_gently()
    if loader == "wrk" and bodies != ("unique",):
        raise click.UsageError("wrk sends unique bodies only")
    console = Console(width=160)
    for number, kind in itertools.product(map(int, connections.split(",")), bodies):
        measured = measure_by_wrk if loader == "wrk" else partial(measure, ask=_BODIES[kind])
        taken = take(WAYS, number, rounds, seconds, lambda _: None, durability=durability, measured=measured)
        table(f"{number} connections, {kind} bodies", taken).show(console)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.two_ways")
