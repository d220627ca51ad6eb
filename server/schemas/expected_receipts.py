"""Expected receipts and what is available to promise by day, over the wire."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.expected_receipt import ExpectedReceipt
from server.schemas.common import After, AllowSimilar, Body, Day, Location, Quantity, Reference, Scan, Sku
from server.schemas.transfers import TransferView


class ExpectedReceiptView(msgspec.Struct, frozen=True):
    """An expected receipt. ``expected`` units are still to come; more may be ``received`` than ``quantity``.

    ``sscc``: the parcel in which it was announced, left out where it was not.
    """

    supply_id: str
    sku: str
    location: str
    quantity: int
    received: int
    expected: int
    expected_on: date
    reference: str
    sscc: str | msgspec.UnsetType = msgspec.UNSET


class ParcelView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is still to come in a parcel: expected receipts, and the transfer whose id is the number of the parcel."""

    sscc: str
    supply: list[ExpectedReceiptView]
    transfer: TransferView | None = None


class ExpectedReceiptList(msgspec.Struct, frozen=True):
    """What is still to come: of one SKU the earliest first, of all in no order.

    ``next`` is the ``after`` of the next page, empty on the last.
    """

    supply: list[ExpectedReceiptView]
    as_of: datetime
    next: str


class AtpDayView(msgspec.Struct, frozen=True):
    """One day: what is ``projected`` to be available at its end, and what is ``promisable`` for it."""

    on: date
    projected: int
    promisable: int


class AtpView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is available to promise by day. ``late`` units were expected before today and count for nothing.

    ``backordered`` units come off first: receipts fill backorders before they are available to promise. ``time_zone``:
    the zone by which its days are told, left out for UTC.
    """

    sku: str
    available: int
    late: int
    days: list[AtpDayView]
    as_of: datetime
    backordered: int = 0
    time_zone: str = "UTC"


class ExpectedReceiptBody(Body, frozen=True, kw_only=True):
    """So many units in all are to come, on that day; what was received of them stays received.

    With a barcode instead of a SKU, ``quantity`` counts packs. ``sscc``: the number of the parcel in which it comes.
    """

    sku: Sku | None = None
    quantity: Quantity
    expected_on: Day
    location: Location = limits.DEFAULT_LOCATION
    reference: Reference | None = None
    allow_similar: AllowSimilar = msgspec.UNSET
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET
    sscc: Scan | msgspec.UnsetType = msgspec.UNSET


class AtpQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From today, if not said, for 30 days; at one location, or at all."""

    # Not None: in a query that would let the word null pass for a day.
    from_: Day | msgspec.UnsetType = msgspec.field(name="from", default=msgspec.UNSET)
    to: Day | msgspec.UnsetType = msgspec.UNSET
    location: Location | None = None


class ExpectedReceiptQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one SKU or all; at one location, or at all. ``after`` is the ``next`` of the page before.

    Without ``limit``, all of a SKU come at once.
    """

    sku: Sku | None = None
    location: Location | None = None
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] | msgspec.UnsetType = msgspec.UNSET


def receipt_view(supply_id: str, supply: ExpectedReceipt) -> ExpectedReceiptView:
    """Show an expected receipt."""
    return ExpectedReceiptView(
        supply_id, supply.sku, supply.location, supply.quantity, supply.received, supply.expected, supply.expected_on,
        supply.reference, supply.sscc or msgspec.UNSET,
    )  # fmt: skip
