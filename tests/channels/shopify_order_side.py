"""The orders of a simulated Shopify shop: fulfilment orders that split and move, parcels, refunds, edits, webhooks."""

import hmac
import json
import random
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import msgspec

from adapters.contract.orders import Delivery
from adapters.testing.order_side import OrderSide, Truth

WEBHOOK_SECRET: Final = "made-up-webhook-secret"
SHOP: Final = "made-up-shop.myshopify.com"
LOCATION: Final = "gid://shopify/Location/77"
OTHER_LOCATION: Final = "gid://shopify/Location/78"
GID: Final = "gid://shopify/"


@dataclass
class ShopLine:
    """A line. ``off``: pieces that were taken off it or refunded; ``to_ship``: those that wait to be shipped."""

    id: int
    item: str
    quantity: int
    off: int = 0
    to_ship: int = 0


@dataclass
class Task:
    """A fulfilment order: what one location has to ship, by its own ids of lines."""

    id: int
    location: str
    lines: dict[int, tuple[int, int]]
    """By the task's own id of a line: the order's line, and how many pieces are left."""
    status: str = "OPEN"


@dataclass
class Parcel:
    id: int
    lines: dict[int, int]
    tracking: dict[str, str]
    status: str = "SUCCESS"


@dataclass
class ShopOrder:
    id: int
    lines: list[ShopLine]
    placed_ms: int
    changed_ms: int
    cancelled_ms: int = 0
    financial: str = "PAID"
    tasks: list[Task] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    refunds: list[tuple[int, list[tuple[int, int, str]]]] = field(default_factory=list)

    def line(self, number: int) -> ShopLine:
        return next(each for each in self.lines if each.id == number)


