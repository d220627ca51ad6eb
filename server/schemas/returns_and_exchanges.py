"""Returns and exchanges over the wire: what callers send, and what they get."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.schemas.common import AllowSimilar, Body, LineNumber, ListingKey, Location, Quantity, Reference, Scan
from server.schemas.reservations import OrderBody, ReservationView, ReserveBody


class ReturnPartBody(Body, frozen=True, kw_only=True):
    """Shipped units of one line that came back. Without a location: to where they were shipped from.

    ``key`` in place of ``line``: so many pieces of what the channel ordered under it. ``barcode``: so many packs, of
    any lines of the SKU.
    """

    line: LineNumber = 0
    quantity: Quantity
    disposition: Literal["restock", "damaged", "quality_control"]
    location: Location | None = None
    key: ListingKey | msgspec.UnsetType = msgspec.UNSET
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


class ReturnBody(Body, frozen=True):
    """What came back, and what becomes of it."""

    lines: Annotated[list[ReturnPartBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    reason: Reference | None = None
    allow_similar: AllowSimilar = msgspec.UNSET


class ExchangeBody(Body, frozen=True):
    """What comes back, and what is reserved instead: either a ``reservation`` or an ``order``."""

    return_: ReturnBody = msgspec.field(name="return")
    reservation: ReserveBody | msgspec.UnsetType = msgspec.UNSET
    order: OrderBody | msgspec.UnsetType = msgspec.UNSET


class ExchangeView(msgspec.Struct, frozen=True):
    """What came back, and what is reserved instead. ``returned.availability`` is what both have left."""

    returned: ReservationView
    reservation: ReservationView
