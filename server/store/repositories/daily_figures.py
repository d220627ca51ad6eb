"""The daily figures, and up to where the journal is counted: one script adds to them, reports read them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from redis.asyncio import Redis

from server.domain.aliases import LocationNames
from server.domain.calendars import IN_UTC, Calendar
from server.domain.changes import Change
from server.domain.daily_figures import CHANNELS_PER_DAY_MAX, DAY_MS, OTHER_CHANNELS, Figures
from server.domain.locations import ClosedLocations
from server.store.connection.commands import command, run_on_keys, together
from server.store.connection.scans import scan
from server.store.journal.entries import format_entry_id, parse_entry_id
from server.store.keys import Keyspace, split_field
from server.store.lua_library import library
from server.store.repositories.aliases import current_names, moving_names, names_of, read_aliases
from server.store.repositories.channels import CURSOR_LIFE_MS, lowest_cursor
from server.store.repositories.location_names import read_location_names
from server.store.repositories.locations import skus_at
from server.store.repositories.stock import decode_stock

DaysFigures = Mapping[int, Mapping[str, Mapping[tuple[str, str], Figures]]]
"""Day -> SKU -> (channel, location) -> what to add."""
EVENTS_KEPT_MS: Final = 30 * DAY_MS
SKUS_AT_A_TIME: Final = 20
"""Whose lists of locations are read at once: those of a chain are long."""
FIELDS_AT_A_TIME: Final = 1_000
"""Of one HMGET: about a millisecond of the store's time."""

_decode_rows = msgspec.msgpack.Decoder(list[list[str | int]]).decode
_decode_names = msgspec.msgpack.Decoder(frozenset[str]).decode
_decode_locations = msgspec.msgpack.Decoder(list[str]).decode
_pack = msgspec.msgpack.Encoder().encode
_LISTED_ROWS: Final = 8
"""The list of a SKU has room for so many rows; if it is full, there may be others, as the script says."""
_SPILLED: Final = tuple(f"\0{place:03x}" for place in range(4096))
"""What follows the SKU in the fields of the others."""
_KNOWN: Final = len(Figures.__struct_fields__)


class Counted(NamedTuple):
    """Up to where the journal is counted. ``since_ms``: from when on nothing is missing, milliseconds since 1970."""

    cursor: str
    since_ms: int


class Mask(NamedTuple):
    """The closed locations at a cursor of the counter.

    ``step``: which events of the next change of them are written, "" where none are. ``stored_step`` and
    ``stored_closed`` are as the store has them, None: not known.
    """

    cursor: str = ""
    closed: ClosedLocations = ClosedLocations()
    step: str = ""
    stored_step: str = ""
    stored_closed: ClosedLocations | None = None


class Finding(NamedTuple):
    """Whether a SKU as a whole is out, and the event that says so if it was not before; None: it is only noted.

    ``is_sure``: it was the other before, whatever was noted.
    """

    sku: str
    is_out: bool
    is_sure: bool
    event: Change | None


class Row(NamedTuple):
    """The figures of one SKU on one channel at one location."""

    channel: str
    location: str
    figures: Figures


class StockAtLocation(NamedTuple):
    """The stock of one (SKU, location), in units. ``available`` could be reserved if the location was open.

    ``is_closed`` is only set by those who mask, with ``available`` 0.
    """

    sku: str
    location: str
    on_hand: int
    available: int
    seq: int = 0
    is_closed: bool = False


