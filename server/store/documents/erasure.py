"""Take personal data out of the documents: of one order when somebody asks, of all when their time is over.

What was erased is kept as a list of order numbers, here and in the store: a restored copy of this database, which has
the data again, is erased anew when the server starts.
"""

from typing import Final

import msgspec

from server.domain.order_documents import DocumentPackage, Event, ReturnDocument
from server.store.documents import history
from server.store.documents.database import Session
from server.store.documents.orders import OrderKey, add_entry, text_of, without_tracking

_ONE: Final = "partition = ? AND channel = ? AND number = ?"
_NOT_FOUND: Final = (
    "UPDATE found_reservations SET customer = ''"
    " WHERE partition = ? AND channel = ? AND order_ref = ? AND order_ref <> '' AND customer <> ''"
)
"""Its reservations are found by the customer no more."""
_SLICE: Final = 200
"""Orders in one transaction: others wait behind it for some milliseconds."""
_TABLES: Final = ("order_lines", "packages", "people", "timeline", "notes", "inbox", "returns", "papers", "orders")
_decode_package = msgspec.json.Decoder(DocumentPackage).decode
_decode_return = msgspec.json.Decoder(ReturnDocument).decode


async def erase(session: Session, key: OrderKey, actor: str, now_ms: int) -> bool:
    """Erase an order's personal data, and refuse what comes of it later; return whether it is kept here at all."""
    await session.lock(key.name)
    if not await session.fetch(f"SELECT 1 FROM erased WHERE {_ONE}", *key):
        await session.execute("INSERT INTO erased VALUES (?, ?, ?, ?, ?)", *key, now_ms, actor)
    known = bool(await session.fetch(f"SELECT 1 FROM orders WHERE {_ONE}", *key))
    await _forget_person(session, key, now_ms)
    if known:
        await add_entry(session, "timeline", key, Event(at_ms=now_ms, kind="erased", actor=actor))
    return known


async def _forget_person(session: Session, key: OrderKey, now_ms: int) -> None:
    for table in ("people", "notes", "papers"):
        await session.execute(f"DELETE FROM {table} WHERE {_ONE}", *key)
    for package, body in await session.fetch(f"SELECT package, body FROM packages WHERE {_ONE}", *key):
        left = text_of(without_tracking(_decode_package(body)))
        await session.execute(f"UPDATE packages SET body = ? WHERE {_ONE} AND package = ?", left, *key, package)
    for name, body in await session.fetch(f"SELECT key, body FROM returns WHERE {_ONE}", *key):
        left = text_of(without_reasons(_decode_return(body)))
        await session.execute(f"UPDATE returns SET body = ? WHERE {_ONE} AND key = ?", left, *key, name)
    await session.execute(f"UPDATE orders SET customer_ref = '', erased_ms = ? WHERE {_ONE}", now_ms, *key)
    await history.forget_order(session, *key)
    await session.lock(f"found {key.partition}")  # as who writes the index does
    await session.execute(_NOT_FOUND, *key)


def without_reasons(case: ReturnDocument) -> ReturnDocument:
    """Take from a return what the buyer wrote."""
    return msgspec.structs.replace(case, lines=tuple(msgspec.structs.replace(line, reason="") for line in case.lines))


async def is_erased(session: Session, key: OrderKey) -> bool:
    """Whether personal data of an order is not to be kept any more."""
    return bool(await session.fetch(f"SELECT 1 FROM erased WHERE {_ONE}", *key))


async def erased_after(session: Session, partition: str, after: tuple[str, str], limit: int) -> list[OrderKey]:
    """Read a page of the list of erased orders."""
    rows = await session.fetch(
        "SELECT partition, channel, number FROM erased WHERE partition = ?"
        " AND (channel > ? OR (channel = ? AND number > ?)) ORDER BY channel, number LIMIT ?",
        partition, after[0], after[0], after[1], limit,
    )  # fmt: skip
    return [OrderKey(*row) for row in rows]


async def forget_people(session: Session, ended_before_ms: int, heard_before_ms: int, now_ms: int) -> int:
    """Take the personal data out of a slice of orders that ended before a time; return of how many.

    Notifications and labels that are kept go by their own age: those of before ``heard_before_ms``.
    """
    rows = await session.fetch(
        "SELECT partition, channel, number FROM orders WHERE ended_ms > 0 AND ended_ms < ? AND erased_ms = 0 LIMIT ?",
        ended_before_ms, _SLICE,
    )  # fmt: skip
    for row in rows:
        await _forget_person(session, OrderKey(*row), now_ms)
    papers = await session.fetch("SELECT partition, channel, kind, id FROM papers WHERE at_ms < ? LIMIT ?",
                                 heard_before_ms, _SLICE)  # fmt: skip
    for row in papers:
        await session.execute("DELETE FROM papers WHERE partition = ? AND channel = ? AND kind = ? AND id = ?", *row)
    return len(rows) + len(papers)


async def purge(session: Session, put_before_ms: int) -> int:
    """Remove a slice of the orders of which nothing was heard since a time, whole; return how many."""
    rows = await session.fetch("SELECT partition, channel, number FROM orders WHERE put_ms < ? LIMIT ?",
                               put_before_ms, _SLICE)  # fmt: skip
    for row in rows:
        for table in _TABLES:
            await session.execute(f"DELETE FROM {table} WHERE {_ONE}", *row)
    erased = await session.fetch("SELECT partition, channel, number FROM erased WHERE at_ms < ? LIMIT ?",
                                 put_before_ms, _SLICE)  # fmt: skip
    for row in erased:
        await session.execute(f"DELETE FROM erased WHERE {_ONE}", *row)
    return len(rows) + len(erased)
