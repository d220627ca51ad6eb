"""The metrics of channels: reported by the publisher, removed when it stops, with one process or several."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY, CollectorRegistry, Gauge
from prometheus_client.multiprocess import MultiProcessCollector

from server.domain.channels import ChannelStatus
from server.domain.intake import IntakeStatus
from server.telemetry import metrics
from server.telemetry.channel_metrics import (
    PUSH_RESULTS,
    ChannelMetrics,
    IntakeMetrics,
    MirrorMetrics,
    forget_channel,
    forget_intake,
    forget_mirror,
)

ROOT = Path(__file__).parents[2]
CHANNEL = "metrics-test"
GAUGES = (
    "holdfast_channel_dirty_skus",
    "holdfast_channel_oldest_unsent_seconds",
    "holdfast_channel_cursor_age_seconds",
    "holdfast_channel_dead_letters",
    "holdfast_channel_circuit_open",
    "holdfast_channel_signed_out",
    "holdfast_channel_cadence_seconds",
)
INTAKE_GAUGES = (
    "holdfast_intake_lag_seconds",
    "holdfast_inbox_orders",
    "holdfast_outbox_oldest_seconds",
    "holdfast_outbox_undecided_commands",
    "holdfast_intake_open_orders",
)
MIRROR_GAUGE = "holdfast_mirror_late_seconds"
STATUS = ChannelStatus(
    publisher="one",
    written_ms=1_800_000_060_000,
    dirty=7,
    oldest_unsent_s=61.5,
    circuit="halted",
    dead_letters=3,
    cursor="1800000000000-4",
)


@pytest.fixture(autouse=True)
def _leave_nothing() -> Iterator[None]:
    yield
    forget_channel(CHANNEL)
    forget_intake(CHANNEL)
    forget_mirror(CHANNEL)


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"channel": CHANNEL, **labels})


def test_the_gauges_show_how_a_channel_stands() -> None:
    ChannelMetrics(CHANNEL).show(STATUS, cadence_s=300)

    assert [sample(name) for name in GAUGES] == [7, 61.5, 60, 3, 2, 0, 300]


def test_the_gauges_show_how_intake_stands_until_it_ends() -> None:
    IntakeMetrics(CHANNEL).show(IntakeStatus(lag_s=2.5, inbox=3, outbox_oldest_s=7.5, undecided=1, open=12))

    assert [sample(name) for name in INTAKE_GAUGES] == [2.5, 3, 7.5, 1, 12]

    forget_intake(CHANNEL)

    assert [sample(name) for name in INTAKE_GAUGES] == [None] * 5


def test_how_late_a_mirror_is_is_shown_until_it_ends() -> None:
    MirrorMetrics(CHANNEL).late.set(12.5)
    assert sample(MIRROR_GAUGE) == 12.5

    forget_mirror(CHANNEL)

    assert sample(MIRROR_GAUGE) is None


@pytest.mark.parametrize(
    ("status", "journal_end_ms", "age_s"),
    [
        (ChannelStatus(publisher="one", written_ms=90_000, cursor="10000-0"), None, 0),
        (ChannelStatus(publisher="one", written_ms=90_000, cursor="10000-0", tickets=1), None, 80),
        (ChannelStatus(publisher="one", written_ms=90_000, cursor="10000-0"), 30_000, 20),
        (ChannelStatus(publisher="one", written_ms=90_000, cursor="10000-0", dirty=1), 9_000, 0),
        (ChannelStatus(publisher="one", written_ms=90_000, dirty=1), None, 90),
    ],
    ids=["idle", "a ticket is open", "the end is known", "a cursor beyond the last entry", "no cursor yet"],
)
def test_the_age_of_a_cursor_is_how_far_it_is_behind_the_journal_s_end(
    status: ChannelStatus, journal_end_ms: int | None, age_s: float
) -> None:
    ChannelMetrics(CHANNEL).show(status, journal_end_ms=journal_end_ms)

    assert sample("holdfast_channel_cursor_age_seconds") == age_s


def test_every_result_is_there_before_it_happens_and_counts_values() -> None:
    children = ChannelMetrics(CHANNEL)
    before = {result: sample("holdfast_channel_pushes_total", result=result) for result in PUSH_RESULTS}

    children.pushed("applied", 999)
    children.pushed("rejected")

    assert None not in before.values()
    assert sample("holdfast_channel_pushes_total", result="applied") == (before["applied"] or 0) + 999
    assert sample("holdfast_channel_pushes_total", result="rejected") == (before["rejected"] or 0) + 1


@pytest.mark.parametrize("edge", ["0.02", "0.1", "1.0", "60.0", "3600.0"])
def test_propagation_has_an_edge_on_every_threshold(edge: str) -> None:
    ChannelMetrics(CHANNEL)

    assert sample("holdfast_channel_propagation_seconds_bucket", le=edge) is not None


def test_a_forgotten_channel_has_no_gauges_and_keeps_what_was_counted() -> None:
    children = ChannelMetrics(CHANNEL)
    children.show(STATUS)
    children.pushed("conflict")

    forget_channel(CHANNEL)
    children.show(STATUS)

    assert [sample(name) for name in GAUGES] == [None] * len(GAUGES)
    assert sample("holdfast_channel_pushes_total", result="conflict")


def test_a_channel_that_was_forgotten_can_be_reported_again() -> None:
    ChannelMetrics(CHANNEL).show(STATUS)
    forget_channel(CHANNEL)

    ChannelMetrics(CHANNEL).show(STATUS)

    assert sample("holdfast_channel_dirty_skus") == 7


def test_a_channel_that_was_never_reported_can_be_forgotten() -> None:
    forget_channel("nobody")

    assert REGISTRY.get_sample_value(GAUGES[0], {"channel": "nobody"}) is None


# -- several processes, one scrape

PREAMBLE = """
from server.domain.channels import ChannelStatus
from server.domain.intake import IntakeStatus
from server.telemetry.channel_metrics import ChannelMetrics, forget_channel
from server.telemetry.metrics import PUBLISHER_ACTIVE

