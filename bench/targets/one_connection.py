"""Half of the answers on one connection: in ``fast``, in ``durable``, at the no-op handler, and the disk by itself.

A durable answer takes the server's own time, one fsync and the store's script, one after the other. So the disk is
measured before and after each round, and the store says itself how long a call of its functions took.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from bench.harness.closed_loop import measure_by_wrk
from bench.harness.figures import Figure, figure
from bench.harness.stores import connect
from bench.http.tail import RESERVE_BYTES, fsyncs
from bench.http.two_ways import EXPRESS, NOOP, started

FAST, DURABLE = "fast", "durable"
CONTESTANTS: Final = (NOOP, FAST, DURABLE)
NOOPS: Final = 1.6
"""So many times the no-op's p50 an answer may take, the disk and the store's script aside."""


class Halves(NamedTuple):
    """One round: the p50 of each, in microseconds; ``script_us``: the mean time of a call of the store's functions."""

    noop_us: float
    fast_us: float
    durable_us: float
    fsync_us: float
    script_us: float

    @property
    def durable_limit_us(self) -> float:
        """What a durable answer may take."""
        return NOOPS * self.noop_us + self.fsync_us + self.script_us


def take(rounds: int, seconds: float, report: Callable[[str], None]) -> list[Halves]:
    """Take the rounds."""
    return [_round(turn, seconds, report) for turn in range(1, rounds + 1)]


def _round(turn: int, seconds: float, report: Callable[[str], None]) -> Halves:
    with tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder:
        bare_s = fsyncs(Path(folder), seconds / 2, RESERVE_BYTES)
        p50_us: dict[str, float] = {}
        script_us = 0.0
        for name in CONTESTANTS if turn % 2 else reversed(CONTESTANTS):
            report(f"round {turn}: {name}, 1 connection")
            with started(NOOP if name == NOOP else EXPRESS, name) as server:
                p50_us[name] = measure_by_wrk(server.url, server.pids, 1, seconds).p50_us
                if name == DURABLE and server.store is not None:
                    script_us = _script_us(server.store)
        bare_s += fsyncs(Path(folder), seconds / 2, RESERVE_BYTES)
    return Halves(p50_us[NOOP], p50_us[FAST], p50_us[DURABLE], 1e6 * median(bare_s), script_us)


def _script_us(socket: Path) -> float:
    """Ask a store how long a call of its functions took on average since it was started."""
    with connect(socket) as client:
        found: dict[str, Any] = client.info("commandstats")
    return float(found["cmdstat_fcall"]["usec_per_call"])


def fast(rounds: list[Halves]) -> Figure:
    """Of the no-op's p50, round by round."""
    return figure(each.fast_us / each.noop_us for each in rounds)


def durable(rounds: list[Halves]) -> Figure:
    """Of what a durable answer may take, round by round."""
    return figure(each.durable_us / each.durable_limit_us for each in rounds)
