"""Orders of channels over the wire: what is looked for, what is kept of each, and the inbox."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.order_documents import Flag
from server.schemas.common import After, Body, Channel, Location, OrderNumber, Sku
from server.schemas.reservations import ReservationView
from server.schemas.shortages import OrderShortageView


class OrdersQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which orders; what is left out does not matter. ``from`` and ``to`` are of the placing, ``to`` is not included.

    ``state``: of the booking, or of an order of which nothing is booked that of its channel. ``customer``: the
    ``customer_ref`` of another order. ``after`` is the ``next`` of the page before.
    """

    channel: Channel | None = None
    state: Annotated[str, Meta(max_length=32)] = ""
    number: OrderNumber | None = None
    customer: Annotated[str, Meta(max_length=64)] = ""
    sku: Sku | None = None
    location: Location | None = None
    short: bool | msgspec.UnsetType = msgspec.UNSET
    unmapped: bool | msgspec.UnsetType = msgspec.UNSET
    from_: datetime | msgspec.UnsetType = msgspec.UNSET
    to: datetime | msgspec.UnsetType = msgspec.UNSET
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class OrderStockView(msgspec.Struct, frozen=True):
    """Units that an order took: of a SKU at a location. ``lacks``: so many of them were not there."""

    sku: str
    location: str
    quantity: int
    lacks: int


class OrderSummary(msgspec.Struct, frozen=True):
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
    flags: list[Flag]
    short: int
    unmapped: int
    reason: str
    stock: list[OrderStockView]
    reservations: list[str]


class OrderPage(msgspec.Struct, frozen=True):
    """Orders, the newest first; ``next`` is the ``after`` of the next page, empty on the last."""

    orders: list[OrderSummary]
    next: str


class OrderLineView(msgspec.Struct, frozen=True):
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


class PackedView(msgspec.Struct, frozen=True):
    """Pieces of a line in a package."""

    line: str
    quantity: int


class PackageView(msgspec.Struct, frozen=True):
    """A parcel of the order. ``tracking`` and ``url`` are shown to a key with the scope admin only."""

    key: str
    state: str
    carrier: str
    tracking: str
    url: str
    lines: list[PackedView]


class AddressView(msgspec.Struct, frozen=True):
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


class BuyerView(msgspec.Struct, frozen=True):
    """Who has bought: personal data."""

    name: str
    email: str
    phone: str
    identity_number: str
    note: str
    shipping: AddressView | None
    billing: AddressView | None


class OrderNoteView(msgspec.Struct, frozen=True):
    """What a person wrote about the order."""

    at: datetime
    actor: str
    text: str


class TimelineView(msgspec.Struct, frozen=True):
    """One step of the order's history."""

    at: datetime
    kind: str
    text: str
    actor: str


class ReturnLineView(msgspec.Struct, frozen=True):
    """What comes back. ``reason`` is shown to a key with the scope admin only."""

    line: str
    listing: str
    quantity: int
    reason: str


class ReturnView(msgspec.Struct, frozen=True):
    """A return as the channel tells it; only a person's word on the goods moves stock."""

    key: str
    state: str
    changed_at: datetime | None
    deadline_at: datetime | None
    replacement: bool
    lines: list[ReturnLineView]


class InboxView(msgspec.Struct, frozen=True):
    """Why an order, or a part of it, is not booked. ``listings``: the channel's keys that no SKU is known for.

    ``flags``: as of :class:`OrderSummary`.
    """

    channel: str
    number: str
    state: Literal["open", "ignored"]
    reason: str
    detail: str
    listings: list[str]
    first_at: datetime
    last_at: datetime
    tries: int
    actor: str
    flags: list[Flag]


class OrderView(msgspec.Struct, frozen=True):
    """An order with all that is kept of it, and its reservations as they are now, the first 20 of them.

    ``shortages``: what these lack now, and which other locations have it.
    ``personal``: whether buyer, notes, tracking and reasons are here: "shown", "hidden" from a key without the scope
    admin, "erased" or over their time at ``erased_at``, or "none" where the channel told nothing.
    """

    order: OrderSummary
    lines: list[OrderLineView]
    packages: list[PackageView]
    reservations: list[ReservationView]
    personal: Literal["shown", "hidden", "erased", "none"]
    erased_at: datetime | None
    buyer: BuyerView | None
    notes: list[OrderNoteView]
    returns: list[ReturnView]
    timeline: list[TimelineView]
    inbox: InboxView | None
    shortages: list[OrderShortageView]


class NoteBody(Body, frozen=True):
    """A note on an order, for people."""

    text: Annotated[str, Meta(min_length=1, max_length=2_000)]


class PaperView(msgspec.Struct, frozen=True):
    """What a command about an order was answered with, such as a label; ``content`` is base64, in MessagePack bytes."""

    channel: str
    number: str
    id: str
    kind: str
    media_type: str
    content: bytes


class Erased(msgspec.Struct, frozen=True):
    """The personal data of an order is gone, and stays so. ``was_kept``: something of the order was here."""

    channel: str
    number: str
    was_kept: bool


class InboxQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before."""

    channel: Channel | None = None
    state: Literal["open", "ignored"] = "open"
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50


class InboxAsked(msgspec.Struct, frozen=True):
    """What the process that reads the channel is to do about an order; ``publisher_missing``: none does it now."""

    entry: InboxView
    asked: Literal["retry", "ignore", "map"]
    publisher_missing: bool


class InboxPage(msgspec.Struct, frozen=True):
    """What could not be booked, the oldest first; ``next`` is the ``after`` of the next page, empty on the last."""

    entries: list[InboxView]
    next: str
