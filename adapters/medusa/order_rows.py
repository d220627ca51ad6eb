"""Orders and returns of a Medusa shop: what is asked for, the form of the answers, and what they are as snapshots."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from adapters.contract.orders import (
    Address,
    Buyer,
    Order,
    OrderLine,
    OrderState,
    Package,
    ReturnCase,
    ReturnLine,
    Unreadable,
)
from adapters.medusa.shop import MedusaOptions

# Single fields of items are left out of the answer (seen: ``items.quantity``), so items are asked for whole.
ORDER_FIELDS: Final = (
    "id,display_id,status,payment_status,fulfillment_status,created_at,updated_at,currency_code,total,email,customer_id,"
    "*items,*items.detail,*items.tax_lines,*items.variant.inventory_items,*items.variant.inventory_items.inventory,"
    "*fulfillments,*fulfillments.items,*fulfillments.labels,*shipping_address,*billing_address"
)
RETURN_FIELDS: Final = "id,order_id,status,updated_at,exchange_id,items.item_id,items.quantity"

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


class Detail(msgspec.Struct, frozen=True):
    """How far a line is."""

    fulfilled_quantity: float
    shipped_quantity: float
    return_received_quantity: float = 0
    return_dismissed_quantity: float = 0
    written_off_quantity: float = 0


class Stocked(msgspec.Struct, frozen=True):
    """An inventory item."""

    sku: str | None = None


class Part(msgspec.Struct, frozen=True):
    """An inventory item that a variant is made of."""

    inventory_item_id: str
    required_quantity: float = 1
    inventory: Stocked | None = None


class SoldVariant(msgspec.Struct, frozen=True):
    """What was bought; of a kit it has several parts."""

    inventory_items: list[Part] | None = None


class TaxLine(msgspec.Struct, frozen=True):
    """A tax, in per cent."""

    rate: Decimal = Decimal(0)


class Line(msgspec.Struct, frozen=True):
    """A line: ``quantity`` is what is left of it after edits."""

    id: str
    quantity: float
    detail: Detail
    title: str | None = None
    variant_title: str | None = None
    variant_sku: str | None = None
    variant_barcode: str | None = None
    is_tax_inclusive: bool = False
    unit_price: Decimal | None = None
    discount_total: Decimal | None = None
    tax_lines: list[TaxLine] | None = None
    variant: SoldVariant | None = None


class ParcelLine(msgspec.Struct, frozen=True):
    """Pieces of a line in a parcel."""

    quantity: float
    line_item_id: str | None = None


class ParcelLabel(msgspec.Struct, frozen=True):
    """Where a parcel can be followed."""

    tracking_number: str | None = None
    tracking_url: str | None = None


class Parcel(msgspec.Struct, frozen=True):
    """A parcel. Its units leave the shop's stock when it is made."""

    id: str
    items: list[ParcelLine] = []
    labels: list[ParcelLabel] = []
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    canceled_at: datetime | None = None


class Place(msgspec.Struct, frozen=True):
    """An address."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address_1: str | None = None
    address_2: str | None = None
    city: str | None = None
    province: str | None = None
    postal_code: str | None = None
    country_code: str | None = None
    phone: str | None = None

    @property
    def name(self) -> str:
        """Who lives there."""
        return " ".join(filter(None, (self.first_name, self.last_name)))


class OrderRow(msgspec.Struct, frozen=True):
    """An order. Its ``updated_at`` moves with whatever happens to it (seen)."""

    id: str
    status: str
    payment_status: str
    fulfillment_status: str
    created_at: datetime
    updated_at: datetime
    currency_code: str
    items: list[Line]
    display_id: int | None = None
    total: Decimal | None = None
    email: str | None = None
    customer_id: str | None = None
    fulfillments: list[Parcel] | None = None
    shipping_address: Place | None = None
    billing_address: Place | None = None


class ReturnedLine(msgspec.Struct, frozen=True):
    """Pieces of a line that are asked back."""

    item_id: str
    quantity: float


class ReturnRow(msgspec.Struct, frozen=True):
    """A return."""

    id: str
    order_id: str
    status: str
    updated_at: datetime
    exchange_id: str | None = None
    items: list[ReturnedLine] = []


class Found(msgspec.Struct, frozen=True):
    """An order that was asked for."""

    order: msgspec.Raw


class OrdersPage(msgspec.Struct, frozen=True):
    """A page of orders, each to be read by itself: one of another form must not hide the others."""

    orders: list[msgspec.Raw]


class ReturnsPage(msgspec.Struct, frozen=True):
    """A page of returns."""

    returns: list[ReturnRow]


class Numbered(msgspec.Struct, frozen=True):
    """What can be read of an order that cannot be read."""

    id: str = ""


# -- as snapshots


def read(rows: Iterable[msgspec.Raw]) -> tuple[list[OrderRow], list[Unreadable]]:
    """Return the orders of a page, and those that are of another form."""
    orders, unreadable = list[OrderRow](), list[Unreadable]()
    for row in rows:
        try:
            orders.append(msgspec.json.decode(row, type=OrderRow))
        except msgspec.ValidationError as error:
            unreadable.append(Unreadable(key=_number(row), reason=str(error)))
    return orders, unreadable


def _number(row: msgspec.Raw) -> str:
    try:
        return msgspec.json.decode(row, type=Numbered).id
    except msgspec.ValidationError:
        return ""


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


def in_ms(at: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return round(at.timestamp() * 1000)


def _money(amount: Decimal | None) -> str:
    if amount is None:
        return ""
    short = amount.quantize(_CENTS).normalize()
    return format(short, "f")
