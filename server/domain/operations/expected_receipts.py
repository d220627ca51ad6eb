"""Operations on expected receipts."""

from datetime import date
from typing import ClassVar

from server.domain.operations.base import Operation
from server.domain.operations.stock import PlacingOperation


class ExpectedReceiptOperation(Operation, frozen=True):
    """A change of an expected receipt."""

    function: ClassVar[str] = "mutate_expected_receipts"


class Expect(ExpectedReceiptOperation, tag="expect", frozen=True):
    """Set an expected receipt. ``quantity``: all units that were ordered, those that have arrived included.

    A ``supply_id`` that exists is changed to these values; its SKU cannot change. ``sscc``: the number of the parcel in
    which it comes, empty where it was not announced.
    """

    key: str
    supply_id: str
    sku: str
    location: str
    quantity: int
    expected_on: date
    reference: str = ""
    sscc: str = ""
    allow_similar: bool = False

    @property
    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Its SKU, and its location."""
        return (self.sku,), (self.location,)


class Forgo(ExpectedReceiptOperation, tag="forgo", frozen=True):
    """Remove an expected receipt."""

    key: str
    supply_id: str


class ReceiveExpected(PlacingOperation, tag="receive_expected", frozen=True):
    """Add units of an expected receipt that arrived. ``location`` empty: that of the expected receipt."""

    function: ClassVar[str] = "mutate_expected_receipts"

    supply_id: str
    quantity: int
    reason: str = ""
    allow_similar: bool = False
