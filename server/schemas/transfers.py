"""Transfers over the wire: what callers send, and what they get."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.stock import Availability
from server.domain.transfer import Transfer
from server.schemas.availability import AvailableView
from server.schemas.common import (
    AllowSimilar,
    Body,
    LineNumber,
    Location,
    Quantity,
    Reference,
    ReservationId,
    Scan,
    Sku,
    time_of,
)


class TransferLineBody(Body, frozen=True, kw_only=True):
    """Units of one SKU that are sent. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: Sku | None = None
    quantity: Quantity
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


class ShipBody(Body, frozen=True):
    """Send units from one location to another. ``transfer_id`` is yours, and makes a retry safe."""

    from_: Location = msgspec.field(name="from")
    to: Location
    lines: Annotated[list[TransferLineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    transfer_id: ReservationId | None = None
    reason: Reference | None = None
    allow_similar: AllowSimilar = msgspec.UNSET


class ArrivedBody(Body, frozen=True):
    """Units of one line of a transfer that arrived, and what becomes of them."""

    line: LineNumber
    quantity: Quantity
    disposition: Literal["restock", "damaged", "quality_control"] = "restock"


class ArriveBody(Body, frozen=True):
    """What arrived; without lines: everything. ``close``: the rest never will, for this reason."""

    lines: Annotated[list[ArrivedBody], Meta(max_length=limits.LINES_MAX)] | None = None
    close: bool = False
    reason: Reference | None = None


class CancelTransferBody(Body, frozen=True):
    """The transfer never left."""

    reason: Reference | None = None


class TransferLineView(msgspec.Struct, frozen=True, omit_defaults=True):
    """One SKU of a transfer. quantity = received + lost + in_transit + cancelled."""

    line: int
    sku: str
    quantity: int
    received: int
    lost: int
    in_transit: int
    cancelled: int = 0


class TransferView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units sent from one location to another. ``closed_at`` is there when nothing is on its way any more."""

    transfer_id: str
    state: Literal["in_transit", "closed", "cancelled"]
    from_: str = msgspec.field(name="from")
    to: str
    shipped_at: datetime
    lines: list[TransferLineView]
    closed_at: datetime | None = None
    reason: str = ""
    lost_reason: str = ""
    cancel_reason: str = ""
    availability: list[AvailableView] = []


class TransferPageView(msgspec.Struct, frozen=True):
    """Transfers that are on their way; ``next`` is the ``after`` of the next page, empty on the last."""

    transfers: list[TransferView]
    next: str


class TransferQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    after: Annotated[str, Meta(max_length=20)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


def transfer_view(transfer_id: str, transfer: Transfer, left: list[Availability] | None = None) -> TransferView:
    """Show a transfer, and what its last step ``left`` available."""
    return TransferView(
        transfer_id,
        transfer.state,  # type: ignore[arg-type]  # the script knows only these
        transfer.source,
        transfer.destination,
        time_of(transfer.shipped_ms),
        [
            TransferLineView(number, line.sku, line.quantity, line.received, line.lost, line.in_transit, line.cancelled)
            for number, line in enumerate(transfer.lines, 1)
        ],
        time_of(transfer.closed_ms) if transfer.closed_ms else None,
        transfer.reason,
        transfer.lost_reason,
        transfer.cancel_reason,
        [AvailableView(each.sku, each.location, each.available, each.seq) for each in left or []],
    )
