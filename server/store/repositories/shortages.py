"""Finds SKUs with more units reserved than there are, and the orders that are short, in slices.

The store writes down which places lack units (``lua/lib/lacking.lua``). Until maintenance has seen to it that this is
complete, as after an upgrade, all stock is looked through instead.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from server.domain.reservation import Reservation, as_of
from server.domain.shortages import Waiting, who_lacks
from server.store.connection.commands import command, run_function, together
from server.store.keys import LACKS, Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories import known_holders
from server.store.repositories.aliases import read_aliases
from server.store.repositories.location_names import read_location_names
from server.store.repositories.stock import decode_stock

WORK_MAX_S: Final = 0.5
"""How long a request may read the stock, and again the reservations."""
FIELDS_PER_CALL: Final = 500
"""Fields of the stock hash for which one call looks among the reservations."""
SCAN_COUNT: Final = 500
"""Records that one call reads, about: a millisecond of the store's time."""
SCAN_LEAST: Final = 50
"""Fields of ``meta`` that one call looks at, at least: not all of them are about places."""
RECORDS_AT_ONCE: Final = 500
"""Reservations that are read by their ids in one moment with the places that they may be at."""

Places = Sequence[tuple[str, str]]
HolderSearch = Callable[[Places], Awaitable[Mapping[tuple[str, str], Sequence[str]]]]
"""Names reservations that may have units at places, by SKU and location. It may name too many, or miss some."""

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
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    after: str,
    limit: int,
    *,
    newest_first: Collection[str] = (),
    search: HolderSearch | None = None,
) -> ShortagePage:
    """Find shortages, from the ``next`` of a page on (``""``: from the start).

    A page may hold a few more than ``limit``, or fewer and still have a next one. ``newest_first``: see
    :func:`who_lacks`. ``search``: see :func:`short_at`.
    """
    short, is_known = await command(client, "HMGET", keyspace.meta, "shortage", "lacking_known")
    if int(short or 0) <= 0:
        return ShortagePage([], "")
    found: dict[bytes, int] = {}
    stop_s, cursor = time.monotonic() + WORK_MAX_S, after or "0"
    while True:
        if is_known:
            cursor, some = await _written(client, keyspace, cursor, limit - len(found))
        else:
            cursor, _, pairs = await _slice(client, keyspace, limits, cursor, [])
            some = {field: _short(packed) for field, packed in pairs}
        found |= some
        if cursor == "0" or len(found) >= limit or time.monotonic() >= stop_s:
            break
    shortages = await short_at(client, keyspace, limits, found, newest_first=newest_first, search=search)
    return ShortagePage(shortages, "" if cursor == "0" else cursor)


async def _written(client: Redis, keyspace: Keyspace, cursor: str, count: int) -> tuple[str, dict[bytes, int]]:
    """Read some of the places that are written down, and what each lacks by its record; and where to go on."""
    words = ("HSCAN", keyspace.meta, cursor, "MATCH", LACKS + b"*", "COUNT", min(max(count, SCAN_LEAST), SCAN_COUNT))
    following, written = await command(client, *words)
    fields = [name.removeprefix(LACKS) for name in written]
    return str(int(following)), await lacking_at(client, keyspace, fields)


async def short_at(
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    fields: dict[bytes, int],
    work_max_s: float = WORK_MAX_S,
    *,
    newest_first: Collection[str] = (),
    search: HolderSearch | None = None,
) -> list[Shortage]:
    """Find the orders that are short. ``fields`` maps a field of the stock hash to the units that are short there.

    ``search``: names the reservations that may be there. It is believed where their units are all that is reserved
    there; elsewhere, and without it, all live reservations are gone through.
    """
    stop_s, names = time.monotonic() + work_max_s, sorted(fields)
    found: list[Shortage] = []
    for first in range(0, len(names), FIELDS_PER_CALL):
        part = {name: fields[name] for name in names[first : first + FIELDS_PER_CALL]}
        waiting, complete = await _short_at_some(client, keyspace, limits, part, stop_s, search=search)
        found += [
            Shortage(*split_field(field), short, who_lacks(short, waiting[field].values(), newest_first), complete)
            for field, short in sorted(part.items())
        ]
    return found


async def _short_at_some(
    client: Redis,
    keyspace: Keyspace,
    limits: bytes,
    fields: dict[bytes, int],
    stop_s: float,
    *,
    search: HolderSearch | None,
) -> tuple[dict[bytes, dict[tuple[str, int], Waiting]], bool]:
    """Find the lines at so many fields that each call can be sent all; and whether there was time to read all."""
    field_of = await _spelled(client, keyspace, fields)
    waiting = await _those_at(client, keyspace, field_of, known_holders.at(keyspace, field_of.values()))
    if search is not None and len(waiting) < len(fields):
        waiting |= await _searched(client, keyspace, field_of, search, set(fields) - waiting.keys())
    left = {spelling: field for spelling, field in field_of.items() if field not in waiting}
    found: dict[bytes, dict[tuple[str, int], Waiting]] = {field: {} for field in left.values()}
    cursor = "0"
    while left:
        cursor, now_ms, pairs = await _slice(client, keyspace, limits, cursor, list(left))
        for raw_id, packed in pairs:
            _note(left, found, raw_id.decode(), as_of(_decode_reservation(packed), now_ms))
        if cursor == "0" or time.monotonic() >= stop_s:
            break
    is_complete = cursor == "0"
    if is_complete:
        _keep(keyspace, found)
    return waiting | found, is_complete


