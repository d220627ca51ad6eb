"""The gauges of sources: ERPs that own the stock."""

from typing import Final

from prometheus_client import Gauge


def _source_gauge(name: str, documentation: str) -> Gauge:
    """Make a gauge that the acting publisher sets: of several processes the one that set it last is right."""
    return Gauge(name, documentation, ("source",), multiprocess_mode="livemostrecent")


SOURCE_LATE_SECONDS: Final = _source_gauge(
    "holdfast_source_late_seconds", "For how long the numbers of a source should have been read, and were not."
)
SOURCE_WAITING_NUMBERS: Final = _source_gauge(
    "holdfast_source_waiting_numbers", "Numbers of a source that are not believed and wait for a person."
)
SOURCE_UNTOLD_SECONDS: Final = _source_gauge(
    "holdfast_source_untold_seconds", "How long the oldest order has waited that a source is to be told of."
)
SOURCE_REFUSED_ORDERS: Final = _source_gauge(
    "holdfast_source_refused_orders", "Orders that a source does not take: a person has to look."
)
SOURCE_CIRCUIT_OPEN: Final = _source_gauge(
    "holdfast_source_circuit_open", "0: closed, the source works. 1: open, it fails and is probed. 2: halted."
)
