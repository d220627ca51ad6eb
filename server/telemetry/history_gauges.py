"""The metrics of the history, and of what else follows the journal into the documents database."""

from typing import Final

from prometheus_client import Counter, Gauge

HISTORY_AGE_SECONDS: Final = Gauge(
    "holdfast_history_age_seconds",
    "How long ago everything in the journal of every partition was last in the documents database, too.",
    multiprocess_mode="livemostrecent",
)
HISTORY_ROWS: Final = Counter("holdfast_history_rows_total", "Rows of the history that were written.")
HISTORY_GAPS: Final = Counter(
    "holdfast_history_gaps_total", "Parts of the journal that the history does not have, by why.", ("reason",)
)
for _reason in ("before", "trimmed", "went_back", "damaged"):
    HISTORY_GAPS.labels(_reason)
