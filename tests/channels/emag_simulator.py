"""A simulated eMAG: one verdict for a call, with HTTP 200 also where it is an error, and sometimes in spite of it."""

import json
from base64 import b64encode
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from tests.channels.emag_order_side import EmagOrderSide, failed, replied

ITEMS_MAX: Final = 50
OFFERS_PAGE_MAX: Final = 100
UNKNOWN: Final = "Offer not found"
WAREHOUSE: Final = 1
HELD_WAREHOUSE: Final = 7


class WireStock(msgspec.Struct, forbid_unknown_fields=True):
    warehouse_id: int
    value: Annotated[int, Meta(ge=0, le=65_535)]


class WireOffer(msgspec.Struct, forbid_unknown_fields=True):
    id: int
    stock: Annotated[list[WireStock], Meta(min_length=1)]
    sale_price: Decimal | UnsetType = UNSET


@dataclass
class EmagSimulator(EmagOrderSide):
    """One seller's account; every offer of a call is saved, or none.

    ``grumbles``: a call is answered with an error, though it was carried out. ``price_range``: which prices are taken.
    ``wraps``: what is sent must stand in a field ``data``. ``held``: what the channel holds of offers in its own
    warehouse; None: a null.
    """

    username: str = "made-up-user"
    password: str = "made-up-password"
    grumbles: bool = False
    wraps: bool = False
    price_range: dict[str, tuple[float, float]] = field(default_factory=dict)
    held: dict[str, int | None] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api-3/offer/save", self._offers),
            web.post("/api-3/product_offer/read", self._shown),
            *self.order_routes(),
        ]

    def _next_fault(self, path: str) -> Any:
        """Say of what is told about an order that it is: reading and telling share the beginning of their paths."""
        return super()._next_fault(path if "/read" in path else f"{path}/said")

    def refused(self, request: web.Request) -> web.Response | None:
        basic = "Basic " + b64encode(f"{self.username}:{self.password}".encode()).decode()
        if request.headers.get("Authorization") != basic:
            return web.json_response({"isError": True, "messages": ["You are not allowed to use this API"]}, status=401)
        return None

    async def data(self, request: web.Request) -> Any:
        content = json.loads(await request.read())
        if self.wraps != (isinstance(content, dict) and set(content) == {"data"}):
            self.complain("wrapped, or not, as it should not be")
        return content["data"] if self.wraps else content

    # -- offers

    async def _offers(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        try:
            offers = msgspec.convert(await self.data(request), list[WireOffer], strict=False)
        except msgspec.ValidationError as error:
            return self.wrong(str(error))
        if not 1 <= len(offers) <= ITEMS_MAX or len({each.id for each in offers}) < len(offers):
            return self.wrong(f"{len(offers)} offers")
        faults = [words for each in offers if (words := self._fault(each))]
        if faults:
            return failed(faults[0])
        for each in offers:
            price = None if each.sale_price is UNSET else str(each.sale_price)
            self.show(str(each.id), each.stock[0].value, price)
        return failed("Documentation errors were found") if self.grumbles else replied([])

    def _fault(self, offer: WireOffer) -> str:
        if str(offer.id) not in self.shown:
            return UNKNOWN
        if offer.stock[0].warehouse_id != WAREHOUSE:
            return "Invalid warehouse"
        low, high = self.price_range.get(str(offer.id), (0.0, 1e9))
        if offer.sale_price is not UNSET and not low <= offer.sale_price <= high:
            return "Price is not between min_sale_price and max_sale_price"
        return ""

    async def _shown(self, request: web.Request) -> web.Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        query = await self.data(request)
        page, size = query["currentPage"], query["itemsPerPage"]
        if set(query) - {"id", "currentPage", "itemsPerPage"} or not 1 <= size <= OFFERS_PAGE_MAX:
            return self.wrong(f"offers by {query}")
        keys = [each for each in self.shown if query.get("id") in (None, int(each))]
        return replied([self._offer(each) for each in keys[(page - 1) * size : page * size]])

    def _offer(self, key: str) -> dict[str, Any]:
        return {
            "id": int(key),
            "part_number": f"PN-{key}",
            "stock": [
                {"warehouse_id": WAREHOUSE, "value": self.shown[key]},
                *([{"warehouse_id": HELD_WAREHOUSE, "value": self.held[key]}] if key in self.held else []),
            ],
            "general_stock": self.shown[key],
            "estimated_stock": self.shown[key],
            "sale_price": self.prices.get(key, "10.0000"),
            "offer_validation_status": {"value": 1},
        }
