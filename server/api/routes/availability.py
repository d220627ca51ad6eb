"""What can still be reserved: of one SKU, of many at once, and of all."""

from zlib import crc32

from aiohttp import web

from server.api.http.answer import Answer
from server.api.http.key_shares import Share
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
    SnapshotPage,
    SnapshotQuery,
)
from server.schemas.problems import Problem
from server.service import availability, pieces
from server.service.problems import problem
from server.service.sku_availability import SkuAvailability
from server.service.snapshot import snapshot


async def read(call: Call) -> Answer[AvailabilityView] | Problem | web.Response:
    """Read what can still be reserved of one SKU; 304 if nothing changed since the caller's ETag."""
    request = call.request
    query = call.query(AvailabilityQuery) if request.query_string else None
    found = await availability.of_sku(call.caller, call.named("sku"), query)
    if not found.is_known:
        return problem("unknown_sku")
    etag = _etag(call, found)
    known = ",".join(request.headers.getall("If-None-Match", ()))
    if known and (known == "*" or etag in [each.strip() for each in known.split(",")]):
        return web.Response(status=304, headers={"ETag": etag})
    return _answer(found, etag)


def read_copied(call: Call) -> Answer[AvailabilityView] | None:
    """Read the same from memory, for a caller who knows no answer; None: it is not there."""
    found = availability.of_sku_copied(call.caller, call.named("sku"), call.query(AvailabilityQuery))
    return None if found is None else _answer(found, _etag(call, found))


def _answer(found: SkuAvailability, etag: str) -> Answer[AvailabilityView]:
    return Answer(found.view, headers={"ETag": etag, "Cache-Control": "no-cache"})


def _etag(call: Call, found: SkuAvailability) -> str:
    # Weak: as_of differs from answer to answer while the rest stays the same.
    # A location that is closed or opened changes no seq.
    closing = f".{found.locations_version}" if found.locations_version else ""
    form = "" if found.locations is not None else "-sum"
    return f'W/"{found.seq}{closing}-{found.counted}{_print(found.among)}{form}{_reach(call)}"'


def _reach(call: Call) -> str:
    """Distinguish answers to browsers' tokens of different channels: the address may be the same."""
    reach = call.caller.principal.reach
    return "" if reach is None or not reach.channel else _print(frozenset({reach.channel}))


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


async def read_all(call: Call) -> SnapshotPage:
    """Read what can still be reserved of all SKUs, a page at a time."""
    page = await snapshot(call.caller, call.query(SnapshotQuery))
    return SnapshotPage(page.found, page.changes_after, page.following)


ROUTES = [
    Route(
        "GET", "/v1/availability/{sku}", read, Scope.READ, "Read the available units of a SKU",
        {200: AvailabilityView, 304: None}, query=AvailabilityQuery, headers=("If-None-Match",),
        outcomes=("invalid", "unknown_channel", "answer_too_large", "unknown_sku"), express=True, browser=True,
        copied=read_copied,
    ),
    Route(
        "GET", "/v1/availability", read_pieces, Scope.READ, "The same by a channel's key or a barcode, in whole pieces",
        {200: PiecesAvailability}, query=PiecesQuery,
        outcomes=("invalid", "unknown_channel", "answer_too_large", "unknown_sku", "unknown_barcode"), browser=True,
    ),
    Route(
        "POST", "/v1/availability/query", read_many, Scope.READ, "The same for up to 1,000 SKUs",
        {200: AvailabilityList}, AvailabilityQueryBody, body_bytes_max=limits.BULK_BODY_BYTES_MAX,
        outcomes=("unknown_channel", "answer_too_large"), express=True, browser=True,
    ),
    Route(
        "GET", "/v1/snapshot", read_all, Scope.READ, "What is available of all SKUs, and where the stream goes on",
        {200: SnapshotPage}, query=SnapshotQuery, outcomes=("invalid",), share=Share.REPORTS,
    ),
]  # fmt: skip
