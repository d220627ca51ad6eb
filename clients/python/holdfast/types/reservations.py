"""What is sent and answered: reservations.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from typing import Literal

import msgspec

from holdfast.types.common import IndexView, LineBody, ReservationView, SourcingBody
from holdfast.types.problems import Problem


class ChangeLineBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """With ``quantity``: how many units a line is to have, or all lines of a SKU together; 0 drops them.

    Without: ``line`` and ``sku``, the SKU that an unmapped line is for. ``location``: where units are taken from.
    ``barcode`` in place of ``sku``: ``quantity`` counts packs.
    """

    line: int | None = None
    """The line's place, counted from 1."""
    sku: str | None = None
    """What is sold: 1–128 bytes of printable UTF-8."""
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    quantity: int | None = None
    """Units."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class PartBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a reservation: units of a line, or what ``key`` or ``barcode`` names in place of it.

    ``key``: so many pieces of what the channel ordered under it. ``barcode``: so many packs, of any lines of the SKU.
    """

    line: int | None = None
    """The line's place, counted from 1."""
    quantity: int
    """Units."""
    key: str | None = None
    """The SKU's name on the channel: 1–256 bytes of printable UTF-8."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class RelocateLineBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Take what a line has reserved, or ``quantity`` of it, from the location ``to``."""

    line: int
    """The line's place, counted from 1."""
    to: str
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    quantity: int | None = None
    """Units."""


class ReturnPartBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Shipped units of one line that came back. Without a location: to where they were shipped from.

    ``key`` in place of ``line``: so many pieces of what the channel ordered under it. ``barcode``: so many packs, of
    any lines of the SKU.
    """

    line: int | None = None
    """The line's place, counted from 1."""
    quantity: int
    """Units."""
    disposition: Literal["damaged", "quality_control", "restock"]
    location: str | None = None
    """A warehouse or store: 1–64 bytes of printable UTF-8."""
    key: str | None = None
    """The SKU's name on the channel: 1–256 bytes of printable UTF-8."""
    barcode: str | None = None
    """What a scanner reads: a barcode, or a GS1 label in brackets or with FNC1 as \\u001d."""


class ReturnBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came back, and what becomes of it."""

    lines: list[ReturnPartBody]
    reason: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    allow_similar: bool | None = None
    """True: new names are meant, even if known ones are like them."""


class ExchangeView(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, and what is reserved instead. ``returned.availability`` is what both have left."""

    returned: ReservationView
    reservation: ReservationView


class ReservationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Reservations that match; ``next`` is the ``after`` of the next page, empty on the last.

    ``index``: how old the index is, where the query asks for what only that knows.
    """

    reservations: list[ReservationView]
    next: str
    index: IndexView | None = None


class OrderBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Reserve and commit at once. ``on_shortage: accept``: it is sold already, so record what is missing."""

    channel: str
    """Where it is sold: 1–64 bytes of printable UTF-8."""
    lines: list[LineBody]
    reservation_id: str | None = None
    """Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe."""
    on_shortage: Literal["accept", "reject"] | None = None
    """Without it: "reject"."""
    policy: Literal["all_or_nothing", "backorder", "partial"] | None = None
    """Without it: "all_or_nothing"."""
    order_ref: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    customer_ref: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    flags: list[str] | None = None
    sourcing: SourcingBody | None = None


class ReserveBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Reserve units while a customer pays. Without ttl_s the server's default applies."""

    channel: str
    """Where it is sold: 1–64 bytes of printable UTF-8."""
    lines: list[LineBody]
    reservation_id: str | None = None
    """Yours, 1–64 bytes of printable UTF-8; also the key that makes a retry safe."""
    ttl_s: int | None = None
    """Seconds; at most 24 hours."""
    policy: Literal["all_or_nothing", "backorder", "partial"] | None = None
    """Without it: "all_or_nothing"."""
    order_ref: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    customer_ref: str | None = None
    """1–256 bytes of printable UTF-8, kept as it is."""
    flags: list[str] | None = None
    sourcing: SourcingBody | None = None


class ReservationResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a batch: the status and outcome that it would have had alone."""

    status: int
    outcome: str
    reservation_id: str
    replayed: bool | None = None
    reservation: ReservationView | None = None
    problem: Problem | None = None


class ReservationResults(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the request."""

    results: list[ReservationResult]
