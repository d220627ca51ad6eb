"""Barcodes: what a scanner at the door reads, how many units of which SKU that is, and what a parcel was to bring."""

import time

from server.api.http.key_shares import Share
from server.api.http.routing import Call, Route
from server.api.routes.index_views import index_view
from server.domain import limits
from server.domain.principal import Scope
from server.schemas.barcodes import (
    BarcodeRemoved,
    BarcodesBody,
    BarcodesPut,
    BarcodesQuery,
    BarcodeView,
    PackView,
    RemoveQuery,
    SkuBarcodes,
    label_view,
)
from server.schemas.expected_receipts import ParcelView, receipt_view
from server.schemas.problems import Problem
from server.schemas.transfers import transfer_view
from server.service.barcodes import barcodes_of, find_barcode, put_barcodes, remove_barcode
from server.service.parcels import open_parcel
from server.service.problems import problem


async def put(call: Call) -> BarcodesPut:
    """Set what barcodes stand for."""
    body: BarcodesBody = call.body
    return BarcodesPut(await put_barcodes(call.caller, body))


async def read(call: Call) -> BarcodeView:
    """Read what a barcode or a GS1 label stands for."""
    found = await find_barcode(call.caller, call.named("barcode"))
    label = None if found.label is None else label_view(found.label, year=time.gmtime().tm_year)
    return BarcodeView(found.barcode, found.pack.sku, found.pack.factor, label)


async def remove(call: Call) -> BarcodeRemoved:
    """Take a barcode away."""
    barcode, pack = await remove_barcode(call.caller, call.named("barcode"), call.query(RemoveQuery))
    return BarcodeRemoved(barcode, pack.sku, pack.factor)


async def read_of_sku(call: Call) -> SkuBarcodes:
    """Read the barcodes of a SKU, a page at a time."""
    page = await barcodes_of(call.caller, call.named("sku"), call.query(BarcodesQuery))
    packs = [PackView(barcode, pack.factor) for barcode, pack in page.found]
    return SkuBarcodes(page.sku, packs, page.following, index_view(page.freshness))


async def read_parcel(call: Call) -> ParcelView | Problem:
    """Read what was announced in a parcel."""
    parcel = await open_parcel(call.caller, call.named("sscc"))
    if not parcel.supply and parcel.transfer is None:
        return problem("unknown_parcel")
    return ParcelView(
        parcel.sscc,
        [receipt_view(*each) for each in parcel.supply],
        None if parcel.transfer is None else transfer_view(parcel.sscc, parcel.transfer),
    )


ROUTES = [
    Route(
        "PUT", "/v1/barcodes", put, Scope.STOCK, "Set what up to 1,000 barcodes stand for",
        {200: BarcodesPut}, BarcodesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX, share=Share.BULK,
    ),
    Route(
        "GET", "/v1/barcodes/{barcode}", read, Scope.READ, "Read what a barcode or a GS1 label stands for",
        {200: BarcodeView}, outcomes=("invalid", "unknown_barcode"),
    ),
    Route(
        "DELETE", "/v1/barcodes/{barcode}", remove, Scope.STOCK, "Take a barcode away",
        {200: BarcodeRemoved}, query=RemoveQuery, outcomes=("invalid", "unknown_barcode"),
    ),
    Route(
        "GET", "/v1/skus/{sku}/barcodes", read_of_sku, Scope.READ, "Read the barcodes of a SKU, page by page",
        {200: SkuBarcodes}, query=BarcodesQuery,
        outcomes=("invalid", "documents_missing", "documents_unavailable"), share=Share.REPORTS,
    ),
    Route(
        "GET", "/v1/parcels/{sscc}", read_parcel, Scope.READ, "Read what was announced in a parcel",
        {200: ParcelView}, outcomes=("invalid", "unknown_parcel"),
    ),
]  # fmt: skip
