"""Barcodes over the wire: what callers send, and what they get."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.gs1 import Label
from server.schemas.common import Barcode, Body, Sku


class BarcodeBody(Body, frozen=True):
    """What one barcode stands for: ``factor`` units of a SKU, 12 for a carton of twelve."""

    barcode: Barcode
    sku: Sku
    factor: Annotated[int, Meta(ge=1, le=limits.PACK_UNITS_MAX, description="Units of one pack.")] = 1


class BarcodesBody(Body, frozen=True):
    """Up to 1,000 barcodes; what was said of them before is replaced."""

    barcodes: Annotated[list[BarcodeBody], Meta(min_length=1, max_length=limits.BARCODES_PER_CALL_MAX)]


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
