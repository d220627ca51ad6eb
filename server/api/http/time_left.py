"""How much time a stop has left: one limit for all its parts."""

import time


class TimeLeft:
    """One limit for all parts of a stop; it counts from the first question."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._end_s = 0.0

    def seconds(self, at_least_s: float = 0.0) -> float:
        """Return what is left."""
        self._end_s = self._end_s or time.monotonic() + self._limit_s
        return max(at_least_s, self._end_s - time.monotonic())
