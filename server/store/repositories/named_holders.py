"""Finds the holders of a SKU among reservations that somebody names, and whether these are all: their units add up."""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from redis.asyncio import Redis

from server.domain.reservation import Reservation, as_of
from server.store.connection.commands import together
from server.store.keys import Keyspace
from server.store.repositories.location_names import read_location_names
from server.store.repositories.reservations import Holder, holders_of
from server.store.repositories.stock import decode_stock

RECORDS_AT_ONCE: Final = 500
"""Reservations that are read in one moment with the places: a millisecond of the store's time."""
PLACES_MAX: Final = 500

_decode = msgspec.msgpack.Decoder(Reservation).decode


async def named_holders(
    client: Redis,
    keyspace: Keyspace,
    skus: Collection[str],
    ids: Sequence[str],
    *,
    reserved: Sequence[tuple[str, str]],
    limit: int,
    location: str = "",
) -> tuple[list[Holder], bool] | None:
    """Return the lines of some reservations that hold or have committed units of a SKU; True: there are more.

    ``skus``: all its names. ``reserved``: where units of it are reserved, by SKU and location.
    None: there are others, and no more than ``limit`` are found.
    """
    if not reserved or len(reserved) > PLACES_MAX:
        return None
    names = await read_location_names(client, keyspace)
    places, there = names.names(location) if location else [], {names.current(place) for _, place in reserved}
    asked, fields = ids[:RECORDS_AT_ONCE], [f"{sku}\0{place}" for sku, place in reserved]
    reading = [("HMGET", keyspace.stock, *fields), ("TIME",)]
    if asked:
        reading.append(("HMGET", keyspace.reservations, *asked))
    levels, clock, *records = await together(client, reading)
    now_ms = int(clock[0]) * 1000 + int(clock[1]) // 1000
    found, units = list[Holder](), 0
    for name, packed in zip(asked, records[0] if asked else [], strict=True):
        if packed is None:
            continue
        record = _decode(packed)
        # The counters have what is due to lapse, too, until it has lapsed.
        lines = holders_of(name, record, skus, places)
        if any(names.current(each.location) not in there for each in lines):
            return None  # it came there meanwhile, and its units would stand for those of somebody who is not named
        units += sum(each.held + each.committed for each in lines)
        found += holders_of(name, as_of(record, now_ms), skus, places)
    # A place that is gone was renamed meanwhile.
    is_all = None not in levels and units == sum(map(_reserved, levels))
    if not is_all and len(found) <= limit:
        return None
    return found[:limit], not is_all or len(found) > limit


def _reserved(packed: bytes) -> int:
    record = decode_stock(packed)
    return record.held + record.committed
