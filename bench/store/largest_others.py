"""The largest that is asked of the functions of maintenance and of bulk writes."""

import asyncio
from typing import Final

import msgspec

from bench.store.largest_calls import (
    ACTOR,
    AT_ONCE,
    HOUR_MS,
    PLENTY,
    PRINT,
    Case,
    World,
    done,
    holds,
    lines_of,
    orders,
    sku,
    stocked,
)
from server.domain.channels import LISTINGS_PER_CALL_MAX, Listing
from server.domain.daily_figures import Figures, day_of
from server.domain.limits import BARCODES_PER_CALL_MAX, LINES_MAX, RECORD_LINES_MAX
from server.domain.locations import LOCATIONS_MAX, Location
from server.domain.operations.reservations import (
    Edit,
    Fulfil,
    Line,
    LineEdit,
    LineMapping,
    MapLines,
    Order,
    Release,
    Reserve,
    Return,
    ReturnedLine,
)
from server.domain.operations.stock import BackorderMode, Count, Disposition, Receive, SetBackorder
from server.domain.operations.transfers import Arrive, Ship, TransferItem
from server.domain.replenishment import Rule
from server.insight.daily_figures import ROWS_MAX
from server.store.connection.commands import command, run_function, run_on_keys
from server.store.lua_library import library
from server.store.maintenance.housekeeping import FILL_MAX, FORGET_COUNT
from server.store.maintenance.lacking import recount_lacking
from server.store.repositories.barcodes import Pack, put_barcodes
from server.store.repositories.channels import ChannelStore
from server.store.repositories.daily_figures import Counted, FigureStore
from server.store.repositories.locations import LOCATIONS_PER_WRITE, LocationStore
from server.store.repositories.publisher import PublisherStore, Writes
from server.store.repositories.replenishment import ReplenishmentStore
from server.store.repositories.safety_stock import APPLY_MAX, SafetyStore, SafetyTarget

_LONG_S: Final = 90 * 86_400
_ENTRY_ROWS: Final = 300
"""Of figures, that one entry of the journal may make: a call changes no more lines, see ``lua/lib/work.lua``."""


def limits(world: World) -> bytes:
    """Pack the first argument of the scripts."""
    return world.retention.packed()


# -- purging


async def _ended(world: World) -> None:
    """End long orders under keys, and let what is kept of them be over."""
    await stocked(world)
    await done(world, holds(600))
    await done(world, (Release(PRINT, ACTOR, f"r{n}", f"key-{n}", []) for n in range(600)))
    forget = world.keyspace.all[6]
    members = await command(world.client, "ZRANGE", forget, 0, -1)
    for start in range(0, len(members), 500):
        await command(world.client, "ZADD", forget, *(x for each in members[start : start + 500] for x in (1, each)))


async def _purge(world: World) -> None:
    looked_at, function = FORGET_COUNT, library().function("purge_ended")
    while looked_at == FORGET_COUNT:
        looked_at = await run_on_keys(world.client, function, world.keyspace.forgetting, limits(world), FORGET_COUNT)


# -- backorders


async def _waiting(world: World) -> None:
    """Have long orders wait for one SKU, and 200 others for SKUs of their own."""
    await stocked(world)
    await done(
        world,
        (SetBackorder("", ACTOR, "", f"late-{n}", "main", BackorderMode.BACKORDER, PLENTY) for n in range(FILL_MAX)),
    )
    for n in range(FILL_MAX):
        lines = [*lines_of(n, LINES_MAX - 1), Line("late-0", "main", 1)]
        await done(world, [Reserve(PRINT, ACTOR, f"w{n}", "web", lines, HOUR_MS, backorder=True)])
    await done(
        world,
        (
            Reserve(PRINT, ACTOR, f"x{n}-{each}", "web", [Line(f"late-{n}", "main", 1)], HOUR_MS, backorder=True)
            for n in range(1, FILL_MAX)
            for each in range(4)
        ),
    )


