"""Find rows of the history by what they are about, the newest first, a page at a time.

A search goes through the rows of one name, the rarest that was asked for. Where it asks for more than that name, it
looks at :data:`LOOKED_AT_MAX` of them at most, and the next page goes on there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from server.domain.history import Detail, Gap, HistoryRow, Moment
from server.store.documents.database import Row, Session, plain
from server.store.documents.history import part_of

LOOKED_AT_MAX: Final = 5_000
"""Some tens of milliseconds."""
LOOKED_AT_FIRST: Final = (4, 20)
"""Times the rows of a page. Mostly they have enough; only where they have not, all are looked at."""
GAPS_MAX: Final = 100
SEARCHED: Final = ("reservation", "key", "sku", "actor", "location", "channel")
"""The columns that can be asked for, the rarest names first."""

_COLUMNS: Final = (
    "ms, place, operation, actor, channel, reservation, order_ref, sku, location, key, available, body, id"
)
_decode = msgspec.json.Decoder(Detail).decode

Wanted = Mapping[str, Sequence[str]]
"""Column of :data:`SEARCHED` -> the names that it may have."""


class Found(NamedTuple):
    """Rows, the newest first. ``following``: before which moment the next page begins, None: there is none."""

    rows: list[HistoryRow]
    following: Moment | None


class _Question(NamedTuple):
    """What a search asks of each name's rows, beside the name."""

    part: int
    since: int
    """The first id that may be asked for."""
    upto: int | None
    before: Moment | None
    from_ms: int
    without: Sequence[str]
    others: Mapping[str, list[str]]

    @property
    def is_strict(self) -> bool:
        """Whether many rows of a name may not be asked for, so that the search has to be bounded."""
        return bool(self.others or self.without)


async def find(
    session: Session,
    partition: str,
    wanted: Wanted,
    *,
    before: Moment | None = None,
    from_ms: int = 0,
    without: Sequence[str] = (),
    limit: int,
) -> Found:
    """Find rows with all of these names, the newest first, from before a moment on.

    ``without``: operations whose rows are left out. Fewer than ``limit`` may come although there are more.
    """
    part = await part_of(session, partition)
    asked = {column: [plain(name) for name in names] for column, names in wanted.items()}
    first = next((column for column in SEARCHED if column in asked), "")
    names: list[str] = asked.pop(first) if first else [""]
    upto = None if before is None else await _last_id(session, part, before)
    since = await _first_id(session, part, from_ms) if from_ms else 0
    question = _Question(part, since, upto, before, from_ms, without, asked)
    found: list[Row] = []
    end: Row | None = None
    for name in names:
        rows = await _rows_of_name(session, question, first, name, limit + 1)
        found += rows
        if question.is_strict and len(rows) <= limit:
            last = await _last_looked_at(session, question, first, name)
            end = last if last is not None and (end is None or last[-1] > end[-1]) else end
    found.sort(key=lambda row: -row[-1])
    if end is not None:
        # Of another name older rows were looked at, too: they come with the next page.
        found = [row for row in found if row[-1] >= end[-1]]
    rows_found = [_row(row) for row in found[:limit]]
    if len(found) > limit:
        return Found(rows_found, rows_found[-1].moment)
    return Found(rows_found, None if end is None else Moment(end[0], end[1]))


async def _last_id(session: Session, part: int, before: Moment) -> int:
    """Return the id up to which rows may stand before a moment; 0: none does.

    A clock that went back gives thousands of rows one millisecond, so their places count, too.
    """
    rows = await session.fetch(
        "SELECT id FROM history WHERE part = ? AND ms <= ? AND (ms < ? OR place < ?) ORDER BY ms DESC, id DESC LIMIT 1",
        part, before.ms, *before,
    )  # fmt: skip
    return int(rows[0][0]) if rows else 0


async def _first_id(session: Session, part: int, from_ms: int) -> int:
    """Return the id from which on rows are not older than a time; beyond all where none is."""
    rows = await session.fetch(
        "SELECT id FROM history WHERE part = ? AND ms >= ? ORDER BY ms, id LIMIT 1", part, from_ms
    )
    return int(rows[0][0]) if rows else 2**62


def _of_name(question: _Question, column: str, name: str) -> tuple[str, list[Any]]:
    """Return the condition that an index answers: it has the condition of the index, too."""
    conditions, values = ["part = ?"], list[Any]([question.part])
    if column:
        conditions.append(f"{column} = ?" if column == "actor" else f"{column} = ? AND {column} <> ''")
        values.append(name)
        conditions.append("id >= ?")
        values.append(question.since)
    else:
        conditions.append("ms >= ?")
        values.append(question.from_ms)
        if question.before is not None:
            conditions.append("ms <= ?")
            values.append(question.before.ms)
    if question.upto is not None:
        conditions.append("id <= ?")
        values.append(question.upto)
    return " AND ".join(conditions), values


def _order(column: str) -> str:
    return "id DESC" if column else "ms DESC, id DESC"


