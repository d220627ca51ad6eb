"""What can still be reserved: of one SKU, and of many at once."""

from zlib import crc32

from aiohttp import web

from server.api.http.answer import Answer
from server.api.http.routing import Call, Route
from server.domain import limits
from server.domain.principal import Scope
from server.domain.spelling import normal
from server.schemas.availability import (
    AvailabilityList,
    AvailabilityQuery,
    AvailabilityQueryBody,
    AvailabilityView,
    PiecesAvailability,
    PiecesQuery,
)
from server.schemas.problems import Problem
from server.service import availability, pieces
from server.service.problems import problem


async def read(call: Call) -> Answer[AvailabilityView] | Problem | web.Response:
    """Read what can still be reserved of one SKU; 304 if nothing changed since the caller's ETag."""
    request = call.request
    query = call.query(AvailabilityQuery) if request.query_string else None
    found = await availability.of_sku(call.caller, call.named("sku"), query)
    if not found.is_known:
        return problem("unknown_sku")
    # Weak: as_of differs from answer to answer while the rest stays the same.
    # A location that is closed or opened changes no seq.
    closing = f".{found.locations_version}" if found.locations_version else ""
    form = "" if found.locations is not None else "-sum"
    etag = f'W/"{found.seq}{closing}-{found.counted}{_print(found.among)}{form}"'
    known = ",".join(request.headers.getall("If-None-Match", ()))
    if known and (known == "*" or etag in [each.strip() for each in known.split(",")]):
        return web.Response(status=304, headers={"ETag": etag})
    return Answer(found.view, headers={"ETag": etag, "Cache-Control": "no-cache"})


def _print(names: frozenset[str] | None) -> str:
    """Distinguish answers over different locations: one comes into a group without any change of stock."""
    return "" if names is None else f"-{crc32(chr(0).join(sorted(names)).encode()):08x}"


async def read_pieces(call: Call) -> PiecesAvailability | Problem:
    """Read how many pieces can still be ordered of what a channel's key or a barcode stands for."""
    query = call.query(PiecesQuery)
    found = await pieces.of_piece(call.caller, query)
    if found is None:
        detail = f"{query.channel} has no listing with the key {query.key}. List it first, or ask for the SKU."
        return problem("unknown_sku", detail)
    return found


async def read_many(call: Call) -> AvailabilityList:
    """Read what can still be reserved of up to 1,000 SKUs."""
    body: AvailabilityQueryBody = call.body
    found = await availability.of_skus(call.caller, body)
    known = [each.view for each in found if each.is_known]
    unknown = [each.sku for each in found if not each.is_known]
    if not body.keys:
        return AvailabilityList(known, unknown)
    of_keys = await pieces.of_keys(call.caller, body)
    found_keys = {each.key for each in of_keys}
    return AvailabilityList(known, unknown, of_keys, [each for each in body.keys if normal(each) not in found_keys])


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}", read, Scope.READ, "Read the available units of a SKU",
        {200: AvailabilityView, 304: None}, query=AvailabilityQuery, headers=("If-None-Match",),
        outcomes=("invalid", "unknown_channel", "answer_too_large", "unknown_sku"), express=True,
    ),
    Route(
        "GET", "/v1/availability", read_pieces, Scope.READ, "The same by a channel's key or a barcode, in whole pieces",
        {200: PiecesAvailability}, query=PiecesQuery,
        outcomes=("invalid", "unknown_channel", "answer_too_large", "unknown_sku", "unknown_barcode"),
    ),
    Route(
        "POST", "/v1/availability/query", read_many, Scope.READ, "The same for up to 1,000 SKUs",
        {200: AvailabilityList}, AvailabilityQueryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("unknown_channel", "answer_too_large"), express=True,
    ),
]  # fmt: skip
