"""Reads reservations by their ids, live or ended, many in one go."""

from collections.abc import Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.reservation import Reservation
from server.store.connection.commands import in_a_row
from server.store.keys import Keyspace

_AT_ONCE: Final = 100
"""Records of one command."""
_decode = msgspec.msgpack.Decoder(Reservation).decode


async def read_reservations(client: Redis, keyspace: Keyspace, names: Sequence[str]) -> dict[str, Reservation]:
    """Read reservations as they are stored, in the order of their ids; those that are not there are left out.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found: dict[str, Reservation] = {}
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        asked = [("HMGET", key, *some) for key in (keyspace.reservations, keyspace.ended)]
        for name, live, ended in zip(some, *await in_a_row(client, asked), strict=True):
            if live or ended:
                found[name] = _decode(live or ended)
    return found
