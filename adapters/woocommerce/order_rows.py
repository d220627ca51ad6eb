"""Orders and refunds of a WooCommerce shop, as it answers them."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from adapters.contract.orders import LineQuantities, Unreadable
from adapters.woocommerce.shop import whole

SHIPMENT: Final = "_holdfast_shipment_"
"""Begins the name of the field that holds one shipment; a leading line keeps it from the shop's pages."""
_REFUNDED_ITEM: Final = "_refunded_item_id"


class MetaRow(msgspec.Struct):
    """A field that the shop, or a plugin, has added."""

    key: str | None = None
    value: Any = None


class LineRow(msgspec.Struct):
    """A line of an order. ``bundled_by`` and ``composite_parent`` are of plugins, and name the line of the whole."""

    id: int
    quantity: Any
    product_id: int | None = None
    variation_id: int | None = None
    sku: Any = None
    name: Any = None
    price: Any = None
    subtotal: Any = None
    total: Any = None
    bundled_by: Any = None
    composite_parent: Any = None

    @property
    def pieces(self) -> int:
        """How many were ordered."""
        return whole(self.quantity) or 0

    @property
    def parent(self) -> str:
        """The line of the bundle that it is a part of."""
        return str(whole(self.bundled_by) or whole(self.composite_parent) or "")


class OrderRow(msgspec.Struct):
    """An order: what stock needs is checked, the rest may be of any form."""

    id: int
    status: str
    date_modified_gmt: str
    line_items: list[LineRow]
    date_created_gmt: str | None = None
    date_completed_gmt: str | None = None
    currency: Any = None
    total: Any = None
    customer_id: Any = None
    customer_note: Any = None
    billing: Any = None
    shipping: Any = None
    refunds: list[Any] | None = None
    meta_data: list[MetaRow] | None = None

    @property
    def changed_s(self) -> int:
        """When it changed last, exact to the second."""
        return seconds_of(self.date_modified_gmt)

    @property
    def has_refunds(self) -> bool:
        """Whether there are refunds, whose pieces stand in a list of their own."""
        return bool(self.refunds)


class RefundLine(msgspec.Struct):
    """A line of a refund: its quantity is negative, and a field of its own names the order's line."""

    quantity: Any = 0
    meta_data: list[MetaRow] | None = None


class RefundRow(msgspec.Struct):
    """A refund; it may be of money alone."""

    line_items: list[RefundLine] | None = None


class Shipment(msgspec.Struct, frozen=True):
    """What was said to the shop about a parcel."""

    lines: LineQuantities
    carrier: str = ""
    tracking: str = ""
    url: str = ""


_decode: Final = msgspec.json.Decoder(OrderRow).decode
_decode_any: Final = msgspec.json.Decoder(dict[str, Any]).decode


def row_of(raw: msgspec.Raw | bytes) -> OrderRow:
    """Read one order.

    Raises
    ------
    ValueError
        It is of another form; the words say in which field, and quote nothing else.

    """
    row = _decode(raw)  # what it raises is a ValueError, too
    for line in row.line_items:
        pieces = whole(line.quantity)
        if pieces is None or pieces < 0:
            raise ValueError(f"line {line.id} has no whole quantity")
    seconds_of(row.date_modified_gmt)
    return row


def rows_of(raw: list[msgspec.Raw]) -> tuple[list[OrderRow], list[Unreadable]]:
    """Read the orders of a page one by one: an impossible one keeps none of the others."""
    rows, unreadable = [], []
    for each in raw:
        try:
            rows.append(row_of(each))
        except ValueError as error:
            unreadable.append(Unreadable(key=id_of(each), reason=str(error)))
    return rows, unreadable


def id_of(raw: msgspec.Raw) -> str:
    """Return the key of an order, also of one that cannot be read; empty: not even that."""
    try:
        return str(whole(_decode_any(raw).get("id")) or "")
    except msgspec.MsgspecError:
        return ""


def refunded_by_line(refunds: list[RefundRow]) -> dict[int, int]:
    """Return how many pieces of each line were refunded."""
    found: dict[int, int] = {}
    for line in (line for refund in refunds for line in refund.line_items or ()):
        named = (meta.value for meta in line.meta_data or () if meta.key == _REFUNDED_ITEM)
        number = whole(next(named, None))
        if number is not None:
            found[number] = found.get(number, 0) + abs(whole(line.quantity) or 0)
    return found


def seconds_of(gmt: str) -> int:
    """Return the seconds since 1970 of a date without a zone, which is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(gmt)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
