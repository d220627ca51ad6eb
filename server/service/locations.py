"""Locations: what is known of each warehouse and store."""

from collections.abc import Mapping

from server.domain import limits
from server.domain.locations import LOCATIONS_MAX, Location, Position
from server.schemas.locations import LocationBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_text
from server.service.likeness import is_allowed
from server.service.problems import ProblemError, alike, problem
from server.service.writes import written
from server.store.repositories.locations import TooManyLocationsError

TOO_MANY = f"would be one more than the {LOCATIONS_MAX:,} locations that can be described"


def location_of(name: str, body: LocationBody) -> Location:
    """Make a location from its name and body.

    Raises
    ------
    InvalidError
        It breaks a rule.

    """
    name = check_location("name", name)
    for i, group in enumerate(body.groups):
        check_text(f"groups[{i}]", group, limits.NAME_BYTES_MAX)
    position = None if body.position is None else Position(body.position.lat, body.position.lon)
    groups = tuple(sorted(set(body.groups)))
    return Location(name, body.kind, position, body.priority, body.footfall, body.open, groups)


async def put_location(caller: Caller, name: str, body: LocationBody) -> Location:
    """Describe a location anew. Closing one releases nothing: reservations there go on, new ones are refused.

    Raises
    ------
    InvalidError
        It breaks a rule, or would be one too many.
    ProblemError
        A known name is like it, and it is not; or the store did not answer in time, and asking again is safe.

    """
    location = location_of(name, body)
    try:
        writing = caller.partition.locations.put([location], caller.actor, allow_similar=is_allowed(body))
        similar = await written(writing)
    except TooManyLocationsError:
        raise InvalidError("name", TOO_MANY) from None
    if similar:
        raise ProblemError(problem("similar_name", alike("location", location.name, similar[location.name])))
    return location


async def find_location(caller: Caller, name: str) -> Location | None:
    """Read what is known of a location; None: it is not registered.

    Raises
    ------
    InvalidError
        It cannot be a location's name.
    StoreUnavailableError
        The store did not answer in time.

    """
    return (await all_locations(caller)).get(check_location("name", name))


async def all_locations(caller: Caller) -> Mapping[str, Location]:
    """Read every location that was described, by name, in order of the names."""
    return (await caller.partition.locations.current()).locations
