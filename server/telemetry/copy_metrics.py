"""The metrics of what a process keeps to answer from memory."""

from typing import Final

from prometheus_client import Counter, Gauge

COPIED_SKUS: Final = Counter(
    "holdfast_availability_aged_skus_total",
    "SKUs that callers asked for who allow an age, by what answered: memory, or the store.",
    ("source",),
)


COPIED_PLACES: Final = Gauge(
    "holdfast_copied_places", "Places (a SKU at a location) that are kept in memory.", multiprocess_mode="livesum"
)
