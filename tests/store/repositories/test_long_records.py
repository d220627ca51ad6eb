"""Listings of reservations with as many lines as they can have: each call and each page has a limit in bytes."""

from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from redis.asyncio import Redis

from server.domain.limits import RECORD_LINES_MAX
from server.domain.reservation import Reservation, ReservationLine
from server.store.connection.commands import run_function
from server.store.keys import Keyspace
from server.store.ledger.ledger import Ledger
from server.store.lua_library import library
from server.store.repositories.reservations import PAGE_BYTES_MAX, holders, list_reservations, live_of
from server.store.repositories.shortages import short_at

RECORDS: Final = 400
CALL_BYTES_MAX: Final = 700_000
"""Of one answer of the store: some 60,000, and 8 records of 200 lines."""


def _record(number: int) -> bytes:
    lines = [
        ReservationLine(f"SKU-{line:04d}", f"store-{line:05d}", 1, 1, 0, 1, 3, 1) for line in range(RECORD_LINES_MAX)
    ]
    return msgspec.msgpack.encode(
        Reservation("committed", 1_700_000_000_000 + number, 0, 0, number, "web", "local", "f" * 32, lines)
    )


@pytest.fixture
async def long_ones(client: Redis, ledger: Ledger) -> Keyspace:
    """Store reservations of 200 lines each."""
    for first in range(0, RECORDS, 100):
        records = {f"r-{number}": _record(number) for number in range(first, first + 100)}
        await client.hset(ledger.keyspace.reservations, mapping=records)  # type: ignore[arg-type]
    return ledger.keyspace


@pytest.mark.parametrize("wanted", [{}, {6: "web"}, {6: "nobody"}])
@pytest.mark.parametrize("sku", ["", "SKU-0007"])
async def test_given_records_of_200_lines_when_looked_through_then_a_call_looks_at_few_of_them(
    client: Redis, long_ones: Keyspace, limits_with: Callable[..., bytes], wanted: dict[int, str], sku: str
) -> None:
    cursor, found, most = "0", set[bytes](), 0
    while True:
        request = msgspec.msgpack.encode([False, cursor, 500, [sku] if sku else [], wanted, False, ""])
        function = library().function("list_reservations")
        reply: list[Any] = await run_function(client, function, long_ones, limits_with(), request)
        found |= set(reply[2::2])
        most, cursor = max(most, sum(map(len, reply[3::2]))), reply[1].decode()
        if cursor == "0":
            break

    assert len(found) == (0 if wanted.get(6) == "nobody" else RECORDS)
    assert most <= CALL_BYTES_MAX


async def test_given_records_of_200_lines_when_listed_then_pages_are_small_and_none_is_missing(
    client: Redis, long_ones: Keyspace, limits_with: Callable[..., bytes]
) -> None:
    found: list[str] = []
    after, most = "", 0
    while True:
        page = await list_reservations(client, long_ones, limits_with(), state="committed", after=after, limit=200)
        found += [reservation_id for reservation_id, _ in page.reservations]
        most = max(most, len(msgspec.msgpack.encode([each for _, each in page.reservations])))
        after = page.next
        if not after:
            break

    assert sorted(set(found)) == sorted(f"r-{number}" for number in range(RECORDS))
    assert most <= PAGE_BYTES_MAX + CALL_BYTES_MAX


async def test_given_records_of_200_lines_when_searched_for_a_sku_then_all_are_found(
    client: Redis, long_ones: Keyspace, limits_with: Callable[..., bytes]
) -> None:
    found = {name async for name, _ in live_of(client, long_ones, limits_with(), sku="SKU-0007", channel="web")}
    holding, _ = await holders(client, long_ones, limits_with(), "SKU-0007", 1_000)
    there, _ = await holders(client, long_ones, limits_with(), "SKU-0007", 1_000, location="store-00008")

    assert len(found) == RECORDS
    assert 0 < len(holding) <= RECORDS  # it has a quarter of a second
    assert there == []


async def test_given_many_short_places_when_orders_are_looked_for_then_each_has_its_own(
    client: Redis, long_ones: Keyspace, limits_with: Callable[..., bytes]
) -> None:
    fields = {f"SKU-{line:04d}\0store-{line:05d}".encode(): 2 for line in range(RECORD_LINES_MAX)}
    fields |= {f"SKU-0001\0nowhere-{number:05d}".encode(): 1 for number in range(1_000)}

    found = await short_at(client, long_ones, limits_with(), fields, work_max_s=60)

    assert len(found) == len(fields)
    assert {len(each.lines) for each in found if each.location.startswith("store")} == {2}
    assert all(each.complete for each in found)


async def test_given_a_hash_with_few_left_of_many_when_looked_through_then_a_call_does_not_look_for_ever(
    client: Redis, ledger: Ledger, limits_with: Callable[..., bytes]
) -> None:
    keyspace = ledger.keyspace
    for first in range(0, 20_000, 2_000):
        await client.hset(keyspace.reservations, mapping={f"r-{n}": "x" * 80 for n in range(first, first + 2_000)})
    await client.config_set("activerehashing", "no")  # it stays as large as it was
    for first in range(5, 20_000, 2_000):
        await client.hdel(keyspace.reservations, *(f"r-{n}" for n in range(first, min(first + 2_000, 20_000))))
    await client.config_resetstat()
    request = msgspec.msgpack.encode([False, "0", 500, [], {}, False, ""])
    await run_function(client, library().function("list_reservations"), keyspace, limits_with(), request)

    scans = (await client.info("commandstats"))["cmdstat_hscan"]["calls"]
    await client.config_set("activerehashing", "yes")
    assert scans <= 500 // 8 + 1
