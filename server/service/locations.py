"""Locations: what is known of each warehouse and store."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from server.domain import limits
from server.domain.aliases import LocationNames
from server.domain.locations import LOCATIONS_MAX, Location, Position
from server.schemas.locations import LocationBody
from server.service.caller import Caller
from server.service.checks import InvalidError, check_location, check_text
from server.service.documents import documents_of
from server.service.likeness import is_allowed
from server.service.mirrored_locations import refuse_change
from server.service.problems import ProblemError, alike, problem
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.documents import finding_search as search
from server.store.repositories.location_names import read_location_names, read_moved
from server.store.repositories.locations import TooManyLocationsError
from server.store.repositories.mirrors import read_mirrored

TOO_MANY = f"would be one more than the {LOCATIONS_MAX:,} locations that can be registered"


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
    """Register a location anew. Closing one releases nothing: reservations there go on, new ones are refused.

    Raises
    ------
    InvalidError
        It breaks a rule, or would be one too many.
    ProblemError
        A known name is like it, and it is not; it is filled from outside; or the store did not answer in time, and
        asking again is safe.

    """
    location = location_of(name, body)
    location = msgspec.structs.replace(location, name=(await location_names(caller)).current(location.name))
    await refuse_change(caller, location.name)
    try:
        writing = caller.partition.locations.put([location], caller.actor, allow_similar=is_allowed(body))
        similar = await written(writing)
    except TooManyLocationsError:
        raise InvalidError("name", TOO_MANY) from None
    if similar:
        raise ProblemError(problem("similar_name", alike("location", location.name, similar[location.name])))
    return location


async def find_location(caller: Caller, name: str) -> Location | None:
    """Read what is known of a location; None: it is not registered, and was not renamed.

    Raises
    ------
    InvalidError
        It cannot be a location's name.
    StoreUnavailableError
        The store did not answer in time.

    """
    names = await location_names(caller)
    now = names.current(check_location("name", name))
    found = (await all_locations(caller)).get(now)
    return found if found is not None or now not in names.newest.values() else Location(now)


async def all_locations(caller: Caller) -> Mapping[str, Location]:
    """Read every location that was registered, by name, in order of the names."""
    found = (await caller.partition.locations.current()).locations
    # While SKUs move from an old name, that is registered, too.
    return {name: each for name, each in found.items() if not each.renamed_to}


async def unregistered(caller: Caller) -> list[Location]:
    """Read at which locations SKUs are known that were never registered, by name; an index finds them.

    The names of those that were renamed are known without it.

    Raises
    ------
    ProblemError
        There is no documents database.
    DocumentsError
        It does not answer.
    StoreUnavailableError
        The store did not answer in time.

    """
    partition, names = caller.principal.partition, await location_names(caller)
    known = await documents_of(caller).look(lambda session: search.locations(session, partition, LOCATIONS_MAX))
    registered = (await caller.partition.locations.current()).locations
    there = {*map(names.current, known), *names.newest.values()}
    return [Location(name) for name in sorted(there - set(registered))]


class Naming(NamedTuple):
    """The old names of a location; which of them SKUs are leaving now, empty for none; and how many have left it.

    ``filled_by``: who alone fills it, empty for none.
    """

    former_names: Sequence[str]
    moving_from: str
    moved: int
    filled_by: str


async def namings(caller: Caller, locations: Sequence[Location]) -> list[Naming]:
    """Read the old names of locations, and who fills them, in order; errors as for :func:`all_locations`."""
    names, partition = await location_names(caller), caller.partition
    moved = await in_time(read_moved(partition.client, partition.keyspace)) if names.moving else 0
    mirrored = await in_time(read_mirrored(partition.client, partition.keyspace))
    return [
        Naming(
            names.names(each.name)[1:],
            moving_from := names.moving.get(each.name, ""),
            moved if moving_from else 0,
            mirrored.get(each.name, ""),
        )
        for each in locations
    ]


async def location_names(caller: Caller) -> LocationNames:
    """Read the old names of all locations; errors as for :func:`all_locations`."""
    partition = caller.partition
    return await in_time(read_location_names(partition.client, partition.keyspace))
