"""The time zone of a partition, by which reports, expected receipts and available to promise tell days."""

import asyncio
from typing import Final, NamedTuple

from server.domain.calendars import Calendar, ZoneError, zone_names, zone_of, zones_of_countries
from server.domain.similar_names import closest
from server.service.caller import Caller
from server.service.checks import InvalidError
from server.service.writes import written
from server.store.connection.timeouts import in_time
from server.store.repositories import calendars

_ALIKE: Final = 0.75
"""Closer than for other names, since there are hundreds to choose among."""

_NEXT_S: Final = 0.002


class Today(NamedTuple):
    """By which zones days are told, at a moment on the store's clock."""

    calendar: Calendar
    now_ms: int


async def calendar_of(caller: Caller) -> Calendar:
    """Read by which zones the partition tells days.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    return await in_time(calendars.read_calendar(caller.partition.client, caller.partition.keyspace))


async def today(caller: Caller) -> Today:
    """Read the same, and the time; errors as for :func:`calendar_of`."""
    partition = caller.partition
    return Today(*await in_time(calendars.read_calendar_now(partition.client, partition.keyspace)))


async def set_time_zone(caller: Caller, time_zone: str) -> Today:
    """Set the time zone from now on. Days that have begun keep what was counted for them.

    Raises
    ------
    InvalidError
        There is no such zone.
    ProblemError
        The store did not answer in time; asking again is safe.

    """
    await check_zone("time_zone", time_zone)
    partition = caller.partition
    setting = calendars.set_time_zone(partition.client, partition.keyspace, time_zone, caller.actor)
    begins_ms = (await written(setting)).begins_ms
    found = await today(caller)
    if found.now_ms < begins_ms:  # it holds from the store's next millisecond on
        await asyncio.sleep(_NEXT_S)
        found = await today(caller)
    return found


async def check_zone(field: str, time_zone: str) -> None:
    """Refuse what is no time zone, and name the nearest.

    Raises
    ------
    InvalidError
        There is no such zone.

    """
    try:
        zone_of(time_zone)
    except ZoneError as error:
        raise InvalidError(field, await asyncio.to_thread(_rule, time_zone, str(error))) from None


def _rule(time_zone: str, otherwise: str) -> str:
    """Say what was meant, or may have been. It compares some hundred names."""
    region = time_zone.casefold().rstrip("/") + "/"
    inside = next((name for name in zones_of_countries() if name.casefold().startswith(region)), "")
    if inside:
        return f"must name a city, not a region, such as {inside}"
    near = _nearest(time_zone)
    return f"must be the IANA name of a time zone: did you mean {near}" if near else otherwise


def _nearest(time_zone: str) -> str:
    """Return the zone that was meant, empty where that cannot be told: by its name, or by that of its city."""
    asked = time_zone.casefold().replace(" ", "_")
    names = {name.casefold(): name for name in zone_names()}
    cities = {name.rpartition("/")[2].casefold(): name for name in zones_of_countries()}
    for known in (cities, names):
        near = closest(asked, known, cutoff=_ALIKE)
        if near:
            return known[near]
    return ""
