"""Availability over the wire: what can still be reserved, of one SKU and of many at once."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.stock import LocationAvailable
from server.schemas.common import After, Body, Channel, Group, ListingKey, Location, Scan, Sku

AgeMax = Annotated[int, Meta(ge=0, le=limits.AGE_MS_MAX)]
"""How old an answer may be, in milliseconds. 0: the store is asked; else the server's memory may answer."""


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At one location, at the open ones of a group, or at all; to a ``channel``, or without one to everybody.

    ``locations`` false: the sum alone, without the list. ``max_age_ms``: how old the answer may be.
    """

    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None
    locations: bool = True
    max_age_ms: AgeMax = 0


class PiecesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the ``channel`` lists under ``key``, or what a ``barcode`` stands for: in whole pieces or packs."""

    key: ListingKey | None = None
    barcode: Scan | None = None
    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None
    max_age_ms: AgeMax = 0


class AvailabilityQueryBody(Body, frozen=True):
    """Up to 1,000 SKUs at once; with ``channel``, what that channel can reserve; ``locations`` false: sums alone.

    ``keys``: what the channel lists under them, a pack or bundle in whole pieces. ``max_age_ms``: how old the answer
    may be.
    """

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=limits.SKUS_PER_QUERY_MAX)] = []
    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None
    locations: bool = True
    keys: Annotated[list[ListingKey], Meta(min_length=1, max_length=limits.SKUS_PER_QUERY_MAX)] = []
    max_age_ms: AgeMax = 0


class AvailableView(msgspec.Struct, frozen=True):
    """What can still be reserved of a SKU at a location; negative is a shortage. Newer seq wins."""

    sku: str
    location: str
    available: int
    seq: int


class AvailabilityView(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What can still be reserved of a SKU: the sum over its open locations; a closed one has none.

    Newer seq wins; of two with the same seq, the greater ``locations_version``, which grows when a location is closed
    or opened. ``locations_left_out``: how many are counted, where ``locations`` does not list them.
    """

    sku: str
    available: int
    seq: int
    locations: list[LocationAvailable] | msgspec.UnsetType = msgspec.UNSET
    as_of: datetime
    locations_version: int = 0
    locations_left_out: int = 0


class PartAvailable(msgspec.Struct, frozen=True):
    """A component: its units in each piece, and the units of it that can still be reserved."""

    sku: str
    quantity: int
    available: int


class KeyAvailability(msgspec.Struct, frozen=True):
    """How many pieces of what a channel lists under a key can still be ordered: the least of the components."""

    key: str
    available: int
    components: list[PartAvailable]
    as_of: datetime


class PiecesAvailability(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How many pieces of a ``key``, or packs of a ``barcode``, can still be ordered: the least of the components."""

    key: str = ""
    barcode: str = ""
    available: int
    components: list[PartAvailable]
    as_of: datetime


class AvailabilityList(msgspec.Struct, frozen=True, omit_defaults=True):
    """In the order of the request; ``unknown`` and ``unknown_keys`` list those that the store does not know."""

    availability: list[AvailabilityView]
    unknown: list[str]
    keys: list[KeyAvailability] = []
    unknown_keys: list[str] = []


class SnapshotQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``after`` is the ``next`` of the page before. ``locations`` false: the sums alone, without the lists."""

    locations: bool = True
    after: After = ""
    limit: Annotated[int, Meta(ge=1, le=limits.SKUS_PER_QUERY_MAX)] = 500


class SnapshotPage(msgspec.Struct, frozen=True):
    """Some SKUs, in no order; ``next`` is the ``after`` of the next page, empty on the last.

    ``changes_after``: the ``after`` with which ``GET /v1/changes`` goes on, once all pages are read.
    """

    availability: list[AvailabilityView]
    changes_after: str
    next: str
