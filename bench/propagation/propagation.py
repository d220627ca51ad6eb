"""How long a sale takes to every channel: twenty of them, a thousand changes a second, processes as in production."""

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from bench.harness import paced, stock
from bench.harness.bars import Bar
from bench.harness.figures import Figure, figure
from bench.harness.load import LoadError
from bench.harness.neighbours import cpu_s
from bench.harness.paced import Sold
from bench.harness.report import Table, interval
from bench.propagation.channels import Arrival
from bench.propagation.figures import Sale, backwards, delays_ms, last_values, percentile, right_at_us, values
from bench.propagation.setup import CHANNELS, SKUS, Channels, Holdfast, running, wait_until_right

CHANGES_PER_S: Final = 1_000
HANGING: Final = "hook-01"
DOWN: Final = "shop-01"
P50_MS, P99_MS = 20, 100
UNMOVED: Final = 1.10
KEPT_UP: Final = 0.98
"""Where fewer sales are made than are due, their times say nothing about the load that they were meant for."""
HOT_SKUS: Final = 100
_BACKLOG: Final = 100_000
_BACKLOG_QUICK: Final = 20_000
_UPDATES_MAX: Final = 300
_MOVEMENTS_PER_CALL: Final = 1_000
_WARM_UP_S: Final = 2
_SECONDS: Final = 10
_SECONDS_QUICK: Final = 5
_GRACE_S: Final = 60.0
_PROCESSES: Final = ("server", "publisher", "store", "channels", "loader")


