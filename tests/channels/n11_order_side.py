"""The orders of a simulated n11: packages that are split and partly cancelled, asked for by status, never told of."""

import json
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

HOUR_MS: Final = 3_600_000
SPAN_MS: Final = 15 * 24 * HOUR_MS
PACKAGES_PAGE_MAX: Final = 100
LIVING: Final = frozenset({"Created", "Picking"})
STATUSES: Final = LIVING | {"Shipped", "Cancelled", "Delivered", "Unpacked", "UnSupplied"}
_QUERY: Final = {
    "startDate", "endDate", "status", "page", "size", "orderNumber", "orderByDirection", "sender"
}  # fmt: skip


class WireLine(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    line_id: int


class WireUpdate(msgspec.Struct, forbid_unknown_fields=True):
    lines: Annotated[list[WireLine], Meta(min_length=1)]
    status: Literal["Picking"]


@dataclass
class Piece:
    """A line of a package."""

    line: int
    code: str
    quantity: int
    is_cancelled: bool = False


@dataclass
class Parcel:
    """A package. ``visible_ms``: before that, no answer has it."""

    id: int
    order: str
    pieces: list[Piece]
    changed_ms: int
    status: str = "Created"
    sender: str = "SELLER"
    visible_ms: int = 0
    history: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class N11OrderSide(OrderSide):
    """Packages of one seller.

    ``successor_after_ms``: how long the package is not there that takes over the pieces of another. ``unpacks``: a
    partial cancel unpacks a package into two, in place of cancelling it and making another one of the rest.
    ``filter_shift_ms``: the zone in which the times of a filter are read. ``hours_ahead``: how far all its times are
    ahead of UTC. ``blanks``: status words come with blanks and in other cases. ``wants_status``: a list without a
    status is empty. ``fails_lines``: an update fails, with HTTP 200. ``packages_page_max``: what a page holds at most.
    """

    successor_after_ms: int = 0
    unpacks: bool = False
    filter_shift_ms: int = 0
    hours_ahead: int = 0
    blanks: bool = False
    wants_status: bool = False
    fails_lines: set[int] = field(default_factory=set)
    parcels: dict[int, Parcel] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._parcel_ids = count(112_964_324_974_270)
        self._line_ids = count(441_022_489)
        self._order_numbers = count(204_123_935_736)

    @abstractmethod
    def refused(self, request: web.Request) -> web.Response | None:
        """What every request must get past."""

    @abstractmethod
    def wrong(self, what: str) -> web.Response:
        """Answer a request that breaks the contract."""

    def order_routes(self) -> list[web.RouteDef]:
        return [
            web.get("/rest/delivery/v1/shipmentPackages", self._packages),
            web.put("/rest/order/v1/update", self._update),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:  # noqa: ARG002  # nothing unpaid is shown
        number, now = str(next(self._order_numbers)), self.tick()
        pieces = [Piece(next(self._line_ids), key, of) for key, of in lines]
        self._add(number, pieces, now)
        self.truth[number] = {str(each.line): Truth(each.code, each.quantity) for each in pieces}
        for key, units in lines:
            self.sell(key, units)
        return number

    def place_elsewhere(self, *lines: tuple[str, int]) -> str:
        """Place an order that n11 ships from its own warehouse."""
        number = self.place(*lines)
        del self.truth[number]
        for parcel in self.living(number):
            parcel.sender = "N11"
        return number

    def _add(self, number: str, pieces: list[Piece], now: int, **fields: Any) -> Parcel:
        parcel = Parcel(next(self._parcel_ids), number, pieces, now, **fields)
        parcel.history.append((now, parcel.status))
        self.parcels[parcel.id] = parcel
        return parcel

    def move(self, parcel: Parcel, status: str) -> None:
        parcel.status, parcel.changed_ms = status, self.tick()
        parcel.history.append((parcel.changed_ms, status))

    def living(self, number: str) -> list[Parcel]:
        return [each for each in self.parcels.values() if each.order == number and each.status in LIVING]

    def pay(self, number: str) -> None:
        raise NotImplementedError("n11 shows no order that is not paid")

    def cancel(self, number: str, key: str, pieces: int) -> None:
        for parcel in self.living(number):
            there = sum(each.quantity for each in parcel.pieces if str(each.line) == key)
            gone = min(pieces, there)
            if gone:
                self.truth[number][key].cancelled += gone
                self._cancel_in(parcel, key, gone)
                pieces -= gone

    def _cancel_in(self, parcel: Parcel, key: str, gone: int) -> None:
        rest, taken = list[Piece](), list[Piece]()
        for each in parcel.pieces:
            off = gone if str(each.line) == key else 0
            if off < each.quantity:
                rest.append(Piece(each.line, each.code, each.quantity - off))
            if off:
                taken.append(Piece(each.line, each.code, off, is_cancelled=True))
        if self.unpacks and rest:
            self.move(parcel, "Unpacked")
            self._succeed(parcel, taken, "Cancelled")
        else:
            self.move(parcel, "Cancelled")
            for each in parcel.pieces:
                each.is_cancelled = str(each.line) == key
        if rest:
            self._succeed(parcel, rest, parcel.history[-2][1])

    def split(self, number: str) -> None:
        """Divide the first living package of more than one piece in two."""
        for parcel in self.living(number):
            one, other = _halves(parcel.pieces)
            if other:
                self.move(parcel, "Unpacked")
                self._succeed(parcel, one, parcel.history[-2][1])
                self._succeed(parcel, other, parcel.history[-2][1])
                return

    def _succeed(self, parcel: Parcel, pieces: list[Piece], status: str) -> None:
        later = self.tick() + self.successor_after_ms
        made = self._add(parcel.order, pieces, later, status=status)
        made.visible_ms = later if self.successor_after_ms else 0

    def send_off(self, number: str) -> None:
        for parcel in self.living(number):
            for each in parcel.pieces:
                self.truth[number][str(each.line)].shipped += each.quantity
            self.move(parcel, "Shipped")

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.successor_after_ms = chance.choice([0, 30_000, 600_000])
        self.unpacks = chance.random() < 0.5
        self.filter_shift_ms = chance.choice([-3 * HOUR_MS, 0, 3 * HOUR_MS])
        self.blanks = chance.random() < 0.5

    def act(self, chance: random.Random) -> str:
        splittable = [number for number in self.truth if self.living(number)]
        if splittable and chance.random() < 0.2:
            number = chance.choice(splittable)
            self.split(number)
            return number
        return super().act(chance)

    # -- what it sends: nothing

    def deliveries(self, number: str) -> Sequence[Delivery]:  # noqa: ARG002
        return ()

    def signed(self, body: bytes) -> Delivery:
        return Delivery(method="POST", path="", query="", headers={}, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:  # noqa: ARG002
        return ()

    # -- reading

    async def _packages(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = request.query
        page, size = int(query.get("page", "0")), int(query.get("size", "20"))
        status = query.get("status", "")
        if set(query) - _QUERY or not 1 <= size <= PACKAGES_PAGE_MAX or (status and status not in STATUSES):
            return self.wrong(f"a list of packages by {dict(query)}")
        found = [each for each in self.parcels.values() if each.visible_ms <= self.now_ms()]
        found = [each for each in found if status == each.status or (not status and not self.wants_status)]
        found = [each for each in found if query.get("sender", each.sender) == each.sender]
        if "orderNumber" in query:
            found = [each for each in found if each.order == query["orderNumber"]]
        else:
            start, end = int(query["startDate"]), int(query["endDate"])
            if end - start > SPAN_MS:
                self.complain(f"{end - start} ms are cut to 15 days")
            found = [each for each in found if start <= each.changed_ms + self.filter_shift_ms <= end]
        found.sort(key=lambda each: (each.changed_ms, each.id))
        some = found[page * size : (page + 1) * size]
        return web.Response(
            body=json.dumps({"content": [self.row(each) for each in some]}).encode(), content_type="application/json"
        )

    def row(self, parcel: Parcel) -> dict[str, Any]:
        ahead_ms = self.hours_ahead * HOUR_MS
        lines: Any = "all of them" if parcel.order in self.spoiled else [self._line(each) for each in parcel.pieces]
        address = {"fullName": BUYER, "address": STREET, "city": "İzmir", "district": "Bornova", "gsm": PHONE}
        return {
            "id": str(parcel.id),
            "orderNumber": parcel.order,
            "shipmentPackageStatus": f" {parcel.status.upper()} " if self.blanks else parcel.status,
            "lastModifiedDate": parcel.changed_ms + ahead_ms,
            "sender": parcel.sender,
            "customerfullName": BUYER,
            "customerEmail": "ayse@example.org",
            "tcIdentityNumber": "10000000146",
            "taxId": None,
            "taxOffice": None,
            "cargoTrackingNumber": str(parcel.id),
            "cargoProviderName": "Aras Kargo",
            "shippingAddress": address,
            "billingAddress": address,
            "lines": lines,
            "packageHistories": [{"createdDate": at + ahead_ms, "status": status} for at, status in parcel.history],
        }

    def _line(self, piece: Piece) -> dict[str, Any]:
        return {
            "orderLineId": piece.line,
            "quantity": piece.quantity,
            "stockCode": piece.code,
            "barcode": None,
            "productName": "Bardak",
            "price": 469.59,
            "sellerDiscount": 78.26,
            "sellerCouponDiscount": 0,
            "vatRate": 20,
            "orderItemLineItemStatusName": "Cancelled" if piece.is_cancelled else "Created",
        }

    # -- what the seller says

    async def _update(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            update = msgspec.json.decode(await request.read(), type=WireUpdate)
        except msgspec.MsgspecError as error:
            return self.wrong(f"an update of another form: {error}")
        wanted = {each.line_id for each in update.lines}
        parcels = [each for each in self.parcels.values() if wanted & {piece.line for piece in each.pieces}]
        new = {piece.line for each in parcels if each.status == "Created" for piece in each.pieces} - self.fails_lines
        if not self.lying:
            for parcel in parcels:
                if parcel.status == "Created" and new & {piece.line for piece in parcel.pieces}:
                    self.move(parcel, "Picking")
                    self.taken(f"Picking {parcel.id}")
        rows = [
            {"lineId": line, "status": "SUCCESS" if line in new else "FAIL", "reasons": None if line in new else "Hata"}
            for line in sorted(wanted)
        ]
        return web.json_response({"content": rows})


def _halves(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Divide the lines of a package in two; a single line by its pieces."""
    if len(pieces) > 1:
        return pieces[:1], pieces[1:]
    piece = pieces[0]
    half = piece.quantity // 2
    parts = (piece.quantity - half, half)
    one, other = ([Piece(piece.line, piece.code, of)] if of else [] for of in parts)
    return one, other
