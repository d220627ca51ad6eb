"""What is sent and answered: supply.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime
from typing import Literal

import msgspec

from holdfast.types.common import ExpectedReceiptView, TransferView


class ArrivedBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one line of a transfer that arrived, and what becomes of them."""

    line: int
    """The line's place, counted from 1."""
    quantity: int
    """Units."""
    disposition: Literal["damaged", "quality_control", "restock"] | None = None
    """Without it: "restock"."""


class WaitingLineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line that waits for ``backordered`` units. ``promise_on``: the delivery day that was given, if any."""

    sku: str
    location: str
    reservation_id: str
    line: int
    channel: str
    vip: bool
    state: str
    """One of: backordered, cancelled, committed, expired, fulfilled, held, released."""
    quantity: int
    backordered: int
    mode: str
    created_at: datetime
    promise_on: str | None = None
    expires_at: datetime | None = None
    order_ref: str | None = None
    customer_ref: str | None = None


class BackorderSetView(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for new reservations of a SKU at a location, and how many units are waited for now."""

    sku: str
    location: str
    mode: str
    """One of: backorder, preorder."""
    limit: int
    waiting: int
    available: int
    seq: int
    promise_on: str | None = None


class TransferLineBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU that are sent. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    quantity: int
    """Units."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class BackorderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Lines that wait, by SKU and location, there in the order in which they are filled.

    ``next`` is the ``after`` of the next page, empty on the last.
    """

    backorders: list[WaitingLineView]
    next: str


class ExpectedReceiptList(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to come: of one SKU the earliest first, of all in no order.

    ``next`` is the ``after`` of the next page, empty on the last.
    """

    supply: list[ExpectedReceiptView]
    as_of: datetime
    next: str


class TransferPageView(msgspec.Struct, frozen=True, kw_only=True):
    """Transfers that are on their way; ``next`` is the ``after`` of the next page, empty on the last."""

    transfers: list[TransferView]
    next: str
