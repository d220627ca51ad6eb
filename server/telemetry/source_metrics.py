"""The metrics of sources, one set of children for each."""

from typing import Final

from server.domain.sources import SourceStatus
from server.telemetry.channel_metrics import CIRCUITS, forget_gauges
from server.telemetry.source_gauges import (
    SOURCE_CIRCUIT_OPEN,
    SOURCE_LATE_SECONDS,
    SOURCE_REFUSED_ORDERS,
    SOURCE_UNTOLD_SECONDS,
    SOURCE_WAITING_NUMBERS,
)

_ALL: Final = (
    SOURCE_LATE_SECONDS,
    SOURCE_WAITING_NUMBERS,
    SOURCE_UNTOLD_SECONDS,
    SOURCE_REFUSED_ORDERS,
    SOURCE_CIRCUIT_OPEN,
)


class SourceMetrics:
    """The metrics of one source, with their children looked up once."""

    def __init__(self, source: str) -> None:
        self._late, self._waiting, self._untold, self._refused, self._circuit = (each.labels(source) for each in _ALL)

    def show(self, status: SourceStatus, now_ms: int, every_s: float) -> None:
        """Update the gauges. ``every_s``: how often the source is read."""
        self._late.set(max(0.0, status.age_s(now_ms) - every_s))
        self._waiting.set(status.waiting)
        self._untold.set(status.untold_oldest_s)
        self._refused.set(status.refused)
        self._circuit.set(CIRCUITS[status.circuit])


def forget_source(source: str) -> None:
    """Remove the gauges of a source: this process reads it no more, and must not report its old state."""
    forget_gauges(source, *_ALL)