async def _receive_and_fill(world: World) -> None:
    await done(world, (Receive("", ACTOR, "", f"late-{n}", "main", FILL_MAX) for n in range(FILL_MAX)))
    after, function = b"", library().function("fill_backorders")
    while True:
        unfilled = await command(world.client, "HGET", world.keyspace.meta, "unfilled")
        if unfilled is None:
            return
        reply = await run_function(world.client, function, world.keyspace, limits(world), after, FILL_MAX, unfilled)
        after = _text(reply)


def _text(reply: bytes) -> bytes:

    return msgspec.msgpack.decode(reply, type=tuple[str, int])[0].encode()


# -- figures


async def _count_rows(world: World) -> None:
    """Count rows of many SKUs that have many rows already, then names that anybody can invent.

    With the rows that one call may have counts one entry of the journal that comes on top.
    """
    figures, cursor = FigureStore(world.client, world.keyspace), ""
    day = day_of(4_000_000_000_000)
    for turn in range(20):
        upto = f"{turn + 1}-1"
        rows = {
            sku(n): {(f"channel-{turn}", f"store-{each}"): Figures(ordered=1) for each in range(3)}
            for n in range((ROWS_MAX + _ENTRY_ROWS) // 3)
        }
        await figures.add(cursor, Counted(upto, 0), {day: rows}, [], retention_s=_LONG_S)
        cursor = upto
    for turn in range(20, 80):
        upto = f"{turn + 1}-1"
        names = {(f"invented-{turn}-{n}", "main"): Figures(ordered=1) for n in range(ROWS_MAX + _ENTRY_ROWS)}
        await figures.add(cursor, Counted(upto, 0), {day: {"HOT": names}}, [], retention_s=_LONG_S)
        cursor = upto


# -- places


async def _many_places(world: World) -> None:
    store = LocationStore(world.client, world.keyspace, limits(world))
    names = [f"location-{n:05d}" for n in range(LOCATIONS_MAX)]
    for start in range(0, LOCATIONS_MAX, LOCATIONS_PER_WRITE):
        await store.put([Location(name, open=False) for name in names[start : start + LOCATIONS_PER_WRITE]], ACTOR)
    await store.limit_channels({f"channel-{n}": names for n in range(4)})
    await store.put([Location(name, open=True) for name in names[:LOCATIONS_PER_WRITE]], ACTOR)
    await store.directory()


async def _at_many_places(world: World) -> None:
    await done(world, (Count("", ACTOR, "", sku(n), f"store-{place}", 1) for n in range(6) for place in range(5_000)))


async def _order_anywhere(world: World) -> None:
    one = [_anywhere(f"o{n}", [n % 6]) for n in range(12)]
    all_six = [_anywhere(f"p{n}", list(range(6))) for n in range(12)]
    for orders_of in (one, all_six):
        await asyncio.gather(*(world.ledger.run(each) for each in orders_of))


def _anywhere(name: str, skus: list[int], *, accept_shortage: bool = True) -> Order:
    return Order(PRINT, ACTOR, name, "web", [Line(sku(n), "", 2) for n in skus], accept_shortage=accept_shortage)


async def _one_or_two_each(world: World) -> None:
    """Stock a SKU at each store of a chain: every third one has two units, but the first ones have sold one."""
    stores = ((f"store-{n}", 1 + (n % 3 == 0 and n >= 1_000)) for n in range(5_000))
    await done(world, (Count("", ACTOR, "", sku(0), name, units) for name, units in stores))


async def _book_what_is_sold(world: World) -> None:
    for n in range(3):
        await done(world, [Order(PRINT, ACTOR, f"s{n}", "web", [Line(sku(0), "", 500)], accept_shortage=True)])


async def _order_in_slices(world: World) -> None:
    """Order what no call can look for alone; the channel is limited to half of the stores, and some are closed."""
    store = LocationStore(world.client, world.keyspace, limits(world))
    names = [f"store-{place}" for place in range(5_000)]
    await store.limit_channels({f"channel-{n}": names[n:] for n in range(3)} | {"web": names[:2_500]})
    await store.put([Location(name, open=False) for name in names[:LOCATIONS_PER_WRITE]], ACTOR)
    wanted = [_anywhere(f"q{n}", list(range(1 + n % 6)), accept_shortage=False) for n in range(12)]
    await done(world, wanted)


async def _at_some_places(world: World) -> None:
    await done(world, (Count("", ACTOR, "", sku(n), f"store-{place}", 1) for n in range(24) for place in range(250)))


async def _order_in_many_lines(world: World) -> None:
    """Order what comes from as many places as an order has lines, of SKUs whose places share a call."""
    lines = ([Line(sku(n), "", RECORD_LINES_MAX)] for n in range(24))
    await done(world, [Order(PRINT, ACTOR, f"l{n}", "web", each) for n, each in enumerate(lines)])


async def _edit_in_slices(world: World) -> None:
    """Raise lines of orders, and map lines that nobody knew, to SKUs that are at 5,000 places each."""
    unknown = [Line(f"?{n}", "", 1) for n in range(LINES_MAX)]
    held = [Reserve(PRINT, ACTOR, f"e{n}", "web", [Line(sku(n % 6), "", 1)], HOUR_MS) for n in range(12)]
    sold = [Order(PRINT, ACTOR, f"m{n}", "web", unknown, accept_shortage=True) for n in range(6)]
    await done(world, held + sold)
    raised = [LineEdit(0, sku(n), "", 30) for n in range(6)]
    mapped = [LineMapping(number, sku(number % 6)) for number in range(1, LINES_MAX + 1)]
    await done(world, [Edit("", ACTOR, f"e{n}", "", raised) for n in range(12)])
    await done(world, [MapLines("", ACTOR, f"m{n}", "", mapped) for n in range(6)])


async def _many_allocated_places(world: World) -> None:
    allocations = [(f"marketplace-{n:03d}", "own", 1, 0) for n in range(32)]
    for first in range(0, 5_000, 500):
        records = {
            f"{sku(0)}\0store-{place}": msgspec.msgpack.encode([40, 0, 0, 0, 0, 0, 1 + place, allocations])
            for place in range(first, first + 500)
        }
        await command(world.client, "HSET", world.keyspace.stock, *(x for pair in records.items() for x in pair))
    packed = msgspec.msgpack.encode([f"store-{place}" for place in range(5_000)])
    await command(world.client, "HSET", world.keyspace.skus, sku(0), packed)
    await command(world.client, "HSET", world.keyspace.meta, "seq", 5_000)


async def _order_allocated(world: World) -> None:
    await done(world, [_anywhere(f"v{n}", [0], accept_shortage=n % 2 > 0) for n in range(8)])


# -- rules and listings


async def _rules(world: World) -> None:
    names = [sku(n) for n in range(1_000)]
    safety = SafetyStore(world.client, world.keyspace)
    await safety.apply([SafetyTarget(name, "main", n, 0) for n, name in enumerate(names[:APPLY_MAX])], limits(world))
    await safety.set_categories(dict.fromkeys(names, "shoes"), ACTOR)
    reordering = ReplenishmentStore(world.client, world.keyspace)
    await reordering.set_rules({(name, ""): Rule(reorder_point=1) for name in names}, ACTOR)
    listings = [Listing(name, f"listing-{name}") for name in names[:LISTINGS_PER_CALL_MAX]]
    await ChannelStore(world.client, world.keyspace).put_listings("web", listings, ACTOR)
    packs = [(f"barcode-{name}", Pack(name)) for name in names[:BARCODES_PER_CALL_MAX]]
    await put_barcodes(world.client, world.keyspace, packs, ACTOR)


async def _publish(world: World) -> None:
    store = PublisherStore(world.client, world.keyspace)
    lease = await store.acquire("bench", 60_000)
    writes = Writes()
    for n in range(10_000):
        writes.set(world.keyspace.channel_status, sku(n), b"x" * 200)
    await store.record(lease.token, writes)


async def _short(world: World) -> None:
    await stocked(world, 5_000, units=1)
    wanted = ((f"s{n}", [Line(sku(n), "main", 3)]) for n in range(5_000))
    await done(world, (Order(PRINT, ACTOR, name, "web", lines, accept_shortage=True) for name, lines in wanted))


async def _recount(world: World) -> None:
    await recount_lacking(world.client, world.keyspace, limits(world))


# -- transfers, returns, lines that nobody knows


async def _shipped(world: World) -> None:
    await stocked(world)
    items = [TransferItem(sku(n), 1) for n in range(LINES_MAX)]
    await done(world, (Ship(PRINT, ACTOR, "", f"t{n}", "main", "other", items) for n in range(AT_ONCE)))


async def _arrive(world: World) -> None:
    await done(world, (Arrive(PRINT, ACTOR, "", f"t{n}", [], everything=True) for n in range(AT_ONCE)))


async def _fulfilled(world: World) -> None:
    await stocked(world)
    await done(world, orders(AT_ONCE))
    await done(world, (Fulfil(PRINT, ACTOR, f"r{n}", "", []) for n in range(AT_ONCE)))


async def _return_all(world: World) -> None:
    back = [ReturnedLine(number, 2, Disposition.RESTOCK) for number in range(1, LINES_MAX + 1)]
    await done(world, (Return(PRINT, ACTOR, f"r{n}", "", back) for n in range(AT_ONCE)))


async def _unmapped(world: World) -> None:
    await stocked(world)
    lines = [Line(f"?{n}", "", 1) for n in range(LINES_MAX)]
    await done(world, (Order(PRINT, ACTOR, f"u{n}", "web", lines, accept_shortage=True) for n in range(20)))


async def _map(world: World) -> None:
    mappings = [LineMapping(number, sku(number - 1)) for number in range(1, LINES_MAX + 1)]
    await done(world, (MapLines(PRINT, ACTOR, f"u{n}", "", mappings) for n in range(20)))


async def _stocked(world: World) -> None:
    await stocked(world, 1_000)


async def _nothing(_: World) -> None:
    return


async def _new_names(world: World) -> None:
    await stocked(world, 10 * LINES_MAX)


CASES: Final = (
    Case("600 long orders and their keys are purged", _ended, _purge),
    Case("units for 200 long orders that wait", _waiting, _receive_and_fill),
    Case("rows of figures, then 20,000 channels", _nothing, _count_rows),
    Case("5,000 locations closed, 500 opened", _nothing, _many_places, commands=True),
    Case("orders anywhere among 6 x 5,000 places", _at_many_places, _order_anywhere),
    Case("accepted orders of 500 units among 5,000 places", _one_or_two_each, _book_what_is_sold),
    Case("orders in slices among 6 x 5,000 places", _at_many_places, _order_in_slices),
    Case("24 orders of 200 units among 250 places each", _at_some_places, _order_in_many_lines),
    Case("edits and mappings among 6 x 5,000 places", _at_many_places, _edit_in_slices),
    Case("orders among 5,000 places with 32 allocations", _many_allocated_places, _order_allocated),
    Case("rules, categories, listings, barcodes", _stocked, _rules, commands=True),
    Case("1,000 SKUs that are new", _nothing, _new_names),
    Case("10,000 values of a publisher", _nothing, _publish),
    Case("5,000 places that lack units", _short, _recount),
    Case("128 transfers of 100 lines arrive", _shipped, _arrive),
    Case("128 returns of 100 lines", _fulfilled, _return_all),
    Case("20 orders of 100 lines are mapped", _unmapped, _map),
)
