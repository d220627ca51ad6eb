"""What orders and returns of a Medusa shop are as snapshots."""

from decimal import Decimal
from typing import Final, Literal

from adapters.contract.orders import (
    Address,
    Buyer,
    Order,
    OrderLine,
    OrderState,
    Package,
    ReturnCase,
    ReturnLine,
)
from adapters.medusa.order_rows import Line, OrderRow, Parcel, ParcelLabel, Place, ReturnRow, in_ms
from adapters.medusa.shop import MedusaOptions

_STATES: Final[dict[str, OrderState]] = {"canceled": "cancelled", "completed": "closed", "archived": "closed"}
_PAID: Final = frozenset({
    "authorized", "partially_authorized", "captured", "partially_captured", "refunded", "partially_refunded",
})  # fmt: skip
_CENTS: Final = Decimal("0.0001")

ReturnState = Literal["under_way", "arrived", "closed"]
_RETURNS: Final[dict[str, ReturnState]] = {
    "requested": "under_way", "partially_received": "arrived", "received": "arrived", "canceled": "closed",
}  # fmt: skip
"""``open``: somebody is still writing it."""


def snapshot(row: OrderRow, options: MedusaOptions) -> Order:
    """Return an order as it stands."""
    placed_ms, is_held = in_ms(row.created_at), options.hold_unpaid_s and row.payment_status not in _PAID
    state = _STATES.get(row.status, "unpaid" if is_held else "open")
    if state == "open" and row.fulfillment_status == "delivered":
        state = "closed"
    lines = tuple(_line(each, options, is_cancelled=state == "cancelled") for each in row.items if each.quantity)
    return Order(
        key=row.id,
        changed_ms=in_ms(row.updated_at),
        complete=True,
        state=state,
        status=f"#{row.display_id} {row.status} {row.fulfillment_status} {row.payment_status}",
        placed_ms=placed_ms,
        pay_by_ms=placed_ms + round(options.hold_unpaid_s * 1000) if state == "unpaid" else 0,
        currency=row.currency_code.upper(),
        total=_money(row.total),
        unit_prices_have_vat=row.items[0].is_tax_inclusive if row.items else None,
        lines=lines,
        packages=tuple(_package(each) for each in row.fulfillments or ()),
        buyer=_buyer(row),
    )


def _line(line: Line, options: MedusaOptions, *, is_cancelled: bool) -> OrderLine:
    detail, ordered = line.detail, int(line.quantity)
    shipped = detail.shipped_quantity if options.shipped_is == "shipped" else detail.fulfilled_quantity
    taxes = sum((tax.rate for tax in line.tax_lines or ()), Decimal(0))
    discount = (line.discount_total or Decimal(0)) / ordered
    return OrderLine(
        key=line.id,
        listing=_listing(line, options),
        barcode=line.variant_barcode or "",
        sku_hint=line.variant_sku or "",
        title=" ".join(dict.fromkeys(filter(None, (line.title, line.variant_title)))),
        ordered=ordered,
        cancelled=ordered - int(shipped) if is_cancelled else int(detail.written_off_quantity),
        shipped=int(shipped),
        returned=int(detail.return_received_quantity + detail.return_dismissed_quantity),
        unit_price=_money(line.unit_price),
        discount=_money(discount) if discount else "",
        vat_rate=_money(taxes) if line.tax_lines else "",
    )


def _listing(line: Line, options: MedusaOptions) -> str:
    """Return the key of what was sold: of its inventory item, unless it is a kit, a pack, or gone by now."""
    parts = (line.variant.inventory_items if line.variant is not None else None) or []
    if len(parts) != 1 or parts[0].required_quantity != 1:
        return (line.variant_sku or "") if options.key_is == "sku" else ""
    (part,) = parts
    if options.key_is == "id":
        return part.inventory_item_id
    return (part.inventory.sku if part.inventory is not None else None) or line.variant_sku or ""


def _package(parcel: Parcel) -> Package:
    label = parcel.labels[0] if parcel.labels else ParcelLabel()
    return Package(
        key=parcel.id,
        state=_state(parcel),
        lines=tuple((each.line_item_id, int(each.quantity)) for each in parcel.items if each.line_item_id),
        tracking=label.tracking_number or "",
        url=label.tracking_url or "",
    )


def _state(parcel: Parcel) -> Literal["living", "dissolved", "shipped", "delivered"]:
    if parcel.canceled_at is not None:
        return "dissolved"
    if parcel.delivered_at is not None:
        return "delivered"
    return "shipped" if parcel.shipped_at is not None else "living"


def _buyer(row: OrderRow) -> Buyer:
    place = row.shipping_address or row.billing_address or Place()
    return Buyer(
        id=row.customer_id or "",
        name=place.name,
        email=row.email or "",
        phone=place.phone or "",
        shipping=_address(row.shipping_address),
        billing=_address(row.billing_address),
    )


def _address(place: Place | None) -> Address | None:
    if place is None:
        return None
    return Address(
        name=place.name,
        company=place.company or "",
        lines=tuple(filter(None, (place.address_1, place.address_2))),
        city=place.city or "",
        region=place.province or "",
        postal_code=place.postal_code or "",
        country=(place.country_code or "").upper(),
        phone=place.phone or "",
    )


def return_case(row: ReturnRow) -> ReturnCase | None:
    """Return a return; None: nobody has asked for it yet."""
    state = _RETURNS.get(row.status)
    if state is None:
        return None
    return ReturnCase(
        key=row.id,
        order_key=row.order_id,
        lines=tuple(ReturnLine(line=each.item_id, quantity=int(each.quantity)) for each in row.items),
        state=state,
        changed_ms=in_ms(row.updated_at),
        replacement=row.exchange_id is not None,
    )


def _money(amount: Decimal | None) -> str:
    if amount is None:
        return ""
    short = amount.quantize(_CENTS).normalize()
    return format(short, "f")
