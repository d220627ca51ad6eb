"""The orders of a simulated eMAG: whole in every answer, cancelled at first sight, back from every status."""

import json
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

CALLBACK_SECRET: Final = "made-up-callback-secret"
ZONE: Final = ZoneInfo("Europe/Bucharest")
HOUR_MS: Final = 3_600_000
MONTH_MS: Final = 31 * 24 * HOUR_MS
PAGE_MAX: Final = 100
CANCELLED, NEW, IN_PROGRESS, PREPARED, FINALIZED, RETURNED = range(6)
COD, TRANSFER, CARD = 1, 2, 3
_READ: Final = {"id", "status", "type", "modifiedAfter", "modifiedBefore", "itemsPerPage", "currentPage"}
_REASONS: Final = (1, 31, 33)


@dataclass
class Line:
    id: int
    offer: str
    initial: int
    quantity: int
    status: int = 1
    storno: int = 0
    reason: int | None = None


@dataclass
class Sold:
    """An order. ``shows_cancelled``: so often it is answered as cancelled before it is answered as it is."""

    id: int
    lines: list[Line]
    placed_ms: int
    changed_ms: int
    status: int = NEW
    type: int = 3
    payment: int = COD
    is_paid: bool = False
    is_complete: int = 1
    shows_cancelled: int = 0
    attachments: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class EmagOrderSide(OrderSide):
    """Orders of one seller. ``payment``: how what is sold next is paid.

    ``filter_shift_ms``: the zone in which the times of a filter are read. ``tells_initial``: lines say how many were
    ordered first. ``type``: of what is sold next; 2: from eMAG's own warehouse.
    """

    payment: int = COD
    type: int = 3
    filter_shift_ms: int = 0
    tells_initial: bool = True
    orders: dict[int, Sold] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers = count(939_393)

    @abstractmethod
    def refused(self, request: web.Request) -> web.Response | None:
        """What every request must get past."""

    @abstractmethod
    async def data(self, request: web.Request) -> Any:
        """What was sent."""

    def order_routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api-3/order/read", self._read),
            web.post(r"/api-3/order/acknowledge/{id:\d+}", self._acknowledge),
            web.post("/api-3/order/save", self._save),
            web.post("/api-3/order/attachments/save", self._attach),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now, number = self.tick(), next(self._numbers)
        made = [Line(next(self._numbers), key, of, of) for key, of in lines]
        payment = self.payment if paid else CARD
        order = Sold(number, made, now, now, type=self.type, payment=payment, is_paid=paid and payment != COD)
        self.orders[number] = order
        if self.type == 3:
            self.truth[str(number)] = {str(each.id): Truth(each.offer, each.quantity) for each in made}
        for key, units in lines:
            self.sell(key, units)
        return str(number)

    def move(self, order: Sold, status: int) -> None:
        order.status, order.changed_ms = status, self.tick()

    def pay(self, number: str) -> None:
        order = self.orders[int(number)]
        order.is_paid = True
        self.move(order, order.status)

    def cancel(self, number: str, key: str, pieces: int) -> None:
        order, truth = self.orders[int(number)], self.truth[number]
        truth[key].cancelled += pieces
        self._lower(next(each for each in order.lines if str(each.id) == key), pieces)
        is_off = not any(each.living for each in truth.values())
        self.move(order, CANCELLED if is_off else order.status)

    def _lower(self, line: Line, pieces: int) -> None:
        if pieces == line.quantity:
            line.status = 0
        else:
            line.quantity -= pieces

    def send_off(self, number: str) -> None:
        for each in self.truth[number].values():
            each.shipped += each.living
        self.move(self.orders[int(number)], FINALIZED)

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.filter_shift_ms = chance.choice([-3 * HOUR_MS, 0, 3 * HOUR_MS])
        self.payment = chance.choice([COD, TRANSFER, CARD])

    def act(self, chance: random.Random) -> str:
        some = [number for number in self.truth if self.orders[int(number)].status in (NEW, IN_PROGRESS)]
        if some and chance.random() < 0.2:
            number = chance.choice(some)
            self.move(self.orders[int(number)], self.orders[int(number)].status + 1)
            return number
        return super().act(chance)

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        return [msgspec.structs.replace(self.signed(b""), query=f"order_id={number}")]

    def signed(self, body: bytes) -> Delivery:
        return Delivery(method="GET", path=CALLBACK_SECRET, query="", headers={}, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        paths = ("", "another", f"{CALLBACK_SECRET}/more", "ü", CALLBACK_SECRET[:-1])
        return [msgspec.structs.replace(delivery, path=path) for path in paths]

    # -- reading

    async def _read(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = await self.data(request)
        page, size = query.get("currentPage", 1), query.get("itemsPerPage", 100)
        if set(query) - _READ or not 1 <= size <= PAGE_MAX or page < 1:
            return self.wrong(f"orders by {query}")
        found = [each for each in self.orders.values() if each.status in query.get("status", range(6))]
        if "id" in query:
            found = [each for each in found if each.id == query["id"]]
        elif "modifiedAfter" in query:
            start, end = (_ms(query[name]) for name in ("modifiedAfter", "modifiedBefore"))
            if end - start > MONTH_MS:
                return self.wrong("more than a month")
            found = [each for each in found if start <= each.changed_ms + self.filter_shift_ms <= end]
        found.sort(key=lambda each: -each.id)
        some = found[(page - 1) * size : page * size]
        return replied([self.row(each) for each in some])

    def wrong(self, what: str) -> web.Response:
        """Answer a request that breaks the contract: with 200, and an error."""
        self.complain(what)
        return failed(what)

    def row(self, order: Sold) -> dict[str, Any]:
        status = order.status
        if order.shows_cancelled:
            order.shows_cancelled -= 1
            status = CANCELLED
        place = {"phone": PHONE, "country": "RO", "suburb": "Cluj", "city": "Cluj-Napoca", "street": STREET}
        customer = {
            "id": 1,
            "name": BUYER,
            "email": "hash@emag.ro",
            "legal_entity": 0,
            "code": "",
            **{f"billing_{name}": value for name, value in {**place, "name": BUYER, "postal_code": "400001"}.items()},
            **{f"shipping_{name}": value for name, value in {**place, "contact": BUYER}.items()},
        }
        return {
            "id": order.id,
            "status": status,
            "type": order.type,
            "is_complete": order.is_complete,
            "payment_mode_id": order.payment,
            "payment_status": int(order.is_paid),
            "delivery_mode": "courier",
            "date": written(order.placed_ms),
            "modified": written(order.changed_ms),
            "shipping_tax": 19.99,
            "details": {"locker_id": ""},
            "customer": customer,
            "products": "none" if str(order.id) in self.spoiled else [self._line(each) for each in order.lines],
            "attachments": order.attachments,
        }

    def _line(self, line: Line) -> dict[str, Any]:
        told = {"initial_qty": line.initial, "storno_qty": line.storno} if self.tells_initial else {}
        return told | {
            "id": line.id,
            "product_id": int(line.offer),
            "part_number": f"sku of {line.offer}",
            "name": "Bardak",
            "quantity": line.quantity,
            "status": line.status,
            "sale_price": "12.1234",
            "currency": "RON",
            "cancellation_reason": line.reason,
        }

    # -- what the seller says

    async def _acknowledge(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        order = self.orders.get(int(request.match_info["id"]))
        if order is None or order.type != 3 or order.status != NEW:
            return failed("Order can not be acknowledged")
        if not self.lying:
            self.move(order, IN_PROGRESS)
            self.taken(f"acknowledge {order.id}")
        return replied([])

    async def _save(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        [said] = await self.data(request)
        order = self.orders.get(said.get("id", 0))
        if order is None or order.type != 3:
            return failed("Order not found")
        known = self.row(order)
        if set(said) != set(known) or {each["id"] for each in said["products"]} != {each.id for each in order.lines}:
            return self.wrong("not all fields as they were read")
        lines = {each.id: each for each in order.lines}
        if any(each["quantity"] > lines[each["id"]].quantity for each in said["products"]):
            return failed("Quantity can not be raised")
        return self._saved(order, said, lines)

    def _saved(self, order: Sold, said: dict[str, Any], lines: dict[int, Line]) -> web.Response:
        gone = {
            each["id"]: lines[each["id"]].quantity - (each["quantity"] if each["status"] else 0)
            for each in said["products"]
            if lines[each["id"]].status
        }
        is_whole = said["status"] == CANCELLED
        reasons = [each.get("cancellation_reason") for each in said["products"]]
        if is_whole and not any(each in _REASONS for each in reasons):
            return failed("A cancellation reason is mandatory")
        if order.payment == CARD and any(gone.values()) and not is_whole:
            return failed("Card orders can not be lowered")
        if order.status in (FINALIZED, RETURNED, CANCELLED) or (order.status == NEW and said["status"] != CANCELLED):
            return failed("Invalid status")
        if not self.lying:
            truth = self.truth[str(order.id)]
            for number, pieces in gone.items():
                truth[str(number)].cancelled += pieces
                if pieces:
                    self._lower(lines[number], pieces)
            if said["status"] == FINALIZED:
                for each in truth.values():
                    each.shipped += each.living
            self.move(order, said["status"])
            self.taken(f"save {order.id} as {said['status']}")
        return replied([])

    async def _attach(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        [said] = await self.data(request)
        order = self.orders.get(said.get("order_id", 0))
        if set(said) != {"order_id", "name", "url", "type", "force_download"} or order is None:
            return self.wrong(f"an attachment of {sorted(said)}")
        if not self.lying:
            order.attachments.append(said)
            self.taken(f"attach {order.id}")
        return replied([])


def replied(results: Any) -> web.Response:
    content = {"isError": False, "messages": [], "results": results}
    return web.Response(body=json.dumps(content).encode(), content_type="application/json")


def failed(words: str) -> web.Response:
    return web.json_response({"isError": True, "messages": [words], "results": []})


def _ms(text: str) -> int:
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZONE)
    return round(moment.timestamp() * 1000)


def written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
