"""The time zone by which a partition tells days, and every change of it."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.calendars import DEFAULT_ZONE, IN_UTC, Calendar, Seam
from server.domain.principal import LOCAL
from server.store.connection.commands import command, in_a_row, run_on_keys
from server.store.keys import Keyspace
from server.store.lua_library import library

SEAMS_MAX: Final = 100
"""Changes of the zone that are kept: older ones are of days that nobody adds to any more."""

_decode: Final = msgspec.msgpack.Decoder(list[Seam]).decode


async def read_calendar(client: Redis, keyspace: Keyspace) -> Calendar:
    """Read by which zones days are told.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.
    ZoneError
        The zone is not known on this machine.

    """
    return _calendar(await command(client, "HGET", keyspace.figures, "time_zones"))


async def read_calendar_now(client: Redis, keyspace: Keyspace) -> tuple[Calendar, int]:
    """Read the same, and then the store's clock, in milliseconds since 1970; errors as for :func:`read_calendar`."""
    packed, clock = await in_a_row(client, [("HGET", keyspace.figures, "time_zones"), ("TIME",)])
    return _calendar(packed), int(clock[0]) * 1000 + int(clock[1]) // 1000


async def set_time_zone(client: Redis, keyspace: Keyspace, time_zone: str, actor: str = LOCAL.actor) -> Calendar:
    """Set the time zone from now on; errors as for :func:`read_calendar`. A second time it changes nothing."""
    function, keys = library().function("set_time_zone"), (keyspace.figures, keyspace.journal)
    return _calendar(await run_on_keys(client, function, keys, time_zone, DEFAULT_ZONE, SEAMS_MAX, actor))


def _calendar(packed: bytes | None) -> Calendar:
    return Calendar(_decode(packed), packed) if packed else IN_UTC
