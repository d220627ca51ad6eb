"""The orders of a simulated Shopify shop: fulfilment orders that split and move, parcels, refunds, edits, webhooks."""

import hmac
import json
import random
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import msgspec

from adapters.contract.orders import Delivery
from tests.channels.order_side import BUYER, PHONE, STREET, OrderSide, Truth

WEBHOOK_SECRET: Final = "made-up-webhook-secret"
SHOP: Final = "made-up-shop.myshopify.com"
LOCATION: Final = "gid://shopify/Location/77"
OTHER_LOCATION: Final = "gid://shopify/Location/78"
GID: Final = "gid://shopify/"
PAGE_MAX: Final = 250
ORDER_SCHEMA: Final = """
scalar DateTime
scalar Decimal
enum OrderSortKeys { UPDATED_AT CREATED_AT ID }
enum OrderCancelReason { CUSTOMER DECLINED FRAUD INVENTORY OTHER STAFF }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type MoneyV2 { amount: Decimal! currencyCode: String! }
type MoneyBag { shopMoney: MoneyV2! }
type ProductVariantOfLine { id: ID! inventoryItem: InventoryItem! }
type LineItem implements Node {
  id: ID! sku: String title: String! quantity: Int! currentQuantity: Int! unfulfilledQuantity: Int!
  requiresShipping: Boolean! variant: ProductVariantOfLine originalUnitPriceSet: MoneyBag!
}
type LineItemConnection { nodes: [LineItem!]! pageInfo: PageInfo! }
type MailingAddress {
  name: String company: String address1: String address2: String city: String province: String zip: String
  countryCodeV2: String phone: String
}
type FulfillmentTrackingInfo { number: String url: String company: String }
type FulfillmentLineItem { id: ID! quantity: Int lineItem: LineItem! }
type FulfillmentLineItemConnection { nodes: [FulfillmentLineItem!]! pageInfo: PageInfo! }
type Fulfillment implements Node {
  id: ID! status: String! trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
  fulfillmentLineItems(first: Int, after: String): FulfillmentLineItemConnection!
}
type RefundLineItem { quantity: Int! restockType: String! lineItem: LineItem! }
type RefundLineItemConnection { nodes: [RefundLineItem!]! pageInfo: PageInfo! }
type Refund implements Node { id: ID! refundLineItems(first: Int, after: String): RefundLineItemConnection! }
type Location implements Node { id: ID! }
type FulfillmentOrderAssignedLocation { location: Location }
type FulfillmentOrderLineItem { id: ID! remainingQuantity: Int! totalQuantity: Int! lineItem: LineItem! }
type FulfillmentOrderLineItemConnection { nodes: [FulfillmentOrderLineItem!]! pageInfo: PageInfo! }
type FulfillmentOrder implements Node {
  id: ID! status: String! assignedLocation: FulfillmentOrderAssignedLocation!
  lineItems(first: Int, after: String): FulfillmentOrderLineItemConnection!
}
type FulfillmentOrderConnection { nodes: [FulfillmentOrder!]! pageInfo: PageInfo! }
type Order implements Node {
  id: ID! createdAt: DateTime! updatedAt: DateTime! cancelledAt: DateTime displayFinancialStatus: String
  displayFulfillmentStatus: String! currencyCode: String! taxesIncluded: Boolean! totalPriceSet: MoneyBag!
  email: String note: String shippingAddress: MailingAddress billingAddress: MailingAddress
  lineItems(first: Int, after: String): LineItemConnection!
  fulfillments(first: Int): [Fulfillment!]!
  refunds(first: Int): [Refund!]!
  fulfillmentOrders(first: Int, after: String): FulfillmentOrderConnection!
}
type OrderConnection { nodes: [Order!]! pageInfo: PageInfo! }
input FulfillmentOrderLineItemInput { id: ID! quantity: Int! }
input FulfillmentOrderLineItemsInput {
  fulfillmentOrderId: ID! fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!]
}
input FulfillmentTrackingInput { number: String url: String company: String }
input FulfillmentInput {
  lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]! trackingInfo: FulfillmentTrackingInput
  notifyCustomer: Boolean
}
input OrderCancelRefundMethodInput { originalPaymentMethodsRefund: Boolean }
type FulfillmentCreatePayload { fulfillment: Fulfillment userErrors: [UserError!]! }
type Job { id: ID! }
type OrderCancelPayload { job: Job userErrors: [UserError!]! }
type CalculatedOrder { id: ID! }
type OrderEditBeginPayload { calculatedOrder: CalculatedOrder userErrors: [UserError!]! }
type OrderEditSetQuantityPayload { calculatedOrder: CalculatedOrder userErrors: [UserError!]! }
type OrderEditCommitPayload { order: Order userErrors: [UserError!]! }
extend type Query {
  node(id: ID!): Node
  order(id: ID!): Order
  orders(first: Int, after: String, sortKey: OrderSortKeys, query: String): OrderConnection!
}
extend type Mutation {
  fulfillmentCreate(fulfillment: FulfillmentInput!): FulfillmentCreatePayload
  orderCancel(
    orderId: ID! reason: OrderCancelReason! restock: Boolean! refundMethod: OrderCancelRefundMethodInput
    notifyCustomer: Boolean staffNote: String
  ): OrderCancelPayload
  orderEditBegin(id: ID!): OrderEditBeginPayload
  orderEditSetQuantity(id: ID!, lineItemId: ID!, quantity: Int!, restock: Boolean): OrderEditSetQuantityPayload
  orderEditCommit(id: ID!, notifyCustomer: Boolean, staffNote: String): OrderEditCommitPayload
}
"""

