"""What is sent and answered: listings.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec

from holdfast.types.common import ListingStandingView, OnChannelView


class ListingsPut(msgspec.Struct, frozen=True, kw_only=True):
    """How many listings were put; ``unknown_skus``: those that stock does not know, shown as 0 until it does."""

    listings: int
    unknown_skus: list[str]


class OutboxEntryView(msgspec.Struct, frozen=True, kw_only=True):
    """A command. ``asked_by``: a key's name, or a rule. ``sent_at``: when it last left.

    ``reason``: why the channel does not take it, in its words. ``remote_id``: its name of what was made.
    """

    id: str
    order: str
    command: str
    state: str
    """One of: cancelled, done, refused, sending, superseded, undecided, unsure, waiting."""
    asked_by: str
    created_at: datetime
    changed_at: datetime
    sent_at: datetime | None
    tries: int
    reason: str
    remote_id: str


class PiecesBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Pieces of an order's line, by the channel's key of the line."""

    line: str
    """1–256 bytes of printable UTF-8, kept as it is."""
    quantity: int
    """Units."""


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for will be done. ``ids``: of commands, or numbers of orders.

    ``publisher_missing``: nobody takes it up just now; it waits.
    """

    channel: str
    ids: list[str]
    publisher_missing: bool


class OutboxList(msgspec.Struct, frozen=True, kw_only=True):
    """Some commands, the newest first. ``complete`` false: there are more, from ``next`` on."""

    commands: list[OutboxEntryView]
    complete: bool
    next: str


class ListingPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some listings, in no order; ``next`` is the ``after`` of the next page, empty on the last."""

    listings: list[ListingStandingView]
    next: str


class SkuOnChannels(msgspec.Struct, frozen=True, kw_only=True):
    """What each configured channel shows of a SKU, and should show."""

    sku: str
    channels: list[OnChannelView]
