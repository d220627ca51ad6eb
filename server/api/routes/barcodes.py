"""Barcodes: what a scanner at the door reads, and how many units of which SKU that is."""

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.principal import Scope
from server.schemas.barcodes import BarcodesBody, BarcodesPut, BarcodeView
from server.schemas.problems import Problem
from server.service.barcodes import find_barcode, put_barcodes
from server.service.checks import check_barcode
from server.service.problems import problem


async def put(call: Call) -> BarcodesPut:
    """Set what barcodes stand for."""
    body: BarcodesBody = call.body
    return BarcodesPut(await put_barcodes(call.caller, body))


async def read(call: Call) -> BarcodeView | Problem:
    """Read what a barcode stands for."""
    barcode = check_barcode("barcode", call.named("barcode"))
    pack = await find_barcode(call.caller, barcode)
    return problem("unknown_barcode") if pack is None else BarcodeView(barcode, pack.sku, pack.factor)


ROUTES = [
    Route(
        "PUT", "/v1/barcodes", put, Scope.STOCK, "Set what up to 1,000 barcodes stand for",
        {200: BarcodesPut}, BarcodesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, share=Share.BULK,
    ),
    Route(
        "GET", "/v1/barcodes/{barcode}", read, Scope.READ, "Read what a barcode stands for",
        {200: BarcodeView}, outcomes=("invalid", "unknown_barcode"),
    ),
]  # fmt: skip
