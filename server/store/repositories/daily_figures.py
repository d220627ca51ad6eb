"""The figures of each day and how far they are counted: added to by one script, read by the reports."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.changes import Change
from server.domain.daily_figures import DAY_MS, Figures
from server.store.connection.commands import command, run_on_keys, together
from server.store.journal.entries import format_entry_id, parse_entry_id
from server.store.keys import Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.channels import scan
from server.store.repositories.publisher import CURSOR_LIFE_MS, lowest_cursor
from server.store.repositories.stock import decode_stock

DaysFigures = Mapping[int, Mapping[str, Mapping[tuple[str, str], Figures]]]
"""Day -> SKU -> (channel, location) -> what to add."""
EVENTS_KEPT_MS: Final = 30 * DAY_MS

_decode_rows = msgspec.msgpack.Decoder(list[list[str | int]]).decode
_decode_places = msgspec.msgpack.Decoder(list[str]).decode
_pack = msgspec.msgpack.Encoder().encode
_KNOWN: Final = len(Figures.__struct_fields__)


class Counted(NamedTuple):
    """How far the journal is counted. ``since_ms``: from when on nothing is missing, milliseconds since 1970."""

    cursor: str
    since_ms: int


class Row(NamedTuple):
    """The figures of one SKU on one channel at one location."""

    channel: str
    location: str
    figures: Figures


class Shelf(NamedTuple):
    """What lies at one (SKU, location), in units. ``available`` may still be promised."""

    sku: str
    location: str
    on_hand: int
    available: int


class FigureStore:
    """The figures of one partition. Every method raises StoreUnavailableError where the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self.client = client
        self.keyspace = keyspace

    async def counted(self) -> Counted | None:
        """Tell how far the journal is counted; None: nobody has begun."""
        cursor, since_ms = await command(self.client, "HMGET", self.keyspace.figures, "cursor", "since_ms")
        return None if cursor is None else Counted(cursor.decode(), int(since_ms))

    async def add(
        self, after: str, upto: Counted, days: DaysFigures, events: Sequence[Change], *, retention_s: float
    ) -> bool:
        """Count the journal from one id up to another: figures, events and cursor in one script.

        ``after`` is where the cursor stood, empty for nowhere. False: it stands elsewhere, so somebody else has counted
        that; nothing was written. A caller who does not learn the answer asks for the cursor.
        """
        keys = (self.keyspace.figures, self.keyspace.journal, self.keyspace.events)
        newest_ms = max((event.at_ms for event in events), default=EVENTS_KEPT_MS)
        arguments: list[str | bytes | int] = [newest_ms - EVENTS_KEPT_MS, len(events)]
        arguments += (_pack([event]) for event in events)
        for day, skus in days.items():
            arguments += ((day + 1) * DAY_MS // 1000 + int(retention_s), len(skus))
            for sku, rows in skus.items():
                arguments += (sku, _pack([(*where, *msgspec.structs.astuple(each)) for where, each in rows.items()]))
        answer = await run_on_keys(
            self.client,
            library().function("add_daily_figures"),
            (*keys, *map(self.keyspace.day_figures, days)),
            after,
            upto.cursor,
            upto.since_ms,
            *arguments,
        )
        return bool(answer)

    async def of_day(self, day: int) -> AsyncIterator[tuple[str, list[Row]]]:
        """Go through the figures of a day, by SKU and in no order; counting goes on meanwhile."""
        async for sku, packed in scan(self.client, self.keyspace.day_figures(day)):
            yield sku.decode(), _rows(packed)

    async def of_sku(self, sku: str, days: Sequence[int]) -> list[list[Row]]:
        """Read the figures of one SKU, day by day as they were asked for."""
        asked = [("HGET", self.keyspace.day_figures(day), sku) for day in days]
        found = await together(self.client, asked) if asked else []
        return [_rows(packed) if packed is not None else [] for packed in found]

    async def shelves(self) -> AsyncIterator[Shelf]:
        """Go through the whole stock, in no order; sales go on meanwhile."""
        async for field, packed in scan(self.client, self.keyspace.stock):
            yield _shelf(*split_field(field), packed)

    async def shelves_of(self, sku: str) -> list[Shelf]:
        """Read the stock of one SKU; empty: it is not known."""
        packed = await command(self.client, "HGET", self.keyspace.skus, sku)
        if packed is None:
            return []
        places = _decode_places(packed)
        found = await command(self.client, "HMGET", self.keyspace.stock, *(f"{sku}\0{place}" for place in places))
        return [_shelf(sku, place, each) for place, each in zip(places, found, strict=True) if each]

    async def now_ms(self) -> int:
        """Read the store's clock, which all times here are of; milliseconds since 1970."""
        seconds, microseconds = await command(self.client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000


async def lowest_follower(client: Redis, keyspace: Keyspace) -> str | None:
    """Tell up to which journal id every channel has confirmed and every figure is counted; None: nobody follows.

    Who counts is not waited for longer than a publisher is: a journal that grew for ever would end everything.
    """
    store = FigureStore(client, keyspace)
    channels, counted = await lowest_cursor(client, keyspace), await store.counted()
    if counted is None:
        return channels
    oldest_ms = await store.now_ms() - CURSOR_LIFE_MS
    mine = max(parse_entry_id(counted.cursor), (oldest_ms, 0))
    return format_entry_id(mine if channels is None else min(mine, parse_entry_id(channels)))


def _rows(packed: bytes) -> list[Row]:
    return [
        Row(str(channel), str(location), Figures(*map(int, units[:_KNOWN])))
        for channel, location, *units in _decode_rows(packed)
    ]


def _shelf(sku: str, location: str, packed: bytes) -> Shelf:
    record = decode_stock(packed)
    return Shelf(sku, location, record.on_hand, record.free)
