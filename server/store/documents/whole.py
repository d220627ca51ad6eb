"""The documents as a whole: read as they are at one moment, and put into a database that has none.

What is found by names (``found_…``) is made anew from the store, so no copy of it is taken.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from server.store.documents import found_state
from server.store.documents.database import Row, Session
from server.store.documents.many_rows import ROWS_AT_ONCE, insert, marks

_ORDER: Final = ("partition", "channel", "number")

TABLES: Final[Mapping[str, tuple[Sequence[str], Sequence[str]]]] = {
    "orders": (
        _ORDER,
        (
            "state", "booked_state", "sort_ms", "changed_ms", "first_ms", "put_ms", "booked_ms", "ended_ms",
            "erased_ms", "customer_ref", "short", "unmapped", "body", "booking",
        ),
    ),
    "order_lines": ((*_ORDER, "position"), ("sku", "location", "quantity", "lacks")),
    "packages": ((*_ORDER, "package"), ("body",)),
    "people": (_ORDER, ("body",)),
    "timeline": (("id",), (*_ORDER, "body")),
    "notes": (("id",), (*_ORDER, "body")),
    "inbox": (_ORDER, ("state", "first_ms", "last_ms", "body")),
    "returns": (("partition", "channel", "key"), ("number", "changed_ms", "body")),
    "papers": (("partition", "channel", "kind", "id"), ("number", "at_ms", "media_type", "body")),
    "erased": (_ORDER, ("at_ms", "actor")),
    "followers": (("partition", "name"), ("read_to",)),
    "history_partitions": (("number",), ("partition",)),
    "history": (
        ("id",),
        (
            "part", "ms", "place", "operation", "actor", "channel", "reservation", "order_ref", "sku", "location",
            "key", "available", "body",
        ),
    ),
    "history_gaps": (("id",), ("part", "from_ms", "to_ms", "reason")),
}  # fmt: skip
"""The columns of each table that is copied: those by which its rows are unique and sorted, and the others."""
SERIALS: Final = {
    "timeline": "id",
    "notes": "id",
    "history_partitions": "number",
    "history": "id",
    "history_gaps": "id",
}
"""The columns that the database counts up."""
MADE_ANEW: Final = ("found_skus", "found_places", "found_words", "found_listings", "found_reservations", "found_state",
                    "found_moved", "found_barcodes", "found_holders")  # fmt: skip

_KEYS_MADE_ANEW: Final[Mapping[str, Sequence[str]]] = {
    "found_skus": ("partition", "sku"),
    "found_places": ("partition", "location", "sku"),
    "found_words": ("partition", "tail", "sku"),
    "found_listings": ("partition", "channel", "sku", "key"),
    "found_reservations": ("partition", "id"),
    "found_state": ("partition",),
    "found_moved": ("partition", "location"),
    "found_barcodes": ("partition", "sku", "barcode"),
    "found_holders": ("partition", "sku", "location", "id"),
}
_ERASED_AT_ONCE: Final = 1_000
_OTHERS: Final = tuple(table for table in TABLES if table != "history_partitions")

Put = Callable[[str, Sequence[str], Sequence[Row]], None]
"""Takes rows of a table: its name, its columns, and some rows."""


def columns_of(table: str) -> tuple[str, ...]:
    """Return the columns of a table that are copied."""
    keys, others = TABLES[table]
    return (*keys, *others)


async def read_all(session: Session, put: Put) -> None:
    """Read all rows, some at a time. In a transaction that sees one moment, they are those of that moment."""
    for table, (keys, _) in TABLES.items():
        columns = columns_of(table)
        chosen, by = ", ".join(columns), ", ".join(keys)
        last: tuple[Any, ...] = ()
        while True:
            where = f"WHERE ({by}) > ({marks(keys)}) " if last else ""
            statement = f"SELECT {chosen} FROM {table} {where}ORDER BY {by} LIMIT {ROWS_AT_ONCE}"
            rows = await session.fetch(statement, *last)
            kept = [row for row in rows if not _is_made_anew(table, row)]
            if kept:
                put(table, columns, kept)
            if len(rows) < ROWS_AT_ONCE:
                break
            last = tuple(rows[-1][: len(keys)])


def _is_made_anew(table: str, row: Row) -> bool:
    """Whether a row is the position of the follower that makes the index anew."""
    return table == "followers" and row[1] == found_state.FOLLOWER


async def is_empty(session: Session) -> bool:
    """Whether nothing is kept; what is found by names does not count."""
    for table in TABLES:
        if table != "followers" and await session.fetch(f"SELECT 1 FROM {table} LIMIT 1"):
            return False
    return True


async def fill(session: Session, rows: Iterable[tuple[str, Sequence[str], Sequence[Row]]], given_ids: str) -> int:
    """Put rows into empty tables, as :func:`read_all` has read them; return how many. What was there goes.

    ``given_ids``: what a statement says in this product that has the values of columns which are counted up.
    """
    for table in (*TABLES, *MADE_ANEW):
        await session.execute(f"DELETE FROM {table}")
    count = 0
    for table, columns, some in rows:
        known = columns_of(table) if table in TABLES else ()
        if tuple(columns) != known:
            places = [list(columns).index(name) for name in known if name in columns]
            columns, some = [columns[at] for at in places], [tuple(row[at] for at in places) for row in some]  # noqa: PLW2901
        if known:
            into = f"{table} ({', '.join(columns)}){given_ids if table in SERIALS else ''}"
            await insert(session, into, map(tuple, some), "")
            count += len(some)
    return count


async def erase_some(session: Session, partition: str) -> int:
    """Remove some rows of a partition; return how many, 0: there are none left."""
    parts = await session.fetch("SELECT number FROM history_partitions WHERE partition = ?", partition)
    for table in (*_OTHERS, *MADE_ANEW, "history_partitions"):
        where, value = ("partition = ?", partition)
        if table in ("history", "history_gaps"):
            if not parts:
                continue
            where, value = "part = ?", parts[0][0]
        keys = ", ".join(TABLES[table][0] if table in TABLES else _KEYS_MADE_ANEW[table])
        some = f"SELECT {keys} FROM {table} WHERE {where} LIMIT {_ERASED_AT_ONCE}"
        count = await session.execute(f"DELETE FROM {table} WHERE ({keys}) IN ({some})", value)
        # The number of a partition goes last: its history is found by it.
        if count:
            return count
    return 0
