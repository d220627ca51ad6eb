"""The orders of a simulated WooCommerce shop: by change, refunds apart, webhooks; as a real 11.0.1 has them."""

import hmac
import json
import random
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import msgspec
from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

ROOT: Final = "/wp-json/wc/v3"
WEBHOOK_SECRET: Final = "made-up-webhook-secret"
STATUSES: Final = frozenset(
    {"pending", "processing", "on-hold", "completed", "cancelled", "refunded", "failed", "trash", "checkout-draft"}
)
_SOLD: Final = frozenset({"processing", "on-hold", "completed"})
_LIST: Final = {"modified_after", "dates_are_gmt", "orderby", "order", "per_page", "offset", "status"}
_PER_PAGE_MAX: Final = 100


@dataclass
class ShopLine:
    """A line of an order. ``reduced``: so many pieces were taken off the shop's own number."""

    id: int
    key: str
    quantity: int
    reduced: int = 0
    bundled_by: int = 0


@dataclass
class ShopOrder:
    """An order; its changes are exact to the second."""

    id: int
    status: str
    lines: list[ShopLine]
    created_ms: int
    changed_ms: int
    completed_ms: int = 0
    is_reduced: bool = False
    refunds: list[dict[str, Any]] = field(default_factory=list)
    meta: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class WooCommerceOrderSide(OrderSide):
    """Orders of one shop. ``topics`` are the webhooks that it sends. ``lacks_sorting``: it cannot sort by change."""

    orders: dict[int, ShopOrder] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    lacks_sorting: bool = False

    def __post_init__(self) -> None:
        self._orders = count(501)
        self._lines = count(9_001)
        self._refunds = count(70_001)
        self._deliveries = count(1)

    @abstractmethod
    def check_caller(self, request: web.Request) -> web.Response | None:
        """What every request must get past."""

    def order_routes(self) -> list[web.RouteDef]:
        """The routes of orders."""
        one = ROOT + r"/orders/{id:\d+}"
        return [
            web.get(ROOT + "/orders", self._list),
            web.get(one, self._get),
            web.put(one, self._put),
            web.get(one + "/refunds", self._refund_list),
            web.post(one + "/refunds", self._refund),
            web.post(one + "/notes", self._note),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now = self.tick()
        made = [ShopLine(next(self._lines), key, pieces) for key, pieces in lines]
        order = ShopOrder(next(self._orders), "pending", made, now, now)
        self.orders[order.id] = order
        self.truth[str(order.id)] = {str(each.id): Truth(each.key, each.quantity) for each in made}
        if paid:
            self.move(order, "processing")
        return str(order.id)

    def pay(self, number: str) -> None:
        self.move(self.orders[int(number)], "processing")

    def move(self, order: ShopOrder, status: str) -> None:
        """Give an order another status; the shop's own number falls once for what is sold, and rises when it ends."""
        if status in _SOLD and not order.is_reduced:
            for line in order.lines:
                self.sell(line.key, line.quantity)
                line.reduced = line.quantity
            order.is_reduced = True
        elif status in ("cancelled", "trash"):
            for line in order.lines:
                self.shown[line.key] += line.reduced
                line.reduced = 0
            order.is_reduced = False
        order.status, order.changed_ms = status, self.tick()
        if status == "completed":
            order.completed_ms = order.changed_ms

    def cancel(self, number: str, key: str, pieces: int) -> None:
        """Let the merchant give pieces back in the shop's panel; the whole order where nothing else is left."""
        lines = self.truth[number]
        lines[key].cancelled += pieces
        if any(each.living or each.shipped for each in lines.values()) or self.orders[int(number)].refunds:
            self._give_back(self.orders[int(number)], {int(key): pieces}, restock=True)
        else:
            self.move(self.orders[int(number)], "cancelled")

    def _give_back(self, order: ShopOrder, pieces: dict[int, int], *, restock: bool) -> int:
        rows = []
        for line in order.lines:
            if pieces.get(line.id):
                meta = [{"id": 1, "key": "_refunded_item_id", "value": str(line.id)}]
                rows.append({"id": next(self._lines), "quantity": -pieces[line.id], "sku": line.key, "meta_data": meta})
            if restock and pieces.get(line.id):
                self.shown[line.key] += pieces[line.id]
                line.reduced -= pieces[line.id]
        number = next(self._refunds)
        order.refunds.append({"id": number, "reason": "", "total": "-9.00", "line_items": rows})
        order.changed_ms = self.tick()
        return number

    def send_off(self, number: str) -> None:
        """Let it leave: the shop knows nothing of parcels, and calls it completed."""
        for each in self.truth[number].values():
            each.shipped += each.living
        self.move(self.orders[int(number)], "completed")

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        """Put everything into one second, or leave it apart."""
        self.last_ms += chance.choice([0, 400, 900])

    # -- what it sends

    def deliveries(self, number: str) -> Sequence[Delivery]:
        topic = "order.deleted" if self.orders[int(number)].status == "trash" else "order.updated"
        body = {"id": int(number)} if topic == "order.deleted" else self.row(self.orders[int(number)])
        return [self.signed(json.dumps(body).encode(), topic)]

    def signed(self, body: bytes, topic: str = "order.updated") -> Delivery:
        headers = {
            "x-wc-webhook-signature": b64encode(hmac.digest(WEBHOOK_SECRET.encode(), body, "sha256")).decode(),
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-delivery-id": f"{next(self._deliveries):032x}",
            "content-type": "application/json",
        }
        return Delivery(method="POST", path="", query="", headers=headers, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:
        name = "x-wc-webhook-signature"
        other = b64encode(hmac.digest(b"another", delivery.body, "sha256")).decode()
        unsigned = {key: value for key, value in delivery.headers.items() if key != name}
        replace = msgspec.structs.replace
        return [
            replace(delivery, headers=unsigned),
            replace(delivery, headers={**unsigned, name: other}),
            replace(delivery, headers={**unsigned, name: "ü"}),
            replace(delivery, body=delivery.body + b" "),
        ]

    def row(self, order: ShopOrder) -> dict[str, Any]:
        """Return an order as the shop answers it."""
        parts = BUYER.partition(" ")
        address = {"first_name": parts[0], "last_name": parts[2], "address_1": STREET, "city": "İzmir", "country": "TR"}
        return {
            "id": order.id,
            "number": str(order.id),
            "status": order.status,
            "currency": "EUR",
            "date_created_gmt": _gmt(order.created_ms),
            "date_modified_gmt": _gmt(order.changed_ms),
            "date_completed_gmt": _gmt(order.completed_ms) if order.completed_ms else None,
            "total": "21.60",
            "prices_include_tax": False,
            "customer_id": 17,
            "customer_note": "",
            "billing": {**address, "email": "ayse@example.org", "phone": PHONE},
            "shipping": {**address, "phone": ""},
            "line_items": "none" if str(order.id) in self.spoiled else [self._line(each) for each in order.lines],
            "refunds": [{"id": each["id"], "reason": "", "total": each["total"]} for each in order.refunds],
            "meta_data": order.meta,
        }

    def _line(self, line: ShopLine) -> dict[str, Any]:
        parent, _, number = line.key.rpartition("/")
        bundled = {"bundled_by": str(line.bundled_by)} if line.bundled_by else {}
        return bundled | {
            "id": line.id,
            "name": "Bardak",
            "product_id": int(parent or number) if number.isdigit() else 1,
            "variation_id": int(number) if parent else 0,
            "quantity": line.quantity,
            "subtotal": f"{9 * line.quantity}.00",
            "total": f"{9 * line.quantity}.00",
            "total_tax": "0.00",
            "sku": self.sku_of(line.key),
            "price": 9,
            "meta_data": [],
        }

    @abstractmethod
    def sku_of(self, key: str) -> str:
        """The shop's own SKU of a listing."""

    # -- reading

    async def _list(self, request: web.Request) -> web.Response:
        refusal = self.check_caller(request)
        if refusal is not None:
            return refusal
        query = request.query
        per_page, offset = int(query.get("per_page", "10")), int(query.get("offset", "0"))
        if set(query) - _LIST or query.get("dates_are_gmt") != "true" or not 1 <= per_page <= _PER_PAGE_MAX:
            self.complain(f"a list of orders by {dict(query)}")
        if query.get("orderby") == "modified" and self.lacks_sorting:
            return _error(400, "rest_invalid_param", "Invalid parameter(s): orderby")
        after = datetime.fromisoformat(query["modified_after"]).replace(tzinfo=UTC).timestamp()
        found = [each for each in self.orders.values() if each.changed_ms // 1000 > after and each.status != "trash"]
        found.sort(
            key=lambda each: (each.changed_ms // 1000, each.id) if query["orderby"] == "modified" else (0, each.id)
        )
        some = found[offset : offset + per_page]
        return web.json_response([self.row(each) for each in some])

    async def _get(self, request: web.Request) -> web.Response:
        return self.check_caller(request) or self._answered(request, lambda order: web.json_response(self.row(order)))

    async def _refund_list(self, request: web.Request) -> web.Response:
        return self.check_caller(request) or self._answered(request, lambda order: web.json_response(order.refunds))

    def _answered(self, request: web.Request, answer: Any) -> web.Response:
        order = self.orders.get(int(request.match_info["id"]))
        if order is None:
            return _error(404, "woocommerce_rest_shop_order_invalid_id", "Invalid ID.")
        made: web.Response = answer(order)
        return made

    # -- what the merchant says

    async def _put(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if body.keys() - {"status", "meta_data"} or not {body.get("status", "completed")} <= STATUSES:
            self.complain(f"an update of {body}")
        return self.check_caller(request) or self._answered(request, lambda order: self._set(order, body))

    def _set(self, order: ShopOrder, body: dict[str, Any]) -> web.Response:
        if self.lying:
            return web.json_response(self.row(order))
        for each in body.get("meta_data", []):
            order.meta = [meta for meta in order.meta if meta["key"] != each["key"]]
            order.meta.append({"id": len(order.meta) + 1, **each})
        status = body.get("status", order.status)
        for line in self.truth[str(order.id)].values():
            if status == "cancelled":
                line.cancelled += line.living
        self.move(order, status)
        self.taken(f"{status} {order.id}")
        return web.json_response(self.row(order))

    async def _refund(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if body.get("api_refund") is not False or body.get("api_restock") is not False:
            self.complain("a refund that pays money back, or raises the shop's stock")
        return self.check_caller(request) or self._answered(request, lambda order: self._refunded(order, body))

    def _refunded(self, order: ShopOrder, body: dict[str, Any]) -> web.Response:
        pieces = {each["id"]: each["quantity"] for each in body["line_items"]}
        lines = self.truth[str(order.id)]
        if any(pieces[line] > lines[str(line)].living for line in pieces):
            return _error(400, "woocommerce_rest_invalid_order_refund", "Invalid refund amount.")
        if self.lying:
            return web.json_response({"id": 1}, status=201)
        for line, quantity in pieces.items():
            lines[str(line)].cancelled += quantity
        number = self._give_back(order, pieces, restock=False)
        self.taken(f"refund {order.id}")
        return web.json_response({"id": number}, status=201)

    async def _note(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if body.keys() != {"note", "customer_note"}:
            self.complain(f"a note of {sorted(body)}")
        return self.check_caller(request) or self._answered(request, lambda order: self._noted(order, body["note"]))

    def _noted(self, order: ShopOrder, note: str) -> web.Response:
        if not self.lying:
            order.notes.append(note)
            self.taken(f"note {order.id}")
        return web.json_response({"id": len(order.notes)}, status=201)


def _gmt(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "data": {"status": status}}, status=status)
