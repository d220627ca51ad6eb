"""Expected receipts, as the ledger returns them."""

from datetime import date

import msgspec


class ExpectedReceipt(msgspec.Struct, array_like=True, frozen=True):
    """An expected receipt, as the store keeps it: ``quantity`` units in all, of which ``received`` have arrived.

    ``quantity`` 0: it was removed after units had arrived, and is kept in case that it is set again.
    ``sscc``: the number of the parcel in which it was announced, empty for none.
    """

    sku: str
    location: str
    quantity: int
    received: int
    expected_on: date
    reference: str = ""
    sscc: str = ""

    @property
    def is_removed(self) -> bool:
        """Whether it is kept only for what was received."""
        return self.quantity == 0

    @property
    def expected(self) -> int:
        """Units that have not arrived yet; more may have arrived than were ordered."""
        return max(0, self.quantity - self.received)


class ExpectedReceiptChanged(msgspec.Struct, array_like=True, frozen=True, tag="supply_changed"):
    """An expected receipt after its change, or before it was removed."""

    replayed: bool
    supply: ExpectedReceipt
