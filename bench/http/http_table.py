"""The table over HTTP: every contestant at every number of connections, in turn, several rounds."""

from collections.abc import Callable, Iterator
from typing import Final

from msgspec.structs import replace

from bench.harness import stock
from bench.harness.bars import Bar
from bench.harness.figures import Figure, figure
from bench.harness.load import Result, load
from bench.harness.report import Table, interval
from bench.http import contestants
from bench.http.contestants import DURABLE, FAST, NOOP, POOL, Contestant, Server

Cells = dict[tuple[int, Contestant], list[Result]]
"""The rounds of each (connections, contestant)."""

WARM_UP_S: Final = 1
_CPU: Final = ("server_us", "store_us")


def measure(connections: list[int], seconds: int, rounds: int, report: Callable[[str], None]) -> Cells:
    """Take the figures. In each round every server begins anew with an empty store.

    The contestants take turns at each number of connections, so that a slow minute of the machine hits them all.
    """
    cells: Cells = {(number, each): [] for number in connections for each in contestants.ALL}
    for turn in range(1, rounds + 1):
        report(f"round {turn}: starting the servers")
        with contestants.running({each.server for each in contestants.ALL}) as servers:
            for name, server in servers.items():
                report(f"round {turn}: warming up {name}")
                server.count(load(server.url, 8, WARM_UP_S, stock.SPREAD_SKUS).requests, 8)
            for number in connections:
                for each in contestants.ALL:
                    report(f"round {turn}: {each.title}, {number} connections")
                    result = _loaded(servers[each.server], number, seconds, each.skus)
                    servers[each.server].count(result.requests, number)
                    cells[number, each].append(result)
            for name, server in servers.items():
                report(f"round {turn}: adding up the stock of {name}")
                server.check()
    return cells


def _loaded(server: Server, connections: int, seconds: int, skus: int) -> Result:
    """Load a server, and note what a request took of the processor there."""
    before = server.cpu_s()
    result = load(server.url, connections, seconds, skus)
    of_server, of_store = (1e6 * (now - was) / result.requests for now, was in zip(server.cpu_s(), before, strict=True))
    return replace(result, server_us=of_server, store_us=of_store)


def steps(connections: list[int], rounds: int) -> int:
    """Return how often ``measure`` reports progress."""
    servers = len({each.server for each in contestants.ALL})
    return rounds * (1 + 2 * servers + len(connections) * len(contestants.ALL))


def rate(cells: Cells, number: int, each: Contestant) -> Figure:
    """Requests a second."""
    return figure(result.rate for result in cells[number, each])


def p50(cells: Cells, number: int, each: Contestant) -> Figure:
    """Half of the requests were answered within so many milliseconds."""
    return figure(result.p50_us / 1000 for result in cells[number, each])


def p99(cells: Cells, number: int, each: Contestant) -> Figure:
    """Ninety-nine of a hundred were answered within so many milliseconds."""
    return figure(result.p99_us / 1000 for result in cells[number, each])


def table(cells: Cells) -> Table:
    """Lay the figures out; the rounds' extremes stand behind the median."""
    made = Table(
        "POST /v1/reservations, one line, one worker process",
        ["connections", "server", "requests/s", "of no-op", "p50 ms", "of no-op", "p99 ms", "server µs", "store µs"],
    )
    for number in sorted({number for number, _ in cells}):
        limit = rate(cells, number, NOOP)
        for each in contestants.ALL:
            rates, halves = rate(cells, number, each), p50(cells, number, each)
            made.add(
                str(number),
                each.title,
                interval(rates, ",.0f"),
                f"{rates.over(limit).median:.2f}",
                f"{halves.median:.2f}",
                f"{halves.over(p50(cells, number, NOOP)).median:.1f}",
                f"{p99(cells, number, each).median:.2f}",
                *(f"{figure(getattr(cell, name) for cell in cells[number, each]).median:,.0f}" for name in _CPU),
            )
        made.end_section()
    return made


def noise(cells: Cells) -> float:
    """How far the rounds of the no-op handler lie apart, which no change of ours can explain."""
    return max(rate(cells, number, NOOP).noise for number in {number for number, _ in cells})


def bars(cells: Cells) -> Iterator[Bar]:
    """Compare the figures with the bars, as far as they were taken."""
    numbers = {number for number, _ in cells}
    for number in sorted(numbers & {32, 128}):
        for each in (DURABLE, contestants.DURABLE_SPREAD):
            ratio = rate(cells, number, each).over(rate(cells, number, NOOP))
            yield Bar(f"{each.title}, {number} connections: requests/s of the no-op's", "≥", 0.75, ratio)
    if 1 in numbers:
        for each, limit in ((FAST, 2.0), (DURABLE, 4.0)):
            ratio = p50(cells, 1, each).over(p50(cells, 1, NOOP))
            yield Bar(f"{each.title}, 1 connection: p50 of the no-op's", "≤", limit, ratio)
    if 32 in numbers:  # the bar is set there
        for each in (FAST, DURABLE):
            ratio = rate(cells, 32, each).over(rate(cells, 32, POOL))
            yield Bar(f"{each.title}, 32 connections: requests/s of the pool's", "≥", 3.5, ratio)
