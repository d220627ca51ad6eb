"""The orders of a simulated Hepsiburada: lines that stand in one list, then in another, and for a while in none."""

import json
import random
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import msgspec

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

USER: Final = "made-up-user"
PASSWORD: Final = "made-up-password"
TURKEY: Final = timedelta(hours=3)
DAY_MS: Final = 86_400_000
LIVING: Final = frozenset({"PaymentAwaiting", "Open", "Packaged"})


@dataclass
class Row:
    """Pieces of a line in one status, and in one package or in none."""

    line: str
    key: str
    quantity: int
    status: str
    package: str = ""


@dataclass
class Sold:
    """An order."""

    number: str
    placed_ms: int
    rows: list[Row]
    cancelled_ms: int = 0


@dataclass
class Parcel:
    """A package; ``visible_ms``: before that its list has it not."""

    number: str
    order: str
    changed_ms: int
    visible_ms: int
    tracking: str = ""
    invoice: str = ""


@dataclass
class HepsiburadaOrderSide(OrderSide):
    """Orders of one merchant. ``packs_itself``: they are packed when they are placed, without the merchant.

    ``gap_ms``: how long a line that was packed stands in no list. ``drifts``: words for a status come in other cases.
    ``is_depot``: what is sold next is shipped by Hepsiburada itself.
    """

    packs_itself: bool = False
    gap_ms: int = 0
    drifts: bool = False
    is_depot: bool = False
    orders: dict[str, Sold] = field(default_factory=dict)
    parcels: dict[str, Parcel] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    depot_lines: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._line_numbers = count(1)
        self._order_numbers = count(4_012_345_678)
        self._package_numbers = count(5_001)

    @abstractmethod
    def hepsiburada_sku(self, key: str) -> str:
        """The channel's own SKU of a listing."""

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        number, now = str(next(self._order_numbers)), self.tick()
        status = "Open" if paid else "PaymentAwaiting"
        rows = [Row(f"line-{next(self._line_numbers):06d}", key, of, status) for key, of in lines]
        self.orders[number] = Sold(number, now, rows)
        self.truth[number] = {each.line: Truth(each.key, each.quantity) for each in rows}
        if self.is_depot:
            self.depot_lines |= {each.line for each in rows}
        for key, units in lines:
            self.sell(key, units)
        if paid and self.packs_itself:
            self.pack(number, {each.line: each.quantity for each in rows})
        return number

    def pay(self, number: str) -> None:
        for row in self.orders[number].rows:
            row.status = "Open" if row.status == "PaymentAwaiting" else row.status
        self.tick()

    def living(self, number: str) -> list[Row]:
        return [each for each in self.orders[number].rows if each.status in LIVING]

    def unpacked(self, number: str, line: str) -> int:
        return sum(each.quantity for each in self.orders[number].rows if each.status == "Open" and each.line == line)

    def take(
        self, number: str, line: str, pieces: int, status: str, *, of: str = "", package: str = "", into: str = ""
    ) -> None:
        """Give pieces of a line another status; ``of``: only of those in this status, ``package``: only of its own."""
        order = self.orders[number]
        for row in [each for each in order.rows if each.line == line and each.status in LIVING]:
            if row.status != (of or row.status) or row.package != (package or row.package):
                continue
            taken = min(pieces, row.quantity)
            if taken:
                row.quantity -= taken
                order.rows.append(Row(line, row.key, taken, status, into))
                pieces -= taken
        order.rows = [each for each in order.rows if each.quantity]

    def cancel(self, number: str, key: str, pieces: int) -> None:
        self.truth[number][key].cancelled += pieces
        self.take(number, key, pieces, "CancelledByCustomer")
        self.orders[number].cancelled_ms = self.tick()

    def pack(self, number: str, pieces: dict[str, int]) -> str:
        now, package = self.tick(), str(next(self._package_numbers))
        for line, quantity in pieces.items():
            self.take(number, line, quantity, "Packaged", of="Open", into=package)
        self.parcels[package] = Parcel(package, number, now, now + self.gap_ms)
        return package

    def unpack(self, package: str) -> None:
        parcel = self.parcels.pop(package)
        for row in self.orders[parcel.order].rows:
            if row.package == package and row.status == "Packaged":
                row.status, row.package = "Open", ""
        self.tick()

    def leave(self, package: str) -> None:
        """Let a package leave."""
        parcel = self.parcels[package]
        for row in self.orders[parcel.order].rows:
            if row.package == package and row.status == "Packaged":
                row.status = "InTransit"
                self.truth[parcel.order][row.line].shipped += row.quantity
        parcel.changed_ms = self.tick()

    def send_off(self, number: str) -> None:
        self.pay(number)
        lines = {each.line for each in self.living(number)}
        unpacked = {line: self.unpacked(number, line) for line in lines if self.unpacked(number, line)}
        if unpacked:
            self.pack(number, unpacked)
        for package in {each.package for each in self.living(number)}:
            self.leave(package)

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.packs_itself = chance.random() < 0.3
        self.gap_ms = chance.choice([0, 60_000])
        self.drifts = chance.random() < 0.5

    def act(self, chance: random.Random) -> str:
        packed = [each.number for each in self.parcels.values() if self._is_packed(each)]
        if packed and chance.random() < 0.15:
            package = chance.choice(packed)
            number = self.parcels[package].order
            self.unpack(package)
            return number
        some = [(number, row) for number in self.orders for row in self.living(number) if row.status == "Open"]
        if some and chance.random() < 0.2:
            number, row = chance.choice(some)
            self.pack(number, {row.line: chance.randint(1, self.unpacked(number, row.line))})
            return number
        return super().act(chance)

    def _is_packed(self, parcel: Parcel) -> bool:
        return any(row.package == parcel.number and row.status == "Packaged" for row in self.orders[parcel.order].rows)

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        order = self.orders[number]
        body = {"items": [self.line(order, each) for each in order.rows]}
        news = [self.signed(json.dumps(body).encode(), path="orders")]
        if order.cancelled_ms:
            row = next(each for each in order.rows if each.status.startswith("Cancel"))
            said = {"id": row.line, "orderNumber": number, "quantity": row.quantity, "isUnpackedLine": True}
            news.append(self.signed(json.dumps(said).encode(), "PUT", f"lineitems/{row.line}/cancel"))
        return news

    def signed(self, body: bytes, method: str = "POST", path: str = "") -> Delivery:
        basic = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"authorization": basic, "content-type": "application/json"}
        return Delivery(method=method, path=path, query="", headers=headers, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        other = "Basic " + b64encode(f"{USER}:another".encode()).decode()
        return [
            msgspec.structs.replace(delivery, headers=each)
            for each in ({}, {"authorization": other}, {"authorization": ""}, {"authorization": "Basic ü"})
        ]

    # -- as it is answered

    def line(self, order: Sold, row: Row) -> dict[str, Any]:
        status = row.status.upper() if self.drifts else row.status
        return {
            "id": row.line,
            "orderNumber": order.number,
            "sku": self.hepsiburada_sku(row.key),
            "merchantSKU": row.key.upper(),
            "productName": "Bardak",
            "productBarcode": "8680000000017",
            "quantity": "all of them" if order.number in self.spoiled else row.quantity,
            "unitPrice": {"currency": "TRY", "amount": 56.5},
            "vatRate": 20,
            "status": status,
            "packageNumber": row.package or None,
            "canCreatePackage": row.status == "Open",
            "parentItemIndex": 0,
            "cargoCompany": "hepsiJET",
            "dueDate": f"{_utc(order.placed_ms + DAY_MS)}.1234567Z",
            "orderDate": _local(order.placed_ms),
            "isFulfilledByHB": row.line in self.depot_lines,
        }

    def whole(self, order: Sold) -> dict[str, Any]:
        """An order as it is answered by its number: in every status."""
        address = {"name": BUYER, "address": STREET, "town": "Bornova", "city": "İzmir", "countryCode": "TR"}
        rows = [self.line(order, each) for each in order.rows]
        return {
            "orderNumber": order.number,
            "orderDate": _local(order.placed_ms),
            "paymentStatus": "Awaiting" if any(each.status == "PaymentAwaiting" for each in order.rows) else "Paid",
            "customer": {"customerId": "c-1", "name": BUYER},
            "deliveryAddress": {**address, "phoneNumber": PHONE, "email": "ayse@example.org"},
            "invoice": {"turkishIdentityNumber": "10000000146", "taxNumber": None, "address": address},
            "items": rows,
        }

    def package(self, parcel: Parcel) -> dict[str, Any]:
        order = self.orders[parcel.order]
        rows = [each for each in order.rows if each.package == parcel.number and not each.status.startswith("Cancel")]
        items: Any = [
            {
                "lineItemId": each.line,
                "orderNumber": order.number,
                "hbSku": self.hepsiburada_sku(each.key),
                "merchantSku": each.key.upper(),
                "quantity": each.quantity,
            }
            for each in rows
        ]
        is_spoiled = order.number in self.spoiled
        status = rows[0].status if rows else "Packaged"
        return {"packageNumber": parcel.number, "status": status, "items": "none" if is_spoiled else items}


def _utc(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _local(at_ms: int) -> str:
    """Write a time as Hepsiburada does: without a zone, in Turkey."""
    return (datetime.fromtimestamp(at_ms / 1000, UTC) + TURKEY).strftime("%Y-%m-%dT%H:%M:%S")
