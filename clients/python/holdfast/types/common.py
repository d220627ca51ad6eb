"""What several resources send and answer.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import date, datetime
from typing import Literal

import msgspec


class AllocationView(msgspec.Struct, frozen=True, kw_only=True):
    """The allocation of a channel; ``used`` of the ``units`` are reserved. ``available``: what it can still reserve."""

    channel: str
    kind: str
    """One of: cap, own."""
    units: int
    used: int
    available: int


class LocationAvailable(msgspec.Struct, frozen=True, kw_only=True):
    """What can still be reserved at one location."""

    location: str
    available: int


class AvailableView(msgspec.Struct, frozen=True, kw_only=True):
    """What can still be reserved of a SKU at a location; negative is a shortage. Newer seq wins."""

    sku: str
    location: str
    available: int
    seq: int


class ChannelLineView(msgspec.Struct, frozen=True, kw_only=True):
    """A line as the channel wrote it: pieces of what it lists under ``key``, and the numbers of their ``lines``.

    ``cancelled`` and ``returned``: pieces that were released or cancelled, or returned, by this key.
    """

    key: str
    quantity: int
    lines: list[int]
    cancelled: int | None = None
    returned: int | None = None


class ComponentBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU in each piece of a bundle."""

    sku: str
    """What is sold: 1–128 bytes of printable UTF-8."""
    quantity: int | None = None
    """Units of the SKU in each piece that the channel sells. Without it: 1."""


