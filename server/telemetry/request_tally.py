"""Counts requests and outcomes cheaply, and adds the counts to Prometheus several times a second."""

import asyncio
from bisect import bisect_left
from typing import Final

from server.telemetry.copy_metrics import COPIED_SKUS
from server.telemetry.histogram_tally import add_counted
from server.telemetry.metrics import HTTP_EXPRESS_REQUESTS, HTTP_REQUEST_SECONDS, OPERATIONS, SECONDS


class RequestTally:
    """What the hot path counts for each request, in plain numbers that are added to the metrics a few times a second.

    ``express``: those of the requests that took the express lane. ``copied``, ``not_copied``: SKUs that were answered
    from memory, and from the store although an age was allowed.
    """

    def __init__(self) -> None:
        self.express = self.copied = self.not_copied = 0
        self._outcomes: dict[tuple[str, str], int] = {}
        self._requests: dict[tuple[tuple[str, str], int], list[float]] = {}

    def outcome(self, operation: str, outcome: str) -> None:
        """Count an operation by its outcome."""
        key = (operation, outcome)
        self._outcomes[key] = self._outcomes.get(key, 0) + 1

    def request(self, route: tuple[str, str], status: int, seconds: float) -> None:
        """Count a request and the time that it took; ``route`` is its method and its path's pattern."""
        tally = self._requests.get((route, status))
        if tally is None:
            # One place for each edge, one for what lies beyond, and the sum of all.
            tally = self._requests[route, status] = [0.0] * (len(SECONDS) + 2)
        tally[bisect_left(SECONDS, seconds)] += 1
        tally[-1] += seconds

    def hand_over(self) -> None:
        """Add what was counted to the metrics."""
        outcomes, self._outcomes = self._outcomes, {}
        for labels, number in outcomes.items():
            OPERATIONS.labels(*labels).inc(number)
        express, self.express = self.express, 0
        HTTP_EXPRESS_REQUESTS.inc(express)
        copied, not_copied, self.copied, self.not_copied = self.copied, self.not_copied, 0, 0
        COPIED_SKUS.labels("memory").inc(copied)
        COPIED_SKUS.labels("store").inc(not_copied)
        requests, self._requests = self._requests, {}
        for (route, status), (*counts, sum_s) in requests.items():
            add_counted(HTTP_REQUEST_SECONDS.labels(*route, str(status)), counts, sum_s)


TALLY: Final = RequestTally()
HAND_OVER_S: Final = 0.25
"""How late a scrape may see a request; far below any scrape interval."""


async def hand_over_regularly() -> None:
    """Hand the tally over for ever, and once more when cancelled."""
    try:
        while True:
            await asyncio.sleep(HAND_OVER_S)
            TALLY.hand_over()
    finally:
        TALLY.hand_over()
