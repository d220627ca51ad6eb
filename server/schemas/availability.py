"""Availability over the wire: what can still be reserved, of one SKU and of many at once."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from server.domain import limits
from server.domain.stock import LocationAvailability
from server.schemas.common import Body, Channel, Group, Location, Sku, time_of


class AvailabilityQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """At one location, at the open ones of a group, or at all; to a ``channel``, or without one to everybody."""

    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None


class AvailabilityQueryBody(Body, frozen=True):
    """Up to 1,000 SKUs at once; with ``channel``, what that channel can reserve."""

    skus: Annotated[list[Sku], Meta(min_length=1, max_length=limits.SKUS_PER_QUERY_MAX)]
    channel: Channel | None = None
    location: Location | None = None
    group: Group | None = None


class AvailableView(msgspec.Struct, frozen=True):
    """What can still be reserved of a SKU at a location; negative is a shortage. Newer seq wins."""

    sku: str
    location: str
    available: int
    seq: int


class LocationAvailable(msgspec.Struct, frozen=True):
    """What can still be reserved at one location."""

    location: str
    available: int


class AvailabilityView(msgspec.Struct, frozen=True, omit_defaults=True):
    """What can still be reserved of a SKU: the sum over its open locations; a closed one has none.

    Newer seq wins; of two with the same seq, the greater ``locations_version``, which grows when a location is closed
    or opened.
    """

    sku: str
    available: int
    seq: int
    locations: list[LocationAvailable]
    as_of: datetime
    locations_version: int = 0


class AvailabilityList(msgspec.Struct, frozen=True):
    """In the order of the request; ``unknown`` lists those that the store does not know."""

    availability: list[AvailabilityView]
    unknown: list[str]


def availability_view(
    sku: str,
    locations: list[LocationAvailability],
    as_of_ms: int,
    among: frozenset[str] | None = None,
    locations_version: int = 0,
) -> AvailabilityView:
    """Sum up over the locations, all or those ``among`` the named; the seq is the newest of all."""
    counted = locations if among is None else [each for each in locations if each.location in among]
    return AvailabilityView(
        sku,
        sum(each.available for each in counted),
        max(each.seq for each in locations),
        [LocationAvailable(each.location, each.available) for each in counted],
        time_of(as_of_ms),
        locations_version,
    )
