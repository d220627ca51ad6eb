"""Locations: warehouses and stores, their attributes, and their distance from a position."""

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from math import asin, cos, inf, radians, sin, sqrt
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from server.domain.limits import NAME_BYTES_MAX

EARTH_RADIUS_KM: Final = 6371.0088
"""The mean radius: great circles on it are within half a percent of the way on the real earth."""
LATITUDE_MAX: Final = 90.0
LONGITUDE_MAX: Final = 180.0
PRIORITY_MAX: Final = 1_000_000
FOOTFALL_MAX: Final = 1_000_000_000
GROUPS_MAX: Final = 16
"""Groups of one location."""
LOCATIONS_MAX: Final = 5_000
"""Locations that can be registered in one partition: every server process keeps all of them in memory."""

Kind = Literal["warehouse", "store"]
ConfiguredGroups = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=GROUPS_MAX)]
"""Groups of a location that the configuration names, see :func:`check_groups`."""


class Position(msgspec.Struct, frozen=True):
    """A position on the earth, in degrees: ``lat`` north of the equator, ``lon`` east of Greenwich."""

    lat: float
    lon: float


class Location(msgspec.Struct, frozen=True, omit_defaults=True):
    """The attributes of one location. A location that is not registered is an open warehouse without a position.

    ``priority``: higher comes first. ``footfall``: visitors, in whatever unit the merchant counts them.
    ``open`` false: it takes no new reservations; those that exist stay as they are. ``renamed_to``: it is called so
    now, and is registered under both names while its SKUs move. ``filled_by``: the channel or source that has
    last filled it alone, as an actor, see :mod:`server.domain.mirrors`; empty: none has.
    """

    name: str
    kind: Kind = "warehouse"
    position: Position | None = None
    priority: int = 0
    footfall: int = 0
    open: bool = True
    groups: tuple[str, ...] = ()
    renamed_to: str = ""
    filled_by: str = ""


class LocationsChanged(msgspec.Struct, frozen=True):
    """Which locations one change has closed and opened; ``version``: of the closed ones after it."""

    version: int
    closed: frozenset[str] = frozenset()
    opened: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """All of them."""
        return self.closed | self.opened


class ClosedLocations(msgspec.Struct, frozen=True):
    """The closed locations at one moment. ``version`` grows with each change: milliseconds of the store's clock."""

    version: int = 0
    names: frozenset[str] = frozenset()

    def after(self, change: LocationsChanged) -> "ClosedLocations":
        """Return those after a change; a change that is not newer is in these already."""
        if change.version <= self.version:
            return self
        return ClosedLocations(change.version, (self.names - change.opened) | change.closed)


def check_groups(groups: Collection[str]) -> None:
    """Refuse what cannot be the name of a group.

    Raises
    ------
    ValueError
        One cannot; the message has the rule, and not the name.

    """
    for group in groups:
        if not group.isprintable() or not 0 < len(group.encode("utf-8", "replace")) <= NAME_BYTES_MAX:
            raise ValueError(f"groups must each have 1 to {NAME_BYTES_MAX} printable bytes in UTF-8")


def distance_km(a: Position, b: Position) -> float:
    """Measure along the great circle, in kilometres."""
    lat_a, lat_b = radians(a.lat), radians(b.lat)
    rise, run = sin((lat_b - lat_a) / 2), sin(radians(b.lon - a.lon) / 2)
    # Rounding can push opposite points a hair past 1.
    return 2 * EARTH_RADIUS_KM * asin(min(1.0, sqrt(rise * rise + cos(lat_a) * cos(lat_b) * run * run)))


class Vector(NamedTuple):
    """A position as a point on a ball of radius 1: the straight ways between points sort as the great circles do."""

    x: float
    y: float
    z: float


NOWHERE: Final = Vector(inf, inf, inf)
"""Further than anything."""


def vector(position: Position | None) -> Vector:
    """Turn a position into a point on the ball."""
    if position is None:
        return NOWHERE
    lat, lon = radians(position.lat), radians(position.lon)
    return Vector(cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat))


class Standing(NamedTuple):
    """What a location is ranked by."""

    vector: Vector
    footfall: int
    priority: int
    is_filled: bool = False


UNREGISTERED: Final = Standing(NOWHERE, 0, 0)
"""That of a location that is not registered: an open warehouse, in no group."""


class Directory:
    """The registered locations of a partition at one moment. ``version`` grows with each change of any of them."""

    def __init__(self, locations: Iterable[Location] = (), version: int = 0) -> None:
        self.version = version
        self.locations: Mapping[str, Location] = {
            each.name: each for each in sorted(locations, key=lambda one: one.name)
        }
        self.closed: frozenset[str] = frozenset(each.name for each in self.locations.values() if not each.open)
        self._open: dict[str, frozenset[str]] = {}

    @cached_property
    def groups(self) -> frozenset[str]:
        """Every group that some location is in."""
        return frozenset(group for each in self.locations.values() for group in each.groups)

    def members(self, group: str) -> frozenset[str]:
        """Return the names of the registered locations of a group, open or not."""
        return frozenset(each.name for each in self.locations.values() if group in each.groups)

    @cached_property
    def standings(self) -> Mapping[str, Standing]:
        """What each registered location is ranked by; it is the same for many orders."""
        return {
            each.name: Standing(vector(each.position), each.footfall, each.priority, bool(each.filled_by))
            for each in self.locations.values()
        }

    @cached_property
    def any_filled(self) -> bool:
        """Whether somebody else fills any of them."""
        return any(each.filled_by for each in self.locations.values())

    def open_among(self, names: Iterable[str], group: str = "") -> list[str]:
        """Return those of some locations that are open, of a group if one is given; sorted by name."""
        if group:
            return sorted(self.open_in(group).intersection(names))
        return sorted(name for name in names if name not in self.closed)

    def open_in(self, group: str = "") -> frozenset[str]:
        """Return the names of the registered locations that are open, all or those of a group."""
        known = self._open.get(group)
        if known is None:
            known = frozenset(
                each.name for each in self.locations.values() if each.open and (not group or group in each.groups)
            )
            # Only real groups are kept: others are made up by callers, and there is no end to them.
            if not group or group in self.groups:
                self._open[group] = known
        return known
