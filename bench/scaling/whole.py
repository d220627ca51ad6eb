"""All of the scaling figures in one run: ``python -m bench --only scaling``."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from bench.harness import pictures
from bench.harness.bars import Bar
from bench.harness.figures import figure
from bench.harness.load import loader
from bench.harness.report import Table
from bench.scaling import fanout, inside, series
from bench.scaling.inside import Inside
from bench.scaling.over_http import OverHttp
from bench.scaling.series import Series
from bench.store.store_table import filled
from server.store.embedded.binary import StoreBinary


class Found(msgspec.Struct):
    """What came out."""

    series: list[Series]
    channels: fanout.Found


def measure(binary: StoreBinary, rounds: int, seconds: int, report: Callable[[str], None], *, quick: bool) -> Found:
    """Take the figures: every state in a store of its own, in turn and ``rounds`` times; the channels last."""
    sizes = inside.QUICK if quick else inside.USUAL
    within, http = Inside(sizes), OverHttp(sizes, seconds)
    with contextlib.ExitStack() as stack:
        stores = {}
        for state in sizes.states:
            report(f"filling a store: {state.title}")
            stores[state] = stack.enter_context(filled(binary, state))
        for turn in range(1, rounds + 1):
            within.take(stores, partial(_report_round, report, turn))
        # Afterwards, as what is reserved over HTTP stays in the stores.
        for turn in range(1, rounds + 1):
            if loader() == "wrk":
                http.take(stores, partial(_report_round, report, turn))
    counts, stretch_s = (fanout.QUICK, fanout.SECONDS_QUICK) if quick else (fanout.USUAL, fanout.SECONDS)
    measured = fanout.measure(counts, rounds, stretch_s, report)
    return Found([each for each in (*within.series, *http.series) if each.points], measured)


def _report_round(report: Callable[[str], None], turn: int, doing: str) -> None:
    report(f"round {turn}: {doing}")


def steps(rounds: int, *, quick: bool) -> int:
    """Return how often ``measure`` reports progress."""
    sizes = inside.QUICK if quick else inside.USUAL
    http = rounds * OverHttp.steps() if loader() == "wrk" else 0
    channels = fanout.steps(fanout.QUICK if quick else fanout.USUAL, rounds)
    return len(sizes.states) + rounds * Inside(sizes).steps() + http + channels


def picture(found: Found, taken: str) -> pictures.Growth:
    """Return what is drawn: the medians of what should stay flat, and of the channels' delays."""
    flat = {
        each.title: [(int(size.replace(",", "")), each.ratio(size).median) for size in each.sizes]
        for each in found.series
        if each.flat
    }
    p50, p99 = (
        [figure(getattr(one, name) for one in rounds).median for rounds in found.channels.values()]
        for name in ("p50_ms", "p99_ms")
    )
    return pictures.Growth(taken, flat, series.FLAT, list(found.channels), p50, p99)


def tables(found: Found) -> Iterator[Table]:
    """Lay all figures out."""
    yield series.table(found.series)
    yield fanout.table(found.channels)


def bars(found: Found) -> Iterator[Bar]:
    """Compare what should stay flat with the bar."""
    yield from series.bars(found.series)
