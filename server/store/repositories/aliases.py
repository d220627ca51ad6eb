"""Old names: which names a SKU has had. See ``lua/lib/aliases.lua``."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import Aliases, MovingAliases
from server.store.connection.commands import command
from server.store.keys import Keyspace
from server.store.repositories.location_names import read_location_names

_PAGE: Final = 500
_ASKED_AT_ONCE: Final = 2_000

_decode_names: Final = msgspec.msgpack.Decoder(list[str]).decode
_decode_renames: Final = msgspec.msgpack.Decoder(dict[str, tuple[str, int]] | list[str]).decode
"""An empty table of the scripts is a list."""
_FORMER: Final = "\0"
"""In front of a SKU: the field of its old names."""


async def moving_names(client: Redis, keyspace: Keyspace) -> Mapping[str, str]:
    """Read the SKUs of which places still lie under the old name: new name to old one."""
    packed = await command(client, "HGET", keyspace.meta, "renames")
    moving = _decode_renames(packed) if packed is not None else {}
    return {new: old for new, (old, _) in moving.items()} if isinstance(moving, dict) else {}


async def names_of(client: Redis, keyspace: Keyspace, sku: str) -> tuple[str, ...]:
    """Return what a SKU is called now, and then all the names that it has had."""
    current = await command(client, "HGET", keyspace.aliases, sku)
    name = sku if current is None else current.decode()
    former = await command(client, "HGET", keyspace.aliases, _FORMER + name)
    return (name, *(_decode_names(former) if former is not None else ()))


async def current_names(client: Redis, keyspace: Keyspace, skus: Sequence[str]) -> Mapping[str, str]:
    """Return what each of some SKUs is called now."""
    found: list[bytes | None] = []
    for first in range(0, len(skus), _ASKED_AT_ONCE):
        found += await command(client, "HMGET", keyspace.aliases, *skus[first : first + _ASKED_AT_ONCE])
    return {sku: sku if name is None else name.decode() for sku, name in zip(skus, found, strict=True)}


async def read_aliases(client: Redis, keyspace: Keyspace) -> Aliases:
    """Read all old names of a partition."""
    skus: dict[str, str] = {}
    cursor = -1
    while cursor:
        cursor, found = await command(client, "HSCAN", keyspace.aliases, max(0, cursor), "COUNT", _PAGE)
        cursor = int(cursor)
        skus |= {old.decode(): new.decode() for old, new in found.items() if not old.startswith(_FORMER.encode())}
    return Aliases(skus)


async def read_moving_aliases(client: Redis, keyspace: Keyspace) -> MovingAliases:
    """Read all old names of a partition, and whose places still move."""
    aliases, moving = await read_aliases(client, keyspace), await moving_names(client, keyspace)
    return MovingAliases(aliases, moving, await read_location_names(client, keyspace))
