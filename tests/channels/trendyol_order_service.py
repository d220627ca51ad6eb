"""The order service of a simulated Trendyol: what is read there, and what a seller says about packages and claims."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message
from typing import Annotated, Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from tests.channels.trendyol_order_side import LIVING, Parcel, TrendyolOrderSide

T = TypeVar("T")

PAGE_MAX: Final = 200
SPAN_MS: Final = 14 * 86_400_000
HISTORY_MS: Final = 92 * 86_400_000
REASONS: Final = (500, 501, 502, 504, 505, 506)
_STREAM: Final = {"packageItemStatuses", "lastModifiedStartDate", "lastModifiedEndDate", "size", "nextCursor"}


class WireLine(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    line_id: int
    quantity: Annotated[int, Meta(ge=1)]


class WireStatus(msgspec.Struct, forbid_unknown_fields=True):
    lines: list[WireLine]
    params: dict[str, str]
    status: str


class WireUnsupplied(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    lines: list[WireLine]
    reason_id: int


class WireTracking(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    tracking_number: Annotated[str, Meta(min_length=1)]


class WireInternational(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    cargo_sender_number: Annotated[str, Meta(min_length=1)]
    provider_code: str


class WireLink(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    is_phone_number: bool
    tracking_info: str
    params: dict[str, str]


class WireInvoice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    invoice_link: str
    shipment_package_id: int
    invoice_date_time: int
    invoice_number: str


class WireLabel(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    format: str
    box_quantity: int


class WireApproval(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    claim_line_item_id_list: list[str]
    params: dict[str, str]


@dataclass
class TrendyolOrderService(TrendyolOrderSide):
    """The routes; a body that has not the form of its contract is refused, and complained about."""

    @abstractmethod
    def checked(self, request: web.Request, group: str, group_per_min: int) -> web.Response | None:
        """What every request must get past."""

    def order_routes(self, seller: int) -> list[web.RouteDef]:
        """The routes of the order service."""
        root, own = f"/integration/order/sellers/{seller}", f"/integration/sellers/{seller}"
        package = f"{root}/shipment-packages/{{package}}"
        return [
            web.get(f"{root}/orders/stream", self._stream),
            web.get(f"{root}/v2/orders", self._order),
            web.get(f"{root}/claims", self._claims),
            web.put(package, self._status),
            web.put(f"{package}/items/unsupplied", self._unsupplied),
            web.put(f"{package}/update-tracking-number", self._number),
            web.put(f"{package}/tracking-details", self._details),
            web.put(f"{package}/alternative-delivery", self._alternative),
            web.post(f"{own}/seller-invoice-links", self._invoice),
            web.post(f"{own}/common-label/{{number}}", self._ask_label),
            web.get(f"{own}/common-label/{{number}}", self._label),
            web.put(f"{root}/claims/{{claim}}/items/approve", self._approve),
            web.post(f"{root}/claims/{{claim}}/issue", self._issue),
        ]

    # -- reading

    async def _stream(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "stream", 1_000_000) or self._too_soon()
        if refused is not None:
            return refused
        if set(request.query) - _STREAM:
            self.complain(f"unknown parameters: {sorted(set(request.query) - _STREAM)}")
        start, end = (int(request.query[f"lastModified{side}Date"]) for side in ("Start", "End"))
        size, cursor = int(request.query.get("size", "50")), request.query.get("nextCursor", "")
        if not (1 <= size <= PAGE_MAX and 0 <= end - start <= SPAN_MS) or start < self.now_ms() - HISTORY_MS:
            self.complain(f"size {size}, from {start} to {end}")
            return _bad("invalid filter")
        return self._page(f"{start}-{end}-{size}", cursor, (start, end), size)

    def _too_soon(self) -> web.Response | None:
        now = self.now_ms()
        if now - self.streamed_ms < self.stream_every_s * 1000:
            return web.json_response({"errors": [{"key": "too.many.requests", "message": "Çok fazla"}]}, status=429)
        self.streamed_ms = now
        return None

    def _page(self, asked: str, cursor: str, span: tuple[int, int], size: int) -> web.Response:
        if cursor and self.cursors_refused:
            self.cursors_refused -= 1
            return _bad("cursor is not valid")
        known, before = self.cursors.get(cursor, ("", (0, 0))) if cursor else (asked, (1 << 62, 0))
        if known != asked:
            return _bad("cursor is of another filter")
        shift = self.filter_shift_ms
        found = sorted(
            (each for each in self.visible() if span[0] <= each.changed_ms + shift <= span[1]),
            key=lambda each: (-each.changed_ms, each.id),
        )
        rest = [each for each in found if (-each.changed_ms, each.id) > (-before[0], before[1])]
        some, has_more = rest[:size], len(rest) > size
        body: dict[str, Any] = {"hasMore": has_more, "size": size, "content": [self.row(each) for each in some]}
        if has_more:
            body["nextCursor"] = name = f"609c{len(self.cursors):020x}"
            self.cursors[name] = (asked, (some[-1].changed_ms, some[-1].id))
        return web.json_response(body)

    async def _order(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "orders", 1_000_000)
        if refused is not None:
            return refused
        page, size = int(request.query.get("page", "0")), int(request.query.get("size", "50"))
        if not 1 <= size <= PAGE_MAX:
            self.complain(f"size {size}")
        found = [each for each in self.visible() if each.order == request.query["orderNumber"]]
        return web.Response(body=self.envelope(found, page, size), content_type="application/json")

    async def _claims(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "orders", 1_000_000)
        if refused is not None:
            return refused
        start, end = (int(request.query[name]) for name in ("startDate", "endDate"))
        page, size = int(request.query["page"]), int(request.query["size"])
        found = [each for each in self.claims if start <= each["claimDate"] + self.filter_shift_ms <= end]
        found.sort(key=lambda each: -each["lastModifiedDate"])
        pages = (len(found) + size - 1) // size
        some = found[page * size : (page + 1) * size]
        return web.json_response({"totalElements": len(found), "totalPages": pages, "page": page, "content": some})

    # -- what the seller says

    async def _body(self, request: web.Request, kind: type[T]) -> T:
        refused = self.checked(request, "commands", 1_000_000)
        if refused is not None:
            raise _RefusedError(refused)
        try:
            return msgspec.json.decode(await request.read(), type=kind)
        except msgspec.MsgspecError as error:
            self.complain(f"{request.path}: {error}")
            raise _RefusedError(_bad(str(error))) from None

    def _parcel(self, request: web.Request) -> Parcel:
        """Return the package that is named; one that has ended is not there for a seller any more."""
        parcel = self.parcels.get(int(request.match_info["package"]))
        if parcel is None or parcel.status in ("UnPacked", "Cancelled"):
            raise _RefusedError(_refusal(404, "package.not.found", "Paket bulunamadı"))
        return parcel

    async def _status(self, request: web.Request) -> web.Response:
        try:
            body, parcel = await self._body(request, WireStatus), self._parcel(request)
        except _RefusedError as error:
            return error.answer
        if body.status not in ("Picking", "Invoiced") or parcel.status not in LIVING - {"Awaiting"}:
            return _bad(f"{parcel.status} cannot become {body.status}")
        if {line.line_id: line.quantity for line in body.lines} != {each.line: each.quantity for each in parcel.pieces}:
            self.complain("not the lines of the package")
        if not self.lying:
            self.move(parcel, body.status)
            self.taken(f"{body.status} {parcel.id}")
        return web.Response()

    async def _unsupplied(self, request: web.Request) -> web.Response:
        try:
            body, parcel = await self._body(request, WireUnsupplied), self._parcel(request)
        except _RefusedError as error:
            return error.answer
        there = {each.line: each.quantity for each in parcel.pieces}
        if body.reason_id not in REASONS or any(line.quantity > there.get(line.line_id, 0) for line in body.lines):
            return _bad("no such reason, or not so many pieces")
        if parcel.status not in LIVING:
            return _bad(f"{parcel.status}: too late")
        if not self.lying:
            self.cancel_in(parcel, {str(line.line_id): line.quantity for line in body.lines}, "Seller")
            self.taken(f"unsupplied {parcel.id}")
        return web.Response()

    async def _number(self, request: web.Request) -> web.Response:
        return await self._tracked(request, WireTracking, "tracking_number")

    async def _details(self, request: web.Request) -> web.Response:
        return await self._tracked(request, WireInternational, "cargo_sender_number")

    async def _alternative(self, request: web.Request) -> web.Response:
        return await self._tracked(request, WireLink, "tracking_info")

    async def _tracked(self, request: web.Request, kind: type[Any], name: str) -> web.Response:
        try:
            body, parcel = await self._body(request, kind), self._parcel(request)
        except _RefusedError as error:
            return error.answer
        if not self.lying:
            told = getattr(body, name)
            parcel.tracking, parcel.link = ("", told) if kind is WireLink else (told, "")
            self.move(parcel, parcel.status)
            self.taken(f"tracking {parcel.id}")
        return web.Response()

    # -- papers

    async def _invoice(self, request: web.Request) -> web.Response:
        try:
            body = await self._body(request, WireInvoice)
        except _RefusedError as error:
            return error.answer
        parcel = self.parcels.get(body.shipment_package_id)
        if parcel is None:
            return _refusal(404, "package.not.found", "Paket bulunamadı")
        if parcel.invoice:
            return _refusal(409, "invoice.exists", "Bu pakete ait fatura linki bulunmaktadır")
        if not self.lying:
            parcel.invoice = body.invoice_link
            self.taken(f"invoice {parcel.id}")
        return web.Response(status=201)

    async def _ask_label(self, request: web.Request) -> web.Response:
        try:
            body = await self._body(request, WireLabel)
        except _RefusedError as error:
            return error.answer
        if not self.lying:
            self.labels[request.match_info["number"]] = f"^XA{body.format}^XZ"
        return web.Response()

    async def _label(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "commands", 1_000_000)
        if refused is not None:
            return refused
        label = self.labels.get(request.match_info["number"])
        return web.json_response({"data": [{"label": label, "format": "ZPL"}] if label else []})

    # -- claims

    async def _approve(self, request: web.Request) -> web.Response:
        try:
            body = await self._body(request, WireApproval)
        except _RefusedError as error:
            return error.answer
        return self._settled(request, body.claim_line_item_id_list, "Accepted")

    async def _issue(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "commands", 1_000_000)
        if refused is not None:
            return refused
        fields = _form_fields(request.headers["Content-Type"], await request.read())
        if fields.keys() != {"claimIssueReasonId", "claimItemIdList", "description"}:
            self.complain(f"fields of an issue: {sorted(fields)}")
        return self._settled(request, fields["claimItemIdList"].split(","), "Unresolved")

    def _settled(self, request: web.Request, units: Sequence[str], status: str) -> web.Response:
        claim = next((each for each in self.claims if each["id"] == request.match_info["claim"]), None)
        found = [unit for item in claim["items"] for unit in item["claimItems"]] if claim else []
        known = {unit["id"]: unit for unit in found}
        if claim is None or not set(units) <= known.keys():
            return _refusal(404, "claim.not.found", "İade bulunamadı")
        if not self.lying:
            for unit in units:
                known[unit]["claimItemStatus"]["name"] = status
            claim["lastModifiedDate"] = self.tick()
            self.taken(f"{status} {claim['id']}")
        return web.Response()


class _RefusedError(Exception):
    """A request is refused with this answer."""

    def __init__(self, answer: web.Response) -> None:
        self.answer = answer


def _form_fields(content_type: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    parts = [each for each in message.walk() if not each.is_multipart()]
    return {str(each.get_param("name", header="Content-Disposition")): _text_of(each) for each in parts}


def _text_of(part: Message) -> str:
    payload = part.get_payload(decode=True)
    return payload.decode() if isinstance(payload, bytes) else ""


def _bad(words: str) -> web.Response:
    return _refusal(400, "bad.request", words)


def _refusal(status: int, key: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"key": key, "message": message, "errorCode": str(status)}]}, status=status)
