"""Orders and returns of a Medusa shop: what is asked for, and the form of the answers."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from adapters.contract.orders import Unreadable

# Single fields of items are left out of the answer (seen: ``items.quantity``), so items are asked for whole.
ORDER_FIELDS: Final = (
    "id,display_id,status,payment_status,fulfillment_status,created_at,updated_at,currency_code,total,email,customer_id,"
    "*items,*items.detail,*items.tax_lines,*items.variant.inventory_items,*items.variant.inventory_items.inventory,"
    "*fulfillments,*fulfillments.items,*fulfillments.labels,*shipping_address,*billing_address"
)
RETURN_FIELDS: Final = "id,order_id,status,updated_at,exchange_id,items.item_id,items.quantity"


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
    """A page of returns, each to be read by itself, too."""

    returns: list[msgspec.Raw]


class Numbered(msgspec.Struct, frozen=True):
    """What can be read of an order, or a return, that cannot be read."""

    id: str = ""
    order_id: str = ""


def read(rows: Iterable[msgspec.Raw]) -> tuple[list[OrderRow], list[Unreadable]]:
    """Return the orders of a page, and those that are of another form."""
    orders, unreadable = list[OrderRow](), list[Unreadable]()
    for row in rows:
        try:
            orders.append(msgspec.json.decode(row, type=OrderRow))
        except msgspec.ValidationError as error:
            unreadable.append(Unreadable(key=number_of(row), reason=str(error)))
    return orders, unreadable


def read_returns(rows: Iterable[msgspec.Raw]) -> tuple[list[ReturnRow], list[Unreadable]]:
    """Return the returns of a page, and those that are of another form."""
    returns, unreadable = list[ReturnRow](), list[Unreadable]()
    for row in rows:
        try:
            returns.append(msgspec.json.decode(row, type=ReturnRow))
        except msgspec.ValidationError as error:
            names = _names_of(row)
            unreadable.append(Unreadable(key=names.order_id, case=names.id, reason=f"a return: {error}"))
    return returns, unreadable


def number_of(row: msgspec.Raw) -> str:
    """Return the key of an order or a return, also of one that cannot be read; empty: not even that."""
    return _names_of(row).id


def _names_of(row: msgspec.Raw) -> Numbered:
    try:
        return msgspec.json.decode(row, type=Numbered)
    except msgspec.ValidationError:
        return Numbered()


def in_ms(at: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return round(at.timestamp() * 1000)
