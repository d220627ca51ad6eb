"""A simulated WooCommerce shop: REST API v3 as a real 11.0.1 was seen to answer, strict about what is sent to it."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from aiohttp import web

from tests.channels.woocommerce_order_side import ROOT, WooCommerceOrderSide

KEY: Final = "ck_made_up_for_tests"
SECRET: Final = "cs_made_up_for_tests"
INVALID_ID: Final = "Invalid ID."
EXTERNAL: Final = "External products cannot be stock managed."
USE_VARIATIONS: Final = "This is a variation; use the variations of its product."

_DATES: Final = ("date_on_sale_from", "date_on_sale_to")
_FIELDS: Final = {"id", "manage_stock", "stock_quantity", "backorders", "regular_price", "sale_price", *_DATES}
_BATCH_MAX, _PAGE_MAX = 100, 100


@dataclass
class Product:
    """What the shop knows under an id; ``key`` is what the simulator shows it under."""

    key: str
    id: int
    parent: int = 0
    sku: str = ""
    manages_stock: bool | str = True
    regular_price: str = ""
    sale_price: str = ""
    sale_from: str = ""
    sale_to: str = ""
    backorders: str = "no"
    is_variable: bool = False

    @property
    def price(self) -> str:
        """What buyers pay: of a product with variations that is none of its own."""
        if self.is_variable:
            return ""
        now = datetime.now(UTC).isoformat()
        is_on_sale = self.sale_price and self.sale_from <= now and (not self.sale_to or now <= self.sale_to)
        return self.sale_price if is_on_sale else self.regular_price

    @property
    def is_sold_at_zero(self) -> bool:
        """Whether buyers can order it although there is nothing."""
        return self.backorders != "no"


@dataclass
class WooCommerceSimulator(WooCommerceOrderSide):
    """``errors`` are answered for an id instead of an update. ``manages_stock`` False: switched off for the shop.

    ``batch_max`` is what the shop allows. ``reverses`` answers a batch in the wrong order, ``drops`` leaves ids out of
    the answer, ``null_ids`` gives refused elements no id, as some releases did. ``checks_parents`` refuses whole
    batches and collections of variations whose product is gone, as plugins may; the shop was seen to refuse rows only.
    ``external`` are ids of products that are sold elsewhere, whose stock cannot be managed.
    ``refusals`` are answered, in turn, for whole batches whose path contains ``refusal_path``.
    ``has_all_variations`` False: an older release, without the collection of the variations of all products; ``hidden``
    are ids that it leaves out.
    ``fixed`` are fields that a plugin of the shop puts back, whatever is written.
    """

    products: dict[int, Product] = field(default_factory=dict)
    errors: dict[int, tuple[str, str]] = field(default_factory=dict)
    manages_stock: bool = True
    batch_max: int = _BATCH_MAX
    reverses: bool = False
    drops: set[int] = field(default_factory=set)
    null_ids: bool = False
    checks_parents: bool = False
    external: set[int] = field(default_factory=set)
    refusals: list[tuple[int, str, str]] = field(default_factory=list)
    refusal_path: str = ""
    has_all_variations: bool = True
    hidden: set[int] = field(default_factory=set)
    fixed: dict[str, str] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post(ROOT + "/products/batch", self._batch),
            web.post(ROOT + r"/products/{parent:\d+}/variations/batch", self._batch),
            web.get(ROOT + "/products", self._collection),
            web.get(ROOT + "/variations", self._all_variations),
            web.get(ROOT + r"/products/{parent:\d+}/variations", self._collection),
            web.get(ROOT + r"/products/{id:\d+}", self._single),
            *self.order_routes(),
        ]

    def stock(self, *keys: str, quantity: int = 0) -> None:
        """Add products whose keys are ids: "123", or "120/125" for a variation."""
        for key in keys:
            parent, _, number = key.rpartition("/")
            self.add(key, int(number), int(parent or 0), quantity=quantity)

    def add(self, key: str, number: int, parent: int = 0, sku: str = "", quantity: int = 0) -> Product:
        self.shown[key] = quantity
        product = self.products[number] = Product(key, number, parent, sku)
        return product

    def sku_of(self, key: str) -> str:
        return next((product.sku for product in self.products.values() if product.key == key), "")

    # -- writing

    async def _batch(self, request: web.Request) -> web.Response:
        refusal = self.check_caller(request)
        if refusal is not None:
            return refusal
        body = json.loads(await request.read())
        if body.keys() != {"update"} or request.content_type != "application/json":
            self.complain(f"a batch of {sorted(body)} as {request.content_type}")
        elements = body["update"]
        if len(elements) > self.batch_max:
            if self.batch_max == _BATCH_MAX:
                self.complain(f"{len(elements)} elements in one batch")
            words = f"Unable to accept more than {self.batch_max} items for this request."
            return _error(413, "woocommerce_rest_request_entity_too_large", words)
        parent = int(request.match_info.get("parent", 0))
        if self.refusals and self.refusal_path in request.path:
            return _error(*self.refusals.pop(0))
        if self.checks_parents and not self._has_variations(parent):
            return _error(404, "woocommerce_rest_product_invalid_id", INVALID_ID)
        if len({element["id"] for element in elements}) < len(elements):
            self.complain("an id stands twice in one batch")
        rows = [self._update(element, parent) for element in elements if element["id"] not in self.drops]
        return web.json_response({"update": rows[::-1] if self.reverses else rows})

    def _update(self, element: dict[str, Any], parent: int) -> dict[str, Any]:
        self._check_element(element)
        error = self._element_error(element["id"], parent)
        if error is not None:
            code, message, status = error
            reported = None if self.null_ids else element["id"]
            return {"id": reported, "error": {"code": code, "message": message, "data": {"status": status}}}
        product = self.products[element["id"]]
        self._apply(product, element)
        if not self.manages_stock:
            return {**_row(product, element["stock_quantity"]), "manage_stock": False}
        return {**_row(product, element["stock_quantity"]), "manage_stock": True}

    def _apply(self, product: Product, element: dict[str, Any]) -> None:
        if self.lying:
            return
        product.manages_stock = True
        written = {**element, **self.fixed}
        product.backorders = written.get("backorders", product.backorders)
        if not product.is_variable:
            product.regular_price = written.get("regular_price", product.regular_price)
            product.sale_price = written.get("sale_price", product.sale_price)
        # null leaves a date as it is; an empty text ends it.
        product.sale_from = _given(written.get("date_on_sale_from"), product.sale_from)
        product.sale_to = _given(written.get("date_on_sale_to"), product.sale_to)
        if self.manages_stock:
            priced = element.keys() & {"regular_price", "sale_price"}
            self.show(product.key, element["stock_quantity"], product.price if priced else None)

    def _element_error(self, number: int, parent: int) -> tuple[str, str, int] | None:
        if number in self.errors:
            return (*self.errors[number], 400)
        product = self.products.get(number)
        if number in self.external:
            return "product_external_invalid_manage_stock", EXTERNAL, 400
        if product is not None and product.parent == parent:
            return None
        if parent:
            return "woocommerce_rest_product_variation_invalid_id", INVALID_ID, 404
        if product is not None:
            return "woocommerce_rest_invalid_product_id", USE_VARIATIONS, 404
        return "woocommerce_rest_product_invalid_id", INVALID_ID, 400

    def _check_element(self, element: dict[str, Any]) -> None:
        if element.keys() - _FIELDS:
            self.complain(f"unknown fields: {sorted(element.keys() - _FIELDS)}")
        if not (type(element.get("id")) is int and type(element.get("stock_quantity")) is int):
            self.complain(f"id and stock_quantity must be whole numbers: {element}")
        if element.get("manage_stock") is not True:
            self.complain("stock_quantity is ignored without manage_stock")
        for name in ("regular_price", "sale_price"):
            if not isinstance(element.get(name, ""), str):
                self.complain(f"{name} must be text")
        if element.get("backorders", "no") not in ("no", "notify", "yes"):
            self.complain(f"backorders {element['backorders']!r}")

    # -- reading

    async def _collection(self, request: web.Request) -> web.Response:
        refusal = self.check_caller(request)
        if refusal is not None:
            return refusal
        per_page, page = int(request.query.get("per_page", "10")), int(request.query.get("page", "1"))
        if not 1 <= per_page <= _PAGE_MAX:
            self.complain(f"per_page={per_page}")
            return _error(400, "rest_invalid_param", "Invalid parameter(s): per_page")
        if len(request.path_qs) > 8_000:
            return web.Response(status=414, text="URI Too Long")
        if self.checks_parents and not self._has_variations(int(request.match_info.get("parent", 0))):
            return _error(404, "woocommerce_rest_product_invalid_id", INVALID_ID)
        found = [product for product in self.products.values() if self._is_asked_for(product, request)]
        some = found[(page - 1) * per_page : page * per_page]
        return web.json_response([self._read(product, request) for product in some])

    def _is_asked_for(self, product: Product, request: web.Request) -> bool:
        parent, sku = int(request.match_info.get("parent", 0)), request.query.get("sku")
        if sku is not None:
            # Only a question for SKUs looks among variations, too; the database compares them without regard to case.
            return product.sku.casefold() in {each.casefold() for each in (*sku.split(","), sku)}
        return product.parent == parent and _is_included(product, request)

    async def _all_variations(self, request: web.Request) -> web.Response:
        refusal = self.check_caller(request)
        if refusal is not None:
            return refusal
        if not self.has_all_variations:
            words = "No route was found matching the URL and request method."
            return _error(404, "rest_no_route", words)
        per_page = int(request.query.get("per_page", "10"))
        known = [each for each in self.products.values() if each.parent and each.id not in self.hidden]
        found = [each for each in known if _is_included(each, request)]
        return web.json_response([self._read(product, request) for product in found[:per_page]])

    async def _single(self, request: web.Request) -> web.Response:
        refusal = self.check_caller(request)
        if refusal is not None:
            return refusal
        product = self.products.get(int(request.match_info["id"]))
        if product is None:
            return _error(404, "woocommerce_rest_product_invalid_id", INVALID_ID)
        return web.json_response(self._read(product, request))

    def _read(self, product: Product, request: web.Request) -> dict[str, Any]:
        quantity = self.shown[product.key] if product.manages_stock else None
        row = {**_row(product, quantity), "manage_stock": product.manages_stock}
        wanted = request.query.get("_fields", ",".join(row)).split(",")
        return {name: value for name, value in row.items() if name in wanted}

    # -- both

    def _has_variations(self, parent: int) -> bool:
        return not parent or parent in {product.parent for product in self.products.values()}

    def check_caller(self, request: web.Request) -> web.Response | None:
        expected = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if request.headers.get("Authorization") == f"Basic {expected}":
            return None
        return _error(401, "woocommerce_rest_authentication_error", "Consumer key is invalid.")


def _given(written: str | None, before: str) -> str:
    return before if written is None else written


def _is_included(product: Product, request: web.Request) -> bool:
    include = {int(number) for number in request.query.get("include", "").split(",") if number}
    return not include or product.id in include


def _row(product: Product, quantity: int | None) -> dict[str, Any]:
    return {
        "id": product.id,
        "type": "variation" if product.parent else "simple",
        "parent_id": product.parent,
        "sku": product.sku,
        "regular_price": product.regular_price,
        "sale_price": product.sale_price,
        "price": product.price,
        "date_on_sale_from": product.sale_from or None,
        "date_on_sale_to": product.sale_to or None,
        "stock_quantity": quantity,
        "backorders": product.backorders,
        "stock_status": "instock" if quantity else "onbackorder" if product.is_sold_at_zero else "outofstock",
    }


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"code": code, "message": message, "data": {"status": status}}, status=status)
