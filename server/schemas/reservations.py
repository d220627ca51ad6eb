"""Reservations over the wire: what callers send, and what they get."""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.reservation import (
    PARCEL,
    Changed,
    ChannelLine,
    OpenLines,
    Reservation,
    ReservationLine,
    as_of,
    left_available,
)
from server.schemas.availability import AvailableView
from server.schemas.common import (
    Body,
    Channel,
    Flags,
    LineNumber,
    Lines,
    ListingKey,
    Location,
    Quantity,
    Reason,
    Reference,
    ReservationId,
    Scan,
    Sku,
    TtlS,
    Units,
    time_of,
)
from server.schemas.finding import IndexView
from server.schemas.problems import Problem
from server.schemas.sourcing import SourcingBody

_PROMISING: Final = frozenset({"reserve", "order"})


class LineView(msgspec.Struct, frozen=True, omit_defaults=True):
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
    backordered: int = 0
    mode: str = ""
    promise_on: str = ""
    text: str = ""


class OpenView(msgspec.Struct, frozen=True, omit_defaults=True):
    """The lines that commit or fulfil can still take from elsewhere, within the group; without one: from anywhere."""

    lines: list[int]
    group: str = ""


class ChannelLineView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line as the channel wrote it: pieces of what it lists under ``key``, and the numbers of their ``lines``.

    ``cancelled`` and ``returned``: pieces that were released or cancelled, or returned, by this key.
    """

    key: str
    quantity: int
    lines: list[int]
    cancelled: int = 0
    returned: int = 0


State = Literal["held", "committed", "backordered", "fulfilled", "released", "expired", "cancelled"]


class ReservationView(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reservation. ``expires_at`` is there while something is held, or waited for to be held.

    ``state`` backordered: it has nothing but units that are not there yet. ``open``: some line waits for an address.
    ``channel_lines``: what was ordered by the channel's keys. ``unconfigured_channel`` is there where it is read, other
    channels are configured, and this one is neither configured nor named in the setting ``HOLDFAST_OTHER_CHANNELS``.
    """

    reservation_id: str
    state: State
    channel: str
    created_at: datetime
    lines: list[LineView]
    expires_at: datetime | None = None
    order_ref: str = ""
    customer_ref: str = ""
    flags: list[str] = []
    notes: dict[str, str] = {}
    availability: list[AvailableView] = []
    open: OpenView | None = None
    channel_lines: list[ChannelLineView] = []
    unconfigured_channel: bool = False


def reservation_view(
    reservation_id: str, record: Reservation, left: list[AvailableView] | None = None, *, as_of_ms: int = 0
) -> ReservationView:
    """Return the view of a reservation, and what its last operation ``left`` available.

    ``as_of_ms`` shows a hold as expired that is due and not expired yet.
    """
    if 0 < record.deadline_ms <= as_of_ms:
        record = as_of(record, as_of_ms)
    notes = {name: value for name, value in record.notes if name != PARCEL} if record.notes else {}
    return ReservationView(
        reservation_id,
        record.state,  # type: ignore[arg-type]  # the scripts know only these states
        record.channel,
        time_of(record.created_ms),
        [
            LineView(
                number, line.sku, line.location, line.quantity, line.requested, line.held, line.committed,
                line.fulfilled, line.released, line.expired, line.returned, line.waiting + line.owed, line.mode,
                line.promise_on, line.text,
            )
            for number, line in enumerate(record.lines, 1)
        ],
        time_of(record.deadline_ms) if record.deadline_ms else None,
        notes.pop("order_ref", record.order_ref),
        record.customer_ref,
        record.flags,
        notes,
        left or [],
        None if record.open is None or record.open.bound else _open_view(record, record.open),
        [_channel_line(each) for each in record.channel_lines] if record.channel_lines else [],
    )  # fmt: skip


def _channel_line(line: ChannelLine) -> ChannelLineView:
    numbers = [part.line for part in line.parts]
    return ChannelLineView(line.key, line.quantity, numbers, line.cancelled, line.returned)


def _open_view(record: Reservation, lines: OpenLines) -> OpenView | None:
    """Show the lines, not bound yet, of which something is reserved; None: there is none."""
    numbers = [each for each in lines.lines if _is_promised(record.lines[each - 1])]
    return OpenView(numbers, lines.group) if numbers else None


def _is_promised(line: ReservationLine) -> bool:
    return line.held + line.committed > 0


def left_views(answer: Changed, operation: str) -> list[AvailableView]:
    """Return what an operation left available; an extend touches no units, so it has nothing to show."""
    lines = answer.reservation.lines
    if operation in _PROMISING and len(lines) == 1:  # most of them: nothing to sort out
        line = lines[0]
        if not line.location:
            return []
        return [AvailableView(line.sku, line.location, line.first_available, line.first_seq)]
    left = left_available(answer) if operation in _PROMISING else answer.availability
    return [AvailableView(each.sku, each.location, each.available, each.seq) for each in left]


