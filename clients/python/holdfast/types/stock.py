"""What is sent and answered: stock.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import date, datetime
from typing import Literal

import msgspec

from holdfast.types.common import AllocationView, ExpectedReceiptView, IndexView, TransferView
from holdfast.types.problems import Problem


class AdjustMovement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="adjust"):
    """A bucket is off by so many units, for a reason. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    quantity: int
    """Units; negative: fewer."""
    reason: str
    """1–256 bytes of printable UTF-8, kept as it is."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main"."""
    bucket: Literal["damaged", "on_hand", "quality_control", "safety"] | None = None
    """Without it: "on_hand"."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class BackorderView(msgspec.Struct, frozen=True, kw_only=True):
    """How many units may be waited for at a time, and how many are now. ``promise_on``: the day that callers see."""

    mode: str
    """One of: backorder, preorder."""
    limit: int
    waiting: int
    promise_on: str | None = None


class BarcodeBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one barcode stands for: ``factor`` units of a SKU, 12 for a carton of twelve."""

    barcode: str
    """What a scanner reads: 1–64 bytes of printable UTF-8."""
    sku: str
    """What is sold: 1–128 bytes of printable UTF-8."""
    factor: int | None = None
    """Units of one pack. Without it: 1."""


class BarcodeRemoved(msgspec.Struct, frozen=True, kw_only=True):
    """A barcode that stands for nothing now, and what it stood for."""

    barcode: str
    sku: str
    factor: int


class LabelView(msgspec.Struct, frozen=True, kw_only=True):
    """What a GS1 label says: ``count`` articles in a carton or pallet, its SSCC, lot, serial number, dates and weight.

    ``elements``: every application identifier with its value, as on the label. None of it is kept with the stock.
    """

    gtin: str
    elements: dict[str, str]
    count: int | None = None
    sscc: str | None = None
    lot: str | None = None
    serial: str | None = None
    produced_on: date | None = None
    best_before: date | None = None
    expires_on: date | None = None
    net_weight_kg: str | None = None


class BarcodesPut(msgspec.Struct, frozen=True, kw_only=True):
    """How many barcodes were put."""

    barcodes: int


class CountMovement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="count"):
    """Somebody counted. With a barcode instead of a SKU, ``on_hand`` counts packs."""

    on_hand: int
    """Units."""
    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main"."""
    baseline_seq: int | None = None
    safety: int | None = None
    """Units."""
    reason: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    counted_at: datetime | None = None
    """When it was counted, with the zone. What moved since is added."""
    allow_similar: bool | None = None
    """True: new names are meant, even if known ones are like them."""


class HolderView(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation that keeps units from being sold."""

    reservation_id: str
    channel: str
    line: int
    location: str
    state: str
    held: int
    committed: int
    expires_at: datetime | None


class InTransitView(msgspec.Struct, frozen=True, kw_only=True):
    """Units that left one location and have not reached the other; no location counts them."""

    transfer_id: str
    from_: str = msgspec.field(name="from")
    to: str
    quantity: int
    shipped_at: datetime


class MoveMovement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="move"):
    """Units are put from one bucket into another. With a barcode instead of a SKU, ``quantity`` counts packs."""

    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    quantity: int
    """Units."""
    from_: Literal["available", "damaged", "quality_control"] = msgspec.field(name="from")
    to: Literal["available", "damaged", "quality_control"]
    reason: str
    """1–256 bytes of printable UTF-8, kept as it is."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main"."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class MovedView(msgspec.Struct, frozen=True, kw_only=True):
    """The buckets of one (SKU, location) after a movement; what is ``set_aside`` for channels, if anything."""

    sku: str
    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    set_aside: int | None = None


class PackView(msgspec.Struct, frozen=True, kw_only=True):
    """A barcode as it is registered, and how many units one scan of it counts."""

    barcode: str
    factor: int


class ReceiveMovement(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="receive"):
    """Units arrived. With a barcode instead of a SKU, ``quantity`` counts packs.

    ``supply_id``: they were expected; without a location they arrived where they were expected, else at main.
    """

    quantity: int
    """Units."""
    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    supply_id: str | None = None
    """Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe."""
    reason: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    allow_similar: bool | None = None
    """True: new names are meant, even if known ones are like them."""


class LevelView(msgspec.Struct, frozen=True, kw_only=True):
    """Every bucket of one (SKU, location), and how available follows from them; at a ``closed`` one nothing is."""

    location: str
    available: int
    on_hand: int
    held: int
    committed: int
    damaged: int
    quality_control: int
    safety: int
    seq: int
    because: str
    set_aside: int | None = None
    allocations: list[AllocationView] = msgspec.field(default_factory=list)
    backorder: BackorderView | None = None
    closed: bool | None = None


class BarcodeView(msgspec.Struct, frozen=True, kw_only=True):
    """What a barcode stands for: so many units of a SKU. ``barcode``: as it is registered."""

    barcode: str
    sku: str
    factor: int
    label: LabelView | None = None


class SkuBarcodes(msgspec.Struct, frozen=True, kw_only=True):
    """The barcodes of a SKU, in their order; ``next`` is the ``after`` of the next page, empty on the last."""

    sku: str
    barcodes: list[PackView]
    next: str
    index: IndexView


class StockView(msgspec.Struct, frozen=True, kw_only=True):
    """Why the number is what it is: buckets by location, and who holds how much until when."""

    sku: str
    available: int
    seq: int
    levels: list[LevelView]
    holders: list[HolderView]
    holders_complete: bool
    in_transit: list[InTransitView]
    as_of: datetime


class MovementResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a list of movements."""

    status: int
    outcome: str
    replayed: bool | None = None
    stock: MovedView | None = None
    problem: Problem | None = None


class ParcelView(msgspec.Struct, frozen=True, kw_only=True):
    """What is still to come in a parcel: expected receipts, and the transfer whose id is the number of the parcel."""

    sscc: str
    supply: list[ExpectedReceiptView]
    transfer: TransferView | None = None


class MovementResults(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the request."""

    results: list[MovementResult]
