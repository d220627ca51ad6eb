"""What a simulated Shopify shop answers about orders, and what a merchant says: the fields of queries and mutations."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.testing.order_side import BUYER, PHONE, STREET
from tests.channels.shopify_order_side import LOCATION, ShopifyOrderSide, ShopLine, ShopOrder, Task

GID: Final = "gid://shopify/"
PAGE_MAX: Final = 250
Errors = list[dict[str, Any]]


@dataclass
class ShopifyOrderService(ShopifyOrderSide):
    """The fields that are about orders."""

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
        parcel = self.leave(found, pieces, dict(fulfillment.get("trackingInfo", {})))
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
        name = f"{GID}CalculatedOrder/{next(self.numbers)}"
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
