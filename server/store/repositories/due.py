"""What is due now: holds that lapse next, and receipts that are to come by a day."""

from datetime import date
from heapq import nsmallest
from typing import Any, Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.expected_receipt import ExpectedReceipt
from server.domain.reservation import Reservation
from server.store.connection.commands import command, in_a_row
from server.store.connection.scans import scan
from server.store.keys import Keyspace, stored_text
from server.store.repositories.location_names import read_location_names

_receipt: Final = msgspec.msgpack.Decoder(ExpectedReceipt).decode
_reservation: Final = msgspec.msgpack.Decoder(Reservation).decode


class Lapsing(NamedTuple):
    """The holds that lapse next, the soonest first, each with its id and deadline; and how many there are in all."""

    found: list[tuple[str, int, Reservation]]
    total: int


class Deliveries(NamedTuple):
    """The receipts that are due, the earliest first, each with its id; and how many there are in all."""

    found: list[tuple[str, ExpectedReceipt]]
    total: int


async def lapsing(client: Redis, keyspace: Keyspace, from_ms: int, to_ms: int, limit: int) -> Lapsing:
    """Read the holds whose deadline is in a time."""
    between: tuple[Any, ...] = (keyspace.deadlines, from_ms, to_ms)
    calls = [("ZCOUNT", *between), ("ZRANGE", *between, "BYSCORE", "LIMIT", 0, limit, "WITHSCORES")]
    total, flat = await in_a_row(client, calls)
    deadlines = {member: int(deadline_ms) for member, deadline_ms in _pairs(flat)}
    if not deadlines:
        return Lapsing([], int(total))
    records = await command(client, "HMGET", keyspace.reservations, *deadlines)
    found = [
        (stored_text(name), deadline_ms, _reservation(record))
        for (name, deadline_ms), record in zip(deadlines.items(), records, strict=True)
        if record is not None
    ]
    return Lapsing(found, int(total))


async def deliveries_until(client: Redis, keyspace: Keyspace, day: date, limit: int) -> Deliveries:
    """Read the receipts that are expected on or before a day and have not come whole."""
    earliest: list[tuple[str, ExpectedReceipt]] = []
    total, names = 0, await read_location_names(client, keyspace)
    async for supply_id, packed in scan(client, keyspace.supply):
        receipt = _receipt(packed)
        if not receipt.expected or receipt.expected_on > day:
            continue
        total += 1
        earliest.append((stored_text(supply_id), receipt))
        if len(earliest) >= 2 * limit:
            earliest = nsmallest(limit, earliest, key=_by_day)
    found = [
        (supply_id, msgspec.structs.replace(receipt, location=names.current(receipt.location)))
        for supply_id, receipt in nsmallest(limit, earliest, key=_by_day)
    ]
    return Deliveries(found, total)


def _pairs(flat: list[Any]) -> list[tuple[bytes, float]]:
    """Return members and scores, which redis-py gives in pairs or in a row."""
    if flat and isinstance(flat[0], list | tuple):
        return [(member, score) for member, score in flat]
    return list(zip(flat[::2], flat[1::2], strict=True))


def _by_day(each: tuple[str, ExpectedReceipt]) -> tuple[str, str]:
    return each[1].expected_on.isoformat(), each[0]