class FigureStore:
    """The figures of one partition. Every method raises StoreUnavailableError if the store does not answer."""

    def __init__(self, client: Redis, keyspace: Keyspace) -> None:
        self.client = client
        self.keyspace = keyspace

    async def counted(self) -> Counted | None:
        """Read up to where the journal is counted; None: counting has not begun."""
        cursor, since_ms = await command(self.client, "HMGET", self.keyspace.figures, "cursor", "since_ms")
        return None if cursor is None else Counted(cursor.decode(), int(since_ms))

    async def mask(self) -> Mask:
        """Read the closed locations at the counter's cursor."""
        fields = ("mask_cursor", "mask_version", "mask", "mask_step")
        cursor, version, names, step = await command(self.client, "HMGET", self.keyspace.figures, *fields)
        closed = ClosedLocations(int(version or 0), _decode_names(names) if names else frozenset())
        stored = (step or b"").decode()
        return Mask((cursor or b"").decode(), closed, stored, stored, closed)

    async def add(
        self,
        after: str,
        upto: Counted,
        days: DaysFigures,
        events: Sequence[Change],
        *,
        retention_s: float,
        mask: Mask | None = None,
        findings: Sequence[Finding] = (),
        calendar: Calendar = IN_UTC,
    ) -> int:
        """Count the journal from one id up to another: figures, events, cursor and mask in one script.

        ``after`` is the expected cursor, empty for none; ``calendar`` has told the days apart. 0: the cursor is another
        one, because another process has counted that, or the time zone has changed; nothing was written. Else 1, and 1
        more for each channel that was counted as :data:`OTHER_CHANNELS`. A caller that gets no answer reads the cursor.
        """
        keys = (self.keyspace.figures, self.keyspace.journal, self.keyspace.events, self.keyspace.sold_out)
        newest_ms = max((event.at_ms for event in events), default=EVENTS_KEPT_MS)
        known = mask if mask is not None else await self.mask()
        names = b"" if known.closed == known.stored_closed else _pack(sorted(known.closed.names))
        arguments: list[str | bytes | int] = [newest_ms - EVENTS_KEPT_MS]
        arguments += (known.stored_step, known.step, known.closed.version, names, CHANNELS_PER_DAY_MAX, OTHER_CHANNELS)
        arguments += (calendar.packed, len(events))
        arguments += (_pack([event]) for event in events)
        arguments.append(len(findings))
        for each in findings:
            event = b"" if each.event is None else _pack([each.event])
            arguments += (each.sku, "out" if each.is_out else "back", int(each.is_sure), event)
        for day, skus in days.items():
            channels = {channel for rows in skus.values() for channel, _ in rows}
            arguments += (
                day,
                calendar.begin_ms(day + 1) // 1000 + int(retention_s),
                _pack(sorted(channels)),
                len(skus),
            )
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
        return int(answer)

    async def of_day(self, day: int) -> AsyncIterator[tuple[str, list[Row]]]:
        """Go through the figures of a day, by SKU and in no order, while counting goes on; a SKU can come often."""
        aliases, locations = await read_aliases(self.client, self.keyspace), await self.location_names()
        async for field, packed in scan(self.client, self.keyspace.day_figures(day)):
            yield aliases.sku(split_field(field)[0]), _renamed(_rows(packed), locations)

    async def of_sku(self, sku: str, days: Sequence[int]) -> list[list[Row]]:
        """Read the figures of one SKU, for each of the days in order."""
        rows: list[list[Row]] = [[] for _ in days]
        locations = await self.location_names()
        for name in await names_of(self.client, self.keyspace, sku):
            asked = [("HGET", self.keyspace.day_figures(day), name) for day in days]
            for place, packed in enumerate(await together(self.client, asked) if asked else []):
                listed = _rows(packed) if packed is not None else []
                if len(listed) >= _LISTED_ROWS:
                    listed += await self._spilled(name, days[place])
                rows[place] += _renamed(listed, locations)
        return rows

    async def location_names(self) -> LocationNames:
        """Read the old names of locations."""
        return await read_location_names(self.client, self.keyspace)

    async def current(self, sku: str) -> str:
        """Return what a SKU is called now."""
        return (await names_of(self.client, self.keyspace, sku))[0]

    async def current_of(self, skus: Sequence[str]) -> Mapping[str, str]:
        """Return what each of some SKUs is called now."""
        return await current_names(self.client, self.keyspace, skus)

    async def _spilled(self, sku: str, day: int) -> list[Row]:
        """Read the rows of a SKU that had no room in its list."""
        rows: list[Row] = []
        for start in range(0, len(_SPILLED), FIELDS_AT_A_TIME):
            fields = [sku + place for place in _SPILLED[start : start + FIELDS_AT_A_TIME]]
            found = await command(self.client, "HMGET", self.keyspace.day_figures(day), *fields)
            for packed in found:
                if packed is not None:
                    rows += _rows(packed)
        return rows

    async def shelves(self) -> AsyncIterator[StockAtLocation]:
        """Go through the whole stock, in no order, while sales go on."""
        locations = await self.location_names()
        async for field, packed in scan(self.client, self.keyspace.stock):
            sku, location = split_field(field)
            yield _shelf(sku, locations.current(location), packed)

    async def shelves_at(self, locations: frozenset[str], place: int) -> tuple[list[StockAtLocation], int]:
        """Read the stock that lies at some locations, a slice of all SKUs at a time, see :func:`skus_at`."""
        skus, following = await skus_at(self.client, self.keyspace, locations, place)
        fields = [f"{sku}\0{location}" for sku, lying in sorted(skus.items()) for location in sorted(lying)]
        found: list[StockAtLocation] = []
        for start in range(0, len(fields), FIELDS_AT_A_TIME):
            some = fields[start : start + FIELDS_AT_A_TIME]
            packed = await command(self.client, "HMGET", self.keyspace.stock, *some)
            found += [
                _shelf(*split_field(field.encode()), each) for field, each in zip(some, packed, strict=True) if each
            ]
        return found, following

    async def shelves_of(self, sku: str) -> list[StockAtLocation]:
        """Read the stock of one SKU; empty: it has no stock record."""
        sku = await self.current(sku)
        packed = await command(self.client, "HGET", self.keyspace.skus, sku)
        locations = _decode_locations(packed) if packed is not None else []
        if not locations:  # of an untracked SKU the list is empty
            return []
        found: list[StockAtLocation] = []
        names = await self.location_names()
        for start in range(0, len(locations), FIELDS_AT_A_TIME):
            some = locations[start : start + FIELDS_AT_A_TIME]
            packed_records = await command(
                self.client, "HMGET", self.keyspace.stock, *(f"{sku}\0{location}" for location in some)
            )
            found += [
                _shelf(sku, names.current(location), each)
                for location, each in zip(some, packed_records, strict=True)
                if each
            ]
        return found

    async def units_of(self, skus: Sequence[str], closed: frozenset[str]) -> dict[str, dict[str, int]]:
        """Read of each SKU the open locations with units, and how many are available there."""
        found: dict[str, dict[str, int]] = {sku: {} for sku in skus}
        moving = await moving_names(self.client, self.keyspace)
        for first in range(0, len(skus), SKUS_AT_A_TIME):
            some = skus[first : first + SKUS_AT_A_TIME]
            lists = await command(self.client, "HMGET", self.keyspace.skus, *some)
            places = [
                (sku, name)
                for sku, packed in zip(some, lists, strict=True)
                for name in (_decode_locations(packed) if packed is not None else [])
                if name not in closed
            ]
            for start in range(0, len(places), FIELDS_AT_A_TIME):
                part = places[start : start + FIELDS_AT_A_TIME]
                # The old name first: what moves between two commands is read twice, and not missed.
                under_old = [(sku, moving[sku], name) for sku, name in part if sku in moving]
                for named in (under_old, [(sku, sku, name) for sku, name in part]):
                    fields = [f"{stored_as}\0{name}" for _, stored_as, name in named]
                    records = await command(self.client, "HMGET", self.keyspace.stock, *fields) if fields else []
                    for (sku, _, name), record in zip(named, records, strict=True):
                        units = 0 if record is None else decode_stock(record).free
                        if units > 0:
                            found[sku][name] = units
        return found

    async def now_ms(self) -> int:
        """Read the store's clock, which all times here are of; milliseconds since 1970."""
        seconds, microseconds = await command(self.client, "TIME")
        return int(seconds) * 1000 + int(microseconds) // 1000


async def lowest_follower(client: Redis, keyspace: Keyspace) -> str | None:
    """Return the journal id up to which every channel has confirmed and all is counted; None: there is no reader.

    Counting holds back trimming no longer than a publisher does: the journal must not grow for ever.
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


def _renamed(rows: list[Row], locations: LocationNames) -> list[Row]:
    return [row._replace(location=locations.current(row.location)) for row in rows] if locations else rows


def _shelf(sku: str, location: str, packed: bytes) -> StockAtLocation:
    record = decode_stock(packed)
    return StockAtLocation(sku, location, record.on_hand, record.free, record.seq)