children = ChannelMetrics("shop")

def report(dirty):
    ChannelMetrics("shop").show(ChannelStatus(publisher="", written_ms=0, dirty=dirty))
"""
Run = Callable[[str], None]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a few lines in a process of its own, which leaves its file behind as one that still lives would."""

    def run_lines(lines: str) -> None:
        subprocess.run(
            [sys.executable, "-W", "error", "-c", PREAMBLE + lines],
            cwd=ROOT,
            env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
            check=True,
            timeout=60,
        )

    return run_lines


def scrape(folder: Path, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry.get_sample_value(name, labels)


def test_of_two_workers_the_one_that_reported_last_counts(run: Run, tmp_path: Path) -> None:
    run("report(dirty=500)")
    run("report(dirty=2)")

    assert scrape(tmp_path, "holdfast_channel_dirty_skus", channel="shop") == 2


def test_a_worker_that_does_not_publish_sends_nothing(run: Run, tmp_path: Path) -> None:
    run("report(dirty=500)")
    run("")

    assert scrape(tmp_path, "holdfast_channel_dirty_skus", channel="shop") == 500


def test_a_worker_that_lost_the_lease_leaves_no_gauge_behind(run: Run, tmp_path: Path) -> None:
    run("report(dirty=500); forget_channel('shop')")

    assert [scrape(tmp_path, name, channel="shop") for name in GAUGES] == [None] * len(GAUGES)


def test_a_worker_that_forgets_late_does_not_hide_its_successor_s_figure(run: Run, tmp_path: Path) -> None:
    run("report(dirty=2)")
    run("report(dirty=500); forget_channel('shop')")

    assert scrape(tmp_path, "holdfast_channel_dirty_skus", channel="shop") == 2


def test_a_worker_that_takes_the_lease_again_publishes_again(run: Run, tmp_path: Path) -> None:
    run("report(dirty=500); forget_channel('shop'); report(dirty=3)")

    assert scrape(tmp_path, "holdfast_channel_dirty_skus", channel="shop") == 3


def test_what_workers_counted_adds_up_and_outlives_the_lease(run: Run, tmp_path: Path) -> None:
    run("children.pushed('applied', 2); children.propagation.observe(0.03); forget_channel('shop')")
    run("children.pushed('applied', 3); children.propagation.observe(0.03)")

    assert scrape(tmp_path, "holdfast_channel_pushes_total", channel="shop", result="applied") == 5
    assert scrape(tmp_path, "holdfast_channel_propagation_seconds_count", channel="shop") == 2


def test_the_processes_that_publish_are_counted(run: Run, tmp_path: Path) -> None:
    run("PUBLISHER_ACTIVE.set(1)")
    run("PUBLISHER_ACTIVE.set(0)")

    assert scrape(tmp_path, "holdfast_publisher_active") == 1


def test_every_gauge_of_a_channel_is_forgotten() -> None:
    declared = {
        gauge._name
        for gauge in vars(metrics).values()
        if isinstance(gauge, Gauge) and gauge._labelnames == ("channel",)
    }

    assert declared == {*GAUGES, *INTAKE_GAUGES, MIRROR_GAUGE}
