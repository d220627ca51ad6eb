"""From a location as it is written down to the location that is kept."""

from server.domain import limits
from server.domain.locations import LOCATIONS_MAX, Location, Position
from server.schemas.locations import LocationBody
from server.service.checks import check_location, check_text

TOO_MANY = f"would be one more than the {LOCATIONS_MAX:,} locations that can be described"


def location_of(name: str, body: LocationBody) -> Location:
    """Make a location of what was given for it.

    Raises
    ------
    InvalidError
        It breaks a rule.

    """
    check_location("name", name)
    for i, group in enumerate(body.groups):
        check_text(f"groups[{i}]", group, limits.NAME_BYTES_MAX)
    position = None if body.position is None else Position(body.position.lat, body.position.lon)
    groups = tuple(sorted(set(body.groups)))
    return Location(name, body.kind, position, body.priority, body.footfall, body.open, groups)
