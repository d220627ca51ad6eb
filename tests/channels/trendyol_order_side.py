"""The orders of a simulated Trendyol: packages that are split and partly cancelled, and succeed each other later."""

import json
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import msgspec

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

TURKISH_MS: Final = 3 * 3_600_000
USER: Final = "made-up-user"
PASSWORD: Final = "made-up-password"
LIVING: Final = frozenset({"Awaiting", "Created", "Picking", "Invoiced"})


@dataclass
class Piece:
    """A line of a package."""

    line: int
    barcode: str
    quantity: int
    units: list[int]
    cancelled_by: str = ""


@dataclass
class Parcel:
    """A package. ``visible_ms``: before that, no answer has it."""

    id: int
    order: str
    pieces: list[Piece]
    placed_ms: int
    changed_ms: int
    status: str = "Created"
    created_by: str = "order-creation"
    origins: list[int] = field(default_factory=list)
    tracking: str = ""
    link: str = ""
    invoice: str = ""
    visible_ms: int = 0
    history: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class TrendyolOrderSide(OrderSide):
    """Packages and claims of one seller.

    ``successor_after_ms``: how long the package that takes over the units of one that was split or partly cancelled is
    not there. ``filter_shift_ms``: the zone in which the dates of a filter are read. ``says_id``: packages have ``id``
    in place of ``shipmentPackageId``. ``cursors_refused``: so many pages are refused. ``stream_every_s``: how often the
    stream may be read; 0: whenever.
    """

    successor_after_ms: int = 0
    filter_shift_ms: int = 0
    says_id: bool = False
    cursors_refused: int = 0
    stream_every_s: float = 5.0
    parcels: dict[int, Parcel] = field(default_factory=dict)
    claims: list[dict[str, Any]] = field(default_factory=list)
    settled: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    cursors: dict[str, tuple[str, tuple[int, int]]] = field(default_factory=dict)
    streamed_ms: int = -10_000_000

    def __post_init__(self) -> None:
        self._ids = count(3_330_000_001)
        self._lines = count(4_765_000_001)
        self._units = count(11_000_001)
        self._orders = count(10_654_000_001)

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        number, now = str(next(self._orders)), self.tick()
        pieces = [Piece(next(self._lines), key, of, [next(self._units) for _ in range(of)]) for key, of in lines]
        self._add(number, pieces, now, status="Created" if paid else "Awaiting")
        self.truth[number] = {str(each.line): Truth(each.barcode, each.quantity) for each in pieces}
        for key, units in lines:
            self.sell(key, units)
        return number

    def _add(self, number: str, pieces: list[Piece], now: int, **fields: Any) -> Parcel:
        earlier = [each.placed_ms for each in self.parcels.values() if each.order == number]
        parcel = Parcel(next(self._ids), number, pieces, min(earlier, default=now), now, **fields)
        parcel.history.append((now, parcel.status))
        parcel.tracking = f"72{parcel.id}"
        self.parcels[parcel.id] = parcel
        return parcel

    def move(self, parcel: Parcel, status: str) -> None:
        parcel.status, parcel.changed_ms = status, self.tick()
        parcel.history.append((parcel.changed_ms, status))

    def living(self, number: str) -> list[Parcel]:
        return [each for each in self.parcels.values() if each.order == number and each.status in LIVING]

    def pay(self, number: str) -> None:
        for parcel in self.living(number):
            self.move(parcel, "Created")

    def cancel(self, number: str, key: str, pieces: int, by: str = "Customer") -> None:
        for parcel in self.living(number):
            there = sum(each.quantity for each in parcel.pieces if str(each.line) == key)
            if pieces and there:
                self.cancel_in(parcel, {key: min(pieces, there)}, by)
                pieces -= min(pieces, there)

    def cancel_in(self, parcel: Parcel, pieces: dict[str, int], by: str) -> None:
        rest = []
        for each in parcel.pieces:
            gone = pieces.get(str(each.line), 0)
            each.cancelled_by = by if gone else ""
            if gone < each.quantity:
                rest.append(Piece(each.line, each.barcode, each.quantity - gone, each.units[gone:]))
            if gone:
                self.truth[parcel.order][str(each.line)].cancelled += gone
        self.move(parcel, "Cancelled")
        if rest:
            self._succeed(parcel, rest, "cancel")

    def split(self, number: str) -> None:
        """Divide the first living package of more than one piece in two."""
        for parcel in self.living(number):
            one, other = _halves(parcel.pieces)
            if other:
                self.move(parcel, "UnPacked")
                self._succeed(parcel, one, "split")
                self._succeed(parcel, other, "split")
                return

    def _succeed(self, parcel: Parcel, pieces: list[Piece], why: str) -> None:
        first = parcel.origins or [parcel.id]
        status = parcel.history[-2][1] if len(parcel.history) > 1 else "Created"
        later = self.tick() + self.successor_after_ms
        made = self._add(parcel.order, pieces, later, status=status, created_by=why, origins=first)
        made.visible_ms = later if self.successor_after_ms else 0

    def send_off(self, number: str) -> None:
        for parcel in self.living(number):
            for each in parcel.pieces:
                self.truth[number][str(each.line)].shipped += each.quantity
            self.move(parcel, "Shipped")

    def send_back(self, number: str) -> None:
        """Let what could not be delivered come back to the seller."""
        for parcel in [each for each in self.parcels.values() if each.order == number and each.status == "Shipped"]:
            self.move(parcel, "UnDelivered")
            self.move(parcel, "Returned")

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def claim(self, number: str, status: str = "WaitingInAction", pieces: int = 1) -> dict[str, Any]:
        """Let a buyer claim pieces of the first line of an order."""
        parcel = next(each for each in self.parcels.values() if each.order == number)
        piece, now = parcel.pieces[0], self.tick()
        units = [_claim_unit(f"unit-{now}-{unit}", unit, status) for unit in piece.units[:pieces]]
        line = {"id": piece.line, "barcode": piece.barcode, "merchantSku": "111111"}
        claim = {
            "id": f"claim-{now}",
            "orderNumber": number,
            "claimDate": now,
            "lastModifiedDate": now,
            "orderShipmentPackageId": parcel.id + 1_000_000,
            "orderOutboundPackageId": parcel.id,
            "items": [{"orderLine": line, "claimItems": units}],
        }
        self.claims.append(claim)
        return claim

    def misbehave(self, chance: random.Random) -> None:
        self.successor_after_ms = chance.choice([0, 30_000, 600_000])
        self.filter_shift_ms = chance.choice([-TURKISH_MS, 0, TURKISH_MS])
        self.says_id = chance.random() < 0.3
        self.cursors_refused = chance.choice([0, 0, 1])

    def act(self, chance: random.Random) -> str:
        splittable = [number for number in self.truth if self.living(number)]
        if splittable and chance.random() < 0.2:
            number = chance.choice(splittable)
            self.split(number)
            return number
        return super().act(chance)

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        return [self.signed(self.envelope([each])) for each in self.visible() if each.order == number]

    def signed(self, body: bytes) -> Delivery:
        basic = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"authorization": basic, "content-type": "application/json"}
        return Delivery(method="POST", path="", query="", headers=headers, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        other = "Basic " + b64encode(f"{USER}:another".encode()).decode()
        headers = [{}, {"authorization": other}, {"authorization": ""}, {"x-api-key": PASSWORD}]
        return [msgspec.structs.replace(delivery, headers=each) for each in headers]

    def envelope(self, parcels: Sequence[Parcel], page: int = 0, size: int = 50) -> bytes:
        some = parcels[page * size : (page + 1) * size]
        pages = (len(parcels) + size - 1) // size
        rows = [self.row(each) for each in some]
        numbers = {"totalElements": len(parcels), "totalPages": pages, "page": page, "size": len(some)}
        return json.dumps({**numbers, "content": rows}).encode()

    def visible(self) -> list[Parcel]:
        return [each for each in self.parcels.values() if each.visible_ms <= self.now_ms()]

    def row(self, parcel: Parcel) -> dict[str, Any]:
        lines: Any = "all of them" if parcel.order in self.spoiled else [_line(each, parcel) for each in parcel.pieces]
        address = {"fullName": BUYER, "fullAddress": STREET, "city": "İzmir", "countryCode": "TR", "phone": PHONE}
        return {
            "id" if self.says_id else "shipmentPackageId": parcel.id,
            "orderNumber": parcel.order,
            "status": parcel.status,
            "createdBy": parcel.created_by,
            "originPackageIds": parcel.origins or None,
            "orderDate": parcel.placed_ms + TURKISH_MS,
            "lastModifiedDate": parcel.changed_ms,
            "currencyCode": "TRY",
            "packageTotalPrice": 498.90,
            "cargoTrackingNumber": parcel.tracking,
            "cargoProviderName": "Trendyol Express",
            "cargoTrackingLink": parcel.link or None,
            "whoPays": 1,
            "invoiceStatus": "Invoiced" if parcel.invoice else "NotInvoiced",
            "customerId": 888888888,
            "customerEmail": "pf+made-up@trendyolmail.com",
            "shipmentAddress": address,
            "invoiceAddress": {**address, "company": "", "taxOffice": None, "taxNumber": None},
            "lines": lines,
            "packageHistories": [{"createdDate": at, "status": status} for at, status in parcel.history],
        }


def _halves(pieces: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Divide the lines of a package in two; a single line by its pieces."""
    if len(pieces) > 1:
        return pieces[:1], pieces[1:]
    piece = pieces[0]
    half = piece.quantity // 2
    if not half:
        return pieces, []
    parts = ((piece.quantity - half, piece.units[half:]), (half, piece.units[:half]))
    one, other = ([Piece(piece.line, piece.barcode, quantity, units)] for quantity, units in parts)
    return one, other


def _line(piece: Piece, parcel: Parcel) -> dict[str, Any]:
    return {
        "lineId": piece.line,
        "quantity": piece.quantity,
        "barcode": piece.barcode,
        "stockCode": f"sku of {piece.barcode}",
        "productName": "Bardak",
        "orderLineItemStatusName": parcel.status,
        "lineUnitPrice": 498.90,
        "lineGrossAmount": 500.00,
        "lineSellerDiscount": 1.10,
        "lineTyDiscount": 0,
        "vatRate": 20,
        "discountDetails": [{"lineItemId": unit, "lineItemPrice": 498.90} for unit in piece.units],
        "cancelledBy": piece.cancelled_by,
        "cancelReasonCode": 0,
    }


def _claim_unit(name: str, unit: int, status: str) -> dict[str, Any]:
    return {
        "id": name,
        "orderLineItemId": unit,
        "customerClaimItemReason": {"id": 401, "name": "Beğenmedim", "code": "DISLIKE"},
        "claimItemStatus": {"name": status},
        "autoAccepted": False,
    }
