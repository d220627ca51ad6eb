"""What an order of a WooCommerce shop says of its lines: ordered, cancelled, shipped, back; and of its buyer.

The shop itself knows no parcels and does not say whether a completed order has left. What was said to it about a
shipment stands in a field of the order's own, and is read back from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import msgspec

from adapters.contract.orders import Address, Buyer, Order, OrderLine, OrderState, Package
from adapters.woocommerce.order_rows import SHIPMENT, LineRow, OrderRow, Shipment, seconds_of
from adapters.woocommerce.shop import Meaning, Options, whole

MEANINGS: Final[dict[str, Meaning]] = {
    "pending": "unpaid",
    "checkout-draft": "unpaid",
    "on-hold": "open",
    "processing": "open",
    "completed": "closed",
    "refunded": "closed",
    "failed": "cancelled",
    "cancelled": "cancelled",
    "trash": "cancelled",
    "draft": "none",
    "auto-draft": "none",
}
"""Of the shop's own statuses. One that is not known counts as sold: a plugin has made it."""
_REFUNDED: Final = "refunded"
_COMPLETED: Final = "completed"
_CENT_HUNDREDTH: Final = Decimal("0.0001")

_decode_shipment: Final = msgspec.json.Decoder(Shipment).decode


def order_of(row: OrderRow, refunded: Mapping[int, int], options: Options) -> Order | None:
    """Return an order as it stands; None: it is not an order yet."""
    meaning = options.order_statuses.get(row.status) or MEANINGS.get(row.status, "open")
    if meaning == "none":
        return None
    told = _Told(row, meaning, refunded, _packages(row), options)
    lines = tuple(told.line(line) for line in row.line_items)
    return Order(
        key=str(row.id),
        changed_ms=row.changed_s * 1000,
        complete=True,
        state=_state(meaning, lines),
        status=row.status,
        placed_ms=seconds_of(row.date_created_gmt) * 1000 if row.date_created_gmt else 0,
        currency=_text(row.currency),
        total=_text(row.total),
        unit_prices_have_vat=False,
        lines=lines,
        packages=told.packages,
        buyer=_buyer(row),
    )


def _state(meaning: Meaning, lines: tuple[OrderLine, ...]) -> OrderState:
    if meaning == "cancelled" or (lines and all(line.cancelled == line.ordered for line in lines)):
        return "cancelled"
    return "closed" if meaning == "closed" else "unpaid" if meaning == "unpaid" else "open"


@dataclass
class _Told:
    """What an order says of all of its lines."""

    row: OrderRow
    meaning: Meaning
    refunded: Mapping[int, int]
    packages: tuple[Package, ...]
    options: Options

    def line(self, line: LineRow) -> OrderLine:
        """Return what it says of one of them."""
        ordered = line.pieces
        shipped = self._shipped(line)
        back = self._back(line)
        cancelled = min(back, ordered - shipped)
        return OrderLine(
            key=str(line.id),
            listing=_listing(line, self.options),
            sku_hint=_text(line.sku),
            title=_text(line.name),
            ordered=ordered,
            cancelled=cancelled,
            shipped=shipped,
            # A cancel tells nothing of what has left; a refund of it does.
            returned=0 if self.meaning == "cancelled" else back - cancelled,
            parent=line.parent,
            carries_stock=self._carries_stock(line),
            unit_price=_for_one(line.total, ordered) or _text(line.price),
            discount=_discount(line),
        )

    def _shipped(self, line: LineRow) -> int:
        if _has_left(self.row, self.options):
            return line.pieces
        told = sum(pieces for package in self.packages for key, pieces in package.lines if key == str(line.id))
        return min(line.pieces, told)

    def _back(self, line: LineRow) -> int:
        """Return how many pieces the buyer does not have to pay."""
        if self.meaning == "cancelled" or self.row.status == _REFUNDED:
            return line.pieces
        return min(line.pieces, self.refunded.get(line.id, 0))

    def _carries_stock(self, line: LineRow) -> bool:
        if self.options.bundles == "whole":
            return not line.parent
        return not any(part.parent == str(line.id) for part in self.row.line_items)


def _has_left(row: OrderRow, options: Options) -> bool:
    has_been_completed = row.status == _COMPLETED or (row.status == _REFUNDED and bool(row.date_completed_gmt))
    return options.completed_is_shipped and has_been_completed


def _listing(line: LineRow, options: Options) -> str:
    if options.key_is == "sku":
        return _text(line.sku)
    if not line.variation_id:
        return str(line.product_id or "")
    return str(line.variation_id) if options.variation_keys == "variation" else f"{line.product_id}/{line.variation_id}"


def _packages(row: OrderRow) -> tuple[Package, ...]:
    found = []
    for meta in row.meta_data or ():
        if meta.key and meta.key.startswith(SHIPMENT) and isinstance(meta.value, str):
            try:
                told = _decode_shipment(meta.value)
            except msgspec.MsgspecError:
                continue  # somebody else has written there
            found.append(
                Package(
                    key=meta.key.removeprefix(SHIPMENT),
                    state="shipped",
                    lines=told.lines,
                    tracking=told.tracking,
                    carrier=told.carrier,
                    url=told.url,
                )
            )
    return tuple(found)


# -- money and people


def _for_one(amount: Any, pieces: int) -> str:
    try:
        return f"{(Decimal(_text(amount)) / pieces).quantize(_CENT_HUNDREDTH).normalize():f}" if pieces else ""
    except InvalidOperation:
        return ""


def _discount(line: LineRow) -> str:
    try:
        return _for_one(f"{Decimal(_text(line.subtotal)) - Decimal(_text(line.total)):f}", line.pieces)
    except InvalidOperation:
        return ""


def _buyer(row: OrderRow) -> Buyer:
    shipping, billing = _address(row.shipping), _address(row.billing)
    contact = row.billing if isinstance(row.billing, dict) else {}
    named = billing or shipping
    return Buyer(
        id=str(whole(row.customer_id) or ""),
        name=named.name if named else "",
        email=_text(contact.get("email")),
        phone=_text(contact.get("phone")),
        shipping=shipping or billing,
        billing=billing,
        note=_text(row.customer_note),
    )


def _address(fields: Any) -> Address | None:
    found = {name: _text(value) for name, value in fields.items()} if isinstance(fields, dict) else {}
    if not any(found.get(name) for name in ("first_name", "last_name", "company", "address_1", "city")):
        return None
    return Address(
        name=f"{found.get('first_name', '')} {found.get('last_name', '')}".strip(),
        company=found.get("company", ""),
        lines=tuple(line for line in (found.get("address_1", ""), found.get("address_2", "")) if line),
        city=found.get("city", ""),
        region=found.get("state", ""),
        postal_code=found.get("postcode", ""),
        country=found.get("country", ""),
        phone=found.get("phone", ""),
    )


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
