"""What callers get about locations and sourcing: types of answers, from which OpenAPI is generated."""

from datetime import datetime
from typing import Literal

import msgspec

from server.domain.locations import Kind


class PositionView(msgspec.Struct, frozen=True):
    """A place on the earth, in degrees."""

    lat: float
    lon: float


class LocationView(msgspec.Struct, frozen=True):
    """What is known of a location. ``open`` false: it takes no new promises."""

    location: str
    kind: Kind
    position: PositionView | None
    priority: int
    footfall: int
    open: bool
    groups: list[str]


class LocationList(msgspec.Struct, frozen=True):
    """Every location that was described, by name."""

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


class ExplainedPart(msgspec.Struct, frozen=True):
    """So many units of a line from one location."""

    location: str
    quantity: int


class ExplainedLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a line would be taken from: the location that it names, or the chosen one; empty: there is none.

    ``parts`` are there where it would be split; ``location`` is the first one's.
    """

    line: int
    sku: str
    quantity: int
    location: str
    parts: list[ExplainedPart] = []


class Lack(msgspec.Struct, frozen=True):
    """What a location has too little of."""

    sku: str
    wanted: int
    available: int


class ExplainedCandidate(msgspec.Struct, frozen=True):
    """A location that was looked at. ``stock``: units available there of all SKUs that are wanted."""

    location: str
    chosen: bool
    why: str
    distance_km: float | None
    footfall: int
    priority: int
    stock: int
    lacks: list[Lack]


WhyPassedOver = Literal["closed", "not_in_group", "beyond_limit"]


class PassedOver(msgspec.Struct, frozen=True):
    """A described location that was not looked at. ``beyond_limit``: so many others come before it."""

    location: str
    why: WhyPassedOver


ExplainedOutcome = Literal["chosen", "unknown_sku", "location_closed", "too_many_splits", "out_of_stock"]


class ExplainView(msgspec.Struct, frozen=True):
    """How an order would be sourced now; ``candidates`` in their order."""

    outcome: ExplainedOutcome
    lines: list[ExplainedLine]
    candidates: list[ExplainedCandidate]
    passed_over: list[PassedOver]
    as_of: datetime
