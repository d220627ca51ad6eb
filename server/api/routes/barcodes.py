"""Barcodes: what a scanner at the door reads, and how many units of which SKU that is."""

from aiohttp import web

from server.api.http import problems
from server.api.http.routing import Call, Route
from server.api.http.wire import respond
from server.api.routes.channels import written
from server.domain import limits
from server.domain.principal import Scope
from server.schemas.stock import BarcodeBody, BarcodesBody, BarcodesPut, BarcodeView
from server.service.checks import InvalidError, check_barcode, check_sku
from server.store.connection.timeouts import in_time
from server.store.repositories.barcodes import Pack, find_barcodes, put_barcodes


def _packs(barcodes: list[BarcodeBody]) -> list[tuple[str, Pack]]:
    packs: dict[str, Pack] = {}
    for number, each in enumerate(barcodes):
        at = f"barcodes[{number}]"
        barcode = check_barcode(f"{at}.barcode", each.barcode)
        if barcode in packs:
            raise InvalidError(f"{at}.barcode", f"stands twice in this request: {barcode}")
        packs[barcode] = Pack(check_sku(f"{at}.sku", each.sku), each.factor)
    return list(packs.items())


async def put(call: Call) -> web.StreamResponse:
    """Say what barcodes stand for."""
    body: BarcodesBody = call.body
    packs = _packs(body.barcodes)
    await written(put_barcodes(call.service.client, call.ledger.keyspace, packs))
    return respond(call.request, BarcodesPut(len(packs)))


async def read(call: Call) -> web.StreamResponse:
    """Read what a barcode stands for."""
    barcode = check_barcode("barcode", call.request.match_info["barcode"])
    found = await in_time(find_barcodes(call.service.client, call.ledger.keyspace, [barcode]))
    if barcode not in found:
        return problems.respond(problems.problem("unknown_barcode"))
    return respond(call.request, BarcodeView(barcode, found[barcode].sku, found[barcode].factor))


ROUTES = [
    Route(
        "PUT", "/v1/barcodes", put, Scope.STOCK, "Say what up to 1,000 barcodes stand for",
        {200: BarcodesPut}, BarcodesBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
    ),
    Route(
        "GET", "/v1/barcodes/{barcode}", read, Scope.READ, "Read what a barcode stands for",
        {200: BarcodeView}, outcomes=("invalid", "unknown_barcode"),
    ),
]  # fmt: skip
