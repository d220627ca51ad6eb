"""Reads when places were counted last, as the scripts note it (``lua/lib/counts.lua``)."""

from collections.abc import Sequence
from typing import Final

import msgspec

from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace

_PLACES_PER_READ: Final = 1_000
_AS_OF: Final = 1
_FIRST: Final = 3
_decode = msgspec.msgpack.Decoder(list[int]).decode


async def last_counted(client: StoreClient, keyspace: Keyspace, places: Sequence[tuple[str, str]]) -> list[int]:
    """Return up to which seq counts have set the number of each (SKU, location), 0 where none has.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found: list[int] = []
    for first in range(0, len(places), _PLACES_PER_READ):
        fields = [f"\0{sku}\0{location}" for sku, location in places[first : first + _PLACES_PER_READ]]
        packed = await command(client, "HMGET", keyspace.on_hand_log, *fields)
        found += [0 if each is None else _last(_decode(each)) for each in packed]
    return found


def _last(noted: Sequence[int]) -> int:
    """Return the latest of the moment that a count is as of and the changes that counts have made after it."""
    return max(noted[_AS_OF], *noted[_FIRST::2], 0)
