"""Every metric of Holdfast. Children are looked up once and kept: ``labels()`` on the hot path doubles its cost.

With several workers, prometheus-client's multiprocess mode adds the figures up over their files; the directory must be
in the environment before this module is imported, which ``server/app.py`` sees to when it starts workers.
"""

import asyncio
from bisect import bisect_left
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SECONDS: Final = (
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
)
"""Edges of every latency histogram, on the thresholds that objectives are set at."""

HTTP_REQUEST_SECONDS: Final = Histogram(
    "holdfast_http_request_seconds",
    "Time from the request's head to the answer's last byte handed over.",
    ("route", "status"),
    buckets=SECONDS,
)
OPERATIONS: Final = Counter(
    "holdfast_operations_total", "Operations on the ledger, by what came of them.", ("operation", "outcome")
)
STORE_BATCH_OPERATIONS: Final = Histogram(
    "holdfast_store_batch_operations",
    "Operations that went to the store together.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512),
)
STORE_ROUNDTRIP_SECONDS: Final = Histogram(
    "holdfast_store_roundtrip_seconds", "Time from sending a batch to its last reply.", buckets=SECONDS
)
STORE_QUEUE_OPERATIONS: Final = Gauge(
    "holdfast_store_queue_operations", "Operations that wait to be sent.", multiprocess_mode="livesum"
)
OVERLOAD_REJECTIONS: Final = Counter(
    "holdfast_overload_rejections_total", "Operations refused because too many were waiting."
)
RESERVATIONS: Final = Gauge(
    "holdfast_reservations", "Reservations in the store.", ("state",), multiprocess_mode="livemostrecent"
)
EXPIRY_LATENESS_SECONDS: Final = Histogram(
    "holdfast_expiry_lateness_seconds", "How long after its deadline a hold was ended by the sweeper.", buckets=SECONDS
)
SHORTAGE_UNITS: Final = Gauge(
    "holdfast_shortage_units", "Units promised beyond what there is.", multiprocess_mode="livemostrecent"
)
DRIFT_UNITS: Final = Gauge(
    "holdfast_drift_units",
    "Units by which counters and live reservations disagreed at the last audit.",
    multiprocess_mode="livemostrecent",
)
EVENT_LOOP_LAG_SECONDS: Final = Histogram(
    "holdfast_event_loop_lag_seconds", "How much later than asked the event loop ran a timer.", buckets=SECONDS
)
JOURNAL_ENTRIES: Final = Gauge(
    "holdfast_journal_entries", "Entries in the journal.", multiprocess_mode="livemostrecent"
)
STORE_UP: Final = Gauge("holdfast_store_up", "1 while the store answers, else 0.", multiprocess_mode="livemin")


class RequestTally:
    """What the hot path counts for each request, in plain numbers that are handed to the metrics a few times a second.

    The library's own counting takes a lock for each bucket it looks at, which came to a twelfth of a whole reserve.
    """

    def __init__(self) -> None:
        self._outcomes: dict[tuple[str, str], int] = {}
        self._requests: dict[tuple[str, int], list[float]] = {}

    def outcome(self, operation: str, outcome: str) -> None:
        """Count an operation by what came of it."""
        key = (operation, outcome)
        self._outcomes[key] = self._outcomes.get(key, 0) + 1

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request and the time that it took."""
        tally = self._requests.get((route, status))
        if tally is None:
            # One place for each edge, one for what lies beyond, and the sum of all.
            tally = self._requests[route, status] = [0.0] * (len(SECONDS) + 2)
        tally[bisect_left(SECONDS, seconds)] += 1
        tally[-1] += seconds

    def hand_over(self) -> None:
        """Bring the metrics up to date."""
        outcomes, self._outcomes = self._outcomes, {}
        for labels, number in outcomes.items():
            OPERATIONS.labels(*labels).inc(number)
        requests, self._requests = self._requests, {}
        for (route, status), (*counts, sum_s) in requests.items():
            child = HTTP_REQUEST_SECONDS.labels(route, str(status))
            for bucket, count in zip(child._buckets, counts, strict=True):  # noqa: SLF001  # it has no way to add many
                bucket.inc(count)
            child._sum.inc(sum_s)  # noqa: SLF001


TALLY: Final = RequestTally()
HAND_OVER_S: Final = 0.25


async def hand_over_regularly() -> None:
    """Hand the tally over for ever; other workers' scrapes see it as late as this."""
    try:
        while True:
            await asyncio.sleep(HAND_OVER_S)
            TALLY.hand_over()
    finally:
        TALLY.hand_over()
