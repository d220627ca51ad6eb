"""Locations over the wire: what callers send, and what they get."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from server.domain import locations
from server.domain.locations import Kind
from server.schemas.common import AllowSimilar, Body, Channel, Group, Latitude, Longitude, PositionBody

NEARBY_MAX: Final = 500


class LocationBody(Body, frozen=True):
    """What is known of a location; all of it anew, so what is left out goes back to its default."""

    kind: locations.Kind = "warehouse"
    position: PositionBody | None = None
    priority: Annotated[int, Meta(ge=-locations.PRIORITY_MAX, le=locations.PRIORITY_MAX)] = 0
    footfall: Annotated[int, Meta(ge=0, le=locations.FOOTFALL_MAX)] = 0
    open: bool = True
    groups: Annotated[list[Group], Meta(max_length=locations.GROUPS_MAX)] = []  # a struct copies it
    allow_similar: AllowSimilar = msgspec.UNSET


class PositionView(msgspec.Struct, frozen=True):
    """A position on the earth, in degrees."""

    lat: float
    lon: float


class RenamingView(msgspec.Struct, frozen=True):
    """A rename that is under way: ``from`` which name, and how many SKUs lie under the new one since it began."""

    from_: Annotated[str, Meta(description="The old name. Both mean the location.")] = msgspec.field(name="from")
    moved: int


class LocationView(msgspec.Struct, frozen=True):
    """What is known of a location. ``open`` false: it takes no new reservations.

    ``former_names``: those that it had before, if any, which still mean it. ``renaming``: there while its SKUs move.
    ``filled_by``: who alone says what lies there, ``channel:…`` or ``source:…``. ``registered`` false: it never was,
    and all but its name is a default.
    """

    location: str
    kind: Kind
    position: PositionView | None
    priority: int
    footfall: int
    open: bool
    groups: list[str]
    former_names: list[str] | msgspec.UnsetType = msgspec.UNSET
    renaming: RenamingView | msgspec.UnsetType = msgspec.UNSET
    filled_by: str | msgspec.UnsetType = msgspec.UNSET
    registered: bool | msgspec.UnsetType = msgspec.UNSET


class LocationsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``unregistered``: also those at which SKUs are known, and which were never registered."""

    unregistered: bool = False


class LocationList(msgspec.Struct, frozen=True):
    """Every location that was registered, by name."""

    locations: list[LocationView]


class NearbyLocation(msgspec.Struct, frozen=True):
    """An open location that has units, and how far away it is along the great circle."""

    location: str
    kind: Kind
    position: PositionView
    distance_km: float
    available: int


class NearbyView(msgspec.Struct, frozen=True):
    """Which locations have a SKU, the nearest first."""

    sku: str
    locations: list[NearbyLocation]
    as_of: datetime


class NearbyQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Near which position, in which group, and how many at most; with ``channel``, what that channel can reserve."""

    lat: Latitude
    lon: Longitude
    group: Group | None = None
    limit: Annotated[int, Meta(ge=1, le=NEARBY_MAX)] = 20
    channel: Channel | None = None


def location_view(
    location: locations.Location,
    former_names: Sequence[str] = (),
    moving_from: str = "",
    moved: int = 0,
    filled_by: str = "",
) -> LocationView:
    """Show what is known of a location. ``moving_from``: the name that its SKUs are leaving, empty for none."""
    position = location.position
    return LocationView(
        location.name,
        location.kind,
        PositionView(position.lat, position.lon) if position else None,
        location.priority,
        location.footfall,
        location.open,
        list(location.groups),
        list(former_names) or msgspec.UNSET,
        RenamingView(moving_from, moved) if moving_from else msgspec.UNSET,
        filled_by or msgspec.UNSET,
    )