@dataclass
class ShopifyOrderSide(OrderSide):
    """Orders of one shop. ``location``: who has to ship what is sold next. ``restock``: how refunds are marked.

    ``edits``: pieces that are cancelled are taken off by an edit, without a refund. ``paid_back`` counts the orders
    that were cancelled with their money; ``changing`` orders change whenever they are read. ``cancels_at_question``: of
    an order a piece is cancelled when it is asked for so many times.
    """

    location: str = LOCATION
    restock: str = "CANCEL"
    edits: bool = False
    paid_back: int = 0
    changing: set[str] = field(default_factory=set)
    cancels_at_question: dict[str, int] = field(default_factory=dict)
    orders: dict[int, ShopOrder] = field(default_factory=dict)
    open_edits: dict[str, tuple[int, dict[int, int]]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.numbers = count(5_001)
        self._deliveries = count(1)

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now, number = self.tick(), next(self.numbers)
        made = [ShopLine(next(self.numbers), key, of, to_ship=of) for key, of in lines]
        order = ShopOrder(number, made, now, now, financial="PAID" if paid else "PENDING")
        order.tasks.append(self._task({each.id: each.quantity for each in made}))
        self.orders[number] = order
        self.truth[str(number)] = {str(each.id): Truth(each.item, each.quantity) for each in made}
        for key, units in lines:
            self.sell(key, units)
        return str(number)

    def _task(self, pieces: dict[int, int]) -> Task:
        lines = {next(self.numbers): (line, of) for line, of in pieces.items()}
        return Task(next(self.numbers), self.location, lines)

    def pay(self, number: str) -> None:
        self.orders[int(number)].financial = "PAID"
        self.orders[int(number)].changed_ms = self.tick()

    def cancel(self, number: str, key: str, pieces: int) -> None:
        self.truth[number][key].cancelled += pieces
        order = self.orders[int(number)]
        self.take_off(order, {int(key): pieces})
        if not self.edits:
            order.refunds.append((next(self.numbers), [(int(key), pieces, self.restock)]))

    def take_off(self, order: ShopOrder, pieces: dict[int, int]) -> None:
        for number, gone in pieces.items():
            order.line(number).off += gone
            self._unship(order, number, gone)
        order.changed_ms = self.tick()

    def _unship(self, order: ShopOrder, number: int, pieces: int) -> None:
        """Take pieces that wait to be shipped off the tasks that have them."""
        order.line(number).to_ship -= pieces
        for task in order.tasks:
            for own, (line, left) in task.lines.items():
                if line == number:
                    gone = min(left, pieces)
                    task.lines[own] = (line, left - gone)
                    pieces -= gone

    def move_tasks(self, number: str) -> None:
        """Split the first task of an order in two; all of its ids are others then."""
        order = self.orders[int(number)]
        task = next((each for each in order.tasks if each.status == "OPEN"), None)
        if task is None:
            return
        task.status = "CLOSED"
        left: dict[int, int] = {}
        for own, (line, pieces) in task.lines.items():
            left[line] = left.get(line, 0) + pieces
            task.lines[own] = (line, 0)
        halves = {line: pieces // 2 for line, pieces in left.items() if pieces // 2}
        rest = {line: pieces - halves.get(line, 0) for line, pieces in left.items() if pieces}
        order.tasks += [self._task(each) for each in (halves, rest) if each]
        order.changed_ms = self.tick()

    def send_off(self, number: str) -> None:
        order = self.orders[int(number)]
        left = {each.id: each.to_ship for each in order.lines if each.to_ship}
        if left:
            self.leave(order, left, {"number": "TR-0", "company": "Aras"})

    def leave(self, order: ShopOrder, pieces: dict[int, int], tracking: dict[str, str]) -> Parcel:
        for number, gone in pieces.items():
            self._unship(order, number, gone)
            self.truth[str(order.id)][str(number)].shipped += gone
        parcel = Parcel(next(self.numbers), dict(pieces), tracking)
        order.parcels.append(parcel)
        order.changed_ms = self.tick()
        return parcel

    def take_back(self, number: str, key: str, pieces: int, restock: str) -> None:
        """Refund pieces that had left."""
        order = self.orders[int(number)]
        order.line(int(key)).off += pieces
        order.refunds.append((next(self.numbers), [(int(key), pieces, restock)]))
        order.changed_ms = self.tick()

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.restock = chance.choice(["CANCEL", "NO_RESTOCK"])
        self.edits = chance.random() < 0.3

    def act(self, chance: random.Random) -> str:
        some = [number for number, lines in self.truth.items() if any(each.living for each in lines.values())]
        if some and chance.random() < 0.2:
            number = chance.choice(some)
            self.move_tasks(number)
            return number
        return super().act(chance)

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        body = {"id": int(number), "admin_graphql_api_id": f"{GID}Order/{number}", "email": "ayse@example.org"}
        about = {"order_id": int(number), "id": 1}
        return [
            self.signed(json.dumps(body).encode(), "orders/updated"),
            self.signed(json.dumps(about).encode(), "refunds/create"),
        ]

    def signed(self, body: bytes, topic: str = "orders/updated") -> Delivery:
        headers = {
            "x-shopify-hmac-sha256": b64encode(hmac.digest(WEBHOOK_SECRET.encode(), body, "sha256")).decode(),
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": SHOP,
            "x-shopify-webhook-id": f"{next(self._deliveries):032x}",
            "content-type": "application/json",
        }
        return Delivery(method="POST", path="", query="", headers=headers, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        name, replace = "x-shopify-hmac-sha256", msgspec.structs.replace
        other = b64encode(hmac.digest(b"another", delivery.body, "sha256")).decode()
        unsigned = {key: value for key, value in delivery.headers.items() if key != name}
        return [
            replace(delivery, headers=unsigned),
            replace(delivery, headers={**unsigned, name: other}),
            replace(delivery, headers={**unsigned, name: "ü"}),
            replace(delivery, headers={**delivery.headers, "x-shopify-shop-domain": "another.myshopify.com"}),
            replace(delivery, body=delivery.body + b" "),
        ]