def _of_others(question: _Question) -> tuple[str, list[Any]]:
    """Return the condition for what the index does not know."""
    conditions, values = ["ms >= ?"], list[Any]([question.from_ms])
    if question.before is not None:
        conditions.append("(ms < ? OR (ms = ? AND place < ?))")
        values += [question.before.ms, *question.before]
    if question.without:
        conditions.append(f"operation NOT IN ({', '.join('?' * len(question.without))})")
        values += question.without
    for column, names in question.others.items():
        conditions.append(f"{column} IN ({', '.join('?' * len(names))})")
        values += names
    return " AND ".join(conditions), values


async def _rows_of_name(session: Session, question: _Question, column: str, name: str, limit: int) -> list[Row]:
    indexed, values = _of_name(question, column, name)
    others, more = _of_others(question)
    order = _order(column)
    if not question.is_strict:
        return await session.fetch(
            f"SELECT {_COLUMNS} FROM history WHERE {indexed} AND {others} ORDER BY {order} LIMIT ?",
            *values, *more, limit,
        )  # fmt: skip
    rows: list[Row] = []
    for looked_at in (*(min(times * limit, LOOKED_AT_MAX) for times in LOOKED_AT_FIRST), LOOKED_AT_MAX):
        within = f"SELECT {_COLUMNS} FROM history WHERE {indexed} ORDER BY {order} LIMIT ?"
        rows = await session.fetch(
            f"SELECT * FROM ({within}) AS looked_at WHERE {others} ORDER BY {order} LIMIT ?",
            *values, looked_at, *more, limit,
        )  # fmt: skip
        if len(rows) == limit:
            break
    return rows


async def _last_looked_at(session: Session, question: _Question, column: str, name: str) -> Row | None:
    """Return the last row that was looked at where there are more behind it."""
    indexed, values = _of_name(question, column, name)
    rows = await session.fetch(
        f"SELECT ms, place, id FROM history WHERE {indexed} ORDER BY {_order(column)} LIMIT 1 OFFSET ?",
        *values, LOOKED_AT_MAX - 1,
    )  # fmt: skip
    return rows[0] if rows and rows[0][0] >= question.from_ms else None


async def locations_of(session: Session, partition: str, sku: str, limit: int) -> list[str]:
    """Name the locations at which a SKU's stock was changed: each is one look into an index."""
    part = await part_of(session, partition)
    found: list[str] = []
    while len(found) < limit:
        [[location]] = await session.fetch(
            "SELECT MIN(location) FROM history WHERE part = ? AND sku = ? AND sku <> '' AND location > ?",
            part, plain(sku), found[-1] if found else "",
        )  # fmt: skip
        if location is None:
            break
        found.append(location)
    return found


async def stock_at(
    session: Session, partition: str, sku: str, location: str, at_ms: int
) -> tuple[HistoryRow | None, HistoryRow | None]:
    """Read the last change of a place up to a time, and the first one after it."""
    part = await part_of(session, partition)
    upto = await _last_id(session, part, Moment(at_ms + 1, 0))
    where = "part = ? AND sku = ? AND sku <> '' AND location = ? AND available IS NOT NULL"
    read = f"SELECT {_COLUMNS} FROM history WHERE {where} AND id"
    values = (part, plain(sku), plain(location), upto)
    last = await session.fetch(f"{read} <= ? ORDER BY id DESC LIMIT 1", *values)
    following = await session.fetch(f"{read} > ? ORDER BY id LIMIT 1", *values)
    return (_row(last[0]) if last else None, _row(following[0]) if following else None)


async def reservations_at(session: Session, partition: str, sku: str, location: str, limit: int) -> list[str]:
    """Name the reservations of the newest rows about a SKU at a location, row by row. ``location`` empty: at any."""
    there, values = ("AND location = ? ", [plain(location)]) if location else ("", [])
    rows = await session.fetch(
        f"SELECT reservation FROM history WHERE part = ? AND sku = ? AND sku <> '' {there}ORDER BY id DESC LIMIT ?",
        await part_of(session, partition), plain(sku), *values, limit,
    )  # fmt: skip
    return [name for [name] in rows]


async def gaps(session: Session, partition: str, from_ms: int, to_ms: int) -> list[Gap]:
    """Read the gaps that reach into a time, the newest first."""
    rows = await session.fetch(
        "SELECT from_ms, to_ms, reason FROM history_gaps WHERE part = ? AND to_ms >= ? AND from_ms <= ?"
        " ORDER BY to_ms DESC LIMIT ?",
        await part_of(session, partition), from_ms, to_ms, GAPS_MAX,
    )  # fmt: skip
    return [Gap(*row) for row in rows]


def _row(row: Row) -> HistoryRow:
    ms, place, operation, actor, channel, reservation, order_ref, sku, location, key, available, body, _ = row
    return HistoryRow(
        Moment(ms, place), operation, actor, channel, reservation, order_ref, sku, location, key, available,
        _decode(body),
    )  # fmt: skip
