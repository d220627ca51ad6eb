"""Every metric of Holdfast. Children are looked up once and kept: ``labels()`` on the hot path doubles its cost.

With several workers, prometheus-client's multiprocess mode adds the figures up over their files; the directory must be
in the environment before this module is imported, which is done where worker processes are started.
"""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from server.telemetry.copy_metrics import COPIED_PLACES, COPIED_SKUS  # noqa: F401  # named here, so that all are found
from server.telemetry.history_gauges import HISTORY_AGE_SECONDS, HISTORY_GAPS, HISTORY_ROWS  # noqa: F401  # as below
from server.telemetry.key_limit_metrics import KEY_LIMIT_REFUSALS as KEY_LIMIT_REFUSALS  # noqa: PLC0414  # as below
from server.telemetry.reload_metrics import CONFIGURATION_RELOADS as CONFIGURATION_RELOADS  # noqa: PLC0414  # as below
from server.telemetry.restore_gauges import RESTORE_HALTED as RESTORE_HALTED  # noqa: PLC0414  # as below
from server.telemetry.source_gauges import (  # noqa: F401  # named here, so that all are found in one place
    SOURCE_CIRCUIT_OPEN,
    SOURCE_LATE_SECONDS,
    SOURCE_REFUSED_ORDERS,
    SOURCE_UNTOLD_SECONDS,
    SOURCE_WAITING_NUMBERS,
)

SECONDS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
"""Edges of every latency histogram, on the thresholds of the objectives."""


