"""The history in the documents database: rows are added, erased, and removed when old; ``history_search`` finds them.

Rows of a partition get rising ids in the order of the journal, so each index yields them by time.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from server.domain.history import Detail, Gap, HistoryRow, is_personal, without_personal
from server.store.documents.database import Session, plain

FOLLOWER: Final = "history"
"""The name of the follower that writes the rows."""
ROWS_PER_STATEMENT: Final = (100, 10, 1)
RESERVATIONS_MAX: Final = 200
"""Of one number, that are searched for: the newest."""
NUMBERED_ROWS_MAX: Final = 1_000
"""Of one number, that are looked at for its reservations: a till may have one for all that it sells."""
PURGED_AT_ONCE: Final = 1_000

_COLUMNS: Final = (
    "part, ms, place, operation, actor, channel, reservation, order_ref, sku, location, key, available, body"
)
_ROW: Final = f"({', '.join('?' * len(_COLUMNS.split(',')))})"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Detail).decode


async def part_of(session: Session, partition: str, *, make: bool = False) -> int:
    """Return the number of a partition; 0: it has none, as nothing of it is kept."""
    asked = "SELECT number FROM history_partitions WHERE partition = ?"
    rows = await session.fetch(asked, partition)
    if not rows and make:
        await session.lock("history_partitions")
        rows = await session.fetch(asked, partition)
        if not rows:
            await session.execute("INSERT INTO history_partitions (partition) VALUES (?)", partition)
            rows = await session.fetch(asked, partition)
    return int(rows[0][0]) if rows else 0


# -- writing


async def add(session: Session, partition: str, rows: Sequence[HistoryRow]) -> None:
    """Add rows, in the journal's order; those of erased orders without what is personal."""
    if not rows:
        return
    part = await part_of(session, partition, make=True)
    erased = await _of_erased_orders(session, part, partition, rows)
    values = [_values(part, without_personal_in(row) if row.reservation_id in erased else row) for row in rows]
    first = 0
    for size in ROWS_PER_STATEMENT:
        statement = f"INSERT INTO history ({_COLUMNS}) VALUES {', '.join([_ROW] * size)}"
        while len(values) - first >= size:
            await session.execute(statement, *(value for row in values[first : first + size] for value in row))
            first += size


async def add_gap(session: Session, partition: str, gap: Gap) -> None:
    """Note a time of which not everything is known."""
    part = await part_of(session, partition, make=True)
    await session.execute(
        "INSERT INTO history_gaps (part, from_ms, to_ms, reason) VALUES (?, ?, ?, ?)",
        part, gap.from_ms, gap.to_ms, gap.reason,
    )  # fmt: skip


def _values(part: int, row: HistoryRow) -> tuple[Any, ...]:
    names = (row.operation, row.actor, row.channel, row.reservation_id, row.order_ref, row.sku, row.location, row.key)
    return (part, *row.moment, *map(plain, names), row.available, plain(_encode(row.detail).decode()))


def without_personal_in(row: HistoryRow) -> HistoryRow:
    """Return a row without what may be about a buyer."""
    return msgspec.structs.replace(row, detail=without_personal(row.detail))


async def _of_erased_orders(session: Session, part: int, partition: str, rows: Sequence[HistoryRow]) -> set[str]:
    """Find the reservations among rows with something personal whose orders were erased: few have a reason at all."""
    asked = {row.reservation_id: row.channel for row in rows if row.reservation_id and is_personal(row.detail)}
    told = {row.reservation_id: row.order_ref for row in rows if row.order_ref}
    found = set[str]()
    for name, channel in asked.items():
        known = (
            "SELECT order_ref FROM history WHERE part = ? AND reservation = ? AND reservation <> ''"
            " AND order_ref <> '' LIMIT 1"
        )
        refs = [(told[name],)] if name in told else await session.fetch(known, part, plain(name))
        is_erased = "SELECT 1 FROM erased WHERE partition = ? AND channel = ? AND number = ?"
        if refs and await session.fetch(is_erased, partition, plain(channel), plain(refs[0][0])):
            found.add(name)
    return found


# -- what goes


async def reservations_of(session: Session, partition: str, order: str) -> list[str]:
    """Name the reservations of an order by its number; the number may be that of a reservation itself."""
    rows = await session.fetch(
        "SELECT reservation FROM history WHERE part = ? AND order_ref = ? AND order_ref <> '' ORDER BY id DESC LIMIT ?",
        await part_of(session, partition), plain(order), NUMBERED_ROWS_MAX,
    )  # fmt: skip
    names = dict.fromkeys(name for [name] in rows if name not in {"", order})
    return [order, *islice(names, RESERVATIONS_MAX)]


async def forget_order(session: Session, partition: str, channel: str, number: str) -> None:
    """Take from the rows of an order what may be about its buyer; who changed what, and when, stays."""
    part = await part_of(session, partition)
    await _forget(session, part, channel, [plain(number)])
    after = 0
    while rows := await session.fetch(
        "SELECT id, reservation FROM history WHERE part = ? AND order_ref = ? AND order_ref <> '' AND id > ?"
        " ORDER BY id LIMIT ?",
        part, plain(number), after, NUMBERED_ROWS_MAX,
    ):  # fmt: skip
        await _forget(session, part, channel, {name for _, name in rows})
        after = rows[-1][0]


async def _forget(session: Session, part: int, channel: str, reservations: Iterable[str]) -> None:
    for name in reservations:
        rows = await session.fetch(
            "SELECT id, body FROM history WHERE part = ? AND reservation = ? AND reservation <> '' AND channel = ?",
            part, name, plain(channel),
        )  # fmt: skip
        for row_id, body in rows:
            detail = _decode(body)
            if is_personal(detail):
                left = plain(_encode(without_personal(detail)).decode())
                await session.execute("UPDATE history SET body = ? WHERE id = ?", left, row_id)


async def purge(session: Session, before_ms: int) -> int:
    """Remove a slice of the rows and gaps of before a time; return how many there were of a partition at most."""
    most = 0
    for [part] in await session.fetch("SELECT number FROM history_partitions"):
        old = "SELECT id FROM history WHERE part = ? AND ms < ? ORDER BY ms LIMIT ?"
        gone = await session.execute(f"DELETE FROM history WHERE id IN ({old})", part, before_ms, PURGED_AT_ONCE)
        await session.execute("DELETE FROM history_gaps WHERE part = ? AND to_ms < ?", part, before_ms)
        most = max(most, gone)
        if gone == PURGED_AT_ONCE:
            break  # one slice of them is enough for a transaction
    return most