Errors = list[dict[str, Any]]


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
        self._numbers = count(5_001)
        self._deliveries = count(1)

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now, number = self.tick(), next(self._numbers)
        made = [ShopLine(next(self._numbers), key, of, to_ship=of) for key, of in lines]
        order = ShopOrder(number, made, now, now, financial="PAID" if paid else "PENDING")
        order.tasks.append(self._task({each.id: each.quantity for each in made}))
        self.orders[number] = order
        self.truth[str(number)] = {str(each.id): Truth(each.item, each.quantity) for each in made}
        for key, units in lines:
            self.sell(key, units)
        return str(number)

    def _task(self, pieces: dict[int, int]) -> Task:
        lines = {next(self._numbers): (line, of) for line, of in pieces.items()}
        return Task(next(self._numbers), self.location, lines)

    def pay(self, number: str) -> None:
        self.orders[int(number)].financial = "PAID"
        self.orders[int(number)].changed_ms = self.tick()

    def cancel(self, number: str, key: str, pieces: int) -> None:
        self.truth[number][key].cancelled += pieces
        order = self.orders[int(number)]
        self.take_off(order, {int(key): pieces})
        if not self.edits:
            order.refunds.append((next(self._numbers), [(int(key), pieces, self.restock)]))

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
            self._leave(order, left, {"number": "TR-0", "company": "Aras"})

    def _leave(self, order: ShopOrder, pieces: dict[int, int], tracking: dict[str, str]) -> Parcel:
        for number, gone in pieces.items():
            self._unship(order, number, gone)
            self.truth[str(order.id)][str(number)].shipped += gone
        parcel = Parcel(next(self._numbers), dict(pieces), tracking)
        order.parcels.append(parcel)
        order.changed_ms = self.tick()
        return parcel

    def take_back(self, number: str, key: str, pieces: int, restock: str) -> None:
        """Refund pieces that had left."""
        order = self.orders[int(number)]
        order.line(int(key)).off += pieces
        order.refunds.append((next(self._numbers), [(int(key), pieces, restock)]))
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

    # -- reading

    def order_root(self) -> dict[str, Callable[..., Any]]:
        """Return what answers the fields of queries and mutations."""
        return {
            "orders": self._orders,
            "order": self._order,
            "node": self._node,
            "fulfillmentCreate": self._fulfillment_create,
            "orderCancel": self._order_cancel,
            "orderEditBegin": self._edit_begin,
            "orderEditSetQuantity": self._edit_set,
            "orderEditCommit": self._edit_commit,
        }

    def _orders(self, _info: Any, first: int, query: str, sortKey: str, after: str | None = None) -> dict[str, Any]:  # noqa: N803
        since = query.removeprefix("updated_at:>='").removesuffix("'")
        if sortKey != "UPDATED_AT" or not 1 <= first <= PAGE_MAX or not since.endswith("Z"):
            self.complain(f"a list of orders by {query} and {sortKey}")
        since_ms = round(datetime.fromisoformat(since).timestamp() * 1000)
        found = sorted((each.changed_ms, each.id) for each in self.orders.values() if each.changed_ms >= since_ms)
        if after:
            at_ms, _, number = after.partition("-")
            found = [each for each in found if each > (int(at_ms), int(number))]
        some = found[:first]
        last = f"{some[-1][0]}-{some[-1][1]}" if some else None
        nodes = [self._node_of(self.orders[number]) for _, number in some]
        return {"nodes": nodes, "pageInfo": {"hasNextPage": len(found) > first, "endCursor": last}}

    def _order(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002
        order = self.orders.get(int(id.rpartition("/")[2]))
        if order is not None and str(order.id) in self.changing:
            order.changed_ms = self.tick()
        if order is not None and str(order.id) in self.cancels_at_question:
            self._count_question(str(order.id))
        return self._node_of(order) if order is not None else None

    def _count_question(self, number: str) -> None:
        self.cancels_at_question[number] -= 1
        if not self.cancels_at_question[number]:
            del self.cancels_at_question[number]
            self.cancel(number, next(iter(self.truth[number])), 1)

    def _node(self, _info: Any, id: str) -> dict[str, Any] | None:  # noqa: A002
        for order in self.orders.values():
            for node in (*self._parcels(order), *self._refunds(order), *self._tasks(order)):
                if node["id"] == id:
                    return node
        return None

    def _node_of(self, order: ShopOrder) -> dict[str, Any]:
        address = {"name": BUYER, "address1": STREET, "city": "İzmir", "countryCodeV2": "TR", "phone": PHONE}
        is_shipped = all(not each.to_ship for each in order.lines)
        return {
            "__typename": "Order",
            "id": f"{GID}Order/{order.id}",
            "createdAt": _iso(order.placed_ms),
            "updatedAt": "yesterday" if str(order.id) in self.spoiled else _iso(order.changed_ms),
            "cancelledAt": _iso(order.cancelled_ms) if order.cancelled_ms else None,
            "displayFinancialStatus": order.financial,
            "displayFulfillmentStatus": "FULFILLED" if is_shipped else "UNFULFILLED",
            "currencyCode": "TRY",
            "taxesIncluded": True,
            "totalPriceSet": {"shopMoney": {"amount": "112.00", "currencyCode": "TRY"}},
            "email": "ayse@example.org",
            "note": None,
            "shippingAddress": address,
            "billingAddress": address,
            "lineItems": _connected([self._line(each) for each in order.lines]),
            "fulfillments": lambda _info, first: self._parcels(order)[:first],
            "refunds": lambda _info, first: self._refunds(order)[:first],
            "fulfillmentOrders": _connected(self._tasks(order)),
        }

    def _line(self, line: ShopLine) -> dict[str, Any]:
        variant = {"id": f"{GID}ProductVariant/1", "inventoryItem": {"__typename": "InventoryItem", "id": line.item}}
        return {
            "__typename": "LineItem",
            "id": f"{GID}LineItem/{line.id}",
            "sku": f"sku of {line.item}",
            "title": "Bardak",
            "quantity": line.quantity,
            "currentQuantity": line.quantity - line.off,
            "unfulfilledQuantity": line.to_ship,
            "requiresShipping": True,
            "variant": variant if line.item else None,
            "originalUnitPriceSet": {"shopMoney": {"amount": "56.00", "currencyCode": "TRY"}},
        }

    def _about(self, number: int) -> dict[str, Any]:
        return {"id": f"{GID}LineItem/{number}"}

    def _parcels(self, order: ShopOrder) -> list[dict[str, Any]]:
        return [
            {
                "__typename": "Fulfillment",
                "id": f"{GID}Fulfillment/{each.id}",
                "status": each.status,
                "trackingInfo": lambda _info, first, each=each: [each.tracking][:first],
                "fulfillmentLineItems": _connected(
                    [{"id": "1", "quantity": of, "lineItem": self._about(line)} for line, of in each.lines.items()]
                ),
            }
            for each in order.parcels
        ]

    def _refunds(self, order: ShopOrder) -> list[dict[str, Any]]:
        return [
            {
                "__typename": "Refund",
                "id": f"{GID}Refund/{number}",
                "refundLineItems": _connected(
                    [{"quantity": of, "restockType": why, "lineItem": self._about(line)} for line, of, why in rows]
                ),
            }
            for number, rows in order.refunds
        ]

    def _tasks(self, order: ShopOrder) -> list[dict[str, Any]]:
        return [
            {
                "__typename": "FulfillmentOrder",
                "id": f"{GID}FulfillmentOrder/{each.id}",
                "status": each.status,
                "assignedLocation": {"location": {"__typename": "Location", "id": each.location}},
                "lineItems": _connected(
                    [
                        {
                            "id": f"{GID}FulfillmentOrderLineItem/{own}",
                            "remainingQuantity": left,
                            "totalQuantity": left,
                            "lineItem": self._about(line),
                        }
                        for own, (line, left) in each.lines.items()
                    ]
                ),
            }
            for each in order.tasks
        ]

    # -- what the merchant says

    def _fulfillment_create(self, _info: Any, fulfillment: dict[str, Any]) -> dict[str, Any]:
        pieces: dict[int, int] = {}
        found: ShopOrder | None = None
        for asked in fulfillment["lineItemsByFulfillmentOrder"]:
            order, task = self._task_of(asked["fulfillmentOrderId"])
            if task is None or order is None or task.status != "OPEN" or task.location != LOCATION:
                return {"userErrors": _error("Fulfillment order does not exist.", "fulfillment")}
            found = order
            for row in asked["fulfillmentOrderLineItems"]:
                line, left = task.lines.get(int(row["id"].rpartition("/")[2]), (0, 0))
                if not 0 < row["quantity"] <= left:
                    return {"userErrors": _error("Invalid fulfillment order line item quantity requested.", "quantity")}
                pieces[line] = pieces.get(line, 0) + row["quantity"]
        if found is None:
            return {"userErrors": _error("No line items.", "fulfillment")}
        if self.lying:
            return {"fulfillment": None, "userErrors": []}
        parcel = self._leave(found, pieces, dict(fulfillment.get("trackingInfo", {})))
        self.taken(f"ship {found.id} {sorted(pieces)}")
        return {"fulfillment": {"__typename": "Fulfillment", "id": f"{GID}Fulfillment/{parcel.id}"}, "userErrors": []}

    def _task_of(self, name: str) -> tuple[ShopOrder | None, Task | None]:
        for order in self.orders.values():
            for task in order.tasks:
                if name == f"{GID}FulfillmentOrder/{task.id}":
                    return order, task
        return None, None

    def _order_cancel(
        self, _info: Any, orderId: str, reason: str, restock: bool, refundMethod: dict[str, bool], **_: Any  # noqa: ARG002, N803
    ) -> dict[str, Any]:  # fmt: skip
        order = self.orders[int(orderId.rpartition("/")[2])]
        if restock:
            self.complain("a cancel that raises the shop's stock")
        if order.cancelled_ms or any(each.status == "SUCCESS" for each in order.parcels):
            return {"userErrors": _error("Cannot cancel an order with fulfillments.", "orderId")}
        if not self.lying:
            for line in order.lines:
                self.truth[str(order.id)][str(line.id)].cancelled += line.to_ship
                self.take_off(order, {line.id: line.to_ship})
            order.cancelled_ms = order.changed_ms = self.tick()
            self.paid_back += refundMethod["originalPaymentMethodsRefund"]
            self.taken(f"cancel {order.id}")
        return {"job": {"id": f"{GID}Job/1"}, "userErrors": []}

    def _edit_begin(self, _info: Any, id: str) -> dict[str, Any]:  # noqa: A002
        order = self.orders[int(id.rpartition("/")[2])]
        name = f"{GID}CalculatedOrder/{next(self._numbers)}"
        self.open_edits[name] = (order.id, {})
        return {"calculatedOrder": {"id": name}, "userErrors": []}

    def _edit_set(
        self, _info: Any, id: str, lineItemId: str, quantity: int, restock: bool = True  # noqa: A002, N803
    ) -> dict[str, Any]:  # fmt: skip
        if restock:
            self.complain("an edit that raises the shop's stock")
        number, wanted = self.open_edits[id]
        line = self.orders[number].line(int(lineItemId.removeprefix(f"{GID}CalculatedLineItem/")))
        gone = line.quantity - line.off - quantity
        if not 0 <= gone <= line.to_ship:
            return {"userErrors": _error("Quantity can't be less than what was fulfilled.", "quantity")}
        wanted[line.id] = gone
        return {"calculatedOrder": {"id": id}, "userErrors": []}

    def _edit_commit(self, _info: Any, id: str, notifyCustomer: bool = False) -> dict[str, Any]:  # noqa: A002, ARG002, N803
        number, wanted = self.open_edits.pop(id)
        order = self.orders[number]
        if not self.lying:
            for line, gone in wanted.items():
                self.truth[str(number)][str(line)].cancelled += gone
            self.take_off(order, wanted)
            self.taken(f"edit {number}")
        return {"order": self._node_of(order), "userErrors": []}


def _connected(nodes: list[dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Return what answers a list page by page."""

    def page(_info: Any, first: int, after: str | None = None) -> dict[str, Any]:
        if not 1 <= first <= PAGE_MAX:
            raise ValueError(f"first: {first}")
        begin = int(after) if after else 0
        end = begin + first
        return {"nodes": nodes[begin:end], "pageInfo": {"hasNextPage": end < len(nodes), "endCursor": str(end)}}

    return page


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _error(message: str, *path: str) -> Errors:
    return [{"code": None, "message": message, "field": list(path)}]
