"""The simulated channels sell: marketplaces by packages, a shop by orders; each notifies the server at once.

An order here has one line. What is said about it takes effect: a shipment leaves, a refusal cancels.
"""

import hmac
import json
import secrets
import time
from abc import abstractmethod
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import Any, Final

import aiohttp
from aiohttp import web

from server.cli.demo.simulated_channels import Marketplace, OnShown, Shop, SimulatedChannel
from server.domain.order_documents import OrderDocument

KEPT_MAX: Final = 200
"""Orders that a simulated channel remembers: a page of the longest of its lists."""
_NOTIFY_S: Final = 10.0
_SHIPMENT: Final = "_holdfast_shipment_"


@cache
def _numbers() -> Iterator[int]:
    """Count the orders of all channels, from the time of the first one, so that none comes again after a restart."""
    return count(int(time.time() * 10))


@dataclass
class SoldOrder:
    """An order of one line. ``state``: open, cancelled or shipped. Times in milliseconds."""

    number: int
    key: str
    pieces: int
    placed_ms: int
    changed_ms: int
    state: str = "open"
    tracking: str = ""
    fields: tuple[Mapping[str, Any], ...] = ()


class Seller(SimulatedChannel):
    """A channel that sells. ``notifications``: where it sends what is new; empty: nowhere."""

    def __init__(self, credentials: dict[str, str], on_shown: OnShown | None) -> None:
        super().__init__(credentials, on_shown)
        self.orders: dict[int, SoldOrder] = {}
        self.notifications = ""

    async def sell(self, key: str, pieces: int = 1) -> SoldOrder:
        """Let a buyer order; the channel takes the pieces off its own number."""
        now = _now_ms()
        order = SoldOrder(next(_numbers()), key, pieces, now, now)
        if len(self.orders) >= KEPT_MAX:
            del self.orders[next(iter(self.orders))]
        self.orders[order.number] = order
        self.show(key, max(0, self.shown.get(key, 0) - pieces))
        await self._notify(order)
        return order

    def recall_order(self, told: OrderDocument) -> None:
        """Know an order again that was told before a restart, if it is still open."""
        if not told.key.isdecimal() or len(told.lines) != 1:
            return
        line, number = told.lines[0], int(told.key)
        if told.state == "open" and not (line.cancelled or line.shipped):
            key = line.listing or line.sku_hint
            self.orders.setdefault(number, SoldOrder(number, key, line.ordered, told.placed_ms, told.changed_ms))

    async def cancel(self, order: SoldOrder) -> None:
        """Let its buyer cancel an order."""
        self._change(order, "cancelled")
        await self._notify(order)

    def _buyers_routes(self) -> list[web.RouteDef]:
        """Return what a person at this machine can do in a buyer's place."""
        return [web.post("/buy/{key}", self._bought), web.post("/cancel", self._called_off)]

    async def _bought(self, request: web.Request) -> web.Response:
        order = await self.sell(request.match_info["key"])
        return web.json_response({"order": order.number, "shows": self.shown[order.key]})

    async def _called_off(self, _: web.Request) -> web.Response:
        """Cancel the order that came last."""
        if not self.orders:
            raise web.HTTPNotFound(text="no order")
        order = list(self.orders.values())[-1]
        await self.cancel(order)
        return web.json_response({"order": order.number, "state": order.state})

    def _change(self, order: SoldOrder, state: str) -> None:
        order.state, order.changed_ms = state, max(_now_ms(), order.changed_ms + 1)

    async def _notify(self, order: SoldOrder) -> None:
        """Send an order. An answer that does not come is no loss: the order is read with the next list."""
        if not self.notifications:
            return
        body = json.dumps(self._told(order)).encode()
        timeout = aiohttp.ClientTimeout(total=_NOTIFY_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                await session.post(self.notifications, data=body, headers=self._signed(body))
        except (aiohttp.ClientError, TimeoutError):
            return

    @abstractmethod
    def _told(self, order: SoldOrder) -> Any:
        """Return what it sends about an order."""

    @abstractmethod
    def _signed(self, body: bytes) -> dict[str, str]:
        """Return the headers that prove who has sent a body."""

    def _found(self, number: str) -> SoldOrder:
        order = self.orders.get(int(number)) if number.isdecimal() else None
        if order is None:
            raise web.HTTPNotFound(text="{}", content_type="application/json")
        return order


class SellingMarketplace(Marketplace, Seller):
    """Sells by packages, as Trendyol does; its sellers carry their parcels themselves."""

    def __init__(self, on_shown: OnShown | None = None) -> None:
        super().__init__(on_shown)
        self.credentials |= {name: secrets.token_urlsafe() for name in ("notification_user", "notification_password")}

    def options(self) -> dict[str, Any]:
        """Return its options, with its address."""
        return {**super().options(), "carrier": "own", "orders_per_min": 1000, "obey_short_window": False}

    def _routes(self) -> list[web.RouteDef]:
        root = "/integration/order/sellers/1"
        package = f"{root}/shipment-packages/{{package}}"
        return [
            *super()._routes(),
            *self._buyers_routes(),
            web.get(f"{root}/orders/stream", self._stream),
            web.get(f"{root}/v2/orders", self._one),
            web.get(f"{root}/claims", self._claims),
            web.put(package, self._picked),
            web.put(f"{package}/update-tracking-number", self._sent),
            web.put(f"{package}/items/unsupplied", self._unsupplied),
        ]

    async def _stream(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        start, end = (int(request.query[f"lastModified{side}Date"]) for side in ("Start", "End"))
        found = [each for each in self.orders.values() if start <= each.changed_ms <= end]
        found.sort(key=lambda each: -each.changed_ms)
        return web.json_response({"hasMore": False, "content": [_package(each) for each in found]})

    async def _one(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        found = [each for each in self.orders.values() if str(each.number) == request.query.get("orderNumber")]
        return web.json_response(_page([_package(each) for each in found]))

    async def _claims(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        return web.json_response(_page([]))

    async def _picked(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        self._found(request.match_info["package"])
        return web.Response()

    async def _sent(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        order = self._found(request.match_info["package"])
        order.tracking = (await request.json())["trackingNumber"]
        self._change(order, "shipped")
        return web.Response()

    async def _unsupplied(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        self._change(self._found(request.match_info["package"]), "cancelled")
        return web.Response()

    def _told(self, order: SoldOrder) -> Any:
        return _page([_package(order)])

    def _signed(self, body: bytes) -> dict[str, str]:  # noqa: ARG002  # the secret is the same for every body
        user, password = (self.credentials[f"notification_{name}"] for name in ("user", "password"))
        return {"Authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode()}


class SecondMarketplace(SellingMarketplace):
    """Another account of the same kind."""

    name = "sim-bazaar"


class SellingShop(Shop, Seller):
    """Sells by orders, as WooCommerce does."""

    def __init__(self, on_shown: OnShown | None = None) -> None:
        super().__init__(on_shown)
        self.credentials["webhook_secret"] = secrets.token_urlsafe()

    def _routes(self) -> list[web.RouteDef]:
        orders = "/wp-json/wc/v3/orders"
        return [
            *super()._routes(),
            *self._buyers_routes(),
            web.get(orders, self._changed),
            web.get(f"{orders}/{{id}}", self._read),
            web.put(f"{orders}/{{id}}", self._put),
            web.post(f"{orders}/{{id}}/notes", self._note),
        ]

    async def _changed(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        after = datetime.fromisoformat(request.query["modified_after"]).replace(tzinfo=UTC).timestamp()
        found = [each for each in self.orders.values() if each.changed_ms // 1000 > after]
        found.sort(key=lambda each: (each.changed_ms, each.number))
        per_page, offset = (int(request.query[name]) for name in ("per_page", "offset"))
        return web.json_response([self._told(each) for each in found[offset : offset + per_page]])

    async def _read(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        return web.json_response(self._told(self._found(request.match_info["id"])))

    async def _put(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        order, body = self._found(request.match_info["id"]), await request.json()
        order.fields += tuple(body.get("meta_data", ()))
        for each in order.fields:
            if each["key"].startswith(_SHIPMENT):
                order.tracking = json.loads(each["value"]).get("tracking", "")
        states = {"completed": "shipped", "cancelled": "cancelled"}
        self._change(order, states.get(body.get("status", ""), order.state))
        return web.json_response(self._told(order))

    async def _note(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        return web.json_response({"id": 1}, status=201)

    def _told(self, order: SoldOrder) -> Any:
        statuses = {"open": "processing", "cancelled": "cancelled", "shipped": "completed"}
        line = {"id": 10 * order.number, "sku": order.key, "quantity": order.pieces, "total": "0.00", "price": 0}
        return {
            "id": order.number,
            "status": statuses[order.state],
            "currency": "TRY",
            "date_created_gmt": _gmt(order.placed_ms),
            "date_modified_gmt": _gmt(order.changed_ms),
            "line_items": [line],
            "refunds": [],
            "meta_data": list(order.fields),
        }

    def _signed(self, body: bytes) -> dict[str, str]:
        digest = hmac.digest(self.credentials["webhook_secret"].encode(), body, "sha256")
        return {"X-WC-Webhook-Signature": b64encode(digest).decode(), "X-WC-Webhook-Topic": "order.updated"}


def _package(order: SoldOrder) -> dict[str, Any]:
    statuses = {"open": "Created", "cancelled": "Cancelled", "shipped": "Shipped"}
    by = "Customer" if order.state == "cancelled" else ""
    line = {"lineId": 10 * order.number, "quantity": order.pieces, "barcode": order.key, "cancelledBy": by}
    return {
        "shipmentPackageId": order.number,
        "orderNumber": str(order.number),
        "status": statuses[order.state],
        "createdBy": "order-creation",
        "lastModifiedDate": order.changed_ms,
        "currencyCode": "TRY",
        "cargoTrackingNumber": order.tracking,
        "lines": [line],
        "packageHistories": [{"createdDate": order.placed_ms, "status": "Created"}],
    }


def _page(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {"totalElements": len(content), "totalPages": 1, "page": 0, "size": len(content), "content": content}


def _gmt(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _now_ms() -> int:
    return int(time.time() * 1000)
