"""Stored names that could not be stored so today: found once by a job, kept, and let through at the door.

A job goes through the SKUs, locations and barcodes of a partition. It can be interrupted and repeated without harm, and
when it is repeated it finds what an older release beside this one has stored meanwhile.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.spelling import StoredNames, is_plain, mended
from server.store.connection.commands import command
from server.store.connection.scans import slices
from server.store.keys import Keyspace, stored_text

DOOR_VERSION: Final = 1
"""Raised when the door changes or refuses more names than before: then all stored ones are looked at again."""
SLICE: Final = 1_000
"""Fields of one read: less than a millisecond of the store's time."""
_PAUSE_S: Final = 0.002
"""Between two reads, so that the hot path gets through."""
_COMPLETE: Final = "\0complete"
"""Field of the hash beside the names: the version of the door at the last whole pass."""

_unpack_locations = msgspec.msgpack.Decoder(list[str]).decode


class OldName(NamedTuple):
    """A stored name that could not be stored so today.

    ``kind``: sku, location or barcode. ``meant``: what it would be stored as; empty: that cannot be told.
    ``is_double``: ``meant`` is stored, too, so that requests go there.
    """

    kind: str
    stored: str
    meant: str
    is_double: bool


async def read_old_names(client: Redis, keyspace: Keyspace) -> tuple[list[OldName], bool]:
    """Read what was found, in order, and whether everything was looked at.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    kept = await command(client, "HGETALL", keyspace.names)
    complete = int(kept.pop(_COMPLETE.encode(), 0)) >= DOOR_VERSION
    found = []
    for field, meant in kept.items():
        kind, _, stored = field.decode().partition("\0")
        is_double = meant.endswith(b"\0")
        found.append(OldName(kind, stored, meant.rstrip(b"\0").decode(), is_double))
    return sorted(found), complete


async def read_stored_names(client: Redis, keyspace: Keyspace) -> StoredNames:
    """Read the same as the door heeds it; errors as for :func:`read_old_names`."""
    found, complete = await read_old_names(client, keyspace)
    return stored_names(found, is_complete=complete)


def stored_names(found: Iterable[OldName], *, is_complete: bool) -> StoredNames:
    """Return under which spellings each name is found."""
    spelled: dict[str, dict[str, str]] = {}
    for each in found:
        names = spelled.setdefault(each.kind, {})
        names[each.stored] = each.meant if each.is_double else each.stored
        if each.meant and not each.is_double:
            names.setdefault(each.meant, each.stored)
    return StoredNames(spelled, is_complete)


async def find_old_names(client: Redis, keyspace: Keyspace) -> list[OldName]:
    """Look at all names of a partition, keep what was found in place of what was found before, and return it.

    Raises
    ------
    StoreUnavailableError
        The store did not answer. Begin again.

    """
    locations = set(map(stored_text, await command(client, "HKEYS", keyspace.locations)))
    skus: set[str] = set()
    async for fields in slices(client, keyspace.skus, SLICE):
        skus.update(name for name in map(stored_text, fields) if _is_old(name))
        locations.update(*(_unpack_locations(packed) for packed in fields.values()))
        await asyncio.sleep(_PAUSE_S)
    barcodes: set[str] = set()
    async for fields in slices(client, keyspace.barcodes, SLICE):
        barcodes.update(name for name in map(stored_text, fields) if _is_old(name))
        await asyncio.sleep(_PAUSE_S)
    found = [
        *(OldName("location", name, mended(name), mended(name) in locations) for name in locations if _is_old(name)),
        *await _judged(client, "sku", keyspace.skus, skus),
        *await _judged(client, "barcode", keyspace.barcodes, barcodes),
    ]
    await _keep(client, keyspace, found)
    return sorted(found)


def _is_old(name: str) -> bool:
    return not is_plain(name) and not name.startswith("\0") and mended(name) != name


async def _judged(client: Redis, kind: str, key: str, names: Iterable[str]) -> list[OldName]:
    """Ask which names are stored in the form that was meant, too."""
    old = [(name, mended(name)) for name in sorted(names)]
    judged = []
    for first in range(0, len(old), SLICE):
        piece = old[first : first + SLICE]
        there = await command(client, "HMGET", key, *(meant for _, meant in piece))
        judged += [
            OldName(kind, name, meant, value is not None) for (name, meant), value in zip(piece, there, strict=True)
        ]
    return judged


async def _keep(client: Redis, keyspace: Keyspace, found: Iterable[OldName]) -> None:
    kept = {f"{each.kind}\0{each.stored}": each.meant + ("\0" if each.is_double else "") for each in found}
    before = await command(client, "HKEYS", keyspace.names)
    pairs = [text for pair in kept.items() for text in pair]
    for first in range(0, len(pairs), SLICE):
        await command(client, "HSET", keyspace.names, *pairs[first : first + SLICE])
    gone = [field for field in before if field.decode() not in kept and field.decode() != _COMPLETE]
    if gone:
        await command(client, "HDEL", keyspace.names, *gone)
    # Last of all: from now on the door changes and refuses what was not found.
    await command(client, "HSET", keyspace.names, _COMPLETE, DOOR_VERSION)
