"""Finds SKUs with more units reserved than there are, and the orders that are short, by reading all in slices."""

import time
from collections.abc import Collection, Sequence
from typing import Any, Final, TypeVar

import msgspec
from redis.asyncio import Redis

from server.domain.reservation import Reservation, as_of
from server.domain.shortages import Waiting, who_lacks
from server.store.connection.commands import command, run_function
from server.store.keys import Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.aliases import read_aliases
from server.store.repositories.location_names import read_location_names
from server.store.repositories.stock import decode_stock

WORK_MAX_S: Final = 0.5
"""How long a request may read the stock, and again the reservations."""
FIELDS_PER_CALL: Final = 500
"""Fields of the stock hash for which one call looks among the reservations."""
SCAN_COUNT: Final = 500
"""Records that one call reads, about: a millisecond of the store's time."""

T = TypeVar("T")

_decode_reservation = msgspec.msgpack.Decoder(Reservation).decode


class Shortage(msgspec.Struct, frozen=True):
    """A SKU at a location whose reservations lack ``short`` units, and the lines that lack them; see :func:`who_lacks`.

    ``complete`` False: there was no time to read all reservations, so other lines may be short.
    """

    sku: str
    location: str
    short: int
    lines: list[Waiting]
    complete: bool


class ShortagePage(msgspec.Struct, frozen=True):
    """Some shortages. ``next`` is where to continue; empty: there are no more."""

    shortages: list[Shortage]
    next: str


async def is_short(client: Redis, keyspace: Keyspace) -> bool:
    """Whether more is reserved anywhere than there is."""
    return int(await command(client, "HGET", keyspace.meta, "shortage") or 0) > 0


async def find_shortages(
    client: Redis, keyspace: Keyspace, limits: bytes, after: str, limit: int, *, newest_first: Collection[str] = ()
) -> ShortagePage:
    """Find shortages, from the ``next`` of a page on (``""``: from the start).

    A page may hold a few more than ``limit``, or fewer and still have a next one. ``newest_first``: see
    :func:`who_lacks`.
    """
    if not await is_short(client, keyspace):
        return ShortagePage([], "")
    found: dict[bytes, int] = {}
    stop_s, cursor = time.monotonic() + WORK_MAX_S, after or "0"
    while True:
        cursor, _, pairs = await _slice(client, keyspace, limits, cursor, [])
        found |= {field: _short(packed) for field, packed in pairs}
        if cursor == "0" or len(found) >= limit or time.monotonic() >= stop_s:
            break
    shortages = await short_at(client, keyspace, limits, found, newest_first=newest_first)
    return ShortagePage(shortages, "" if cursor == "0" else cursor)


async def short_at(
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    fields: dict[bytes, int],
    work_max_s: float = WORK_MAX_S,
    *,
    newest_first: Collection[str] = (),
) -> list[Shortage]:
    """Find the orders that are short. ``fields`` maps a field of the stock hash to the units that are short there."""
    stop_s, names = time.monotonic() + work_max_s, sorted(fields)
    found: list[Shortage] = []
    for first in range(0, len(names), FIELDS_PER_CALL):
        part = {name: fields[name] for name in names[first : first + FIELDS_PER_CALL]}
        waiting, complete = await _short_at_some(client, keyspace, limits, part, stop_s)
        found += [
            Shortage(*split_field(field), short, who_lacks(short, waiting[field].values(), newest_first), complete)
            for field, short in sorted(part.items())
        ]
    return found


async def _short_at_some(
    client: Redis, keyspace: Keyspace, limits: bytes, fields: dict[bytes, int], stop_s: float
) -> tuple[dict[bytes, dict[tuple[str, int], Waiting]], bool]:
    """Find the lines at so many fields that each call can be sent all; and whether there was time to read all."""
    waiting: dict[bytes, dict[tuple[str, int], Waiting]] = {field: {} for field in fields}
    spelled = await _spelled(client, keyspace, waiting)
    cursor = "0"
    while True:
        cursor, now_ms, pairs = await _slice(client, keyspace, limits, cursor, list(spelled))
        for raw_id, packed in pairs:
            _note(spelled, raw_id.decode(), as_of(_decode_reservation(packed), now_ms))
        if cursor == "0" or time.monotonic() >= stop_s:
            break
    return waiting, cursor == "0"


async def _spelled(client: Redis, keyspace: Keyspace, waiting: dict[bytes, T]) -> dict[bytes, T]:
    """Return the same under each name of a field: a reservation keeps the words that it was made with."""
    aliases = await read_aliases(client, keyspace)
    locations = await read_location_names(client, keyspace)
    if not aliases and not locations:
        return waiting
    former: dict[bytes, T] = {}
    for field, lines in waiting.items():
        sku, location = split_field(field)
        places = locations.names(location)
        former |= {f"{name}\0{place}".encode(): lines for name in aliases.names(sku) for place in places}
    return former | waiting


async def lacking_at(client: Redis, keyspace: Keyspace, fields: Sequence[bytes | str]) -> dict[bytes, int]:
    """Read what reservations lack at fields of the stock hash; those where they lack nothing are left out."""
    found: dict[bytes, int] = {}
    for first in range(0, len(fields), SCAN_COUNT):
        part = fields[first : first + SCAN_COUNT]
        records = await command(client, "HMGET", keyspace.stock, *part)
        for field, packed in zip(part, records, strict=True):
            if packed is not None and (units := _short(packed)):
                found[field if isinstance(field, bytes) else field.encode()] = units
    return found


def _note(waiting: dict[bytes, dict[tuple[str, int], Waiting]], reservation_id: str, record: Reservation) -> None:
    order_ref = dict(record.notes).get("order_ref", record.order_ref)
    for number, line in enumerate(record.lines, 1):
        here = waiting.get(f"{line.sku}\0{line.location}".encode())
        if here is not None and line.held + line.committed:
            here[reservation_id, number] = Waiting(
                reservation_id, number, record.channel, record.state, order_ref, record.flags, record.created_ms,
                line.held + line.committed,
            )  # fmt: skip


def _short(packed: bytes) -> int:
    return decode_stock(packed).lacks


async def _slice(
    client: Redis, keyspace: Keyspace, limits: bytes, cursor: str, fields: list[bytes]
) -> tuple[str, int, list[tuple[bytes, bytes]]]:
    request = msgspec.msgpack.encode([cursor, SCAN_COUNT, [field.decode() for field in fields]])
    reply: list[Any] = await run_function(client, library().function("list_shortages"), keyspace, limits, request)
    now_ms, following, *flat = reply
    return following.decode(), int(now_ms), list(zip(flat[::2], flat[1::2], strict=True))
