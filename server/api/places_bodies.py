"""What callers send about locations and sourcing alone: types that validate it, and from which OpenAPI is generated."""

from typing import Annotated

from msgspec import Meta

from server.api.bodies import Body, Channel, Group, LineNumber, Lines, Location, PositionBody, Quantity, SourcingBody
from server.domain import limits, locations


class ExplainBody(Body, frozen=True):
    """An order as it would be sent, of which only the choice of locations is wanted; for a ``channel`` or anybody."""

    lines: Lines
    sourcing: SourcingBody
    channel: Channel | None = None


class LineMoveBody(Body, frozen=True):
    """Take what a line has promised, or ``quantity`` of it, from the location ``to``."""

    line: LineNumber
    to: Location
    quantity: Quantity | None = None


class MoveBody(Body, frozen=True):
    """Take promised units from other locations: all that is named, or nothing."""

    lines: Annotated[list[LineMoveBody], Meta(min_length=1, max_length=limits.LINES_MAX)]


class LocationBody(Body, frozen=True):
    """What is known of a location; all of it anew, so what is left out goes back to its default."""

    kind: locations.Kind = "warehouse"
    position: PositionBody | None = None
    priority: Annotated[int, Meta(ge=-locations.PRIORITY_MAX, le=locations.PRIORITY_MAX)] = 0
    footfall: Annotated[int, Meta(ge=0, le=locations.FOOTFALL_MAX)] = 0
    open: bool = True
    groups: Annotated[list[Group], Meta(max_length=locations.GROUPS_MAX)] = []  # a struct copies it
