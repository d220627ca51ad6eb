"""The order service of a simulated Hepsiburada: its lists, and what a merchant says. A wrong form is complained of."""

import json
from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from tests.channels.hepsiburada_order_side import DAY_MS, TURKEY, HepsiburadaOrderSide, Row, Sold

T = TypeVar("T")

REASON: Final = 81
"""The only reason for a refusal that it knows."""


class WireLine(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    quantity: Annotated[int, Meta(ge=1)]


class WirePack(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    line_item_requests: Annotated[list[WireLine], Meta(min_length=1)]
    parcel_quantity: Annotated[int, Meta(ge=1)]
    deci: Annotated[int, Meta(ge=1)]


class WireReason(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    reason_id: int


class WireSplitLine(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    order_line_id: str
    quantity: Annotated[int, Meta(ge=1)]


class WireGone(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    order_line_id: str
    quantity: Annotated[int, Meta(ge=1)]
    cancel_reason_id: int


class WireDetail(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    lines: Annotated[list[WireSplitLine], Meta(min_length=1)]
    parcel_quantity: int
    deci: int


class WireSplit(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    package_details: Annotated[list[WireDetail], Meta(min_length=1)]
    cancelled_items: list[WireGone]


class WireLeft(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    shipped_date: datetime
    tracking_number: Annotated[str, Meta(min_length=1)]
    tracking_url: str
    deci: int


class WireNothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class WireInvoice(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    invoice_link: Annotated[str, Meta(pattern="^https://")]
    serial_number: Annotated[str, Meta(pattern="^[A-Z0-9]{3}$")]
    row_number: Annotated[str, Meta(pattern="^[0-9]{13}$")]
    arrangement_date: datetime


class _RefusedError(Exception):
    """A request is refused with this answer."""

    def __init__(self, answer: web.Response) -> None:
        self.answer = answer


@dataclass
class HepsiburadaOrderService(HepsiburadaOrderSide):
    """The routes of the order service."""

    @abstractmethod
    def refused(self, request: web.Request) -> web.Response | None:
        """What every request must get past."""

    def order_routes(self, merchant: str) -> list[web.RouteDef]:
        orders, packages = f"/orders/merchantid/{merchant}", f"/packages/merchantid/{merchant}"
        one = f"{packages}/packagenumber/{{package}}"
        routes = [
            web.get(orders, self._open),
            web.get(f"{orders}/paymentawaiting", self._awaiting),
            web.get(f"{orders}/cancelled", self._cancelled),
            web.get(f"{orders}/ordernumber/{{number}}", self._order),
            web.get(packages, self._packages),
        ]
        said = [
            ("POST", packages, self._pack),
            ("POST", f"/lineitems/merchantid/{merchant}/id/{{line}}/cancelbymerchant", self._cancel_line),
            ("POST", f"{packages}/{{package}}/split", self._split),
            ("POST", f"{one}/unpack", self._unpack),
            ("POST", f"{one}/intransit", self._intransit),
            ("PUT", f"{one}/invoice", self._invoice),
        ]
        return [*routes, *(web.route(method, path, self._guarded(handler)) for method, path, handler in said)]

    # -- reading

    def _asked(self, request: web.Request, most: int, *names: str) -> tuple[int, int]:
        """Check a request for a list, and return its offset and limit."""
        refused = self.refused(request)
        if refused is not None:
            raise _RefusedError(refused)
        query, offset = request.query, "Offset" if most == 10 else "offset"
        if set(query) - {offset, "limit", *names} or "limit" not in query or not 1 <= int(query["limit"]) <= most:
            self.complain(f"a list by {dict(query)}")
            raise _RefusedError(web.Response(status=400, text="WrongDateFormat"))
        return int(query.get(offset, "0")), int(query["limit"])

    async def _open(self, request: web.Request) -> web.Response:
        try:
            offset, limit = self._asked(request, 100, "begindate", "enddate")
        except _RefusedError as error:
            return error.answer
        begin, end = (self._moment(request.query[name]) for name in ("begindate", "enddate"))
        if begin is None or end is None:  # another form is taken, and matches nothing
            return _json({"totalCount": 0, "limit": limit, "offset": offset, "pageCount": 0, "items": []})
        if end - begin > DAY_MS:
            self.complain("more than a day")
            return web.Response(status=400, text="Date range can not be more than 24 hours")
        found = [
            (order, row)
            for order in self.orders.values()
            for row in order.rows
            if row.status == "Open" and begin <= order.placed_ms <= end
        ]
        items = [self.line(order, row) for order, row in found[offset : offset + limit]]
        counted = {"totalCount": len(found), "pageCount": -(-len(found) // limit)}
        return _json({**counted, "limit": limit, "offset": offset, "items": items})

    def _moment(self, text: str) -> int | None:
        try:
            local = datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        except ValueError:
            self.complain(f"a date as {text}")
            return None
        return round((local - TURKEY).timestamp() * 1000)

    async def _awaiting(self, request: web.Request) -> web.Response:
        try:
            offset, limit = self._asked(request, 50)
        except _RefusedError as error:
            return error.answer
        rows = [self._pascal(*each) for each in self._rows("PaymentAwaiting")]
        return _json({"TotalCount": len(rows), "Limit": limit, "Items": rows[offset : offset + limit]})

    def _pascal(self, order: Sold, row: Row) -> dict[str, Any]:
        line = self.line(order, row)
        names = {"Id": "id", "OrderNumber": "orderNumber", "Sku": "sku", "MerchantSku": "merchantSKU"}
        return {
            **{name: line[field] for name, field in names.items()},
            "Quantity": line["quantity"],
            "OrderDate": line["orderDate"],
        }

    def _rows(self, status: str) -> list[tuple[Sold, Row]]:
        return [(order, row) for order in self.orders.values() for row in order.rows if row.status.startswith(status)]

    async def _cancelled(self, request: web.Request) -> web.Response:
        try:
            offset, limit = self._asked(request, 50)
        except _RefusedError as error:
            return error.answer
        found = sorted(self._rows("Cancel"), key=lambda each: -each[0].cancelled_ms)
        rows = [self._cancelled_row(*each) for each in found[offset : offset + limit]]
        return _json({"totalCount": len(found), "items": rows})

    def _cancelled_row(self, order: Sold, row: Row) -> dict[str, Any]:
        at = datetime.fromtimestamp(order.cancelled_ms / 1000, UTC) + TURKEY
        return {
            "lineItemId": row.line,
            "orderNumber": order.number,
            "merchantSku": row.key.upper(),
            "quantity": row.quantity,
            "cancelDate": at.strftime("%Y-%m-%dT%H:%M:%S"),
            "cancelledBy": "Customer",
            "cancelReasonCode": "1",
        }

    async def _packages(self, request: web.Request) -> web.Response:
        try:
            offset, limit = self._asked(request, 10, "timespan")
        except _RefusedError as error:
            return error.answer
        since = self.now_ms() - int(request.query["timespan"]) * 60_000
        found = [each for each in self.parcels.values() if each.changed_ms >= since]
        found = [each for each in found if each.visible_ms <= self.now_ms()]
        return _json([self.package(each) for each in found[offset : offset + limit]])

    async def _order(self, request: web.Request) -> web.Response:
        order = self.orders.get(request.match_info["number"])
        refused = self.refused(request)
        if refused is not None:
            return refused
        return web.Response(status=404) if order is None else _json(self.whole(order))

    # -- what the merchant says

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.Response:
            refused = self.refused(request)
            if refused is not None:
                return refused
            try:
                answer: web.Response = await handler(request)
            except _RefusedError as error:
                return error.answer
            return answer

        return guarded

    async def _body(self, request: web.Request, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(await request.read(), type=kind)
        except msgspec.MsgspecError as error:
            self.complain(f"{request.path}: {error}")
            raise _RefusedError(web.Response(status=400, text=str(error))) from None

    def _packed(self, request: web.Request) -> tuple[str, Counter[str]]:
        """Return the number of a package that waits, and its pieces."""
        package = request.match_info["package"]
        parcel = self.parcels.get(package)
        if parcel is None:
            raise _RefusedError(web.Response(status=404, text="Package not found"))
        pieces: Counter[str] = Counter()
        for row in self.orders[parcel.order].rows:
            if row.package == package and row.status == "Packaged":
                pieces[row.line] += row.quantity
        if not pieces:
            raise _RefusedError(web.Response(status=409, text='"Package is not packaged any more"'))
        return package, pieces

    async def _pack(self, request: web.Request) -> web.Response:
        body = await self._body(request, WirePack)
        pieces = {each.id: each.quantity for each in body.line_item_requests}
        numbers = [number for number, lines in self.truth.items() if set(pieces) <= set(lines)]
        if not numbers or any(self.unpacked(numbers[0], line) < of for line, of in pieces.items()):
            return web.Response(status=409, text="Line item can not be packaged")
        if self.lying:
            return _json({"packageNumber": "none", "barcode": "none"}, 201)
        package = self.pack(numbers[0], pieces)
        self.taken(f"pack {numbers[0]} {sorted(pieces)}")
        return _json({"packageNumber": package, "barcode": f"b-{package}"}, 201)

    async def _cancel_line(self, request: web.Request) -> web.Response:
        body, line = await self._body(request, WireReason), request.match_info["line"]
        number = next((number for number, lines in self.truth.items() if line in lines), "")
        pieces = self.unpacked(number, line) if number else 0
        if not pieces:
            return web.Response(status=404)
        if body.reason_id != REASON:
            return web.Response(status=400, text="Reason is not valid")
        if not self.lying:
            self.truth[number][line].cancelled += pieces
            self.take(number, line, pieces, "CancelledByMerchant", of="Open")
            self.orders[number].cancelled_ms = self.tick()
            self.taken(f"cancel {line}")
        return web.Response()

    async def _split(self, request: web.Request) -> web.Response:
        body = await self._body(request, WireSplit)
        package, pieces = self._packed(request)
        said: Counter[str] = Counter()
        for kept in (line for detail in body.package_details for line in detail.lines):
            said[kept.order_line_id] += kept.quantity
        for gone in body.cancelled_items:
            said[gone.order_line_id] += gone.quantity
        if said != pieces or any(each.cancel_reason_id != REASON for each in body.cancelled_items):
            self.complain(f"{said} are not the pieces of the package")
            return web.Response(status=400, text="Package details do not match")
        if not self.lying:
            number = self.parcels[package].order
            for each in body.cancelled_items:
                self.truth[number][each.order_line_id].cancelled += each.quantity
                self.take(number, each.order_line_id, each.quantity, "CancelledByMerchant", package=package)
            self.orders[number].cancelled_ms = self.tick()
            self.taken(f"split {package}")
        return _json({})

    async def _unpack(self, request: web.Request) -> web.Response:
        await self._body(request, WireNothing)
        package, _ = self._packed(request)
        if not self.lying:
            self.unpack(package)
            self.taken(f"unpack {package}")
        return web.Response()

    async def _intransit(self, request: web.Request) -> web.Response:
        body = await self._body(request, WireLeft)
        package, _ = self._packed(request)
        if not self.lying:
            self.leave(package)
            self.parcels[package].tracking = body.tracking_number
            self.taken(f"intransit {package}")
        return web.Response()

    async def _invoice(self, request: web.Request) -> web.Response:
        body = await self._body(request, WireInvoice)
        parcel = self.parcels.get(request.match_info["package"])
        if parcel is None:
            return web.Response(status=404)
        if parcel.invoice:
            return web.Response(status=409, text="Package has an invoice")
        if not self.lying:
            parcel.invoice = body.invoice_link
            self.taken(f"invoice {parcel.number}")
        return web.Response()


def _json(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(content).encode(), status=status, content_type="application/json")