def _keep(keyspace: Keyspace, found: Mapping[bytes, Mapping[tuple[str, int], Waiting]]) -> None:
    """Keep which reservations have units at fields, where all of them were found."""
    known_holders.keep(keyspace, {field: [name for name, _ in lines] for field, lines in found.items()})


async def _searched(
    client: Redis, keyspace: Keyspace, field_of: Mapping[bytes, bytes], search: HolderSearch, fields: Collection[bytes]
) -> dict[bytes, dict[tuple[str, int], Waiting]]:
    """Find the lines at those of some fields where what the search names is all that is reserved there."""
    places = {split_field(spelling): field for spelling, field in field_of.items() if field in fields}
    holders: dict[bytes, tuple[str, ...]] = {}
    for place, names in (await search(list(places))).items():
        holders[places[place]] = (*holders.get(places[place], ()), *names)
    found = await _those_at(client, keyspace, field_of, holders)
    _keep(keyspace, found)
    return found


async def _those_at(
    client: Redis, keyspace: Keyspace, field_of: Mapping[bytes, bytes], holders: Mapping[bytes, Sequence[str]]
) -> dict[bytes, dict[tuple[str, int], Waiting]]:
    """Find the lines of reservations at those of some fields where their units are all that is reserved there.

    ``holders``: the ids of the reservations by field.
    """
    found: dict[bytes, dict[tuple[str, int], Waiting]] = {}
    for some in _at_once(holders):
        found |= await _some_at(client, keyspace, field_of, some)
    return found


def _at_once(holders: Mapping[bytes, Sequence[str]]) -> Iterator[dict[bytes, Sequence[str]]]:
    """Divide fields, so that their reservations can be read in one moment."""
    some, records = dict[bytes, Sequence[str]](), 0
    for field, names in holders.items():
        if some and records + len(names) > RECORDS_AT_ONCE:
            yield some
            some, records = {}, 0
        some[field] = names
        records += len(names)
    if records:
        yield some


async def _some_at(
    client: Redis, keyspace: Keyspace, field_of: Mapping[bytes, bytes], holders: Mapping[bytes, Sequence[str]]
) -> dict[bytes, dict[tuple[str, int], Waiting]]:
    ids, fields = list(dict.fromkeys(name for each in holders.values() for name in each)), list(holders)
    records, packed, clock = await together(
        client, [("HMGET", keyspace.stock, *fields), ("HMGET", keyspace.reservations, *ids), ("TIME",)]
    )
    now_ms = int(clock[0]) * 1000 + int(clock[1]) // 1000
    found: dict[bytes, dict[tuple[str, int], Waiting]] = {field: {} for field in fields}
    units = dict.fromkeys(fields, 0)
    for reservation_id, each in zip(ids, packed, strict=True):
        if each is None:
            continue
        record = _decode_reservation(each)
        _note(field_of, found, reservation_id, as_of(record, now_ms))
        for line in record.lines:
            field = field_of.get(f"{line.sku}\0{line.location}".encode())
            if field in units:
                units[field] += line.held + line.committed
    return {
        field: found[field]
        for field, each in zip(fields, records, strict=True)
        if each is not None and units[field] == _reserved(each)
    }


async def _spelled(client: Redis, keyspace: Keyspace, fields: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return each field under all its names: a reservation keeps the words that it was made with."""
    aliases = await read_aliases(client, keyspace)
    locations = await read_location_names(client, keyspace)
    now = {field: field for field in fields}
    if not aliases and not locations:
        return now
    former: dict[bytes, bytes] = {}
    for field in now:
        sku, location = split_field(field)
        places = locations.names(location)
        former |= {f"{name}\0{place}".encode(): field for name in aliases.names(sku) for place in places}
    return former | now


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


def _note(
    field_of: Mapping[bytes, bytes],
    found: Mapping[bytes, dict[tuple[str, int], Waiting]],
    reservation_id: str,
    record: Reservation,
) -> None:
    order_ref = dict(record.notes).get("order_ref", record.order_ref)
    for number, line in enumerate(record.lines, 1):
        here = found.get(field_of.get(f"{line.sku}\0{line.location}".encode(), b""))
        if here is not None and line.held + line.committed:
            here[reservation_id, number] = Waiting(
                reservation_id, number, record.channel, record.state, order_ref, record.flags, record.created_ms,
                line.held + line.committed,
            )  # fmt: skip


def _reserved(packed: bytes) -> int:
    record = decode_stock(packed)
    return record.held + record.committed


def _short(packed: bytes) -> int:
    return decode_stock(packed).lacks


async def _slice(
    client: Redis, keyspace: Keyspace, limits: bytes, cursor: str, fields: list[bytes]
) -> tuple[str, int, list[tuple[bytes, bytes]]]:
    request = msgspec.msgpack.encode([cursor, SCAN_COUNT, [field.decode() for field in fields]])
    reply: list[Any] = await run_function(client, library().function("list_shortages"), keyspace, limits, request)
    now_ms, following, *flat = reply
    return following.decode(), int(now_ms), list(zip(flat[::2], flat[1::2], strict=True))
