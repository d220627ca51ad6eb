"""What is short, which orders lack units by it, and which other locations have them."""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from msgspec.structs import replace

from server.domain.reservation import Reservation
from server.domain.shortages import Elsewhere
from server.domain.stock import lacking
from server.schemas.shortages import ShortagePreviewQuery, ShortageQuery
from server.service.caller import Caller
from server.service.checks import check_cursor, check_location, check_sku
from server.service.holder_search import holder_search
from server.store.connection.timeouts import in_time
from server.store.ledger import slices
from server.store.ledger.reads import Reads
from server.store.repositories.aliases import current_names, moving_names
from server.store.repositories.location_names import read_location_names
from server.store.repositories.shortages import Shortage, ShortagePage, find_shortages, is_short, lacking_at, short_at

PLACES_MAX: Final = 10_000
"""Looked at for one answer, in some 20 calls of the store; a place is a SKU at a location."""
CHANNELS_AT_ONCE: Final = 16
QUESTIONS_MAX: Final = 500
"""SKUs that are looked up for one answer, for each channel anew: what it may take differs."""


class Shortages(NamedTuple):
    """A page of what is short, and where else units of it are."""

    page: ShortagePage
    elsewhere: Elsewhere


async def shortages(caller: Caller, query: ShortageQuery) -> Shortages:
    """Read where more is reserved than there is, a page at a time.

    Raises
    ------
    InvalidError
        ``after`` is not what a page returned as its next.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    page = await _page(caller, check_cursor("after", query.after), query.limit)
    return Shortages(page, await find_elsewhere(caller.ledger, page.shortages))


async def _page(caller: Caller, after: str, limit: int) -> ShortagePage:
    partition = caller.partition
    reading = find_shortages(
        partition.client, partition.keyspace, partition.limits, after, limit,
        newest_first=partition.newest_first, search=holder_search(caller),
    )  # fmt: skip
    return await in_time(reading)


async def would_lack(caller: Caller, query: ShortagePreviewQuery) -> Shortages | None:
    """Find which lines would lack units at a location if so many fewer lay there; None: the SKU is not known there.

    What is lacking already counts as well.

    Raises
    ------
    InvalidError
        A name cannot be one.
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    sku, location = check_sku("sku", query.sku), check_location("location", query.location)
    found = await slices.stock(caller.ledger, sku, location, places_max=1)
    if not found.levels:
        return None
    [level] = found.levels
    on_hand = level.on_hand - query.fewer
    short = lacking(on_hand, level.held, level.committed, level.damaged, level.quality_control)
    if not short:
        return Shortages(ShortagePage([], ""), Elsewhere())
    field = f"{level.sku}\0{level.location}".encode()
    lacks = await _short_at(caller, {field: short})
    return Shortages(ShortagePage(lacks, ""), await find_elsewhere(caller.ledger, lacks))


async def _short_at(caller: Caller, fields: dict[bytes, int]) -> list[Shortage]:
    partition = caller.partition
    reading = short_at(
        partition.client, partition.keyspace, partition.limits, fields,
        newest_first=partition.newest_first, search=holder_search(caller),
    )  # fmt: skip
    return await in_time(reading)


async def find_elsewhere(ledger: Reads, short: Sequence[Shortage]) -> Elsewhere:
    """Find the open locations where the channels of lines that lack units may take them, as many as there is room for.

    Raises
    ------
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    pairs = dict.fromkeys((line.channel, shortage.sku) for shortage in short for line in shortage.lines)
    skus_of: dict[str, list[str]] = {}
    for channel, sku in list(pairs)[:QUESTIONS_MAX]:
        skus_of.setdefault(channel, []).append(sku)
    found: dict[tuple[str, str], list[tuple[str, int]]] = {}
    left, most, asked = PLACES_MAX, PLACES_MAX, list(skus_of.items())
    while asked and left > 0:
        # Together they share calls of the store. As many as there is room for, if none looks at more than one before.
        some = asked[: max(1, min(CHANNELS_AT_ONCE, left // most))]
        del asked[: len(some)]
        answers = await asyncio.gather(*(slices.stocked_within(ledger, skus, name, left) for name, skus in some))
        most = max(1, *(looked for _, looked in answers))
        left -= sum(looked for _, looked in answers)
        for (channel, _), (places, _) in zip(some, answers, strict=True):
            found |= {(sku, channel): [(at, units) for at, units, _ in each.stocked] for sku, each in places.items()}
    return Elsewhere(found)


class OrderShortages(NamedTuple):
    """What reservations of one order lack, and where else units of it are; each with its lines alone."""

    short: list[Shortage]
    elsewhere: Elsewhere


NOTHING_SHORT: Final = OrderShortages([], Elsewhere())


async def shortages_of(caller: Caller, reservations: Mapping[str, Reservation]) -> OrderShortages:
    """Find what some reservations lack now, by their ids.

    Raises
    ------
    OverloadedError, StoreUnavailableError
        The store did not answer in time.

    """
    partition = caller.partition
    client, keyspace = partition.client, partition.keyspace
    if not reservations or not await in_time(is_short(client, keyspace)):
        return NOTHING_SHORT
    fields = await _fields(caller, reservations)
    lacking = await in_time(lacking_at(client, keyspace, fields))
    short = _with_lines_of(await _short_at(caller, lacking), reservations)
    return OrderShortages(short, await find_elsewhere(caller.ledger, short)) if short else NOTHING_SHORT


async def _fields(caller: Caller, reservations: Mapping[str, Reservation]) -> list[str]:
    """Name where the reserved units lie: lines keep the names that they were made with."""
    client, keyspace = caller.partition.client, caller.partition.keyspace
    lines = [line for each in reservations.values() for line in each.lines if line.held + line.committed]
    now = await in_time(current_names(client, keyspace, list(dict.fromkeys(line.sku for line in lines))))
    moving = await in_time(moving_names(client, keyspace))
    places = await in_time(read_location_names(client, keyspace))
    fields: dict[str, None] = {}
    for line in lines:
        sku, place = now[line.sku], places.current(line.location)
        # While something is renamed, it lies under one of both names.
        names = {sku, moving.get(sku, sku)}, {place, places.moving.get(place, place)}
        fields |= dict.fromkeys("\0".join(each) for each in product(*names))
    return list(fields)


def _with_lines_of(short: Sequence[Shortage], reservations: Mapping[str, Reservation]) -> list[Shortage]:
    own = [replace(each, lines=[line for line in each.lines if line.reservation_id in reservations]) for each in short]
    return [each for each in own if each.lines]


class Lacking(NamedTuple):
    """How many units an order lacks, and which other locations have some of them."""

    units: int
    others: tuple[str, ...]


async def lacking_of(caller: Caller, channel: str, number: str) -> Lacking:
    """Find what the order of a channel lacks now; errors as for :func:`shortages`."""
    short, after = list[Shortage](), ""
    while True:
        page = await _page(caller, after, ShortageQuery().limit)
        for each in page.shortages:
            lines = [line for line in each.lines if (line.channel, line.order_ref) == (channel, number)]
            short += [replace(each, lines=lines)] if lines else []
        if not page.next:
            break
        after = page.next
    elsewhere = await find_elsewhere(caller.ledger, short)
    names = (name for each in short for name, _ in elsewhere.of(each.sku, channel, each.location) or ())
    return Lacking(sum(line.lacks for each in short for line in each.lines), tuple(dict.fromkeys(names)))
