"""Old names of locations, and whether one is being renamed. See ``lua/lib/places.lua``."""

from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import LocationNames
from server.store.connection.commands import command
from server.store.keys import Keyspace

MOVED: Final = "location_moved"
"""Field of ``meta``: how many SKUs of the location that is being renamed lie under the new name."""
_NAMES: Final = ("location_names", "moving_locations")
"""Fields of ``meta``."""

_decode_table: Final = msgspec.msgpack.Decoder(dict[str, str] | list[str]).decode
"""An empty table of the scripts is a list."""


async def read_location_names(client: Redis, keyspace: Keyspace) -> LocationNames:
    """Read all old names of locations, and which one is being renamed, as of one moment.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    newest, moving = map(_table, await command(client, "HMGET", keyspace.meta, *_NAMES))
    return LocationNames(newest, moving)


async def read_moved(client: Redis, keyspace: Keyspace) -> int:
    """Read how many SKUs of the location that is being renamed lie under the new name; errors as above."""
    return int(await command(client, "HGET", keyspace.meta, MOVED) or 0)


def _table(packed: bytes | None) -> dict[str, str]:
    found = _decode_table(packed) if packed is not None else {}
    return found if isinstance(found, dict) else {}
