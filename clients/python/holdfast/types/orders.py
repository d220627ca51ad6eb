"""What is sent and answered: orders.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec

from holdfast.types.common import OrderShortageView, ReservationView


class AddressView(msgspec.Struct, frozen=True, kw_only=True):
    """Where something is sent, or who is billed."""

    name: str
    company: str
    lines: list[str]
    city: str
    district: str
    region: str
    postal_code: str
    country: str
    phone: str
    tax_number: str
    tax_office: str


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """The personal data of an order is gone, and stays so. ``was_kept``: something of the order was here."""

    channel: str
    number: str
    was_kept: bool


class InboxView(msgspec.Struct, frozen=True, kw_only=True):
    """Why an order, or a part of it, is not booked. ``listings``: the channel's keys that no SKU is known for.

    ``flags``: as of :class:`OrderSummary`.
    """

    channel: str
    number: str
    state: str
    """One of: ignored, open."""
    reason: str
    detail: str
    listings: list[str]
    first_at: datetime
    last_at: datetime
    tries: int
    actor: str
    flags: list[str]


class OrderLineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line as the channel told it: cumulative quantities, in its own pieces; money as decimal text for one piece."""

    key: str
    listing: str
    barcode: str
    sku_hint: str
    title: str
    ordered: int
    cancelled: int
    shipped: int
    returned: int
    fulfilled_by: str
    unit_price: str
    discount: str
    vat_rate: str


class OrderNoteView(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wrote about the order."""

    at: datetime
    actor: str
    text: str


class OrderStockView(msgspec.Struct, frozen=True, kw_only=True):
    """Units that an order took: of a SKU at a location. ``lacks``: so many of them were not there."""

    sku: str
    location: str
    quantity: int
    lacks: int


class TimelineView(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the order's history."""

    at: datetime
    kind: str
    text: str
    actor: str


class PackedView(msgspec.Struct, frozen=True, kw_only=True):
    """Pieces of a line in a package."""

    line: str
    quantity: int


class PaperView(msgspec.Struct, frozen=True, kw_only=True):
    """What a command about an order was answered with, such as a label; ``content`` is base64, in MessagePack bytes."""

    channel: str
    number: str
    id: str
    kind: str
    media_type: str
    content: str


class ReturnLineView(msgspec.Struct, frozen=True, kw_only=True):
    """What comes back. ``reason`` is shown to a key with the scope admin only."""

    line: str
    listing: str
    quantity: int
    reason: str


class BuyerView(msgspec.Struct, frozen=True, kw_only=True):
    """Who has bought: personal data."""

    name: str
    email: str
    phone: str
    identity_number: str
    note: str
    shipping: AddressView | None
    billing: AddressView | None


class InboxAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that reads the channel is to do about an order; ``publisher_missing``: none does it now."""

    entry: InboxView
    asked: str
    """One of: ignore, map, retry."""
    publisher_missing: bool


class InboxPage(msgspec.Struct, frozen=True, kw_only=True):
    """What could not be booked, the oldest first; ``next`` is the ``after`` of the next page, empty on the last."""

    entries: list[InboxView]
    next: str


class OrderSummary(msgspec.Struct, frozen=True, kw_only=True):
    """An order, in short, as it was when it was last booked at ``booked_at``; null: that is still to be done.

    ``state``: of the booking, empty before it. ``channel_state`` and ``status``: the channel's own. ``short``: units
    that were missing, ``unmapped``: lines whose SKU is known nowhere, ``reason``: why it stands in the inbox.
    ``customer_ref`` is the same for all orders of a buyer at the channel, and tells nobody who it is. ``flags``:
    "repeat" where that buyer has ordered before, "return" where something comes back.
    """

    channel: str
    number: str
    state: str
    channel_state: str
    status: str
    placed_at: datetime | None
    changed_at: datetime | None
    first_seen_at: datetime
    booked_at: datetime | None
    currency: str
    total: str
    customer_ref: str
    flags: list[str]
    short: int
    unmapped: int
    reason: str
    stock: list[OrderStockView]
    reservations: list[str]


class PackageView(msgspec.Struct, frozen=True, kw_only=True):
    """A parcel of the order. ``tracking`` and ``url`` are shown to a key with the scope admin only."""

    key: str
    state: str
    carrier: str
    tracking: str
    url: str
    lines: list[PackedView]


class ReturnView(msgspec.Struct, frozen=True, kw_only=True):
    """A return as the channel tells it; only a person's word on the goods moves stock."""

    key: str
    state: str
    changed_at: datetime | None
    deadline_at: datetime | None
    replacement: bool
    lines: list[ReturnLineView]


class OrderPage(msgspec.Struct, frozen=True, kw_only=True):
    """Orders, the newest first; ``next`` is the ``after`` of the next page, empty on the last."""

    orders: list[OrderSummary]
    next: str


class OrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order with all that is kept of it, and its reservations as they are now, the first 20 of them.

    ``shortages``: what these lack now, and which other locations have it.
    ``personal``: whether buyer, notes, tracking and reasons are here: "shown", "hidden" from a key without the scope
    admin, "erased" or over their time at ``erased_at``, or "none" where the channel told nothing.
    """

    order: OrderSummary
    lines: list[OrderLineView]
    packages: list[PackageView]
    reservations: list[ReservationView]
    personal: str
    """One of: erased, hidden, none, shown."""
    erased_at: datetime | None
    buyer: BuyerView | None
    notes: list[OrderNoteView]
    returns: list[ReturnView]
    timeline: list[TimelineView]
    inbox: InboxView | None
    shortages: list[OrderShortageView]
