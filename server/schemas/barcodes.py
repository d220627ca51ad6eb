"""Barcodes over the wire: what callers send, and what they get."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.gs1 import Label
from server.schemas.common import After, Barcode, Body, Reason, Sku
from server.schemas.finding import IndexView


class BarcodeBody(Body, frozen=True):
    """What one barcode stands for: ``factor`` units of a SKU, 12 for a carton of twelve."""

    barcode: Barcode
    sku: Sku
    factor: Annotated[int, Meta(ge=1, le=limits.PACK_UNITS_MAX, description="Units of one pack.")] = 1


class BarcodesBody(Body, frozen=True):
    """Up to 1,000 barcodes; what was said of them before is replaced."""

    barcodes: Annotated[list[BarcodeBody], Meta(min_length=1, max_length=limits.BARCODES_PER_CALL_MAX)]
    reason: Reason = msgspec.UNSET


class BarcodesPut(msgspec.Struct, frozen=True):
    """How many barcodes were put."""

    barcodes: int


class LabelView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a GS1 label says: ``count`` articles in a carton or pallet, its SSCC, lot, serial number, dates and weight.

    ``elements``: every application identifier with its value, as on the label. None of it is kept with the stock.
    """

    gtin: str
    elements: dict[str, str]
    count: int = 1
    sscc: str = ""
    lot: str = ""
    serial: str = ""
    produced_on: date | None = None
    best_before: date | None = None
    expires_on: date | None = None
    net_weight_kg: Decimal | None = None


class BarcodeView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a barcode stands for: so many units of a SKU. ``barcode``: as it is registered."""

    barcode: str
    sku: str
    factor: int
    label: LabelView | None = None


class RemoveQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a barcode is taken away; the history keeps it."""

    reason: Reason = msgspec.UNSET


class BarcodeRemoved(msgspec.Struct, frozen=True):
    """A barcode that stands for nothing now, and what it stood for."""

    barcode: str
    sku: str
    factor: int


class BarcodesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which barcodes of a SKU; ``after`` is the ``next`` of the page before."""

    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.BARCODES_PER_CALL_MAX)] = 100


class PackView(msgspec.Struct, frozen=True):
    """A barcode as it is registered, and how many units one scan of it counts."""

    barcode: str
    factor: int


class SkuBarcodes(msgspec.Struct, frozen=True):
    """The barcodes of a SKU, in their order; ``next`` is the ``after`` of the next page, empty on the last."""

    sku: str
    barcodes: list[PackView]
    next: str
    index: IndexView


def label_view(label: Label, *, year: int) -> LabelView:
    """Show what a label says; ``year`` is that of today, because a label names years without their century."""
    says = label.elements.get
    return LabelView(
        gtin=label.gtin,
        elements=dict(label.elements),
        count=label.count,
        sscc=label.sscc,
        lot=says("10", ""),
        serial=says("21", ""),
        produced_on=label.date_of("11", year=year),
        best_before=label.date_of("15", year=year),
        expires_on=label.date_of("17", year=year),
        net_weight_kg=label.net_weight_kg,
    )
