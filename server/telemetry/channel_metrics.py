"""The metrics of channels and webhooks, one set of children for each."""

from bisect import bisect_left
from typing import Final

from prometheus_client import Gauge, values

from server.domain.channels import ChannelStatus, Circuit
from server.domain.intake import IntakeStatus
from server.telemetry.metrics import (
    CHANNEL_CADENCE_SECONDS,
    CHANNEL_CIRCUIT_OPEN,
    CHANNEL_CURSOR_AGE_SECONDS,
    CHANNEL_DEAD_LETTERS,
    CHANNEL_DIRTY_SKUS,
    CHANNEL_OLDEST_UNSENT_SECONDS,
    CHANNEL_PROPAGATION_SECONDS,
    CHANNEL_PUSHES,
    CHANNEL_RECONCILE_DIFFERENCES,
    CHANNEL_SIGNED_OUT,
    INBOX_ORDERS,
    INTAKE_LAG_SECONDS,
    INTAKE_OPEN_ORDERS,
    INTAKE_ORDERS,
    MIRROR_LATE_SECONDS,
    NOTIFICATIONS,
    OUTBOX_OLDEST_SECONDS,
    OUTBOX_UNDECIDED,
    WEBHOOK_DELIVERIES,
    WEBHOOK_DROPPED,
    WEBHOOK_OLDEST_UNSENT_SECONDS,
    WEBHOOK_WAITING,
)

CIRCUITS: Final[dict[Circuit, int]] = {"closed": 0, "open": 1, "halted": 2}


PUSH_RESULTS: Final = ("applied", "accepted", "rejected", "retried", "conflict", "unknown", "failed")
"""The possible results of a value that was sent; an ``accepted`` one is counted again by its final result."""


class ChannelMetrics:
    """The metrics of one channel, with their children looked up once. Made anew with each lease."""

    def __init__(self, channel: str) -> None:
        self.propagation = CHANNEL_PROPAGATION_SECONDS.labels(channel)
        self.reconcile_differences = CHANNEL_RECONCILE_DIFFERENCES.labels(channel)
        self.dirty_skus = CHANNEL_DIRTY_SKUS.labels(channel)
        self.oldest_unsent = CHANNEL_OLDEST_UNSENT_SECONDS.labels(channel)
        self.cursor_age = CHANNEL_CURSOR_AGE_SECONDS.labels(channel)
        self.dead_letters = CHANNEL_DEAD_LETTERS.labels(channel)
        self.circuit_open = CHANNEL_CIRCUIT_OPEN.labels(channel)
        self.signed_out = CHANNEL_SIGNED_OUT.labels(channel)
        self.cadence = CHANNEL_CADENCE_SECONDS.labels(channel)
        # All of them from the start, so that the first rejection shows as a rise from zero.
        self._pushes = {result: CHANNEL_PUSHES.labels(channel, result) for result in PUSH_RESULTS}
        self._edges = list(self.propagation._upper_bounds)  # noqa: SLF001
        self._lags = [0] * len(self._edges)
        self._lags_sum_s = 0.0

    def propagated(self, lag_s: float) -> None:
        """Collect how long a change took to be confirmed, until :meth:`hand_over`."""
        self._lags[bisect_left(self._edges, lag_s)] += 1
        self._lags_sum_s += lag_s

    def hand_over(self) -> None:
        """Update the histogram, once for a whole push; see :class:`RequestTally`."""
        self.propagation._sum.inc(self._lags_sum_s)  # noqa: SLF001  # it has no way to add many
        self._lags_sum_s = 0.0
        for place, number in enumerate(self._lags):
            if number:
                self.propagation._buckets[place].inc(number)  # noqa: SLF001
                self._lags[place] = 0

    def pushed(self, result: str, items: int = 1) -> None:
        """Count values that were sent, by one of :data:`PUSH_RESULTS`."""
        self._pushes[result].inc(items)

    def show(self, status: ChannelStatus, *, journal_end_ms: int | None = None, cadence_s: float = 0.0) -> None:
        """Update the gauges. ``journal_end_ms``: the time of the journal's last entry.

        Where that is unknown, a channel with nothing pending counts as being at the end.
        """
        self.dirty_skus.set(status.dirty)
        self.oldest_unsent.set(status.oldest_unsent_s)
        self.dead_letters.set(status.dead_letters)
        self.circuit_open.set(CIRCUITS[status.circuit])
        self.signed_out.set(status.signed_out)
        self.cadence.set(cadence_s)
        if journal_end_ms is None:
            journal_end_ms = status.written_ms if status.dirty or status.in_flight or status.tickets else 0
        cursor_ms = int(status.cursor.partition("-")[0] or 0)
        self.cursor_age.set(max(0, journal_end_ms - cursor_ms) / 1000)