class Spread(msgspec.Struct, frozen=True):
    """One stretch of sales: from each sale to the request at each channel, in milliseconds, and what it took.

    ``others_p99_ms`` is without the channel that hangs in every second stretch. ``cpu`` is in cores, by process.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    others_p99_ms: float
    sales_per_s: float
    requests_per_s: float
    items_per_request: float
    sold: Sold
    cpu: dict[str, float]


class Backlog(msgspec.Struct, frozen=True):
    """What became of changes that were made while a channel was down. Seconds count from when it was back."""

    changes: int
    updates: int
    backwards: int
    first_s: float
    right_s: float


class Found(msgspec.Struct, frozen=True):
    """All that was measured; each list has one element for each round.

    ``well`` and ``hanging`` are of one process that sells and publishes, ``apart`` of two, with all channels well.
    """

    well: list[Spread]
    hanging: list[Spread]
    apart: list[Spread]
    backlog: Backlog


def steps(rounds: int) -> int:
    """Return how often ``measure`` reports progress."""
    return 1 + 2 * rounds + 2 + 1 + rounds


def measure(rounds: int, report: Callable[[str], None], *, quick: bool) -> Found:
    """Take the figures: rounds with all channels well and with one that hangs, in turn; then the backlog."""
    seconds = _SECONDS_QUICK if quick else _SECONDS
    with started(report, apart=False) as (holdfast, channels):
        well, hanging = well_and_hanging(holdfast, channels, rounds, report, quick=quick)
        changes = _BACKLOG_QUICK if quick else _BACKLOG
        report(f"{changes:,} changes of {HOT_SKUS} SKUs while one channel is down")
        backlog = _backlog(holdfast, channels, changes, report)
    apart = []
    with started(report, apart=True) as (holdfast, channels):
        for turn in range(1, rounds + 1):
            report(f"round {turn}: {CHANGES_PER_S:,} sales a second, the publisher apart")
            apart.append(stretch(holdfast, channels, seconds, list(CHANNELS)))
    return Found(well, hanging, apart, backlog)


def well_and_hanging(
    holdfast: Holdfast, channels: Channels, rounds: int, report: Callable[[str], None], *, quick: bool
) -> tuple[list[Spread], list[Spread]]:
    """Sell with all channels well and with one that hangs, in turn; return the rounds of each."""
    seconds, well, hanging = _SECONDS_QUICK if quick else _SECONDS, [], []
    for turn in range(1, rounds + 1):
        report(f"round {turn}: {CHANGES_PER_S:,} sales a second, all channels well")
        well.append(stretch(holdfast, channels, seconds, list(CHANNELS)))
        report(f"round {turn}: {CHANGES_PER_S:,} sales a second, one channel hangs")
        with _hanging(holdfast, channels):
            hanging.append(stretch(holdfast, channels, seconds, _others(HANGING)))
    return well, hanging


@contextlib.contextmanager
def started(report: Callable[[str], None], *, apart: bool) -> Iterator[tuple[Holdfast, Channels]]:
    """Start a server and the channels. ``apart``: the publisher is a process of its own."""
    report(f"starting a server, and {len(CHANNELS)} channels that list {SKUS:,} SKUs each")
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        running(Path(folder), apart=apart) as (holdfast, channels),
    ):
        yield holdfast, channels


def _others(name: str) -> list[str]:
    return [each for each in CHANNELS if each != name]


# -- sales at an even pace


def stretch(
    holdfast: Holdfast, channels: Channels, seconds: int, names: list[str], *, sales_per_s: int = CHANGES_PER_S
) -> Spread:
    """Sell for so long after a warm-up, and hold what arrived at these channels against the journal."""
    channels.forget()
    after = holdfast.now_id()
    command = [sys.executable, "-m", "bench.harness.paced", holdfast.url, str(sales_per_s), str(_WARM_UP_S + seconds)]
    with subprocess.Popen([*command, str(SKUS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as loader:
        numbers = (holdfast.pid, holdfast.publisher_pid, holdfast.store_pid, channels.pid, loader.pid)
        pids = {name: pid for name, pid in zip(_PROCESSES, numbers, strict=True) if pid is not None}
        time.sleep(_WARM_UP_S)
        began_s, cpu_before_s = time.time(), {name: cpu_s(pid) for name, pid in pids.items()}
        time.sleep(seconds)
        ended_s = time.time()
        cpu = {name: (cpu_s(pid) - cpu_before_s[name]) / (ended_s - began_s) for name, pid in pids.items()}
        output, errors = loader.communicate(timeout=_GRACE_S)
    sold = _sold(output, errors)
    sales = list(holdfast.sales(after))
    if len(sales) != sold.sales:
        raise AssertionError(f"{sold.sales:,} sales were acknowledged, and {len(sales):,} are in the journal")
    wait_until_right(channels, last_values(sales), *names)
    return summary(sales, channels.arrivals(*names), (began_s, ended_s), sold, cpu)


def _sold(output: str, errors: str) -> Sold:
    line = next((line for line in output.splitlines() if line.startswith(paced.RESULT)), None)
    if line is None:
        raise LoadError(f"the loader printed no result:\n{errors or output}")
    sold = msgspec.json.decode(line[len(paced.RESULT) :], type=Sold)
    if sold.failed:
        raise LoadError(f"{sold.failed} of {sold.sales} sales were not a success; the first: {sold.first_failure}")
    return sold


def summary(
    sales: Sequence[Sale],
    arrivals: Mapping[str, Sequence[Arrival]],
    window_s: tuple[float, float],
    sold: Sold,
    cpu: dict[str, float],
) -> Spread:
    """Sum up the sales of a window of time. No value may have arrived after a newer one."""
    began_ms, ended_ms = (1000 * each for each in window_s)
    every, others = [], []
    for name, arrived in ((name, values(each)) for name, each in arrivals.items()):
        if (back := backwards(arrived)) > 0:
            raise AssertionError(f"{name}: {back} values arrived after newer ones")
        delayed = zip(sales, delays_ms(sales, arrived), strict=True)
        delays = [delay_ms for sale, delay_ms in delayed if began_ms <= sale.at_ms < ended_ms]
        every += delays
        others += delays if name != HANGING else []
    if not every or not others:
        raise LoadError("no sale fell into the time that is measured: the loader started too late, so others are busy")
    every.sort()
    others.sort()
    each_request = [
        len(arrival.items)
        for requests in arrivals.values()
        for arrival in requests
        if 1000 * began_ms <= arrival.at_us < 1000 * ended_ms
    ]
    seconds = window_s[1] - window_s[0]
    return Spread(
        p50_ms=percentile(every, 50),
        p99_ms=percentile(every, 99),
        max_ms=every[-1],
        others_p99_ms=percentile(others, 99),
        sales_per_s=len(every) / len(arrivals) / seconds,
        requests_per_s=len(each_request) / seconds,
        items_per_request=sum(each_request) / len(each_request),
        sold=sold,
        cpu=cpu,
    )


@contextlib.contextmanager
def _hanging(holdfast: Holdfast, channels: Channels) -> Iterator[None]:
    """Let one channel take requests and answer none; afterwards it must come to show the newest values, too."""
    after = holdfast.now_id()
    channels.behave(HANGING, "hangs")
    try:
        yield
    finally:
        channels.behave(HANGING, "answers")
        holdfast.revive(HANGING)
    wait_until_right(channels, last_values(holdfast.sales(after)), HANGING)


# -- a channel that was down


def _backlog(holdfast: Holdfast, channels: Channels, changes: int, report: Callable[[str], None]) -> Backlog:
    channels.forget()
    after = holdfast.now_id()
    channels.behave(DOWN, "down")
    numbers = [number % HOT_SKUS for number in range(_MOVEMENTS_PER_CALL)]
    sale = [{"kind": "adjust", "sku": stock.sku(number), "quantity": -1, "reason": "bench"} for number in numbers]
    for _ in range(changes // _MOVEMENTS_PER_CALL):
        holdfast.sell(sale)
    sales = list(holdfast.sales(after))
    wanted = last_values(sales)
    wait_until_right(channels, wanted, *_others(DOWN))
    report("the channel comes back")
    back_us = channels.behave(DOWN, "answers")
    arrived = wait_until_right(channels, wanted, DOWN)[DOWN]
    # Whatever would be sent once more has its chance to be.
    time.sleep(1.0)
    arrivals = channels.arrivals(DOWN)[DOWN]
    return Backlog(
        changes=len(sales),
        updates=sum(len(arrival.items) for arrival in arrivals),
        backwards=backwards(channels.values(DOWN)[DOWN]),
        first_s=(arrivals[0].at_us - back_us) / 1e6,
        right_s=(right_at_us(arrived, wanted) - back_us) / 1e6,
    )


# -- the report


def table(found: Found) -> Table:
    """Lay the figures of the sales out."""
    made = Table(
        f"From a sale to the request at each of {len(CHANNELS)} channels, {CHANGES_PER_S:,} sales a second",
        ["channels", "p50 ms", "p99 ms", "max ms", "sales/s", "requests/s", "items each", "sale p99 ms", "late p99 ms"],
    )
    for title, rounds in _rows(found):
        made.add(
            title,
            *(interval(figure(getattr(each, name) for each in rounds), ".0f") for name in _MILLISECONDS),
            interval(figure(each.sales_per_s for each in rounds), ",.0f"),
            interval(figure(each.requests_per_s for each in rounds), ",.0f"),
            interval(figure(each.items_per_request for each in rounds), ".1f"),
            interval(figure(each.sold.p99_us / 1000 for each in rounds), ".0f"),
            interval(figure(each.sold.sent_late_p99_us / 1000 for each in rounds), ".0f"),
        )
    return made


_MILLISECONDS: Final = ("p50_ms", "p99_ms", "max_ms")


def cpu_table(found: Found) -> Table:
    """Lay out what each process took."""
    made = Table("Cores that each process kept busy meanwhile", ["channels", *_PROCESSES, "together"])
    for title, rounds in _rows(found):
        each_process = [interval(figure(each.cpu.get(name, 0.0) for each in rounds), ".2f") for name in _PROCESSES]
        made.add(title, *each_process, interval(figure(sum(each.cpu.values()) for each in rounds), ".2f"))
    return made


def _rows(found: Found) -> Iterator[tuple[str, list[Spread]]]:
    yield "all well", found.well
    yield "one hangs: the others", found.hanging
    yield "publisher apart, all well", found.apart


def backlog_table(backlog: Backlog) -> Table:
    """Lay out what became of the backlog."""
    made = Table(
        f"A channel that was down during changes of {HOT_SKUS} SKUs",
        ["changes", "item updates sent", "older after newer", "first request after s", "right after s"],
    )
    seconds = (f"{backlog.first_s:.2f}", f"{backlog.right_s:.2f}")
    made.add(f"{backlog.changes:,}", f"{backlog.updates:,}", str(backlog.backwards), *seconds)
    return made


def tables(found: Found) -> Iterator[Table]:
    """Lay all figures out."""
    yield table(found)
    yield cpu_table(found)
    yield backlog_table(found.backlog)


def moved(well: list[Spread], hanging: list[Spread]) -> Figure:
    """How many times as long a change takes at the slowest to the others while a channel hangs, round by round."""
    return Figure([each.others_p99_ms for each in hanging]).over(Figure([each.others_p99_ms for each in well]))


def bars(found: Found) -> Iterator[Bar]:
    """Compare the figures with the bars."""
    load = f"{CHANGES_PER_S:,} sales/s, {len(CHANNELS)} channels"
    yield Bar(f"Sale to request at the channel, {load}: p50", "≤", P50_MS, figure(e.p50_ms for e in found.well), "ms")
    yield Bar(f"Sale to request at the channel, {load}: p99", "≤", P99_MS, figure(e.p99_ms for e in found.well), "ms")
    kept = figure(each.sales_per_s / CHANGES_PER_S for each in found.well)
    yield Bar("Sales that were made, of those that were due", "≥", KEPT_UP, kept)
    yield Bar(
        "One channel hangs: the others' p99, of what it is without", "≤", UNMOVED, moved(found.well, found.hanging)
    )
    title = f"{found.backlog.changes:,} changes of {HOT_SKUS} SKUs while down: item updates sent"
    yield Bar(title, "≤", _UPDATES_MAX, Figure([found.backlog.updates]), "items")
    yield Bar("Values that arrived after newer ones", "≤", 0, Figure([found.backlog.backwards]), "values")
    yield Bar("Publisher apart: p50", "≤", P50_MS, figure(each.p50_ms for each in found.apart), "ms")
    yield Bar("Publisher apart: p99", "≤", P99_MS, figure(each.p99_ms for each in found.apart), "ms")
