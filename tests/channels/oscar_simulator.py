"""A simulated Oscar shop: stock records one by one, of which a part is promised to its own open orders."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

from adapters.testing.simulator import Fault
from tests.channels.oscar_order_side import ADMIN, BEHIND, PASSWORD, USERNAME, OscarOrderSide, problem

CURRENCY: Final = "TRY"
STOCK_MAX: Final = 2_147_483_647
PARTNER: Final = 1
UNKNOWN: Final = "No StockRecord matches the given query."
_FIELDS: Final = {"num_in_stock", "price"}
_PLACES: Final = 2


@dataclass
class OscarSimulator(OscarOrderSide):
    """A shop whose ``shown`` is by the number of a stock record and is what buyers can have: in stock less allocated.

    ``before_write`` happens after the next record was read and before it is written. ``never_stocked`` have no number
    in stock yet. ``uncounted`` are of a product class whose stock is not counted. ``others`` are records of another
    partner. ``is_blocked``: the admin API is switched off.
    """

    allocated: dict[str, int] = field(default_factory=dict)
    never_stocked: set[str] = field(default_factory=set)
    uncounted: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)
    skus: dict[str, str] = field(default_factory=dict)
    before_write: Callable[[], None] | None = None
    is_blocked: bool = False

    def routes(self) -> list[web.RouteDef]:
        record = ADMIN + r"/stockrecords/{id:\d+}/"
        return [
            web.get(record, self._record),
            web.patch(record, self._patch),
            web.get(ADMIN + "/products/", self._products),
            web.get(ADMIN + r"/products/{id:\d+}/", self._product),
            web.get(ADMIN + "/productclasses/{slug}/", self._product_class),
            *self.order_routes(),
        ]

    def _next_fault(self, path: str) -> Fault | None:
        return super()._next_fault(f"{self.received[-1].method} {path}")

    def sku_of(self, record: str) -> str:
        return self.skus.get(record, f"SKU-{record}")

    def allocate(self, record: str, pieces: int) -> None:
        self.allocated[record] = self.allocated.get(record, 0) + pieces
        self.shown[record] -= pieces

    def consume(self, record: str, pieces: int) -> None:
        self.allocated[record] -= pieces

    def check_caller(self, request: web.Request) -> web.Response | None:
        expected = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            return problem(401, "Invalid username/password.")
        return problem(403, "You do not have permission to perform this action.") if self.is_blocked else None

    # -- stock records

    async def _record(self, request: web.Request) -> web.Response:
        number = request.match_info["id"]
        if refusal := self.check_caller(request):
            return refusal
        return problem(404, UNKNOWN) if number not in self.shown else web.json_response(self._row(number))

    async def _patch(self, request: web.Request) -> web.Response:
        number, fields = request.match_info["id"], json.loads(await request.read())
        if refusal := self.check_caller(request):
            return refusal
        if self.before_write is not None:
            happens, self.before_write = self.before_write, None
            happens()
        if number not in self.shown:
            return problem(404, UNKNOWN)
        self._check(request, fields)
        price = fields.get("price")
        if price is not None and -int(Decimal(price).as_tuple().exponent) > _PLACES:
            return web.json_response({"price": ["Ensure that there are no more than 2 decimal places."]}, status=400)
        row = {**self._row(number), **fields}
        if not self.lying:
            self.never_stocked.discard(number)
            self.show(number, fields["num_in_stock"] - self.allocated.get(number, 0), price)
        return web.json_response(row)

    def _check(self, request: web.Request, fields: dict[str, Any]) -> None:
        if request.content_type != "application/json" or fields.keys() - _FIELDS:
            self.complain(f"a record of {sorted(fields)} as {request.content_type}")
        stocked = fields.get("num_in_stock")
        if type(stocked) is not int or not 0 <= stocked <= STOCK_MAX:
            self.complain(f"num_in_stock {stocked!r}")
        if not isinstance(fields.get("price", ""), str):
            self.complain("a price that is no text")

    def _row(self, number: str) -> dict[str, Any]:
        allocated = self.allocated.get(number, 0)
        return {
            "url": f"{BEHIND}{ADMIN}/stockrecords/{number}/",
            "product": int(number) + 5_000,
            "partner_sku": self.sku_of(number),
            "price_currency": CURRENCY,
            "price": self.prices.get(number),
            "num_in_stock": None if number in self.never_stocked else self.shown[number] + allocated,
            "num_allocated": allocated or None,
            "low_stock_threshold": None,
            "date_created": "2026-11-01T10:00:00Z",
            "date_updated": "2026-11-01T10:00:00Z",
            "partner": f"{BEHIND}{ADMIN}/partners/{2 if number in self.others else PARTNER}/",
        }

    # -- products

    async def _products(self, request: web.Request) -> web.Response:
        rows = [self._product_row(number) for number in self.shown]
        return self.check_caller(request) or self.paged(request, rows, request.path)

    async def _product(self, request: web.Request) -> web.Response:
        if refusal := self.check_caller(request):
            return refusal
        number = int(request.match_info["id"])
        if number >= 10_000:  # a parent
            slug = "gifts" if str(number - 10_000) in self.uncounted else "goods"
            return web.json_response({"product_class": slug, "parent": None, "stockrecords": []})
        return web.json_response(self._product_row(str(number - 5_000)))

    def _product_row(self, number: str) -> dict[str, Any]:
        """Return a child, whose class is its parent's."""
        return {
            "url": f"{BEHIND}{ADMIN}/products/{int(number) + 5_000}/",
            "structure": "child",
            "upc": None,
            "product_class": None,
            "parent": int(number) + 10_000,
            "stockrecords": [self._row(number)],
        }

    async def _product_class(self, request: web.Request) -> web.Response:
        slug = request.match_info["slug"]
        return self.check_caller(request) or web.json_response({"slug": slug, "track_stock": slug != "gifts"})
