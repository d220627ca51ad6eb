"""Operations on receipts that are expected."""

from datetime import date
from typing import ClassVar

from server.domain.operations.base import Operation
from server.domain.operations.stock import StockOperation


class ExpectedReceiptOperation(Operation, frozen=True):
    """A change of what is expected."""

    function: ClassVar[str] = "mutate_expected_receipts"


class Expect(ExpectedReceiptOperation, tag="expect", frozen=True):
    """Say that units are to come on a day. ``quantity`` is all that was ordered, also what has come of it by now.

    A ``supply_id`` that is there already is changed to what this says; it stays with its SKU.
    """

    key: str
    supply_id: str
    sku: str
    location: str
    quantity: int
    expected_on: date
    reference: str = ""


class Forgo(ExpectedReceiptOperation, tag="forgo", frozen=True):
    """Expect a receipt no longer."""

    key: str
    supply_id: str


class ReceiveExpected(StockOperation, tag="receive_expected", frozen=True):
    """Units arrived that were expected. ``location`` empty: where they were expected."""

    function: ClassVar[str] = "mutate_expected_receipts"

    supply_id: str
    quantity: int
    reason: str = ""
