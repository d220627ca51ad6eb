"""Simulated channels on loopback: marketplaces with tickets, a shop that answers at once, a webhook receiver.

They follow the wire contracts of the adapters that come with Holdfast, and accept every SKU; they refuse only wrong
credentials. They are for watching; the strict simulators are in the tests.
"""

import asyncio
import hmac
import json
import secrets
import time
from abc import ABC, abstractmethod
from base64 import b64decode, b64encode
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from typing import Any, ClassVar, Final

from aiohttp import web

HOST: Final = "127.0.0.1"
PROCESS_S: Final = 0.05
"""How long the marketplace processes a ticket, so that "accepted" and "shown" differ, as at a real one."""
TICKETS_KEPT: Final = 1_000
REQUESTS_PER_S: Final = 100
"""The rate limit of the shop; that of a real one is lower."""
SECRET_BYTES: Final = 32
SIGNED_S_MAX: Final = 300.0
"""How old a signature may be: five minutes, as in the libraries of Standard Webhooks."""

OnShown = Callable[["SimulatedChannel", str, int | None, int], None]
"""Called when a channel shows another number: the channel, the key, the number before (None: nothing), and now."""


class SimulatedChannel(ABC):
    """One channel. ``shown`` is what its buyers see, by key; ``shown_at_s`` since when, on the event loop's clock.

    ``credentials`` are made up for each. ``unsettled`` has the tickets that are accepted and not settled yet.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    """The kind of the adapter that calls it."""

    def __init__(self, credentials: dict[str, str], on_shown: OnShown | None) -> None:
        self.credentials = credentials
        self.shown: dict[str, int] = {}
        self.shown_at_s: dict[str, float] = {}
        self.unsettled: set[str] = set()
        self.port = 0
        self._on_shown = on_shown

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application()
        app.add_routes(self._routes())
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the socket."""
        await self._runner.cleanup()

    def recall(self, key: str, quantity: int) -> None:
        """Show what it showed before a restart, unless it has a newer value."""
        self.shown.setdefault(key, quantity)

    def show(self, key: str, quantity: int) -> None:
        """Show a new value."""
        before = self.shown.get(key)
        self.shown[key] = quantity
        if quantity != before:
            self.shown_at_s[key] = asyncio.get_running_loop().time()
            if self._on_shown is not None:
                self._on_shown(self, key, before, quantity)

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return its options for the configuration file, once it has been started."""

    @abstractmethod
    def _routes(self) -> list[web.RouteDef]: ...

    def _check_basic(self, request: web.Request) -> None:
        user, password = list(self.credentials.values())[:2]
        wanted = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted.encode()):
            raise web.HTTPUnauthorized


class Marketplace(SimulatedChannel):
    """Accepts stock under tickets, by barcode, as Trendyol does."""

    name = "sim-marketplace"
    kind = "trendyol"

    def __init__(self, on_shown: OnShown | None = None) -> None:
        super().__init__(_pair("api_key", "api_secret"), on_shown)
        self._tickets: dict[str, list[dict[str, Any]]] = {}
        self._processing: set[str] = set()

    def options(self) -> dict[str, Any]:
        """Return its options, with its address."""
        return {"seller_id": 1, "base_url": self.url}

    def _routes(self) -> list[web.RouteDef]:
        stock, products = ("/integration/inventory/sellers/1/products", "/integration/product/sellers/1/products")
        return [
            web.post(f"{stock}/price-and-inventory", self._take),
            web.get(f"{products}/batch-requests/{{ticket}}", self._answer_for),
            web.get(f"{products}/approved/inventory-and-price", self._read),
        ]

    async def _take(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        items, ticket = (await request.json())["items"], secrets.token_hex()
        if len(self._tickets) >= TICKETS_KEPT:
            self._forget(next(iter(self._tickets)))
        self._tickets[ticket] = items
        self.unsettled.add(ticket)
        self._processing.add(ticket)
        asyncio.get_running_loop().call_later(PROCESS_S, self._process, ticket, items)
        return web.json_response({"batchRequestId": ticket})

    def _process(self, ticket: str, items: list[dict[str, Any]]) -> None:
        for item in items:
            self.show(item["barcode"], item["quantity"])
        self._processing.discard(ticket)

    async def _answer_for(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        ticket = request.match_info["ticket"]
        if ticket not in self._tickets:
            raise web.HTTPNotFound
        is_done, items = ticket not in self._processing, self._tickets[ticket]
        if is_done:
            self.unsettled.discard(ticket)
        status = "SUCCESS" if is_done else "IN_PROGRESS"
        lines = [{"requestItem": item, "status": status, "failureReasons": []} for item in items]
        return web.json_response({"batchRequestId": ticket, "items": lines, "itemCount": len(items)})

    async def _read(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        asked = request.query.get("barcodes", "")
        # A barcode with a comma looks like two; it is returned all the same.
        found = [key for key in self.shown if key in asked.split(",") or ("," in key and key in asked)]
        content = [{"variants": [{"barcode": key, "quantity": self.shown[key]}]} for key in found]
        return web.json_response({"totalElements": len(found), "content": content})

    def _forget(self, ticket: str) -> None:
        del self._tickets[ticket]
        self.unsettled.discard(ticket)


class Shop(SimulatedChannel):
    """Accepts batches by id and answers for each at once, as WooCommerce does. Has a product for any SKU."""

    name = "sim-shop"
    kind = "woocommerce"

    def __init__(self, on_shown: OnShown | None = None) -> None:
        super().__init__(_pair("consumer_key", "consumer_secret"), on_shown)
        self._ids: dict[str, int] = {}
        self._skus: dict[int, str] = {}
        self._numbers = count(1)

    def options(self) -> dict[str, Any]:
        """Return its options, with its address."""
        return {"base_url": self.url, "key_is": "sku", "requests_per_s": REQUESTS_PER_S}

    def _routes(self) -> list[web.RouteDef]:
        products = "/wp-json/wc/v3/products"
        return [web.get(products, self._find), web.post(f"{products}/batch", self._update)]

    async def _find(self, request: web.Request) -> web.Response:
        """Find products: by SKU, which creates missing ones, or by id."""
        self._check_basic(request)
        if "sku" in request.query:
            asked = request.query["sku"]
            # A SKU with a comma looks like two, so the whole text is looked for, too.
            numbers = [self._id(sku) for sku in {*asked.split(","), asked}]
        else:
            included = request.query.get("include", "").split(",")
            numbers = [int(number) for number in included if number.isdecimal() and int(number) in self._skus]
        return web.json_response([self._row(number) for number in numbers])

    async def _update(self, request: web.Request) -> web.Response:
        self._check_basic(request)
        rows = []
        for product in (await request.json())["update"]:
            if product["id"] in self._skus:
                self.show(self._skus[product["id"]], product["stock_quantity"])
                rows.append(self._row(product["id"]))
            else:
                error = {"code": "woocommerce_rest_product_invalid_id", "message": "Invalid ID."}
                rows.append({"id": product["id"], "error": error})
        return web.json_response({"update": rows})

    def _id(self, sku: str) -> int:
        if sku not in self._ids:
            self._ids[sku] = next(self._numbers)
            self._skus[self._ids[sku]] = sku
        return self._ids[sku]

    def _row(self, number: int) -> dict[str, Any]:
        sku = self._skus[number]
        stock = {"manage_stock": True, "stock_quantity": self.shown.get(sku, 0)}
        return {"id": number, "type": "simple", "parent_id": 0, "sku": sku, **stock}


class Receiver(SimulatedChannel):
    """Receives signed webhooks: verifies them as Standard Webhooks defines, and drops older values."""

    name = "sim-webhook"
    kind = "webhook"

    def __init__(self, on_shown: OnShown | None = None) -> None:
        self._signing_key = secrets.token_bytes(SECRET_BYTES)
        super().__init__({"secret": "whsec_" + b64encode(self._signing_key).decode()}, on_shown)
        self._versions: dict[str, int] = {}

    def options(self) -> dict[str, Any]:
        """Return its options, with its address."""
        return {"url": f"{self.url}/stock"}

    def _routes(self) -> list[web.RouteDef]:
        return [web.post("/stock", self._receive)]

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._verify(request, body)
        data = json.loads(body)["data"]
        if data["version"] >= self._versions.get(data["key"], 0):
            self._versions[data["key"]] = data["version"]
            self.show(data["key"], data["quantity"])
        return web.Response(status=204)

    def _verify(self, request: web.Request, body: bytes) -> None:
        message_id, timestamp, signatures = (
            request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        signed = f"{message_id}.{timestamp}.".encode() + body
        wanted = hmac.digest(self._signing_key, signed, sha256)
        given = [b64decode(each.removeprefix("v1,")) for each in signatures.split() if each.startswith("v1,")]
        is_fresh = timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= SIGNED_S_MAX
        if not is_fresh or not any(hmac.compare_digest(wanted, each) for each in given):
            raise web.HTTPUnauthorized


def _pair(*names: str) -> dict[str, str]:
    return {name: secrets.token_urlsafe() for name in names}
