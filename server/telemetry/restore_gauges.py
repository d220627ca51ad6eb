"""Whether a store that was restored from a backup is still halted."""

from typing import Final

from prometheus_client import Gauge

RESTORE_HALTED: Final = Gauge(
    "holdfast_restore_halted",
    "1 while a restored store publishes nothing and takes no orders in, until it is released; else 0.",
    multiprocess_mode="livemostrecent",
)
