"""The orders of a simulated Oscar shop: newest first, without a time of change, and a dashboard that says nothing."""

import json
import random
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from adapters.contract.orders import Delivery
from adapters.testing.order_side import BUYER, PHONE, STREET, OrderSide, Truth

USERNAME: Final = "stock-keeper@example.org"
PASSWORD: Final = "a-made-up-password"
ADMIN: Final = "/api/admin"
BEHIND: Final = "http://shop.internal:8000"
"""The host that the shop believes to have: a proxy stands before it."""
AWAITING: Final = "Awaiting payment"
PIPELINE: Final[dict[str, tuple[str, ...]]] = {
    AWAITING: ("Pending", "Cancelled"),
    "Pending": ("Being processed", "Complete", "Cancelled"),
    "Being processed": ("Complete", "Cancelled"),
    "Complete": (),
    "Cancelled": (),
}
EVENTS: Final = {"shipped": "Shipped", "cancelled": "Cancelled", "returned": "Returned"}
"""The codes of the types of shipping events, and their names."""
_TOKEN_LENGTHS: Final = (32, 64)
Pagination = Literal["none", "limit", "page"]


@dataclass
class ShopLine:
    """A line of an order. ``events`` are names and pieces, the newest first."""

    id: int
    record: str
    quantity: int
    events: list[tuple[str, int]] = field(default_factory=list)

    def gone_through(self, name: str) -> int:
        return sum(pieces for event, pieces in self.events if event == name)

    @property
    def shipping_status(self) -> str:
        """The summary as Oscar writes it."""
        counted: dict[str, int] = {}
        for name, pieces in self.events:
            counted[name] = counted.get(name, 0) + pieces
        words, last_complete = [], ""
        for name, pieces in reversed(counted.items()):
            if pieces == self.quantity:
                words.append(name)
                last_complete = name
            else:
                words.append(f"{name} ({pieces}/{self.quantity} items)")
        return last_complete if counted and last_complete == next(iter(counted)) else ", ".join(words)


@dataclass
class ShopOrder:
    id: int
    status: str
    lines: list[ShopLine]
    placed_ms: int
    references: list[str] = field(default_factory=list)

    @property
    def number(self) -> str:
        return str(100_000 + self.id)


