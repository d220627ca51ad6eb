"""Which locations are mirrored, each filled by one actor: a field of ``meta``, see ``lua/lib/places.lua``."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.likeness import Kind
from server.store.connection.commands import command, run_confirmed
from server.store.keys import Keyspace, likeness_field, stored_text
from server.store.lua_library import library

_FIELD: Final = "mirrored"
_AT_ONCE: Final = 1_000
"""Names of one read: less than a millisecond of the store's time."""
_pack = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(dict[str, str] | list[str]).decode
"""An empty table of the scripts is a list."""
_decode_result: Final = msgspec.msgpack.Decoder(tuple[bool, str]).decode


async def read_mirrored(client: Redis, keyspace: Keyspace) -> dict[str, str]:
    """Read the mirrored locations, and the actor that fills each: a channel or a source.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    packed = await command(client, "HGET", keyspace.meta, _FIELD)
    found = _decode(packed) if packed is not None else {}
    return found if isinstance(found, dict) else {}


async def set_mirrored(
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    fillers: Mapping[str, str],
    *,
    before: Mapping[str, str] | None = None,
) -> bool:
    """Have the scripts refuse changes at these locations by anybody but their actor; errors as above.

    ``limits``: :meth:`Retention.packed`, which every script needs. ``before``: what was read; False: it is not so any
    more, and nothing was changed. None: whatever it is.
    """
    function, keys = library().function("settle_places"), keyspace.describing
    argument = _pack(["mirrored", 0 if before is None else dict(before), dict(fillers)])
    is_set, _ = _decode_result(await run_confirmed(client, function, keys, limits, argument))
    return is_set


async def only_alike(client: Redis, keyspace: Keyspace, kind: Kind, names: Collection[str]) -> dict[str, str]:
    """Return for names the known one that each is, or that alone is like it; errors as above."""
    wanted, found = list(dict.fromkeys(names)), dict[str, str]()
    for first in range(0, len(wanted), _AT_ONCE):
        piece = wanted[first : first + _AT_ONCE]
        there = await command(client, "HMGET", keyspace.likeness, *(likeness_field(kind, name) for name in piece))
        for name, packed in zip(piece, there, strict=True):
            known = [] if packed is None else stored_text(packed).split("\0")
            if name in known:
                found[name] = name
            elif len(known) == 1:
                found[name] = known[0]
    return found
