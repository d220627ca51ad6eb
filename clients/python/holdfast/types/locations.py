"""What is sent and answered: locations.

Written by ``python -m clients.generate``; a test compares it with the API.
"""

from datetime import datetime

import msgspec

from holdfast.types.common import PositionView


class PassedOver(msgspec.Struct, frozen=True, kw_only=True):
    """A location that was not looked at. ``beyond_limit``: so many others come before it.

    ``not_for_channel``: the channel's ``locations`` do not name it.
    """

    location: str
    why: str
    """One of: beyond_limit, closed, no_units, not_for_channel, not_in_group, not_known_there."""


class Lack(msgspec.Struct, frozen=True, kw_only=True):
    """What a location has too little of."""

    sku: str
    wanted: int
    available: int


class ExplainedPart(msgspec.Struct, frozen=True, kw_only=True):
    """So many units of a line from one location."""

    location: str
    quantity: int


class LocationDeleted(msgspec.Struct, frozen=True, kw_only=True):
    """The location that was deleted."""

    location: str


class LocationRenamed(msgspec.Struct, frozen=True, kw_only=True):
    """``location``: the old name, which goes on to work; ``to``: the new one.

    ``done`` false: SKUs still move to it; ``moved`` have, since the rename began. Nobody has to wait for that.
    """

    location: str
    to: str
    done: bool
    moved: int


class RenamingView(msgspec.Struct, frozen=True, kw_only=True):
    """A rename that is under way: ``from`` which name, and how many SKUs lie under the new one since it began."""

    from_: str = msgspec.field(name="from")
    moved: int


class ExplainedCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """A location that was looked at. ``stock``: units available there of all SKUs that are wanted."""

    location: str
    chosen: bool
    why: str
    distance_km: float | None
    footfall: int
    priority: int
    stock: int
    lacks: list[Lack]


class ExplainedLine(msgspec.Struct, frozen=True, kw_only=True):
    """Where a line would be taken from: the location that it names, or the chosen one; empty: there is none.

    ``parts`` are there where it would be split; ``location`` is the first one's.
    """

    line: int
    sku: str
    quantity: int
    location: str
    parts: list[ExplainedPart] = msgspec.field(default_factory=list)


class LocationView(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a location. ``open`` false: it takes no new reservations.

    ``former_names``: those that it had before, if any, which still mean it. ``renaming``: there while its SKUs move.
    ``filled_by``: who alone says what lies there, ``channel:…`` or ``source:…``. ``registered`` false: it never was,
    and all but its name is a default.
    """

    location: str
    kind: str
    """One of: store, warehouse."""
    position: PositionView | None
    priority: int
    footfall: int
    open: bool
    groups: list[str]
    former_names: list[str] = msgspec.field(default_factory=list)
    renaming: RenamingView | None = None
    filled_by: str | None = None
    registered: bool | None = None


class ExplainView(msgspec.Struct, frozen=True, kw_only=True):
    """How an order would be sourced now; ``candidates`` in their order."""

    outcome: str
    """One of: chosen, location_closed, out_of_stock, sourcing_incomplete, too_many_splits, unknown_sku."""
    lines: list[ExplainedLine]
    candidates: list[ExplainedCandidate]
    passed_over: list[PassedOver]
    as_of: datetime


class LocationList(msgspec.Struct, frozen=True, kw_only=True):
    """Every location that was registered, by name."""

    locations: list[LocationView]
