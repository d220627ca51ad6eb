"""The figures as tests look at them: all that the store has counted, and what the journal says they must be."""

from collections import defaultdict
from typing import Final

from server.domain.alerts import PLACE_ALERTS
from server.domain.changes import Change
from server.store.journal import journal
from server.store.repositories.daily_figures import FigureStore
from server.store.repositories.replenishment import ReplenishmentStore

DAY_S: Final = 86_400
RETENTION_S: Final = 90 * DAY_S
Units = tuple[int, int, int, int, int, int]
"""Ordered, shipped, cancelled, returned, received, other."""
Counted = dict[tuple[int, str, str, str], Units]
"""(day, SKU, channel, location) -> units."""


async def counted(store: FigureStore) -> Counted:
    """Read all figures of all days."""
    found: Counted = {}
    async for key in store.client.scan_iter(match=store.keyspace.day_figures(0)[:-1] + "*"):
        day = int(key.decode().rpartition(":")[2])
        async for sku, rows in store.of_day(day):
            for channel, location, each in rows:
                assert (day, sku, channel, location) not in found
                found[day, sku, channel, location] = (
                    each.ordered,
                    each.shipped,
                    each.cancelled,
                    each.returned,
                    each.received,
                    each.other,
                )
    return found


async def told_by_journal(store: FigureStore) -> Counted:
    """Add up the whole journal, plainly."""
    sums: dict[tuple[int, str, str, str], list[int]] = defaultdict(lambda: [0] * 6)
    async for _, changes in journal.read(store.client, store.keyspace):
        for change in changes:
            for line in change.lines:
                if line.d_committed or line.d_on_hand:
                    units = sums[change.at_ms // 86_400_000, line.sku, change.channel, line.location]
                    units[0] += line.d_committed if change.operation in {"order", "commit"} else 0
                    units[2] -= line.d_committed if change.operation == "cancel" else 0
                    place, sign = {"fulfil": (1, -1), "return": (3, 1), "receive": (4, 1)}.get(change.operation, (5, 1))
                    units[place] += sign * line.d_on_hand
    return {where: (*units,) for where, units in sums.items()}  # type: ignore[misc]  # there are six


Crossings = list[tuple[str, str, str, int]]
"""(alert, SKU, location, seq of the change)."""


async def raised(store: FigureStore) -> Crossings:
    """Read all events of locations, as the stream has them; the journal must hold the same."""
    found = await ReplenishmentStore(store.client, store.keyspace).events("0-0", 1_000_000)
    rows: Crossings = [(each.alert, each.sku, each.location, each.seq) for each in found if each.alert in PLACE_ALERTS]
    in_journal: Crossings = []
    async for _, changes in journal.read(store.client, store.keyspace):
        for change in changes:
            if change.operation.startswith(("stock.", "shortage.")):
                notes = dict(change.notes)
                in_journal.append((change.operation, notes["sku"], notes["location"], int(notes["seq"])))
    assert in_journal == rows
    return rows


def _shortages(changes: list[Change], shelf: dict[tuple[str, str], list[int]]) -> Crossings:
    """Find the places where units begin to lack in one entry; ``shelf`` has reserved units and those on the shelf."""
    before: dict[tuple[str, str], int] = {}
    seqs: dict[tuple[str, str], int] = {}
    for line in (line for change in changes for line in change.lines):
        place = line.sku, line.location
        units = shelf.setdefault(place, [0, 0])
        before.setdefault(place, min(units[0], max(0, units[0] - units[1])))
        units[0] += line.d_held + line.d_committed
        units[1] += line.d_on_hand - line.d_damaged - line.d_quality_control
        seqs[place] = line.seq
    return [
        ("shortage.opened", *place, seqs[place])
        for place, lacked in before.items()
        if not lacked and min(shelf[place][0], shelf[place][0] - shelf[place][1]) > 0
    ]


async def crossings(store: FigureStore, reorder_point: int) -> Crossings:
    """Go through the whole journal with a memory of which side each place is on."""
    was: dict[tuple[str, str], int] = {}
    shelf: dict[tuple[str, str], list[int]] = {}
    found: Crossings = []
    async for _, changes in journal.read(store.client, store.keyspace):
        for line in (line for change in changes for line in change.lines):
            before = was.get((line.sku, line.location), 0)
            now = was[line.sku, line.location] = line.available
            sides = {
                "stock.out": before > 0 >= now,
                "stock.low": before > reorder_point >= now > 0,
                "stock.back": before <= 0 < now,
            }
            found += [(alert, line.sku, line.location, line.seq) for alert, is_crossed in sides.items() if is_crossed]
        found += _shortages(changes, shelf)  # they stand at the end of the entry
    return found