PROPAGATION_SECONDS: Final = tuple(
    sorted(
        (*SECONDS, 0.02, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
    )  # 20 ms is an objective of this one alone
)
"""Further up than the others: a channel may have a cadence, be slow with its tickets, or be down for an hour."""


HTTP_REQUEST_SECONDS: Final = Histogram(
    "holdfast_http_request_seconds",
    "Time from the request's head to the answer's last byte handed over.",
    ("method", "route", "status"),
    buckets=SECONDS,
)


HTTP_CONNECTIONS: Final = Gauge(
    "holdfast_http_connections", "Open connections of callers.", multiprocess_mode="livesum"
)


HTTP_EXPRESS_LANE: Final = Gauge(
    "holdfast_http_express_lane", "Whether the express lane is on: 1, or 0.", multiprocess_mode="livemin"
)


HTTP_EXPRESS_REQUESTS: Final = Counter(
    "holdfast_http_express_requests_total", "Requests that were answered on the express lane."
)


HTTP_CONNECTIONS_CLOSED: Final = Counter(
    "holdfast_http_connections_closed_total", "Connections that were turned away or closed for others.", ("reason",)
)


UNREAD_ANSWERS_CLOSED: Final = Counter(
    "holdfast_unread_answers_closed_total",
    "Connections closed because their callers did not read the answer, by the limit that was met.",
    ("reason",),
)


CHANGES_STREAMS: Final = Gauge(
    "holdfast_changes_streams", "Open streams of GET /v1/changes.", multiprocess_mode="livesum"
)


CHANGES_STREAMS_CLOSED: Final = Counter(
    "holdfast_changes_streams_closed_total", "Streams of changes that have ended, by the reason.", ("reason",)
)


CHANGES_STREAMS_REFUSED: Final = Counter(
    "holdfast_changes_streams_refused_total", "Streams of changes that were refused, by the limit.", ("limit",)
)


OPERATIONS: Final = Counter(
    "holdfast_operations_total", "Operations on the ledger, by outcome.", ("operation", "outcome")
)


BATCH_OPERATIONS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
STORE_BATCH_OPERATIONS: Final = Histogram(
    "holdfast_store_batch_operations", "Operations that went to the store together.", buckets=BATCH_OPERATIONS
)


STORE_ROUNDTRIP_SECONDS: Final = Histogram(
    "holdfast_store_roundtrip_seconds", "Time from sending a batch to its last reply.", buckets=SECONDS
)


SCRIPT_SECONDS: Final = Histogram(
    "holdfast_script_seconds",
    "How long a function ran inside the store; only calls that its slow log has.",
    ("function",),
    buckets=(0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0),
)


SCRIPT_LONGEST_SECONDS: Final = Gauge(
    "holdfast_script_longest_seconds",
    "The longest call of a function in the last minute; 0 where the slow log of the store has none.",
    ("function",),
    multiprocess_mode="livemostrecent",
)


STORE_QUEUE_OPERATIONS: Final = Gauge(
    "holdfast_store_queue_operations", "Operations that wait to be sent.", multiprocess_mode="livesum"
)


STORE_QUEUES: Final = Gauge(
    "holdfast_store_queues",
    "Keys that have operations waiting, each with a queue of its own.",
    multiprocess_mode="livesum",
)


STORE_LONGEST_QUEUE_OPERATIONS: Final = Gauge(
    "holdfast_store_longest_queue_operations",
    "Operations that wait in the longest queue, that of one key.",
    multiprocess_mode="livemax",
)


OVERLOAD_REJECTIONS: Final = Counter(
    "holdfast_overload_rejections_total",
    "Requests and operations refused because too many were waiting or running.",
    ("reason",),
)


RESERVATIONS: Final = Gauge(
    "holdfast_reservations", "Reservations in the store.", ("state",), multiprocess_mode="livemostrecent"
)


EXPIRY_LATENESS_SECONDS: Final = Histogram(
    "holdfast_expiry_lateness_seconds", "How long after its deadline a hold was ended by the sweeper.", buckets=SECONDS
)


SHORTAGE_UNITS: Final = Gauge(
    "holdfast_shortage_units", "Reserved units that are not on the shelf.", multiprocess_mode="livemostrecent"
)


UNMAPPED_LINES: Final = Gauge(
    "holdfast_unmapped_lines", "Lines of orders whose SKU is not known yet.", multiprocess_mode="livemostrecent"
)


DRIFT_UNITS: Final = Gauge(
    "holdfast_drift_units",
    "Units by which counters and live reservations disagreed at the last audit.",
    multiprocess_mode="livemostrecent",
)


MAINTENANCE_FAILING_PARTITIONS: Final = Gauge(
    "holdfast_maintenance_failing_partitions",
    "Partitions for which a chore of maintenance fails, while it goes on for all others.",
    ("chore",),
    multiprocess_mode="livemostrecent",
)


EVENT_LOOP_LAG_SECONDS: Final = Histogram(
    "holdfast_event_loop_lag_seconds", "How much later than asked the event loop ran a timer.", buckets=SECONDS
)


JOURNAL_ENTRIES: Final = Gauge(
    "holdfast_journal_entries", "Entries in the journal.", multiprocess_mode="livemostrecent"
)


JOURNAL_OLDEST_SECONDS: Final = Gauge(
    "holdfast_journal_oldest_seconds",
    "Age of the oldest entry that the last trimming could have dropped; 0 where there is none.",
    multiprocess_mode="livemostrecent",
)


JOURNAL_RETENTION_SECONDS: Final = Gauge(
    "holdfast_journal_retention_seconds", "How long the journal is kept.", multiprocess_mode="livemostrecent"
)


STORE_UP: Final = Gauge("holdfast_store_up", "1 while the store answers, else 0.", multiprocess_mode="livemostrecent")


STORE_DURABLE: Final = Gauge(
    "holdfast_store_durable",
    "1 while the store's settings and its last write guarantee what HOLDFAST_DURABILITY requires, else 0.",
    multiprocess_mode="livemostrecent",
)


STORE_MEMORY_USED_BYTES: Final = Gauge(
    "holdfast_store_memory_used_bytes", "Memory that the store uses.", multiprocess_mode="livemostrecent"
)


STORE_MEMORY_LIMIT_BYTES: Final = Gauge(
    "holdfast_store_memory_limit_bytes",
    "Memory that the store may use: its maxmemory, or without one what its machine has.",
    multiprocess_mode="livemostrecent",
)


STORE_DISK_FREE_BYTES: Final = Gauge(
    "holdfast_store_disk_free_bytes",
    "Room left on the disk of a store on this machine; 0 where it is elsewhere.",
    multiprocess_mode="livemostrecent",
)


STORE_DISK_SIZE_BYTES: Final = Gauge(
    "holdfast_store_disk_size_bytes",
    "Size of the disk of a store on this machine; 0 where it is elsewhere.",
    multiprocess_mode="livemostrecent",
)


FIGURES_CHANGES: Final = Counter("holdfast_figures_changes_total", "Changes of the journal that the figures count.")
ALERTS_RAISED: Final = Counter(
    "holdfast_alerts_raised_total", "Thresholds that stock crossed, by the alert's type.", ("type",)
)


FIGURES_AGE_SECONDS: Final = Gauge(
    "holdfast_figures_age_seconds",
    "How long ago the figures of every partition were last counted up to the journal's end.",
    multiprocess_mode="livemostrecent",
)


WORKER_RESTARTS: Final = Counter(
    "holdfast_worker_restarts_total",
    "Workers that were replaced, by whether they had ended or hung.",
    ("reason",),
)
for _reason in ("ended", "hung"):
    WORKER_RESTARTS.labels(_reason)  # a rate needs the zero before the first one


PUBLISHER_ACTIVE: Final = Gauge(
    "holdfast_publisher_active",
    "Processes that hold the lease of at least one partition: 1 or 0 of each.",
    multiprocess_mode="livesum",
)


PUBLISHER_MISSING_PARTITIONS: Final = Gauge(
    "holdfast_publisher_missing_partitions",
    "Partitions with channels whose lease no process holds.",
    multiprocess_mode="livemostrecent",
)


CHANNEL_PROPAGATION_SECONDS: Final = Histogram(
    "holdfast_channel_propagation_seconds",
    "Time from a change to the channel's own confirmation of it.",
    ("channel",),
    buckets=PROPAGATION_SECONDS,
)


CHANNEL_PUSHES: Final = Counter(
    "holdfast_channel_pushes_total", "Values sent to a channel, by result.", ("channel", "result")
)


CHANNEL_RECONCILE_DIFFERENCES: Final = Counter(
    "holdfast_channel_reconcile_differences_total",
    "Listings that showed something else than they should when the channel was read back.",
    ("channel",),
)


def _channel_gauge(name: str, documentation: str) -> Gauge:
    """Make a gauge that the acting publisher sets: of several processes the one that set it last is right."""
    return Gauge(name, documentation, ("channel",), multiprocess_mode="livemostrecent")


CHANNEL_DIRTY_SKUS: Final = _channel_gauge(
    "holdfast_channel_dirty_skus", "SKUs whose newest value a channel has not confirmed."
)


CHANNEL_OLDEST_UNSENT_SECONDS: Final = _channel_gauge(
    "holdfast_channel_oldest_unsent_seconds", "How long the longest waiting change of a channel has waited."
)


CHANNEL_CURSOR_AGE_SECONDS: Final = _channel_gauge(
    "holdfast_channel_cursor_age_seconds", "How far a channel's cursor is behind the journal's end, in time."
)


CHANNEL_DEAD_LETTERS: Final = _channel_gauge("holdfast_channel_dead_letters", "Values that a channel does not accept.")


CHANNEL_CIRCUIT_OPEN: Final = _channel_gauge(
    "holdfast_channel_circuit_open", "0: closed, the channel works. 1: open, it fails and is probed. 2: halted."
)


CHANNEL_SIGNED_OUT: Final = _channel_gauge(
    "holdfast_channel_signed_out", "1: a person has to sign in to the channel, whose credentials change."
)


CHANNEL_CADENCE_SECONDS: Final = _channel_gauge(
    "holdfast_channel_cadence_seconds", "How often a channel is published to by its rules; 0: at once."
)


WEBHOOK_DELIVERIES: Final = Counter(
    "holdfast_webhook_deliveries_total", "Events sent to an endpoint, by the result of each try.", ("webhook", "result")
)


WEBHOOK_DROPPED: Final = Counter(
    "holdfast_webhook_dropped_events_total",
    "Events that were dropped as too old before an endpoint had received them.",
    ("webhook",),
)


WEBHOOK_WAITING: Final = Gauge(
    "holdfast_webhook_waiting_events",
    "Events not yet delivered to an endpoint, including those of types that it has not chosen.",
    ("webhook",),
    multiprocess_mode="livemostrecent",
)


WEBHOOK_OLDEST_UNSENT_SECONDS: Final = Gauge(
    "holdfast_webhook_oldest_unsent_seconds",
    "How long the next event for an endpoint has waited.",
    ("webhook",),
    multiprocess_mode="livemostrecent",
)


INTAKE_LAG_SECONDS: Final = _channel_gauge(
    "holdfast_intake_lag_seconds", "How long ago all changes of a channel's orders were known."
)


INBOX_ORDERS: Final = _channel_gauge("holdfast_inbox_orders", "Orders of a channel that are not booked, or not whole.")


OUTBOX_OLDEST_SECONDS: Final = _channel_gauge(
    "holdfast_outbox_oldest_seconds", "How long the oldest command to a channel has waited that is not settled."
)


OUTBOX_UNDECIDED: Final = _channel_gauge(
    "holdfast_outbox_undecided_commands",
    "Commands to a channel of which nobody knows whether they were carried out: a person has to look.",
)


INTAKE_OPEN_ORDERS: Final = _channel_gauge(
    "holdfast_intake_open_orders", "Orders of a channel that are read again until they are closed."
)
MIRROR_LATE_SECONDS: Final = Gauge(
    "holdfast_mirror_late_seconds",
    "How long ago what a channel holds itself should have been counted anew.",
    ("channel",),
    multiprocess_mode="livemostrecent",
)
INTAKE_ORDERS: Final = Counter(
    "holdfast_intake_orders_total",
    "Snapshots of orders that were taken in, by what came of each.",
    ("channel", "result"),
)


NOTIFICATIONS: Final = Counter(
    "holdfast_notifications_total",
    "Deliveries of a channel to this server, by what came of each.",
    ("channel", "result"),
)
