"""Barcodes over the wire: what callers send, and what they get."""

from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
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


class BarcodeView(msgspec.Struct, frozen=True):
    """What a barcode stands for: so many units of a SKU."""

    barcode: str
    sku: str
    factor: int
