"""Requests refused for want of room, or by a limit of their key: counted by reason, and whose they were in the log.

Names of partitions and keys are no labels of a metric, as there is no limit to them. The log names those that were
refused most, at once and then every ten seconds while it lasts.
"""

import time
from collections import Counter
from enum import StrEnum
from typing import Final

import structlog

from server.telemetry import metrics

log = structlog.get_logger("holdfast.overload")

REPORT_S: Final = 10.0
"""Seconds between two entries in the log."""
_KEYS_KEPT_MAX: Final = 1_000
_KEYS_NAMED_MAX: Final = 3


class Reason(StrEnum):
    """Why a request was refused: the values of the label of the metric that counts those of its kind."""

    FULL = "full"
    """All places of the queue are taken, and the key had no more than its share."""
    SHARE = "share"
    """The key had more than its share of the queue."""
    DISPLACED = "displaced"
    """It was the newest of the longest queue, and made room for another key."""
    BULK = "bulk"
    """The key had as many bulk requests running as it may."""
    REPORTS = "reports"
    """The key had as many reports and listings running as it may."""
    RATE = "rate"
    """The key had made all requests of the second."""
    QUOTA = "quota"
    """The key, or one of its customers, would have held more units than it may."""


_LIMITS: Final = frozenset({Reason.RATE, Reason.QUOTA})
"""Of limits that the key was made with; the others are for want of room, and answered as ``overloaded``."""
_COUNTED: Final = {
    reason: (metrics.KEY_LIMIT_REFUSALS if reason in _LIMITS else metrics.OVERLOAD_REJECTIONS).labels(reason)
    for reason in Reason
}


class _Refused:
    def __init__(self) -> None:
        self._by_key: Counter[tuple[str, str, str]] = Counter()
        self._total = 0
        self._reported_s = float("-inf")

    def note(self, reason: Reason, partition: str, key: str) -> None:
        self._total += 1
        named = (partition, key, str(reason))
        if named in self._by_key or len(self._by_key) < _KEYS_KEPT_MAX:
            self._by_key[named] += 1
        now_s = time.monotonic()
        if now_s - self._reported_s < REPORT_S:
            return
        most = [
            {"partition": partition, "key": key, "reason": reason, "refused": count}
            for (partition, key, reason), count in self._by_key.most_common(_KEYS_NAMED_MAX)
        ]
        log.warning("requests_refused", refused=self._total, most=most)
        self._by_key.clear()
        self._total, self._reported_s = 0, now_s


_REFUSED: Final = _Refused()


def refused(reason: Reason, partition: str, key: str) -> None:
    """Count a request that was refused, and have the log name its key."""
    _COUNTED[reason].inc()
    _REFUSED.note(reason, partition, key)
