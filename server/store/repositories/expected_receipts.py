"""Reads expected receipts: one, or all of a SKU together with what is available now."""

from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.expected_receipt import ExpectedReceipt
from server.domain.stock import LocationAvailability, Outlook
from server.store.connection.commands import command, run_on_keys
from server.store.connection.scans import scan
from server.store.keys import Keyspace, stored_text
from server.store.lua_library import library
from server.store.repositories.location_names import read_location_names

RECEIPTS_PER_READ: Final = 500
"""Records of one command: less than a millisecond of the store's time."""

_decode = msgspec.msgpack.Decoder(ExpectedReceipt).decode
_decode_ids = msgspec.msgpack.Decoder(list[str]).decode
_decode_outlook = msgspec.msgpack.Decoder(Outlook).decode


async def read_supply(client: Redis, keyspace: Keyspace, supply_id: str) -> ExpectedReceipt | None:
    """Read one expected receipt; fully received ones are stored until their retention ends."""
    packed = await command(client, "HGET", keyspace.supply, supply_id)
    found = None if packed is None else _decode(packed)
    return None if found is None or found.is_removed else found


async def find_supplies(client: Redis, keyspace: Keyspace, supply_ids: Sequence[str]) -> dict[str, ExpectedReceipt]:
    """Read expected receipts by id; those that are not there, or were removed, are left out."""
    found = {}
    for first in range(0, len(supply_ids), RECEIPTS_PER_READ):
        part = supply_ids[first : first + RECEIPTS_PER_READ]
        for supply_id, packed in zip(part, await command(client, "HMGET", keyspace.supply, *part), strict=True):
            if packed is not None and not (receipt := _decode(packed)).is_removed:
                found[supply_id] = receipt
    return found


async def read_parcel(client: Redis, keyspace: Keyspace, sscc: str) -> list[tuple[str, ExpectedReceipt]]:
    """Read the receipts that are still to come in a parcel, by SKU; the script lists 1,000 at most."""
    packed = await command(client, "HGET", keyspace.supply_skus, f"\0{sscc}")
    if packed is None:
        return []
    found = [each async for each in _receipts(client, keyspace, _decode_ids(packed)) if each[1].sscc == sscc]
    return sorted(found, key=lambda each: (each[1].sku, each[0]))


async def read_outlook(client: Redis, keyspace: Keyspace, limits: bytes, sku: str, location: str = "") -> Outlook:
    """Read what is available of a SKU and what is still expected, the earliest first, at one location or at all.

    Both at one moment, where one call of the store reads all. Where it takes several, a receipt between them counts
    once or not at all: what lies is read before what is expected.
    """
    found, supply = await _levels(client, keyspace, limits, sku, location), []
    if found.supply_ids:
        names = await read_location_names(client, keyspace)
        async for supply_id, receipt in _receipts(client, keyspace, found.supply_ids):
            named = msgspec.structs.replace(receipt, location=names.current(receipt.location))
            if location == "" or named.location == names.current(location):
                supply.append((supply_id, named))
    return msgspec.structs.replace(found, supply=sorted(supply or found.supply, key=_by_day), supply_ids=[])


async def _levels(client: Redis, keyspace: Keyspace, limits: bytes, sku: str, location: str) -> Outlook:
    """Read all that is available, and what the last call adds to it; the moment is that of the first call."""
    levels: list[LocationAvailability] = []
    closed: frozenset[str] = frozenset()
    as_of_ms, start = 0, 0
    while True:
        question = msgspec.msgpack.encode([sku, location, start])
        reply = await run_on_keys(client, library().function("read_outlook"), keyspace.supplying, limits, question)
        found = _decode_outlook(reply)
        levels += found.levels
        closed, as_of_ms, start = closed | found.closed, as_of_ms or found.as_of_ms, found.next_from
        if not start:
            return msgspec.structs.replace(found, as_of_ms=as_of_ms, levels=levels, closed=closed)


async def _receipts(
    client: Redis, keyspace: Keyspace, supply_ids: Sequence[str]
) -> AsyncIterator[tuple[str, ExpectedReceipt]]:
    for first in range(0, len(supply_ids), RECEIPTS_PER_READ):
        part = supply_ids[first : first + RECEIPTS_PER_READ]
        for supply_id, packed in zip(part, await command(client, "HMGET", keyspace.supply, *part), strict=True):
            if packed is not None and (receipt := _decode(packed)).expected:
                yield supply_id, receipt


class SupplySlice(NamedTuple):
    """Some receipts that are still to come, each with its id; ``following``: where to go on, 0: these were the last."""

    found: list[tuple[str, ExpectedReceipt]]
    following: int
    as_of_ms: int


async def page_of_supply(
    client: Redis, keyspace: Keyspace, position: int, count: int, location: str = ""
) -> SupplySlice:
    """Read some receipts that are still to come, at one location or at all.

    One that is there during the whole scan comes at least once.
    """
    names = await read_location_names(client, keyspace)
    location = names.current(location) if location else ""
    seconds, microseconds = await command(client, "TIME")
    following, packed = await command(client, "HSCAN", keyspace.supply, position, "COUNT", count)
    found = []
    for supply_id, each in packed.items():
        receipt = _decode(each)
        receipt = msgspec.structs.replace(receipt, location=names.current(receipt.location))
        if receipt.expected and location in ("", receipt.location):
            found.append((stored_text(supply_id), receipt))
    return SupplySlice(found, int(following), int(seconds) * 1000 + int(microseconds) // 1000)


async def all_supply(client: Redis, keyspace: Keyspace) -> AsyncIterator[ExpectedReceipt]:
    """Go through every expected receipt, also fully received ones, in no order."""
    async for _, packed in scan(client, keyspace.supply):
        yield _decode(packed)


def _by_day(each: tuple[str, ExpectedReceipt]) -> tuple[str, str]:
    supply_id, supply = each
    return supply.expected_on.isoformat(), supply_id