class WebhookMetrics:
    """The metrics of one endpoint, with their children looked up once."""

    def __init__(self, webhook: str) -> None:
        self.delivered = WEBHOOK_DELIVERIES.labels(webhook, "delivered")
        self.failed = WEBHOOK_DELIVERIES.labels(webhook, "failed")
        self.dropped = WEBHOOK_DROPPED.labels(webhook)
        self.waiting = WEBHOOK_WAITING.labels(webhook)
        self.oldest_unsent = WEBHOOK_OLDEST_UNSENT_SECONDS.labels(webhook)


class IntakeMetrics:
    """The metrics of one channel's intake, with their children looked up once."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._lag = INTAKE_LAG_SECONDS.labels(channel)
        self._inbox = INBOX_ORDERS.labels(channel)
        self._oldest = OUTBOX_OLDEST_SECONDS.labels(channel)
        self._undecided = OUTBOX_UNDECIDED.labels(channel)
        self._open = INTAKE_OPEN_ORDERS.labels(channel)

    def taken(self, result: str) -> None:
        """Count a snapshot by what came of it."""
        INTAKE_ORDERS.labels(self._channel, result).inc()

    def show(self, status: IntakeStatus) -> None:
        """Update the gauges."""
        self._lag.set(status.lag_s)
        self._inbox.set(status.inbox)
        self._oldest.set(status.outbox_oldest_s)
        self._undecided.set(status.undecided)
        self._open.set(status.open)


class MirrorMetrics:
    """The metric of one channel's mirrored location."""

    def __init__(self, channel: str) -> None:
        self.late = MIRROR_LATE_SECONDS.labels(channel)


def heard_by(channel: str, result: str) -> None:
    """Count a delivery of a channel: taken, repeated, forged, unreadable, or failed."""
    NOTIFICATIONS.labels(channel, result).inc()


def forget_channel(channel: str) -> None:
    """Remove a channel's gauges: this process publishes to it no more, and must not report its old status.

    Its counters stay, since they counted what happened here. A :class:`ChannelMetrics` made before has no effect.
    """
    forget_gauges(
        channel,
        CHANNEL_DIRTY_SKUS,
        CHANNEL_OLDEST_UNSENT_SECONDS,
        CHANNEL_CURSOR_AGE_SECONDS,
        CHANNEL_DEAD_LETTERS,
        CHANNEL_CIRCUIT_OPEN,
        CHANNEL_SIGNED_OUT,
        CHANNEL_CADENCE_SECONDS,
    )


def forget_webhook(webhook: str) -> None:
    """Remove an endpoint's gauges, as :func:`forget_channel` does."""
    forget_gauges(webhook, WEBHOOK_WAITING, WEBHOOK_OLDEST_UNSENT_SECONDS)


def forget_intake(channel: str) -> None:
    """Remove the gauges of a channel's intake, as :func:`forget_channel` does."""
    gauges = (INTAKE_LAG_SECONDS, INBOX_ORDERS, OUTBOX_OLDEST_SECONDS, OUTBOX_UNDECIDED, INTAKE_OPEN_ORDERS)
    forget_gauges(channel, *gauges)


def forget_mirror(channel: str) -> None:
    """Remove the gauge of a channel's mirrored location, as :func:`forget_channel` does."""
    forget_gauges(channel, MIRROR_LATE_SECONDS)


def forget_gauges(channel: str, *gauges: Gauge) -> None:
    """Remove the children of gauges with one label."""
    for gauge in gauges:
        if values.ValueClass._multiprocess:  # noqa: SLF001  # the library shows it nowhere else
            # Nothing can be removed from a process's file. But of the "most recent" values the library leaves out
            # those that were never set, which are the ones without a time.
            gauge.labels(channel)._value.set(0.0, timestamp=0.0)  # noqa: SLF001
        else:
            gauge.remove(channel)
