"""The limits of one request, each with its unit. The size of the store is not limited here."""

from typing import Final

SKU_BYTES_MAX: Final = 128
LOCATION_BYTES_MAX: Final = 64
BARCODE_BYTES_MAX: Final = 64
SCAN_BYTES_MAX: Final = 256
"""What a scanner sends of one label: more than a barcode, where the label names lot and dates, too."""
PACK_UNITS_MAX: Final = 1_000_000
"""Units that one barcode stands for."""
NAME_BYTES_MAX: Final = 64
"""Channels, partitions, names of keys: short words chosen by the operator."""
RESERVATION_ID_BYTES_MAX: Final = 64
IDEMPOTENCY_KEY_BYTES_MAX: Final = 128
REFERENCE_BYTES_MAX: Final = 256
"""order_ref, customer_ref, tracking, carrier, invoice_ref, reason."""

QUANTITY_MAX: Final = 1_000_000_000
UNITS_MAX: Final = 10**15
"""Of a bucket and of what is available, either sign; ``lua/lib/range.lua`` sees to it. Lua is exact up to 2**53."""
SHORT_MAX: Final = 10**9
"""Units that a SKU may be short of at a location, through an order that accepts it."""
LINES_MAX: Final = 100
RECORD_LINES_MAX: Final = 200
"""Lines of one reservation including those that relocations added."""
FLAGS_MAX: Final = 16
RESERVATIONS_PER_BATCH_MAX: Final = 500
BACKLOG_BATCHES_MIN: Final = 2
"""Batches that may always wait for the store, however slow it is: one for each of a process's two connections to it."""
BULK_AT_ONCE_MAX: Final = 32
"""Operations of one bulk request that wait for the store together: some 2 ms of this process's time."""
MOVEMENTS_PER_CALL_MAX: Final = 1_000
BARCODES_PER_CALL_MAX: Final = 1_000
"""One write of them takes less than a millisecond of the store's time."""
SKUS_PER_QUERY_MAX: Final = 1_000
AGE_MS_MAX: Final = 60_000
"""How old an answer may be that a caller takes from memory."""
PLACES_PER_SKU_MAX: Final = 10_000
"""Locations at which one SKU can be known; ``lua/lib/range.lua`` sees to it. A chain of 5,000 stores has room."""
RECEIPTS_PER_SKU_MAX: Final = 10_000
"""Open expected receipts of one SKU; ``lua/lib/expected_receipts.lua`` sees to it."""
PLACES_PER_ANSWER_MAX: Final = 20_000
"""Places (a SKU at a location) that one answer lists: about a megabyte."""
PLACES_PER_REQUEST_MAX: Final = 100_000
"""Places that one request reads: a quarter of a second of the store's time, in calls of some 2 ms."""
PLACES_PER_ORDER_MAX: Final = 150_000
"""Places that one order or explanation looks at, in as small calls: 30 SKUs in a chain of 5,000 stores."""
PAGE_RESERVATIONS_MAX: Final = 200
TOMBSTONES_MAX: Final = 100_000
"""Cancels and releases of a partition that wait for their reservations; ``lua/lib/tombstones.lua`` sees to it."""

TTL_S_MAX: Final = 86_400
TTL_S_DEFAULT: Final = 900
LIFE_S_MAX: Final = 7 * 86_400
"""The longest life of a hold, extensions included."""

BODY_BYTES_MAX: Final = 64 * 1024
BULK_BODY_BYTES_MAX: Final = 1024 * 1024
FILE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of a file that is sent to ``/v1/files``; a command reads larger ones."""
FILE_ROWS_MAX: Final = 200_000
FILE_COLUMNS_MAX: Final = 256
"""The same in rows, and in columns that are not known."""

DEFAULT_LOCATION: Final = "main"
DEFAULT_PARTITION: Final = "default"