class ComponentView(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one SKU in each piece of a bundle."""

    sku: str
    quantity: int


class ExpectedReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """An expected receipt. ``expected`` units are still to come; more may be ``received`` than ``quantity``.

    ``sscc``: the parcel in which it was announced, left out where it was not.
    """

    supply_id: str
    sku: str
    location: str
    quantity: int
    received: int
    expected: int
    expected_on: date
    reference: str
    sscc: str | None = None


class IndexView(msgspec.Struct, frozen=True, kw_only=True):
    """How old the index is: all changes up to ``as_of`` and ``seq`` are in it. The numbers beside it are of now.

    ``complete`` False: it is still being filled with what was there before.
    """

    as_of: datetime
    seq: int
    complete: bool


class LineBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one SKU at one location. Without one, they are taken from where units are, or as ``sourcing`` says.

    ``key`` in place of ``sku``: so many pieces of what the channel lists under it. ``barcode``: so many packs.
    """

    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    quantity: int
    """Units."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8. Without it: "main"."""
    key: str | None = None
    """The SKU's name on the channel: 1–256 bytes of printable UTF-8."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a reservation. quantity = held + committed + fulfilled + released + expired + backordered.

    ``backordered``, ``mode`` and ``promise_on`` are there where the line had to wait for units: how many of them are
    not there yet, and what was shown when it was reserved (``promise_on``: the day, if one was). A line without a
    location counts in no stock: its ``mode`` is untracked, or unmapped until its SKU is known. ``text`` is what the
    channel wrote in place of the SKU, where the line was mapped.
    """

    line: int
    sku: str
    location: str
    quantity: int
    requested: int
    held: int
    committed: int
    fulfilled: int
    released: int
    expired: int
    returned: int
    backordered: int | None = None
    mode: str | None = None
    promise_on: str | None = None
    text: str | None = None


class RefusedView(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity that the channel does not take, with its own code and reason."""

    quantity: int
    code: str
    reason: str
    attempts: int
    last_at: datetime


class PositionView(msgspec.Struct, frozen=True, kw_only=True):
    """A position on the earth, in degrees."""

    lat: float
    lon: float


class OpenView(msgspec.Struct, frozen=True, kw_only=True):
    """The lines that commit or fulfil can still take from elsewhere, within the group; without one: from anywhere."""

    lines: list[int]
    group: str | None = None


class PositionBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A position on the earth, in degrees."""

    lat: float
    """Degrees north of the equator."""
    lon: float
    """Degrees east of Greenwich."""


class SeamView(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the time zone. The days from ``first`` to ``last`` are longer or shorter than others for it."""

    at: datetime
    before: str
    after: str
    first: date
    last: date


class TransferLineView(msgspec.Struct, frozen=True, kw_only=True):
    """One SKU of a transfer. quantity = received + lost + in_transit + cancelled."""

    line: int
    sku: str
    quantity: int
    received: int
    lost: int
    in_transit: int
    cancelled: int | None = None


class OrderShortageView(msgspec.Struct, frozen=True, kw_only=True):
    """A line of an order's reservation that lacks units now, and where else they are.

    ``other_locations``: as of :class:`ShortLineView`. ``certain`` false: there were too many reservations to look at
    all, so another order may be the one that lacks them.
    """

    reservation_id: str
    line: int
    sku: str
    location: str
    lacks: int
    other_locations: list[LocationAvailable] | None
    certain: bool


class ListingBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A SKU as the channel knows it. ``listed`` false: 0 is published. Prices left out are not published.

    With ``factor`` it is a further listing of the SKU, known by its key: a pack of so many. With ``components`` in
    place of the SKU it is a bundle, known by its key as well.
    """

    key: str
    """The SKU's name on the channel: 1–256 bytes of printable UTF-8."""
    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    factor: int | None = None
    """Units of the SKU in each piece that the channel sells."""
    components: list[ComponentBody] | None = None
    """What one piece of a bundle is made of."""
    listed: bool | None = None
    """Without it: true."""
    price: str | None = None
    """Decimal text with at most 4 decimals, such as 129.90; more than 0."""
    list_price: str | None = None
    """Decimal text with at most 4 decimals, such as 129.90; more than 0."""
    currency: str | None = None
    """ISO 4217, such as TRY."""
    attributes: dict[str, str] | None = None


class ListingStandingView(msgspec.Struct, frozen=True, kw_only=True):
    """A listing, the quantity that the channel confirmed last (``shown``), and the one that it ``should_show``.

    ``why`` says how that number comes about; null: there was no room to work it out. ``pending``: the channel has not
    confirmed it. ``refused``: it does not take it.
    """

    sku: str
    key: str
    listed: bool
    price: str | None = None
    list_price: str | None = None
    currency: str | None = None
    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    factor: int | None = None
    components: list[ComponentView] = msgspec.field(default_factory=list)
    state: str
    """One of: pending, refused, shown, unlisted."""
    shown: int | None
    should_show: int | None
    why: str
    confirmed_at: datetime | None
    pending: bool
    refused: RefusedView | None


class ReservationView(msgspec.Struct, frozen=True, kw_only=True):
    """A reservation. ``expires_at`` is there while something is held, or waited for to be held.

    ``state`` backordered: it has nothing but units that are not there yet. ``open``: some line waits for an address.
    ``channel_lines``: what was ordered by the channel's keys. ``unconfigured_channel`` is there where it is read, other
    channels are configured, and this one is neither configured nor named in the setting ``HOLDFAST_OTHER_CHANNELS``.
    """

    reservation_id: str
    state: str
    """One of: backordered, cancelled, committed, expired, fulfilled, held, released."""
    channel: str
    created_at: datetime
    lines: list[LineView]
    expires_at: datetime | None = None
    order_ref: str | None = None
    customer_ref: str | None = None
    flags: list[str] = msgspec.field(default_factory=list)
    notes: dict[str, str] = msgspec.field(default_factory=dict)
    availability: list[AvailableView] = msgspec.field(default_factory=list)
    open: OpenView | None = None
    channel_lines: list[ChannelLineView] = msgspec.field(default_factory=list)
    unconfigured_channel: bool | None = None


class SourcingBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Choose where to take the lines that name no location; each strategy breaks the ties of those before it.

    ``position``: where it is to be delivered, which ``nearest`` needs. ``splits_max``: locations beyond the first.
    ``split_lines``: units of one line may come from several of them, where no location has all. ``binding`` late: those
    lines stay open, and commit or fulfil can say where they are to be taken from.
    """

    strategy: (
        Literal["lowest_footfall", "most_stock", "nearest", "priority"]
        | list[Literal["lowest_footfall", "most_stock", "nearest", "priority"]]
    )
    group: str | None = None
    """Locations that belong together: 1–64 bytes of printable UTF-8."""
    position: PositionBody | None = None
    splits_max: int | None = None
    """Without it: 1."""
    split_lines: bool | None = None
    binding: Literal["early", "late"] | None = None


class TransferView(msgspec.Struct, frozen=True, kw_only=True):
    """Units sent from one location to another. ``closed_at`` is there when nothing is on its way any more."""

    transfer_id: str
    state: str
    """One of: cancelled, closed, in_transit."""
    from_: str = msgspec.field(name="from")
    to: str
    shipped_at: datetime
    lines: list[TransferLineView]
    closed_at: datetime | None = None
    reason: str | None = None
    lost_reason: str | None = None
    cancel_reason: str | None = None
    availability: list[AvailableView] = msgspec.field(default_factory=list)


class OnChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """What a channel shows of a SKU. No ``listings``: it is not on the channel. ``complete`` False: there are more.

    ``publisher_missing``: nothing is sent to it now.
    """

    channel: str
    kind: str
    publisher_missing: bool
    listings: list[ListingStandingView]
    complete: bool