@dataclass
class OscarOrderSide(OrderSide):
    """Orders of one shop. ``pagination``: how the shop divides its lists, ``page_size`` where it does by number.

    ``line_fields`` are those that its settings add to lines. ``pipeline``: which status leads to which.
    """

    orders: dict[int, ShopOrder] = field(default_factory=dict)
    spoiled: set[str] = field(default_factory=set)
    pagination: Pagination = "limit"
    page_size: int = 20
    line_fields: tuple[str, ...] = ("shipping_status",)
    pipeline: dict[str, tuple[str, ...]] = field(default_factory=lambda: dict(PIPELINE))
    sessions: set[str] = field(default_factory=set)
    is_staff: bool = True

    def __post_init__(self) -> None:
        self._orders = count(1)
        self._lines = count(9_001)
        self._sessions = count(1)

    @abstractmethod
    def check_caller(self, request: web.Request) -> web.Response | None:
        """What every request of the admin API must get past."""

    @abstractmethod
    def allocate(self, record: str, pieces: int) -> None:
        """Promise pieces to an order; fewer than none: take a promise back."""

    @abstractmethod
    def consume(self, record: str, pieces: int) -> None:
        """Let pieces that were promised leave."""

    def order_routes(self) -> list[web.RouteDef]:
        """The routes of orders."""
        return [
            web.get(ADMIN + "/orders/", self._list),
            web.get(ADMIN + r"/orders/{id:\d+}/", self._get),
            web.get(ADMIN + r"/orders/{id:\d+}/lines/", self._line_list),
            web.post("/api/login/", self._login),
            web.post("/dashboard/orders/{number}/", self._dashboard),
        ]

    # -- what happens

    def place(self, *lines: tuple[str, int], paid: bool = True) -> str:
        made = [ShopLine(next(self._lines), record, pieces) for record, pieces in lines]
        order = ShopOrder(next(self._orders), "Pending" if paid else AWAITING, made, self.tick())
        self.orders[order.id] = order
        self.truth[str(order.id)] = {str(each.id): Truth(each.record, each.quantity) for each in made}
        for each in made:
            self.allocate(each.record, each.quantity)
        return str(order.id)

    def pay(self, number: str) -> None:
        self.orders[int(number)].status = "Pending"

    def cancel(self, number: str, key: str, pieces: int) -> None:
        """Let the merchant cancel pieces in the dashboard; the whole order where nothing else is left."""
        lines, order = self.truth[number], self.orders[int(number)]
        if not any(each.shipped for each in lines.values()) and sum(each.living for each in lines.values()) == pieces:
            self._move(order, "Cancelled")
        else:
            self._go_through(order, "Cancelled", {int(key): pieces})

    def send_off(self, number: str) -> None:
        order = self.orders[int(number)]
        living = {int(key): each.living for key, each in self.truth[number].items() if each.living}
        self._go_through(order, "Shipped", living)
        order.status = "Complete"

    def _move(self, order: ShopOrder, status: str) -> None:
        """Give an order another status, and let its pieces follow."""
        order.status = status
        for line in order.lines:
            each = self.truth[str(order.id)][str(line.id)]
            if status == "Cancelled":
                self.allocate(line.record, -each.living)
                each.cancelled += each.living
            elif status == "Complete":
                self.consume(line.record, each.living)
                each.shipped += each.living

    def _go_through(self, order: ShopOrder, event: str, pieces: dict[int, int]) -> None:
        for line in order.lines:
            some = pieces.get(line.id, 0)
            if not some:
                continue
            line.events.insert(0, (event, some))
            each = self.truth[str(order.id)][str(line.id)]
            if event == "Cancelled":
                each.cancelled += some
                self.allocate(line.record, -some)
            elif event == "Shipped":
                each.shipped += some
                self.consume(line.record, some)
        self.tick()

    def spoil(self, number: str) -> None:
        self.spoiled.add(number)

    def misbehave(self, chance: random.Random) -> None:
        """Divide lists in one way or another, and end all sessions now and then."""
        self.pagination = chance.choice(["none", "limit", "page"])
        self.page_size = chance.choice([3, 20])
        self.sessions.clear()

    # -- what it sends: nothing

    def deliveries(self, number: str) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    def signed(self, body: bytes) -> Delivery:
        return Delivery(method="POST", path="", query="", headers={}, body=body)

    def forged(self, delivery: Delivery) -> Sequence[Delivery]:  # noqa: ARG002
        return []

    # -- reading

    def paged(self, request: web.Request, rows: Sequence[Any], path: str) -> web.Response:
        """Answer a list as the shop divides it."""
        query = dict(request.query)
        if query.keys() - {"limit", "offset", "page"}:
            self.complain(f"a list by {query}")
        if self.pagination == "none":
            return web.json_response(list(rows))
        if self.pagination == "limit":
            limit, offset = int(query.get("limit", "100")), int(query.get("offset", "0"))
            following = {"limit": limit, "offset": offset + limit}
        else:
            limit, page = self.page_size, int(query.get("page", "1"))
            offset, following = (page - 1) * limit, {"limit": int(query.get("limit", "1")), "page": page + 1}
            if offset and offset >= len(rows):
                return problem(404, "Invalid page.")
        is_last = offset + limit >= len(rows)
        return web.json_response(
            {
                "count": len(rows),
                "next": None if is_last else f"{BEHIND}{path}?{urlencode(following)}",
                "previous": None,
                "results": list(rows[offset : offset + limit]),
            }
        )

    async def _list(self, request: web.Request) -> web.Response:
        found = sorted(self.orders.values(), key=lambda each: (-each.placed_ms, -each.id))
        return self.check_caller(request) or self.paged(
            request, [self._order_row(each) for each in found], request.path
        )

    async def _get(self, request: web.Request) -> web.Response:
        order = self.orders.get(int(request.match_info["id"]))
        if refusal := self.check_caller(request):
            return refusal
        if order is None:
            return problem(404, "No Order matches the given query.")
        return web.json_response(self._order_row(order))

    async def _line_list(self, request: web.Request) -> web.Response:
        order = self.orders.get(int(request.match_info["id"]))
        rows = [self._line_row(each) for each in order.lines] if order is not None else []
        return self.check_caller(request) or self.paged(request, rows, request.path)

    def _order_row(self, order: ShopOrder) -> dict[str, Any]:
        first, _, last = BUYER.partition(" ")
        address = {
            "id": 1, "title": "", "first_name": first, "last_name": last, "line1": STREET, "line2": "", "line3": "",
            "line4": "İzmir", "state": "", "postcode": "35000", "phone_number": PHONE, "notes": "",
            "country": f"{BEHIND}/api/countries/TR/",
        }  # fmt: skip
        url, placed = f"{BEHIND}{ADMIN}/orders/{order.id}/", datetime.fromtimestamp(order.placed_ms / 1000, UTC)
        return {
            "number": order.number,
            "basket": f"{BEHIND}/api/baskets/{order.id}/",
            "url": url,
            "lines": f"{url}lines/",
            "owner": None,
            "billing_address": None,
            "currency": "TRY",
            "total_incl_tax": "21.60",
            "total_excl_tax": "18.00",
            "shipping_incl_tax": "0.00",
            "shipping_excl_tax": "0.00",
            "shipping_address": address,
            "shipping_method": "Free shipping",
            "shipping_code": "free-shipping",
            "status": order.status,
            "email": "ayse@example.org",
            "date_placed": "lately" if str(order.id) in self.spoiled else placed.isoformat().replace("+00:00", "Z"),
            "payment_url": "You need to implement a view named 'api-payment'",
            "offer_discounts": [],
            "voucher_discounts": [],
            "surcharges": [],
        }

    def _line_row(self, line: ShopLine) -> dict[str, Any]:
        order = next(each for each in self.orders.values() if line in each.lines)
        added = {"shipping_status": line.shipping_status, "partner_sku": self.sku_of(line.record)}
        return {
            "attributes": [],
            "url": f"{BEHIND}{ADMIN}/orderlines/{line.id}/",
            "product": f"{BEHIND}/api/products/7/",
            "stockrecord": f"{BEHIND}/api/products/7/stockrecords/{line.record}/",
            "quantity": line.quantity,
            "price_currency": "TRY",
            "price_excl_tax": f"{9 * line.quantity}.00",
            "price_incl_tax": f"{9 * line.quantity * 1.2:.2f}",
            "price_incl_tax_excl_discounts": f"{10 * line.quantity * 1.2:.2f}",
            "price_excl_tax_excl_discounts": f"{10 * line.quantity}.00",
            "order": f"{BEHIND}/api/orders/{order.id}/",
            **{name: added[name] for name in self.line_fields},
        }

    @abstractmethod
    def sku_of(self, record: str) -> str:
        """The partner SKU of a stock record."""

    # -- what its people do, and what is said for them

    async def _login(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers or "Cookie" in request.headers:
            self.complain("somebody signs in who is signed in")
            return problem(405, "Session is in use, log out first")
        if json.loads(await request.read()) != {"username": USERNAME, "password": PASSWORD}:
            return web.json_response({"non_field_errors": ["invalid login"]}, status=401)
        session = f"session{next(self._sessions):025}"
        self.sessions.add(session)
        answer = web.json_response("")
        answer.set_cookie("sessionid", session, expires="Mon, 14 Dec 2026 03:00:00 GMT", httponly=True)
        answer.set_cookie("oscar_open_basket", "", path="/")
        return answer

    async def _dashboard(self, request: web.Request) -> web.Response:
        token = request.headers.get("X-CSRFToken", "")
        if request.cookies.get("csrftoken") != token or len(token) not in _TOKEN_LENGTHS or not token.isalnum():
            self.complain("a form without a token")
            return web.Response(status=403, text="<h1>Forbidden</h1><p>CSRF verification failed.</p>")
        if request.cookies.get("sessionid") not in self.sessions or not self.is_staff:
            return _moved(f"/dashboard/login/?next={request.path}")
        order = next((each for each in self.orders.values() if each.number == request.match_info["number"]), None)
        if order is None:
            return web.Response(status=404, text="<h1>Not Found</h1>")
        if request.content_type != "application/x-www-form-urlencoded":
            self.complain(f"a form as {request.content_type}")
        form = parse_qsl((await request.read()).decode(), keep_blank_values=True)
        if not self.lying:
            self._act(order, form)
        return _moved(request.path)

    def _act(self, order: ShopOrder, form: list[tuple[str, str]]) -> None:
        """Do what a form says, if it may be done: the answer is the same."""
        given = dict(form)
        if given.get("order_action") == "change_order_status":
            if given.keys() != {"order_action", "new_status"}:
                self.complain(f"a form of {sorted(given)}")
            if given["new_status"] in self.pipeline.get(order.status, ()):
                self._move(order, given["new_status"])
                self.taken(f"{given['new_status']} {order.id}")
            return
        if given.get("line_action") != "create_shipping_event":
            self.complain(f"a form of {sorted(given)}")
            return
        chosen = [value for name, value in form if name == "selected_line"]
        pieces = {int(key): int(given[f"selected_line_qty_{key}"]) for key in chosen}
        event = EVENTS.get(given["shipping_event_type"])
        lines = {line.id: line for line in order.lines}
        if event is None or any(lines[key].gone_through(event) + pieces[key] > lines[key].quantity for key in pieces):
            return
        order.references.append(given["reference"])
        self._go_through(order, event, pieces)
        self.taken(f"{event} {order.id} {sorted(pieces)}")


def _moved(location: str) -> web.Response:
    return web.Response(status=302, headers={"Location": location})


def problem(status: int, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)
