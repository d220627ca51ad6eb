"""When a channel confirmed values, and how long after their changes."""

from collections import deque
from collections.abc import Sequence
from typing import Final

LAGS_KEPT: Final = 1_000
"""Confirmations whose lags the status summarizes: enough for a 99th percentile."""


class Confirmations:
    """One channel's last confirmations. ``last_ms``: the latest, in milliseconds of the store's clock; None: none."""

    def __init__(self) -> None:
        self.last_ms: int | None = None
        self._lags_s: deque[float] = deque(maxlen=LAGS_KEPT)

    def add_lag(self, changed_ms: int, now_ms: int) -> float:
        """Add the time from a change to its confirmation, and return it in seconds."""
        lag_s = max(0.0, (now_ms - changed_ms) / 1000)
        self._lags_s.append(lag_s)
        return lag_s

    def lags_s(self) -> tuple[float | None, float | None]:
        """Return the median and the 99th percentile of the lags in seconds; None: there are none."""
        ordered = sorted(self._lags_s)
        return _quantile(ordered, 0.5), _quantile(ordered, 0.99)


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None
