"""What is sent and answered: availability.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import date, datetime

import msgspec

from holdfast.types.common import LocationAvailable, PositionView


class AtpDayView(msgspec.Struct, frozen=True, kw_only=True):
    """One day: what is ``projected`` to be available at its end, and what is ``promisable`` for it."""

    on: date
    projected: int
    promisable: int


class BrowserTokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token, and until when it counts."""

    token: str
    expires_at: datetime


class PartAvailable(msgspec.Struct, frozen=True, kw_only=True):
    """A component: its units in each piece, and the units of it that can still be reserved."""

    sku: str
    quantity: int
    available: int


class AtpView(msgspec.Struct, frozen=True, kw_only=True):
    """What is available to promise by day. ``late`` units were expected before today and count for nothing.

    ``backordered`` units come off first: receipts fill backorders before they are available to promise. ``time_zone``:
    the zone by which its days are told, left out for UTC.
    """

    sku: str
    available: int
    late: int
    days: list[AtpDayView]
    as_of: datetime
    backordered: int | None = None
    time_zone: str | None = None


class AvailabilityView(msgspec.Struct, frozen=True, kw_only=True):
    """What can still be reserved of a SKU: the sum over its open locations; a closed one has none.

    Newer seq wins; of two with the same seq, the greater ``locations_version``, which grows when a location is closed
    or opened. ``locations_left_out``: how many are counted, where ``locations`` does not list them.
    """

    sku: str
    available: int
    seq: int
    locations: list[LocationAvailable] = msgspec.field(default_factory=list)
    as_of: datetime
    locations_version: int | None = None
    locations_left_out: int | None = None


class KeyAvailability(msgspec.Struct, frozen=True, kw_only=True):
    """How many pieces of what a channel lists under a key can still be ordered: the least of the components."""

    key: str
    available: int
    components: list[PartAvailable]
    as_of: datetime


class PiecesAvailability(msgspec.Struct, frozen=True, kw_only=True):
    """How many pieces of a ``key``, or packs of a ``barcode``, can still be ordered: the least of the components."""

    key: str | None = None
    barcode: str | None = None
    available: int
    components: list[PartAvailable]
    as_of: datetime


class NearbyLocation(msgspec.Struct, frozen=True, kw_only=True):
    """An open location that has units, and how far away it is along the great circle."""

    location: str
    kind: str
    """One of: store, warehouse."""
    position: PositionView
    distance_km: float
    available: int


class SnapshotPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some SKUs, in no order; ``next`` is the ``after`` of the next page, empty on the last.

    ``changes_after``: the ``after`` with which ``GET /v1/changes`` goes on, once all pages are read.
    """

    availability: list[AvailabilityView]
    changes_after: str
    next: str


class AvailabilityList(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the request; ``unknown`` and ``unknown_keys`` list those that the store does not know."""

    availability: list[AvailabilityView]
    unknown: list[str]
    keys: list[KeyAvailability] = msgspec.field(default_factory=list)
    unknown_keys: list[str] = msgspec.field(default_factory=list)


class NearbyView(msgspec.Struct, frozen=True, kw_only=True):
    """Which locations have a SKU, the nearest first."""

    sku: str
    locations: list[NearbyLocation]
    as_of: datetime
