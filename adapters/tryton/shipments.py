"""Orders as customer shipments of Tryton: one for each location, found by ``reference``, brought to what the order is.

A shipment that is assigned takes its units off what can still be given. Whoever works in the warehouse picks, packs and
ships it. From then on it is theirs: it is neither changed nor cancelled from here.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from adapters.contract.http import COMMANDS, Exchange
from adapters.contract.source import SoldOrder, whole_units
from adapters.tryton.warehouses import Warehouses
from adapters.tryton.wire import Database, Options, RefusedError, decimal_for

_SHIPMENT: Final = "stock.shipment.out"
_OURS: Final = frozenset({"draft", "waiting", "assigned"})
"""States in which nobody has begun to pick."""


class _Shipment(msgspec.Struct):
    id: int
    state: str
    outgoing_moves: list[int]


class _Move(msgspec.Struct):
    id: int
    product: int
    quantity: float
    state: str


class _Product(msgspec.Struct):
    id: int
    code: str
    default_uom: int


class Shipments:
    """The customer shipments of one database."""

    def __init__(self, database: Database, warehouses: Warehouses, options: Options) -> None:
        self._database = database
        self._warehouses = warehouses
        self._options = options

    def bring(self, order: SoldOrder, location: str) -> Exchange[None]:
        """Make, change or cancel the shipment of an order at a location, so that it has what the order takes there.

        Raises
        ------
        RefusedError
            It cannot be; as far as is known, Tryton's shipment is as it was.

        """
        wanted = order.at(location)
        known = yield from self._find(order.key, self._options.locations[location])
        if known is None:
            if wanted:
                made = yield from self._make(order, location, wanted)
                yield from self._press("wait", made)
                yield from self._press("assign_force", made)
            return
        if not wanted:
            if known.state not in _OURS:
                raise RefusedError("it is picked or has left there; take the units back in Tryton")
            yield from self._press("cancel", known.id)
            return
        yield from self._change(known, location, wanted)

    def _find(self, reference: str, warehouse: int) -> Exchange[_Shipment | None]:
        domain = [["reference", "=", reference], ["warehouse", "=", warehouse], ["state", "!=", "cancelled"]]
        arguments = [domain, 0, 2, [["id", "ASC"]], ["state", "outgoing_moves"]]
        found = yield from self._database.call(_SHIPMENT, "search_read", arguments, list[_Shipment], group=COMMANDS)
        if len(found) > 1:
            raise RefusedError(f"several shipments have the reference {reference}")
        return found[0] if found else None

    def _make(self, order: SoldOrder, location: str, wanted: Mapping[str, int]) -> Exchange[int]:
        warehouse = yield from self._warehouses.of(location)
        customer = yield from self._warehouses.customer()
        moves = yield from self._moves_for(location, wanted)
        values = {
            "customer": customer.id,
            "delivery_address": customer.addresses[0],
            "company": self._options.company_id,
            "warehouse": warehouse.id,
            "warehouse_storage": warehouse.storage,
            "warehouse_output": warehouse.output,
            "reference": order.key,
            "outgoing_moves": [["create", moves]],
        }
        [made] = yield from self._database.call(_SHIPMENT, "create", [[values]], list[int], group=COMMANDS)
        return made

    def _moves_for(self, location: str, wanted: Mapping[str, int]) -> Exchange[list[dict[str, Any]]]:
        warehouse = yield from self._warehouses.of(location)
        customer = yield from self._warehouses.customer()
        currency = yield from self._warehouses.currency()
        products = yield from self._products(wanted)
        return [
            {
                "product": products[sku].id,
                "unit": products[sku].default_uom,
                "quantity": float(units),
                "from_location": warehouse.output,
                "to_location": customer.location,
                "company": self._options.company_id,
                "unit_price": decimal_for("0"),  # what it was sold for is not this one's business
                "currency": currency,
            }
            for sku, units in sorted(wanted.items())
        ]

    def _change(self, known: _Shipment, location: str, wanted: Mapping[str, int]) -> Exchange[None]:
        arguments = [known.outgoing_moves, ["product", "quantity", "state"]]
        moves = yield from self._database.call("stock.move", "read", arguments, list[_Move], group=COMMANDS)
        products = yield from self._products(wanted)
        there: dict[int, int] = {}
        for move in moves:
            if move.state != "cancelled":
                there[move.product] = there.get(move.product, 0) + (whole_units(move.quantity) or 0)
        state = known.state
        if there != {products[sku].id: units for sku, units in wanted.items()}:
            if state not in _OURS:
                raise RefusedError("it is picked or has left there; correct it in Tryton")
            yield from self._rewrite(known, location, wanted)
            state = "draft"
        if state == "draft":
            yield from self._press("wait", known.id)
            state = "waiting"
        if state == "waiting":
            yield from self._press("assign_force", known.id)

    def _rewrite(self, known: _Shipment, location: str, wanted: Mapping[str, int]) -> Exchange[None]:
        """Replace what is to leave by what is wanted; the shipment is a draft then."""
        if known.state == "assigned":
            yield from self._press("wait", known.id)
        if known.state != "draft":
            yield from self._press("draft", known.id)
        moves = yield from self._moves_for(location, wanted)
        values = {"outgoing_moves": [["delete", known.outgoing_moves], ["create", moves]]}
        yield from self._database.call(_SHIPMENT, "write", [[known.id], values], object, group=COMMANDS)

    def _press(self, button: str, shipment: int) -> Exchange[None]:
        yield from self._database.call(_SHIPMENT, button, [[shipment]], object, group=COMMANDS)

    def _products(self, wanted: Mapping[str, int]) -> Exchange[dict[str, _Product]]:
        arguments = [[["code", "in", sorted(wanted)]], 0, None, [["id", "ASC"]], ["code", "default_uom"]]
        found = yield from self._database.call(
            "product.product", "search_read", arguments, list[_Product], group=COMMANDS
        )
        products = {each.code: each for each in found}
        missing = sorted(wanted.keys() - products.keys())
        if missing:
            raise RefusedError(f"Tryton has no product with the code {missing[0]}")
        return products
