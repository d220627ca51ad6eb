"""Availability from memory, from the store, and at a handler that does nothing: in turn, in one run.

    python -m bench.http.from_memory
    python -m bench.http.from_memory --sales 200 --rounds 5

First one SKU on 32 connections, then 1,000 SKUs in one call on one connection. ``--sales``: so many reserves a second
go on beside, of the SKUs that are asked for; the no-op handler has none.
"""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from bench.harness.bars import Bar
from bench.harness.black_box import ROOT, Ask, Caller, request, server
from bench.harness.closed_loop import Round, measure
from bench.harness.figures import Figure, figure
from bench.harness.processes import ServerProcess, end_gently
from bench.harness.report import Table, bars_table, interval
from bench.http import instructions
from bench.http.instructions import children

MEMORY, STORE, NOOP = "from memory", "from the store", "no-op handler"
WAYS: Final = (MEMORY, STORE, NOOP)
ONE, MANY = "one SKU", "1,000 SKUs"
SKUS: Final = tuple(f"BENCH-{number:07d}" for number in range(1_000))
AGE_MS: Final = 1_000
_SETTINGS: Final = {**instructions.SETTINGS, "HOLDFAST_DURABILITY": "fast"}
_WARM_UP_CALLS: Final = 100
_AS_LONG_AS_IT_TAKES_S: Final = "3600"
Taken = dict[tuple[str, str], list[Round]]
"""The rounds of each (question, way)."""


def one(way: str) -> Ask:
    """Ask for one of the SKUs after the other."""
    query = f"?max_age_ms={AGE_MS}" if way == MEMORY else ""

    def ask(name: str, address: tuple[str, int]) -> bytes:
        sku = SKUS[int(name.rpartition("-")[2]) % len(SKUS)]
        return f"GET /v1/availability/{sku}{query} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n\r\n".encode()

    return ask


def many(way: str) -> Ask:
    """Ask for all of them at once."""
    body = {"skus": SKUS} | ({"max_age_ms": AGE_MS} if way == MEMORY else {})
    return lambda _, address: request("POST /v1/availability/query", body, address)


@contextlib.contextmanager
def started(way: str, sales: int = 0, checkout: Path = ROOT, **options: Any) -> Iterator[tuple[str, list[int]]]:
    """Start the server of a way, with the SKUs in it and in its memory; give its URL and its processes.

    ``options``: ``python`` and ``ready_s`` of a :class:`ServerProcess`.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-bench-")))
        if way == NOOP:
            process = stack.enter_context(
                ServerProcess("bench.peers.local_peers", "noop", log=folder / "log", **options)
            )
            yield process.url, [process.pid]
            return
        process = stack.enter_context(server(checkout, folder, settings=_SETTINGS, **options))
        with Caller(process.url) as caller:
            caller.fill(SKUS)
            body = {"skus": SKUS, "max_age_ms": AGE_MS}
            for _ in range(_WARM_UP_CALLS if way == MEMORY else 0):
                caller.call("POST /v1/availability/query", body, 200)
        pids = [process.pid, *children(process.pid)]
        if sales:
            words = ("bench.harness.paced", process.url, str(sales), _AS_LONG_AS_IT_TAKES_S, str(len(SKUS)))
            seller = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.DEVNULL)
            stack.callback(seller.wait)
            stack.callback(seller.terminate)
        yield process.url, pids


def take(rounds: int, seconds: float, sales: int, report: Callable[[str], None] = lambda _: None) -> Taken:
    """Take the figures."""
    taken: Taken = {(question, way): [] for question in (ONE, MANY) for way in WAYS}
    for turn in range(rounds):
        for way in WAYS if turn % 2 == 0 else reversed(WAYS):
            report(f"round {turn + 1}: availability {way}")
            with started(way, sales) as (url, pids):
                taken[ONE, way].append(measure(url, pids, 32, seconds, one(way)))
                taken[MANY, way].append(measure(url, pids, 1, seconds, many(way)))
    return taken


def _figure(taken: Taken, question: str, way: str, name: str) -> Figure:
    return figure(getattr(each, name) for each in taken[question, way])


def tables(taken: Taken) -> Iterator[Table]:
    """Lay the rounds out; the ratios are those to the no-op handler, round by round."""
    for question, title in ((ONE, "One SKU, 32 connections"), (MANY, "1,000 SKUs in a call, 1 connection")):
        made = Table(title, ["way", "requests/s", "p50 µs", "p99 µs", "server µs", "store µs", "rate, of the no-op's"])
        for way in WAYS:
            cells = [interval(figure(column), ",.0f") for column in zip(*taken[question, way], strict=True)]
            ratio = _figure(taken, question, way, "rate").over(_figure(taken, question, NOOP, "rate"))
            made.add(way, *cells, interval(ratio, ".2f"))
        yield made


def of_noop(taken: Taken, way: str) -> Figure:
    """Divide the rate of one SKU by the no-op handler's, round by round."""
    return _figure(taken, ONE, way, "rate").over(_figure(taken, ONE, NOOP, "rate"))


def many_p50_ms(taken: Taken) -> Figure:
    """How long 1,000 SKUs from memory take, in milliseconds."""
    return figure(each / 1_000 for each in _figure(taken, MANY, MEMORY, "p50_us").rounds)


def bars(taken: Taken) -> Iterator[Bar]:
    """Compare the figures with the bars."""
    for way, limit in ((STORE, 1.1), (MEMORY, 1.5)):
        title = f"availability of one SKU, 32 connections, {way}: requests/s of the no-op's"
        yield Bar(title, "≥", limit, of_noop(taken, way))
    yield Bar("availability of 1,000 SKUs in one call, from memory: p50", "≤", 3.0, many_p50_ms(taken), "ms")


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True}, help=__doc__)
@click.option("--seconds", type=click.FloatRange(0.5, 600), default=3.0, help="Seconds of load for each cell.")
@click.option("--rounds", type=click.IntRange(1, 99), default=3, help="Rounds of each way.")
@click.option("--sales", type=click.IntRange(0, 100_000), default=0, help="Reserves a second beside.")
def main(*, seconds: float, rounds: int, sales: int) -> None:
    """Run from the command line."""
    end_gently()
    console = Console(width=140)
    taken = take(rounds, seconds, sales)
    for each in tables(taken):
        each.show(console)
    bars_table([*bars(taken)]).show(console)


if __name__ == "__main__":
    main(prog_name="python -m bench.http.from_memory")
