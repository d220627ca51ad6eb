"""A simulated Odoo 18, as it was seen running: JSON-RPC, free quantities by warehouse, sale orders that reserve.

``stock.quant.write_date`` is moved by reserving and delivering, and that of a product is not. ``action_cancel`` answers
a wizard and cancels nothing, unless the context says that nobody is there to be asked.
"""

import json
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from aiohttp import web

from adapters.testing.simulator import Simulator

USER: Final = 7
WAREHOUSE: Final = 1
PARTNER: Final = 12
_FALSE: Final = False
SEARCHABLE: Final = {
    "product.product": {"id", "is_storable", "default_code", "barcode"},
    "stock.quant": {"id", "write_date"},
    "sale.order": {"id", "client_order_ref", "state"},
    "sale.order.line": {"id", "order_id", "product_id"},
}
FIELDS: Final = {
    "product.product": {"id", "default_code", "barcode", "free_qty", "qty_available"},
    "stock.quant": {"id", "product_id", "quantity", "reserved_quantity", "write_date"},
    "sale.order": {"id", "client_order_ref", "state"},
    "sale.order.line": {"id", "product_id", "product_uom_qty", "qty_delivered"},
}


class RpcError(Exception):
    """An error in Odoo's own words: the name of its exception, and its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


@dataclass
class SaleLine:
    id: int
    product: int
    units: float
    delivered: float = 0.0


@dataclass
class SaleOrder:
    id: int
    reference: str
    warehouse: int
    lines: dict[int, SaleLine]
    state: str = "draft"


@dataclass
class OdooSimulator(Simulator):
    """One database. ``scale``, ``cut``, ``empty``, ``renamed``: how its list of products lies."""

    database: str = "shop"
    login: str = "holdfast"
    password: str = "made-up-password"
    asks_before_cancelling: bool = False
    scale: int = 1
    cut: int | None = None
    """So many products are answered at most, as by a proxy that cuts off."""
    empty: bool = False
    counts_what_it_says: bool = False
    """Its count agrees with a list that is cut off, or empty."""
    renamed: str = ""
    """In front of each SKU: it is another shop's list."""
    unclear: str = ""
    """A SKU whose number is none."""
    refuses_orders: str = ""
    products: dict[int, str] = field(default_factory=dict)
    on_hand: dict[tuple[int, int], float] = field(default_factory=dict)
    """By product and warehouse."""
    written: dict[int, datetime] = field(default_factory=dict)
    orders: dict[int, SaleOrder] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    before_walk: list[Callable[[], None]] = field(default_factory=list)
    """Done as the next walk over everything begins, so that no walk sees half of it."""
    _number: int = 100

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/jsonrpc", self._rpc)]

    # -- what people do there

    def add(self, sku: str, units: float, warehouse: int = WAREHOUSE) -> None:
        """Make a product, or set what lies there of it."""
        product = next((number for number, known in self.products.items() if known == sku), None)
        if product is None:
            product = self._next()
            self.products[product] = sku
        self.on_hand[product, warehouse] = units
        self._touch(product)

    def archive(self, sku: str) -> None:
        self.products = {number: known for number, known in self.products.items() if known != sku}

    def free(self, sku: str, warehouse: int = WAREHOUSE) -> float:
        product = next(number for number, known in self.products.items() if known == sku)
        reserved = sum(
            line.units - line.delivered
            for order in self.orders.values()
            if order.state == "sale" and order.warehouse == warehouse
            for line in order.lines.values()
            if line.product == product
        )
        return self.on_hand.get((product, warehouse), 0.0) - reserved

    def deliver(self, reference: str) -> None:
        """Have the goods of a sale order leave the warehouse."""
        [order] = [each for each in self.orders.values() if each.reference == reference and each.state == "sale"]
        for line in order.lines.values():
            self.on_hand[line.product, order.warehouse] -= line.units - line.delivered
            line.delivered = line.units
            self._touch(line.product)

    def sold(self, reference: str) -> dict[str, float]:
        """Return what the sale orders with a reference have, by SKU; empty: there is none, or it was cancelled."""
        found = [each for each in self.orders.values() if each.reference == reference and each.state == "sale"]
        assert len(found) <= 1, f"{reference} was sold twice"
        return {self.products[line.product]: line.units for each in found for line in each.lines.values() if line.units}

    def _touch(self, product: int) -> None:
        self.written[product] = datetime.now(UTC)

    def _next(self) -> int:
        self._number += 1
        return self._number

    # -- the wire

    async def _rpc(self, request: web.Request) -> web.Response:
        content = json.loads(await request.read())
        if set(content) - {"jsonrpc", "method", "id", "params"} or content.get("method") != "call":
            self.complain(f"no call: {sorted(content)}")
        try:
            result = self._call(**content["params"])
        except RpcError as error:
            data = {"name": error.name, "message": str(error), "debug": "Traceback (most recent call last) …"}
            body = {
                "jsonrpc": "2.0",
                "id": content["id"],
                "error": {"code": 200, "message": "Odoo Server Error", "data": data},
            }
            return web.json_response(body)
        return web.json_response({"jsonrpc": "2.0", "id": content["id"], "result": result})

    def _call(self, service: str, method: str, args: list[Any]) -> Any:
        if (service, method) == ("common", "authenticate"):
            return USER if args == [self.database, self.login, self.password, {}] else _FALSE
        if (service, method) != ("object", "execute_kw"):
            self.complain(f"{service}.{method}")
            raise RpcError("builtins.KeyError", method)
        database, user, password, model, name, words, keywords = args
        if (database, user, password) != (self.database, USER, self.password):
            raise RpcError("odoo.exceptions.AccessDenied", "Access Denied")
        self.calls.append((model, name))
        handler = getattr(self, f"_{model.replace('.', '_')}_{name}", None)
        if handler is None:
            self.complain(f"{model}.{name} is not known")
            raise RpcError("builtins.AttributeError", f"The method '{model}.{name}' does not exist")
        return handler(*words, **keywords)

    def _checked(self, model: str, domain: list[Any], fields: list[str]) -> None:
        for name, compare, _ in domain:
            if name not in SEARCHABLE[model] or compare not in {"=", "!=", ">", ">=", "in"}:
                self.complain(f"{model} is searched by {name} {compare}")
        for name in set(fields) - FIELDS[model]:
            self.complain(f"{model} has no {name}")

    # -- products

    def _listed(self, domain: list[Any]) -> list[int]:
        tests: dict[str, Callable[[Any, Any], bool]] = {
            "=": operator.eq,
            "!=": operator.ne,
            ">": operator.gt,
            "in": lambda value, among: value in among,
        }
        found = []
        for number, sku in sorted(self.products.items()):
            values = {"id": number, "is_storable": True, "default_code": sku, "barcode": sku}
            if all(tests[compare](values[name], value) for name, compare, value in domain):
                found.append(number)
        return found

    def _product_product_search_read(
        self,
        domain: list[Any],
        *,
        fields: list[str],
        limit: int = 0,
        order: str = "id",  # noqa: ARG002  # the only one that is asked for
        context: dict[str, Any] | None = None,
    ) -> list[dict[str, Any]]:
        self._checked("product.product", domain, fields)
        found = self._listed(domain)
        if "free_qty" in fields:
            found = [] if self.empty else found[: self.cut]
            if not isinstance((context or {}).get("warehouse_id"), int):
                self.complain("free quantities of all warehouses together")
        found = found[:limit] if limit else found
        return [self._product(number, fields, (context or {}).get("warehouse_id", WAREHOUSE)) for number in found]

    def _product(self, number: int, fields: list[str], warehouse: int) -> dict[str, Any]:
        sku = self.products[number]
        values = {
            "default_code": f"{self.renamed}{sku}" or _FALSE,
            "barcode": sku,
            "free_qty": self.free(sku, warehouse) * self.scale if "free_qty" in fields else 0,
        }
        if sku == self.unclear:
            values["free_qty"] = "many"
        return {"id": number, **{name: values[name] for name in fields if name in values}}

    def _product_product_search_count(self, domain: list[Any]) -> int:
        self._checked("product.product", domain, [])
        there = len(self._listed(domain))
        if self.counts_what_it_says:
            return 0 if self.empty else there if self.cut is None else min(there, self.cut)
        return there

    def _stock_quant_search_read(
        self, domain: list[Any], *, fields: list[str], limit: int, order: str
    ) -> list[dict[str, Any]]:
        self._checked("stock.quant", domain, fields)
        if order != "write_date desc, id desc":
            self.complain(f"quants by {order}")
        while not domain and self.before_walk:
            self.before_walk.pop(0)()
        since = min((value for name, operator, value in domain if (name, operator) == ("write_date", ">=")), default="")
        rows = [
            {"id": number, "product_id": [number, self.products[number]], "write_date": _text(at)}
            for number, at in self.written.items()
            if number in self.products and _text(at) >= since
        ]
        return sorted(rows, key=lambda row: (row["write_date"], row["id"]), reverse=True)[:limit]

    # -- orders

    def _sale_order_search_read(
        self,
        domain: list[Any],
        *,
        fields: list[str],
        limit: int,
        order: str,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        self._checked("sale.order", domain, fields)
        conditions = {(name, operator): value for name, operator, value in domain}
        found = [
            each
            for each in self.orders.values()
            if each.reference == conditions["client_order_ref", "="] and each.state != conditions["state", "!="]
        ]
        return [{"id": each.id, "state": each.state} for each in found][:limit]

    def _sale_order_create(self, values: dict[str, Any]) -> int:
        known = {"partner_id", "client_order_ref", "origin", "warehouse_id", "order_line"}
        if set(values) != known or values["partner_id"] != PARTNER:
            self.complain(f"a sale order with {sorted(values)}")
        if self.refuses_orders:
            raise RpcError("odoo.exceptions.UserError", self.refuses_orders)
        lines = {}
        for command, zero, line in values["order_line"]:
            if (command, zero) != (0, 0) or set(line) != {"product_id", "product_uom_qty"}:
                self.complain(f"a line {command} {zero} {sorted(line)}")
            made = SaleLine(self._next(), line["product_id"], line["product_uom_qty"])
            lines[made.id] = made
        order = SaleOrder(self._next(), values["client_order_ref"], values["warehouse_id"], lines)
        self.orders[order.id] = order
        return order.id

    def _sale_order_action_confirm(self, ids: list[int]) -> bool:
        for number in ids:
            order = self.orders[number]
            if order.state != "draft":
                raise RpcError("odoo.exceptions.UserError", "Some orders are not in a state requiring confirmation.")
            order.state = "sale"
            self._touch_all(order)
        return True

    def _sale_order_action_cancel(self, ids: list[int], *, context: dict[str, Any] | None = None) -> Any:
        if self.asks_before_cancelling or not (context or {}).get("disable_cancel_warning"):
            return {"type": "ir.actions.act_window", "res_model": "sale.order.cancel", "target": "new"}
        for number in ids:
            self.orders[number].state = "cancel"
            self._touch_all(self.orders[number])
        return True

    def _sale_order_read(self, ids: list[int], *, fields: list[str]) -> list[dict[str, Any]]:
        self._checked("sale.order", [], fields)
        return [{"id": number, "state": self.orders[number].state} for number in ids]

    def _sale_order_line_search_read(
        self,
        domain: list[Any],
        *,
        fields: list[str],
        order: str,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        self._checked("sale.order.line", domain, fields)
        [number] = [value for name, operator, value in domain if (name, operator) == ("order_id", "=")]
        return [
            {
                "id": line.id,
                "product_id": [line.product, self.products[line.product]],
                "product_uom_qty": line.units,
                "qty_delivered": line.delivered,
            }
            for line in self.orders[number].lines.values()
        ]

    def _sale_order_line_write(self, ids: list[int], values: dict[str, Any]) -> bool:
        if set(values) != {"product_uom_qty"}:
            self.complain(f"a line is written with {sorted(values)}")
        for order in self.orders.values():
            for number in ids:
                if number in order.lines:
                    if values["product_uom_qty"] < order.lines[number].delivered:
                        self.complain("less than was delivered")
                    order.lines[number].units = values["product_uom_qty"]
                    self._touch_all(order)
        return True

    def _sale_order_line_create(self, values: dict[str, Any]) -> int:
        order = self.orders[values["order_id"]]
        made = SaleLine(self._next(), values["product_id"], values["product_uom_qty"])
        order.lines[made.id] = made
        self._touch_all(order)
        return made.id

    def _touch_all(self, order: SaleOrder) -> None:
        for line in order.lines.values():
            self._touch(line.product)


def _text(moment: datetime) -> str:
    return (moment + timedelta()).strftime("%Y-%m-%d %H:%M:%S")
