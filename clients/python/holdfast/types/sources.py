"""What is sent and answered: sources.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec


class PlaceBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A SKU at a location."""

    sku: str
    """What is sold: 1–128 bytes of printable UTF-8."""
    location: str
    """A warehouse or store: 1–64 bytes of printable UTF-8."""


class RefusedOrderView(msgspec.Struct, frozen=True, kw_only=True):
    """An order that the source does not take, in its words."""

    reservation_id: str
    channel: str
    order: str
    reason: str


class SourceAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked for will be done. ``numbers``: about how many. ``publisher_missing``: nobody does it just now."""

    source: str
    numbers: int
    publisher_missing: bool


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """How a source stands. ``known_at``: as of when its numbers are known, null: never.

    ``whole_at``: when everything was last read. ``places``: for how many it has numbers; ``waiting``: that are not
    believed and wait for a person. ``untold``: orders that it is yet to be told of, the oldest for ``untold_oldest_s``;
    ``refused``: that it does not take. ``not_counted``: numbers that the stock did not take. ``supplies``: receipts
    that it expects. ``unreadable``: some SKUs whose number is none. ``late``: its numbers are too old, and are taken
    for what its rules say. ``lead_time_days``: how long its units take until they can be shipped.
    """

    source: str
    kind: str
    publisher_missing: bool
    circuit: str
    """One of: closed, halted, open."""
    reason: str
    known_at: datetime | None
    whole_at: datetime | None
    places: int
    waiting: int
    untold: int
    untold_oldest_s: float
    refused: int
    not_counted: int
    supplies: int
    unreadable: list[str]
    late: bool
    lead_time_days: float


class WaitingNumberView(msgspec.Struct, frozen=True, kw_only=True):
    """A number that is not believed: it stands at ``before``, and the source says ``after``.

    Without SKU and location the list as a whole waits, and the two are numbers of places.
    """

    sku: str | None
    location: str | None
    why: str
    before: int
    after: int
    since: datetime
    decision: str
    """One of: , confirmed, refused."""
    decided_by: str


class SourceList(msgspec.Struct, frozen=True, kw_only=True):
    """All configured sources."""

    sources: list[SourceView]


class WaitingList(msgspec.Struct, frozen=True, kw_only=True):
    """What of a source waits for a person. ``complete`` false: there is more."""

    numbers: list[WaitingNumberView]
    orders: list[RefusedOrderView]
    complete: bool
