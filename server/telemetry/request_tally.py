"""Counts requests and outcomes cheaply, and adds the counts to Prometheus several times a second."""

import asyncio
from bisect import bisect_left
from typing import Final

from server.telemetry.metrics import HTTP_EXPRESS_REQUESTS, HTTP_REQUEST_SECONDS, OPERATIONS, SECONDS


class RequestTally:
    """What the hot path counts for each request, in plain numbers that are added to the metrics a few times a second.

    The library's own counting takes a lock for each bucket, which was a twelfth of the time of a whole reserve.
    ``express``: those of the requests that took the express lane.
    """

    def __init__(self) -> None:
        self.express = 0
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
        requests, self._requests = self._requests, {}
        for (route, status), (*counts, sum_s) in requests.items():
            child = HTTP_REQUEST_SECONDS.labels(*route, str(status))
            for bucket, count in zip(child._buckets, counts, strict=True):  # noqa: SLF001  # it has no way to add many
                bucket.inc(count)
            child._sum.inc(sum_s)  # noqa: SLF001


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
