"""Receipts that are expected, as the ledger answers them."""

from datetime import date

import msgspec


class ExpectedReceipt(msgspec.Struct, array_like=True, frozen=True):
    """An expected receipt, as the store keeps it: ``quantity`` units in all, of which ``received`` have come."""

    sku: str
    location: str
    quantity: int
    received: int
    expected_on: date
    reference: str = ""

    @property
    def expected(self) -> int:
        """Units that are still to come; more may have come than was ordered."""
        return max(0, self.quantity - self.received)


class ExpectedReceiptChanged(msgspec.Struct, array_like=True, frozen=True, tag="supply_changed"):
    """An expected receipt is as this says, or (forgone) was."""

    replayed: bool
    supply: ExpectedReceipt
