"""The orders of a simulated Amazon: a list by change in pages, cancels inside a line, parcels by our number."""

import json
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

PAGE_MAX: Final = 100
PATH: Final = "/orders/2026-01-01/orders"
MARKETPLACE: Final = "A1C3SOZRARQ6R3"
DATA: Final = frozenset({"BUYER", "RECIPIENT", "PROCEEDS", "TAX", "CANCELLATION", "FULFILLMENT", "PACKAGES"})
_LISTED: Final = {
    "lastUpdatedAfter", "marketplaceIds", "fulfilledBy", "maxResultsPerPage", "includedData", "paginationToken"
}  # fmt: skip


@dataclass
class Line:
    id: str
    sku: str
    quantity: int
    cancelled: int = 0
    shipped: int = 0
    cancelled_by: str = ""
    is_asked_off: bool = False


@dataclass
class Sold:
    id: str
    lines: list[Line]
    placed_ms: int
    changed_ms: int
    status: str = "UNSHIPPED"
    fulfilled_by: str = "MERCHANT"
    packages: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass
class AmazonOrderSide(OrderSide):
    """Orders of one seller.

    ``late_ms``: what changed so lately is not listed yet. ``forgets_pages``: tokens of pages are not known any more.
    ``fulfilled_by``: who ships what is sold next.
    """

    late_ms: int = 0
    fulfilled_by: str = "MERCHANT"
    forgets_pages: bool = False
    sold: dict[str, Sold] = field(default_factory=dict)
    pages: dict[str, tuple[dict[str, str], list[str]]] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._numbers = count(1_000_001)

    @abstractmethod
    def refused(self, request: web.Request) -> web.Response | None:
        """What every request must get past."""

    def order_routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH, self._list),
            web.get(f"{PATH}/{{id}}", self._one),
            web.post("/orders/v0/orders/{id}/shipmentConfirmation", self._ship),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        now, number = self.tick(), f"903-{next(self._numbers)}-7654321"
        made = [Line(str(next(self._numbers)), sku, of) for sku, of in lines]
        order = Sold(number, made, now, now, "UNSHIPPED" if paid else "PENDING", self.fulfilled_by)
        self.sold[number] = order
        if self.fulfilled_by == "MERCHANT":
            self.truth[number] = {each.id: Truth(each.sku, each.quantity) for each in made}
        for sku, units in lines:
            self.sell(sku, units)
        return number

    def pay(self, number: str) -> None:
        self.sold[number].status = "UNSHIPPED"
        self._moved(number)

    def cancel(self, number: str, key: str, pieces: int) -> None:
        line = next(each for each in self.sold[number].lines if each.id == key)
        line.cancelled += pieces
        line.cancelled_by = "BUYER"
        self.truth[number][key].cancelled += pieces
        self._moved(number)

    def ask_off(self, number: str) -> None:
        """Let a buyer ask for a cancel, which nobody has carried out."""
        self.sold[number].lines[0].is_asked_off = True
        self._moved(number)

    def send_off(self, number: str) -> None:
        for line in self.sold[number].lines:
            truth = self.truth[number][line.id]
            line.shipped += truth.living
            truth.shipped += truth.living
        self._moved(number)

    def _moved(self, number: str) -> None:
        order = self.sold[number]
        order.changed_ms = self.tick()
        if order.status == "PENDING":
            return
        left = sum(each.quantity - each.cancelled - each.shipped for each in order.lines)
        out = sum(each.shipped for each in order.lines)
        if not out and not left:
            order.status = "CANCELLED"
        elif out:
            order.status = "PARTIALLY_SHIPPED" if left else "SHIPPED"

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        self.late_ms = chance.choice([0, 60_000, 120_000])

    # -- what it sends: nothing

    def deliveries(self, number: str) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    def signed(self, body: bytes) -> Delivery:
        raise NotImplementedError

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    # -- reading

    async def _list(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = dict(request.query)
        token = query.pop("paginationToken", "")
        size = int(query.get("maxResultsPerPage", "10"))
        if set(query) - _LISTED or not 1 <= size <= PAGE_MAX or query.get("marketplaceIds") != MARKETPLACE:
            return self.wrong(f"orders by {query}")
        if query.get("fulfilledBy") != "MERCHANT" or set(query["includedData"].split(",")) - DATA:
            return self.wrong(f"orders by {query}")
        now_ms = self.now_ms()
        if token:
            if token not in self.pages or self.forgets_pages:
                return faulty(400, "InvalidInput", "the token is not known")
            filters, found = self.pages[token]
            if filters != query:
                return self.wrong("other filters behind a token")
        else:
            since_ms = round(datetime.fromisoformat(query["lastUpdatedAfter"]).timestamp() * 1000)
            changed = [
                each
                for each in self.sold.values()
                if since_ms <= each.changed_ms <= now_ms - self.late_ms and each.fulfilled_by == "MERCHANT"
            ]
            found = [each.id for each in sorted(changed, key=lambda each: -each.changed_ms)]
        some, rest = found[:size], found[size:]
        told: dict[str, Any] = {
            "orders": [self._row(self.sold[each]) for each in some],
            "lastUpdatedBefore": written(now_ms - self.late_ms),
        }
        if rest:
            following = f"page-{len(self.pages)}"
            self.pages[following] = (query, rest)
            told["pagination"] = {"nextToken": following}
        return answered(told)

    async def _one(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        order = self.sold.get(request.match_info["id"])
        if set(request.query) - {"includedData"}:
            return self.wrong(f"an order by {dict(request.query)}")
        return answered({"order": self._row(order)}) if order is not None else faulty(404, "NotFound", "no such order")

    def wrong(self, what: str) -> web.Response:
        """Answer a request that breaks the contract."""
        self.complain(what)
        return faulty(400, "InvalidInput", what)

    def _row(self, order: Sold) -> dict[str, Any]:
        place = {"addressLine1": STREET, "city": "Berlin", "postalCode": "10115", "countryCode": "DE"}
        pending = order.status == "PENDING"
        return {
            "orderId": order.id,
            "createdTime": written(order.placed_ms),
            "lastUpdatedTime": written(order.changed_ms),
            "salesChannel": {"marketplaceId": MARKETPLACE},
            "fulfillment": {"fulfillmentStatus": order.status, "fulfilledBy": order.fulfilled_by},
            "recipient": None if pending else {"deliveryAddress": {"name": BUYER, "phone": PHONE, **place}},
            "orderItems": "none" if order.id in self.spoiled else [_item(each) for each in order.lines],
            "packages": list(order.packages.values()),
        }

    # -- what the seller says

    async def _ship(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        order, said = self.sold.get(request.match_info["id"]), json.loads(await request.read())
        detail = said.get("packageDetail", {})
        fault = _fault_of(said, detail)
        if fault:
            return self.wrong(fault)
        if order is None or order.status not in ("UNSHIPPED", "PARTIALLY_SHIPPED"):
            return faulty(400, "InvalidInput", "there is nothing to ship")
        if self.lying:
            return web.Response(status=204)
        reference = detail["packageReferenceId"]
        if reference in order.packages:  # corrected
            order.packages[reference]["trackingNumber"] = detail["trackingNumber"]
            return web.Response(status=204)
        lines, truth = {each.id: each for each in order.lines}, self.truth[order.id]
        assert all(each["quantity"] <= truth[each["orderItemId"]].living for each in detail["orderItems"])
        for each in detail["orderItems"]:
            lines[each["orderItemId"]].shipped += each["quantity"]
            truth[each["orderItemId"]].shipped += each["quantity"]
        order.packages[reference] = {
            "packageReferenceId": reference,
            "trackingNumber": detail["trackingNumber"],
            "packageItems": detail["orderItems"],
        }
        self._moved(order.id)
        self.taken(f"ship {order.id} {reference}")
        return web.Response(status=204)


def _fault_of(said: dict[str, Any], detail: dict[str, Any]) -> str:
    known = {"packageReferenceId", "carrierCode", "carrierName", "trackingNumber", "shipDate", "orderItems"}
    if set(said) != {"marketplaceId", "packageDetail"} or set(detail) - known:
        return f"a shipment of {sorted(said)} and {sorted(detail)}"
    if said["marketplaceId"] != MARKETPLACE or ("carrierName" in detail) != (detail.get("carrierCode") == "Other"):
        return "another marketplace, or a carrier by name"
    if not detail["packageReferenceId"].isdigit() or not detail["trackingNumber"] or not detail["orderItems"]:
        return "no number, or nothing in it"
    datetime.fromisoformat(detail["shipDate"])
    return ""


def _item(line: Line) -> dict[str, Any]:
    row: dict[str, Any] = {
        "orderItemId": line.id,
        "quantityOrdered": line.quantity,
        "product": {
            "asin": "B000000001",
            "title": "Becher",
            "sellerSku": line.sku,
            "price": {"unitPrice": {"amount": "9.99", "currencyCode": "EUR"}},
        },
        "fulfillment": {
            "quantityFulfilled": line.shipped,
            "quantityUnfulfilled": line.quantity - line.cancelled - line.shipped,
        },
    }
    if line.is_asked_off:
        row["cancellation"] = {"cancellationRequest": {"requester": "BUYER", "cancelReason": "no more wanted"}}
    if line.cancelled_by:
        row["cancellation"] = {"cancellationExecution": {"cancelledBy": line.cancelled_by}}
    return row


def written(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answered(content: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(content).encode(), status=status, content_type="application/json")


def faulty(status: int, code: str, words: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": words, "details": ""}]}, status=status)