class ReserveBody(Body, frozen=True):
    """Reserve units while a customer pays. Without ttl_s the server's default applies."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    ttl_s: TtlS | None = None
    policy: Literal["all_or_nothing", "partial", "backorder"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET


class ReserveManyBody(Body, frozen=True):
    """Up to 500 reservations, each on its own."""

    reservations: Annotated[list[ReserveBody], Meta(min_length=1, max_length=limits.RESERVATIONS_PER_BATCH_MAX)]


class OrderBody(Body, frozen=True):
    """Reserve and commit at once. ``on_shortage: accept``: it is sold already, so record what is missing."""

    channel: Channel
    lines: Lines
    reservation_id: ReservationId | None = None
    on_shortage: Literal["reject", "accept"] = "reject"
    policy: Literal["all_or_nothing", "partial", "backorder"] = "all_or_nothing"
    order_ref: Reference | None = None
    customer_ref: Reference | None = None
    flags: Flags = []
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET


class PartBody(Body, frozen=True, kw_only=True):
    """A part of a reservation: units of a line, or what ``key`` or ``barcode`` names in place of it.

    ``key``: so many pieces of what the channel ordered under it. ``barcode``: so many packs, of any lines of the SKU.
    """

    line: LineNumber = 0
    quantity: Quantity
    key: ListingKey | msgspec.UnsetType = msgspec.UNSET
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


Parts = Annotated[list[PartBody], Meta(min_length=1, max_length=limits.LINES_MAX)]


class ExtendBody(Body, frozen=True):
    """Move the deadline to ``ttl_s`` from now; it never moves back."""

    ttl_s: TtlS


OnUnknown = Literal["refuse", "remember"] | msgspec.UnsetType
"""``remember``: a reservation that is not there yet will be recorded as cancelled when it comes, and take nothing."""


class ReleaseBody(Body, frozen=True):
    """Release the named parts, or all. ``on_unknown``: ``remember`` it for a reservation that is not there yet."""

    lines: Parts | None = None
    on_unknown: OnUnknown = msgspec.UNSET
    reason: Reason = msgspec.UNSET


class CancelBody(Body, frozen=True):
    """Cancel the named parts of what is committed, or all. ``on_unknown``: as in a release."""

    lines: Parts | None = None
    reason: Reference | None = None
    on_unknown: OnUnknown = msgspec.UNSET


class CommitBody(Body, frozen=True):
    """Commit the named parts, or all. What is not named is released, or kept until its deadline.

    Open lines are taken from where ``sourcing`` says, if units are there, or from ``location`` and nowhere else.
    """

    lines: Parts | None = None
    remainder: Literal["release", "keep"] = "release"
    order_ref: Reference | None = None
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET


class FulfilBody(Body, frozen=True):
    """Ship the named parts of what is committed, or all; open lines from where ``sourcing`` or ``location`` says."""

    lines: Parts | None = None
    tracking: Reference | None = None
    carrier: Reference | None = None
    invoice_ref: Reference | None = None
    sourcing: SourcingBody | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET
    reason: Reason = msgspec.UNSET


class RelocateLineBody(Body, frozen=True):
    """Take what a line has reserved, or ``quantity`` of it, from the location ``to``."""

    line: LineNumber
    to: Location
    quantity: Quantity | None = None


class RelocateBody(Body, frozen=True):
    """Take reserved units from other locations: all that is named, or nothing."""

    lines: Annotated[list[RelocateLineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    reason: Reason = msgspec.UNSET


class ChangeLineBody(Body, frozen=True):
    """With ``quantity``: how many units a line is to have, or all lines of a SKU together; 0 drops them.

    Without: ``line`` and ``sku``, the SKU that an unmapped line is for. ``location``: where units are taken from.
    ``barcode`` in place of ``sku``: ``quantity`` counts packs.
    """

    line: LineNumber | msgspec.UnsetType = msgspec.UNSET
    sku: Sku | msgspec.UnsetType = msgspec.UNSET
    location: Location | msgspec.UnsetType = msgspec.UNSET
    quantity: Units | msgspec.UnsetType = msgspec.UNSET
    barcode: Scan | msgspec.UnsetType = msgspec.UNSET


class ChangeLinesBody(Body, frozen=True):
    """Change how many units lines have, or give unmapped lines their SKUs: all that are named, or none.

    ``ttl_s`` moves the deadline of a hold as well. ``on_shortage: accept``: the order is sold already.
    """

    lines: Annotated[list[ChangeLineBody], Meta(min_length=1, max_length=limits.LINES_MAX)]
    ttl_s: TtlS | msgspec.UnsetType = msgspec.UNSET
    on_shortage: Literal["reject", "accept"] | msgspec.UnsetType = msgspec.UNSET


class LookupBody(Body, frozen=True):
    """Which reservation to read, for an id that cannot stand in a path."""

    reservation_id: ReservationId


class ReservationResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result of a batch: the status and outcome that it would have had alone."""

    status: int
    outcome: str
    reservation_id: str
    replayed: bool = False
    reservation: ReservationView | None = None
    problem: Problem | None = None


class ReservationResults(msgspec.Struct, frozen=True):
    """In the order of the request."""

    results: list[ReservationResult]


class ReservationPage(msgspec.Struct, frozen=True):
    """Reservations that match; ``next`` is the ``after`` of the next page, empty on the last.

    ``index``: how old the index is, where the query asks for what only that knows.
    """

    reservations: list[ReservationView]
    next: str
    index: IndexView | msgspec.UnsetType = msgspec.UNSET


class ListQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """Which reservations; ``from`` and ``to`` are of when they were made, ``to`` is not included.

    ``after`` is the ``next`` of the page before.
    """

    # Not "or None": a query string would spell that as state=null.
    state: State | msgspec.UnsetType = msgspec.UNSET
    channel: Channel | None = None
    sku: Sku | None = None
    unmapped: Annotated[bool, Meta(description="Only those with a line that waits for a SKU.")] = False
    order_ref: Reference | msgspec.UnsetType = msgspec.UNSET
    customer_ref: Reference | msgspec.UnsetType = msgspec.UNSET
    from_: datetime | msgspec.UnsetType = msgspec.UNSET
    to: datetime | msgspec.UnsetType = msgspec.UNSET
    sort: Literal["created", "-created"] | msgspec.UnsetType = msgspec.UNSET
    after: Annotated[str, Meta(max_length=256)] = ""
    limit: Annotated[int, Meta(ge=1, le=limits.PAGE_RESERVATIONS_MAX)] = 50
