"""A simulated Trendyol: tickets that settle late, refused copies, windows, prices that may change so often, orders."""

import asyncio
import hashlib
from base64 import b64encode
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from tests.channels.trendyol_order_service import TrendyolOrderService

ITEMS_MAX: Final = 1_000
QUANTITY_MAX: Final = 20_000
MINUTE_S: Final = 60.0
REFUSED_COPY: Final = "15 dakika boyunca aynı isteği tekrarlı olarak atamazsınız!"
"""The documented words."""


class WireItem(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """An item of a push; only the barcode must be there."""

    barcode: Annotated[str, Meta(min_length=1)]
    quantity: int | UnsetType = UNSET
    sale_price: Decimal | UnsetType = UNSET
    list_price: Decimal | UnsetType = UNSET


class WirePush(msgspec.Struct, forbid_unknown_fields=True):
    items: list[WireItem]


_decode_push = msgspec.json.Decoder(WirePush).decode
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass
class Line:
    """One item of a ticket; ``failure`` is known when it ends."""

    item: WireItem
    is_ended: bool = False
    failure: str = ""


@dataclass
class TicketState:
    lines: list[Line]
    expires_s: float
    is_lie: bool
    polls: int = 0


class Recent:
    """When something happened in the last so many seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def within(self, per_s: float, now_s: float) -> int:
        while self._times and self._times[0] <= now_s - per_s:
            self._times.popleft()
        return len(self._times)

    def note(self, now_s: float) -> None:
        self._times.append(now_s)


@dataclass
class TrendyolSimulator(TrendyolOrderService):
    """One seller's account.

    A ticket takes effect when it is processed: ``process_s`` after it was taken, or at its ``polls_until_done``-th
    poll; ``next_process_s`` sets it for the next tickets one by one, so that a later one can overtake an earlier.
    ``early`` of its items end at half of that. ``refusals`` are barcodes whose values fail, and why. ``drifts`` writes
    statuses and barcodes in another case. ``left_out`` are barcodes that no answer about a ticket names.
    ``has_status``: a ticket says whether it is completed, as the newer description has it. ``throttled`` counts what
    came too often, ``copies`` the refused copies.
    """

    seller_id: int = 4711
    api_key: str = "made-up-api-key"
    api_secret: str = "made-up-api-secret"
    integrator: str = "SelfIntegration"
    store_fronts: frozenset[str] = frozenset({"", "TR", "DE"})
    writes_per_min: int = 350
    reads_per_min: int = 1000
    endpoint_requests_max: int = 50
    endpoint_window_s: float = 10.0
    prices_per_min: int = 30
    identical_body_window_s: float = 900.0
    ticket_life_s: float = 4 * 3600.0
    process_s: float = 0.0
    next_process_s: deque[float] = field(default_factory=deque)
    polls_until_done: int = 0
    early: int = 0
    refusals: dict[str, str] = field(default_factory=dict)
    drifts: bool = False
    left_out: set[str] = field(default_factory=set)
    has_status: bool = False
    throttled: int = 0
    copies: int = 0
    list_prices: dict[str, str] = field(default_factory=dict)
    tickets: dict[str, TicketState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._numbers = count(1)
        self._bodies: dict[bytes, float] = {}
        self._windows: defaultdict[str, Recent] = defaultdict(Recent)
        self._prices: defaultdict[str, Recent] = defaultdict(Recent)

    def routes(self) -> list[web.RouteDef]:
        inventory = f"/integration/inventory/sellers/{self.seller_id}/products"
        product = f"/integration/product/sellers/{self.seller_id}/products"
        return [
            web.post(f"{inventory}/price-and-inventory", self._push),
            web.get(f"{product}/batch-requests/{{ticket}}", self._ticket),
            web.get(f"{product}/approved/inventory-and-price", self._approved),
            *self.order_routes(self.seller_id),
        ]

    @property
    def credentials(self) -> dict[str, str]:
        """The seller's credentials."""
        return {"api_key": self.api_key, "api_secret": self.api_secret}

    def forget_tickets(self) -> None:
        """Let every ticket be older than the channel keeps them."""
        self.tickets.clear()

    # -- what every request must get past

    def checked(self, request: web.Request, group: str, group_per_min: int) -> web.Response | None:
        wanted = b64encode(f"{self.api_key}:{self.api_secret}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {wanted}":
            return web.json_response({"status": 401, "exception": "ClientApiAuthenticationException"}, status=401)
        if request.headers.get("User-Agent") != f"{self.seller_id} - {self.integrator}":
            self.complain(f"User-Agent {request.headers.get('User-Agent')!r}")
            return web.Response(status=403, text="Forbidden")
        if request.headers.get("storeFrontCode", "") not in self.store_fronts:
            return _refusal(400, "invalid.storefrontcode", "store front code is not valid")
        return self._slowed_down(request, group, group_per_min)

    def _slowed_down(self, request: web.Request, group: str, group_per_min: int) -> web.Response | None:
        now_s = _now_s()
        endpoint = request.path.rsplit("/", 1)[0]
        windows = (
            (self._windows[group], MINUTE_S, group_per_min),
            (self._windows[endpoint], self.endpoint_window_s, self.endpoint_requests_max),
        )
        if any(recent.within(per_s, now_s) >= most for recent, per_s, most in windows):
            self.throttled += 1
            return _refusal(429, "too.many.requests", "Çok fazla istek")
        for recent, _, _ in windows:
            recent.note(now_s)
        return None

    # -- pushing

    async def _push(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "write", self.writes_per_min)
        if refused is not None:
            return refused
        body = await request.read()
        if request.content_type != "application/json":
            self.complain(f"Content-Type {request.content_type}")
            return web.Response(status=415, text="Unsupported Media Type")
        try:
            items = _decode_push(body).items
        except msgspec.MsgspecError as error:
            return self._wrong(f"a body of another form: {error}")
        if not 1 <= len(items) <= ITEMS_MAX:
            return self._wrong(f"{len(items)} items")
        if len({item.barcode for item in items}) < len(items):
            self.complain("a barcode twice in one push")
        if self._is_copy(body):
            self.copies += 1
            return _refusal(400, "recurring.request", REFUSED_COPY)
        return web.json_response({"batchRequestId": self._take(items)})

    def _wrong(self, what: str) -> web.Response:
        self.complain(what)
        return _refusal(400, "bad.request", what)

    def _is_copy(self, body: bytes) -> bool:
        now_s, digest = _now_s(), hashlib.sha256(body).digest()
        oldest_s = now_s - self.identical_body_window_s
        while self._bodies and next(iter(self._bodies.values())) <= oldest_s:
            del self._bodies[next(iter(self._bodies))]
        if digest in self._bodies:
            return True
        self._bodies[digest] = now_s
        return False

    def _take(self, items: list[WireItem]) -> str:
        name = f"{next(self._numbers):08x}-0000-11f0-aa3a-be9298facace-1746718627"
        ticket = TicketState([Line(item) for item in items], _now_s() + self.ticket_life_s, self.lying)
        self.tickets[name] = ticket
        after_s = self.next_process_s.popleft() if self.next_process_s else self.process_s
        if after_s:
            loop = asyncio.get_running_loop()
            loop.call_later(after_s / 2, self._process, ticket, self.early)
            loop.call_later(after_s, self._process, ticket, None)
        elif not self.polls_until_done:
            self._process(ticket, None)
        return name

    # -- processing

    def _process(self, ticket: TicketState, first: int | None) -> None:
        for line in ticket.lines[:first]:
            if not line.is_ended:
                line.is_ended, line.failure = True, self._failure(line.item)
                if not line.failure and not ticket.is_lie:
                    self._apply(line.item)

    def _failure(self, item: WireItem) -> str:
        if item.barcode not in self.shown:
            return f"{item.barcode} barkodlu ürün bulunamadı"
        if item.barcode in self.refusals:
            return self.refusals[item.barcode]
        if item.quantity is not UNSET and not 0 <= item.quantity <= QUANTITY_MAX:
            self.complain(f"quantity {item.quantity}")
            return "Stok 0 ile 20000 arasında olmalıdır"
        return self._price_failure(item)

    def _price_failure(self, item: WireItem) -> str:
        if item.sale_price is UNSET and item.list_price is UNSET:
            return ""
        if item.sale_price is UNSET or item.list_price is UNSET or item.list_price < item.sale_price:
            return "Liste fiyatı satış fiyatından küçük olamaz"
        recent, now_s = self._prices[item.barcode], _now_s()
        if recent.within(MINUTE_S, now_s) >= self.prices_per_min:
            return f"Bir barkodun fiyatı 1 dakika içinde en çok {self.prices_per_min} kez değişebilir"
        recent.note(now_s)
        return ""

    def _apply(self, item: WireItem) -> None:
        quantity = self.shown[item.barcode] if item.quantity is UNSET else item.quantity
        self.show(item.barcode, quantity, None if item.sale_price is UNSET else str(item.sale_price))
        if item.list_price is not UNSET and not self.lying:
            self.list_prices[item.barcode] = str(item.list_price)

    # -- asking

    async def _ticket(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "read", self.reads_per_min)
        if refused is not None:
            return refused
        name = request.match_info["ticket"]
        ticket = self.tickets.get(name)
        if ticket is None or ticket.expires_s <= _now_s():
            return _refusal(404, "batch.request.not.found", "Batch request bulunamadı")
        ticket.polls += 1
        if self.polls_until_done:
            self._process(ticket, None if ticket.polls >= self.polls_until_done else self.early)
        body = self._batch(name, ticket.lines)
        return web.Response(body=_encode(body), content_type="application/json")

    def _batch(self, name: str, lines: list[Line]) -> dict[str, Any]:
        """Report of each item; by the older description a batch of stock and prices has no status of its own."""
        has_ended = all(line.is_ended for line in lines)
        status = {"status": "COMPLETED" if has_ended else "IN_PROGRESS"} if self.has_status else {}
        return status | {
            "batchRequestId": name,
            "items": [self._row_of(line) for line in lines if line.item.barcode not in self.left_out],
            "creationDate": 1_746_704_227_943,
            "lastModification": 1_746_704_227_943,
            "sourceType": "API",
            "itemCount": len(lines),
            "failedItemCount": sum(1 for line in lines if line.failure),
            "batchRequestType": "ProductInventoryUpdate",
        }

    def _row_of(self, line: Line) -> dict[str, Any]:
        status = "IN_PROGRESS" if not line.is_ended else "FAILED" if line.failure else "SUCCESS"
        drift: Callable[[str], str] = str.swapcase if self.drifts else str
        item = msgspec.structs.replace(line.item, barcode=drift(line.item.barcode))
        return {
            "requestItem": item,
            "status": drift(status),
            "failureReasons": [line.failure] if line.failure else [],
        }

    async def _approved(self, request: web.Request) -> web.Response:
        refused = self.checked(request, "read", self.reads_per_min)
        if refused is not None:
            return refused
        barcodes = request.query.getall("barcodes", [])
        if len(barcodes) > 50:  # documented
            return self._wrong(f"{len(barcodes)} barcodes")
        found = [barcode for barcode in barcodes if barcode in self.shown]
        content = [
            {"contentId": number, "variants": [{"barcode": barcode, "quantity": self.shown[barcode]}]}
            for number, barcode in enumerate(found)
        ]
        return web.json_response({"totalElements": len(found), "totalPages": 1, "page": 0, "content": content})


def _refusal(status: int, key: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"key": key, "message": message, "errorCode": str(status)}]}, status=status)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
