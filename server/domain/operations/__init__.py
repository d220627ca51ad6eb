"""The operations of the ledger: one immutable type for each, in the file of its subject.

A new operation is a class here and a file in ``lua/operations/`` with the name of its tag. ``base.py`` describes the
class and ``lua/README.md`` the file.
"""

from server.domain.operations.allocations import AllocationOperation
from server.domain.operations.base import Operation
from server.domain.operations.batches import BatchOperation
from server.domain.operations.expected_receipts import ExpectedReceiptOperation
from server.domain.operations.orders import OrderOperation
from server.domain.operations.reservations import ReservationOperation
from server.domain.operations.stock import StockOperation
from server.domain.operations.transfers import TransferOperation

__all__ = [
    "AllocationOperation",
    "BatchOperation",
    "ExpectedReceiptOperation",
    "Operation",
    "OrderOperation",
    "ReservationOperation",
    "StockOperation",
    "TransferOperation",
    "operation_types",
]


def operation_types() -> dict[str, type[Operation]]:
    """Return every operation by its tag, in the order of their definition."""
    found: dict[str, type[Operation]] = {}
    kinds: list[type[Operation]] = [Operation]
    for kind in kinds:
        kinds += kind.__subclasses__()
        tag = kind.__struct_config__.tag
        if isinstance(tag, str):
            found[tag] = kind
    return found
