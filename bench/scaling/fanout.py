"""From a sale to the channels: one of them, twenty, a hundred."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.harness.figures import figure
from bench.harness.report import Table, interval
from bench.propagation.channels import Kind
from bench.propagation.propagation import Spread, stretch
from bench.propagation.setup import running

SALES_PER_S: Final = 200
"""So that a hundred channels get as many values a second as twenty do at a thousand."""
USUAL: Final = (1, 20, 100)
QUICK: Final = (1, 20)
SECONDS, SECONDS_QUICK = 5, 4
Found = dict[int, list[Spread]]


def kinds(channels: int) -> dict[str, Kind]:
    """Name so many channels, half of them shops."""
    each: tuple[Kind, Kind] = ("webhook", "woocommerce")
    return {f"channel-{number:03}": each[number % 2] for number in range(channels)}


def measure(counts: tuple[int, ...], rounds: int, seconds: int, report: Callable[[str], None]) -> Found:
    """Take the figures, one server for each number of channels."""
    found: Found = {}
    for channels in counts:
        named = kinds(channels)
        report(f"starting a server and {channels} channels")
        with (
            tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
            running(Path(folder), kinds=named) as (server, arrivals),
        ):
            for turn in range(1, rounds + 1):
                report(f"round {turn}: {SALES_PER_S} sales a second, {channels} channels")
                spread = stretch(server, arrivals, seconds, list(named), sales_per_s=SALES_PER_S)
                found.setdefault(channels, []).append(spread)
    return found


def steps(counts: tuple[int, ...], rounds: int) -> int:
    """Return how often ``measure`` reports progress."""
    return len(counts) * (1 + rounds)


def table(found: Found) -> Table:
    """Lay the figures out."""
    made = Table(
        f"From a sale to the request at each channel, {SALES_PER_S} sales a second",
        ["channels", "p50 ms", "p99 ms", "p99 of the fewest", "requests/s", "items each", "cores of the server"],
    )
    fewest = figure(each.p99_ms for each in found[min(found)])
    for channels, rounds in found.items():
        slowest = figure(each.p99_ms for each in rounds)
        made.add(
            str(channels),
            interval(figure(each.p50_ms for each in rounds), ".0f"),
            interval(slowest, ".0f"),
            f"{slowest.over(fewest).median:.2f} ×",
            interval(figure(each.requests_per_s for each in rounds), ",.0f"),
            interval(figure(each.items_per_request for each in rounds), ".1f"),
            interval(figure(each.cpu.get("server", 0.0) for each in rounds), ".2f"),
        )
    return made
