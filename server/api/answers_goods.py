"""What callers get where goods are moved: transfers, expected receipts, barcodes, shortages."""

from datetime import date, datetime
from typing import Literal

import msgspec

from server.api.answers import AvailableView


class ShortLineView(msgspec.Struct, frozen=True):
    """A promised line that will not get all of its ``quantity``: it ``lacks`` so many units."""

    reservation_id: str
    line: int
    channel: str
    state: str
    order_ref: str
    flags: list[str]
    created_at: datetime
    quantity: int
    lacks: int


class ShortageView(msgspec.Struct, frozen=True):
    """A place that is short by so many units, and whose they are: the newest first, those flagged vip last.

    ``lines_complete`` false: there were too many reservations to look at all, so the lines are a guess.
    """

    sku: str
    location: str
    short: int
    lines: list[ShortLineView]
    lines_complete: bool


class ShortageList(msgspec.Struct, frozen=True):
    """What is short; ``next`` is the ``after`` of the next page, empty on the last."""

    shortages: list[ShortageView]
    next: str


class TransferLineView(msgspec.Struct, frozen=True):
    """One SKU of a transfer. quantity = received + lost + in_transit."""

    line: int
    sku: str
    quantity: int
    received: int
    lost: int
    in_transit: int


class TransferView(msgspec.Struct, frozen=True, omit_defaults=True):
    """Units sent from one location to another. ``closed_at`` is there when nothing is on its way any more."""

    transfer_id: str
    state: Literal["in_transit", "closed"]
    from_: str = msgspec.field(name="from")
    to: str
    shipped_at: datetime
    lines: list[TransferLineView]
    closed_at: datetime | None = None
    reason: str = ""
    lost_reason: str = ""
    availability: list[AvailableView] = []


class TransferPageView(msgspec.Struct, frozen=True):
    """Transfers that are on their way; ``next`` is the ``after`` of the next page, empty on the last."""

    transfers: list[TransferView]
    next: str


class SupplyView(msgspec.Struct, frozen=True):
    """An expected receipt. ``expected`` units are still to come; more may be ``received`` than ``quantity``."""

    supply_id: str
    sku: str
    location: str
    quantity: int
    received: int
    expected: int
    expected_on: date
    reference: str


class SupplyList(msgspec.Struct, frozen=True):
    """What is still to come of a SKU, the earliest first."""

    supply: list[SupplyView]
    as_of: datetime


class AtpDayView(msgspec.Struct, frozen=True):
    """One day: what is ``projected`` to be available at its end, and what is ``promisable`` for it."""

    on: date
    projected: int
    promisable: int


class AtpView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What can be promised by day. ``late`` units were expected before today and count for nothing.

    ``backordered`` units are waited for: what comes goes to those who wait before it can be promised.
    """

    sku: str
    available: int
    late: int
    days: list[AtpDayView]
    as_of: datetime
    backordered: int = 0


class BarcodesPut(msgspec.Struct, frozen=True):
    """How many barcodes were put."""

    barcodes: int


class BarcodeView(msgspec.Struct, frozen=True):
    """What a barcode stands for: so many units of a SKU."""

    barcode: str
    sku: str
    factor: int
