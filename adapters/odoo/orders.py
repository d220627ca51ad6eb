"""Orders as sale orders of Odoo: one for each location, found by ``client_order_ref``, brought to what the order is.

What was delivered there cannot be taken back from here: a person does that. Over RPC, ``action_cancel`` answers a
wizard and cancels nothing unless the context says that nobody is there to be asked; so the state is read back.
"""

from typing import Any, Final

import msgspec

from adapters.contract.http import COMMANDS, Exchange
from adapters.contract.source import SoldOrder, whole_units
from adapters.odoo.wire import Database, Options, RefusedError, told

_ORDER: Final = "sale.order"
_LINE: Final = "sale.order.line"
_NOBODY_TO_ASK: Final = {"disable_cancel_warning": True}
"""Unverified: recalled, not seen."""


class _Order(msgspec.Struct):
    id: int
    state: str


class _Line(msgspec.Struct):
    id: int
    product_id: list[Any]
    product_uom_qty: float
    qty_delivered: float = 0.0


class _Found(msgspec.Struct):
    id: int
    default_code: Any = None
    barcode: Any = None


class SaleOrders:
    """The sale orders of one database."""

    def __init__(self, database: Database, options: Options) -> None:
        self._database = database
        self._options = options

    def bring(self, order: SoldOrder, location: str) -> Exchange[None]:
        """Make, change or cancel the sale order of an order at a location, so that it has what the order takes there.

        Raises
        ------
        RefusedError
            It cannot be; as far as is known, Odoo's order is as it was.

        """
        wanted = order.at(location)
        reference = f"{order.key}/{location}" if len(self._options.locations) > 1 else order.key
        known = yield from self._find(reference)
        if known is None:
            if wanted:
                yield from self._make(order, reference, location, wanted)
            return
        if not wanted:
            yield from self._cancel(known)
            return
        yield from self._change(known, wanted)

    def _find(self, reference: str) -> Exchange[_Order | None]:
        found = yield from self._database.call(
            _ORDER,
            "search_read",
            [[["client_order_ref", "=", reference], ["state", "!=", "cancel"]]],
            list[_Order],
            group=COMMANDS,
            fields=["state"],
            limit=2,
            order="id",
        )
        if len(found) > 1:
            raise RefusedError(f"several sale orders have the customer reference {reference}")
        return found[0] if found else None

    def _make(self, order: SoldOrder, reference: str, location: str, wanted: dict[str, int]) -> Exchange[None]:
        products = yield from self._ids(wanted)
        lines = [
            [0, 0, {"product_id": products[sku], "product_uom_qty": units}] for sku, units in sorted(wanted.items())
        ]
        values = {
            "partner_id": self._options.partner_id,
            "client_order_ref": reference,
            "origin": " ".join(filter(None, (order.channel, order.number))),
            "warehouse_id": self._options.locations[location],
            "order_line": lines,
        }
        made = yield from self._database.call(_ORDER, "create", [values], int, group=COMMANDS)
        yield from told(self._database, _ORDER, "action_confirm", [[made]])

    def _cancel(self, known: _Order) -> Exchange[None]:
        lines = yield from self._lines(known)
        if any(line.qty_delivered > 0 for line in lines):
            raise RefusedError("it was delivered there; take the units back in Odoo")
        yield from told(self._database, _ORDER, "action_cancel", [[known.id]], context=_NOBODY_TO_ASK)
        [now] = yield from self._database.call(
            _ORDER, "read", [[known.id]], list[_Order], group=COMMANDS, fields=["state"]
        )
        if now.state != "cancel":
            raise RefusedError("Odoo asks somebody before it cancels; cancel the sale order there")

    def _change(self, known: _Order, wanted: dict[str, int]) -> Exchange[None]:
        products = yield from self._ids(wanted)
        units = {products[sku]: number for sku, number in wanted.items()}
        lines = yield from self._lines(known)
        for line in lines:
            number = units.pop(int(line.product_id[0]), 0)
            if whole_units(line.product_uom_qty) == number:
                continue
            if number < line.qty_delivered:
                raise RefusedError("more was delivered there than is sold now; take the units back in Odoo")
            yield from told(self._database, _LINE, "write", [[line.id], {"product_uom_qty": number}])
        for product, number in sorted(units.items()):
            values = {"order_id": known.id, "product_id": product, "product_uom_qty": number}
            yield from told(self._database, _LINE, "create", [values])
        if known.state in {"draft", "sent"}:
            yield from told(self._database, _ORDER, "action_confirm", [[known.id]])

    def _lines(self, known: _Order) -> Exchange[list[_Line]]:
        return self._database.call(
            _LINE,
            "search_read",
            [[["order_id", "=", known.id], ["product_id", "!=", False]]],
            list[_Line],
            group=COMMANDS,
            fields=["product_id", "product_uom_qty", "qty_delivered"],
            order="id",
        )

    def _ids(self, wanted: dict[str, int]) -> Exchange[dict[str, int]]:
        field = self._options.sku_is
        found = yield from self._database.call(
            "product.product",
            "search_read",
            [[[field, "in", sorted(wanted)]]],
            list[_Found],
            group=COMMANDS,
            fields=[field],
        )
        ids = {getattr(each, field): each.id for each in found}
        missing = sorted(wanted.keys() - ids.keys())
        if missing:
            raise RefusedError(f"Odoo has no product with {field} {missing[0]}")
        return ids
