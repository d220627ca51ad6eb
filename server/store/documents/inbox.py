"""The inbox: orders that could not be booked, or not whole, until somebody has seen to them."""

from typing import Final

import msgspec

from server.domain.order_documents import InboxEntry
from server.store.documents.database import Session, plain
from server.store.documents.orders import OrderKey, text_of

_ONE: Final = "partition = ? AND channel = ? AND number = ?"
_decode = msgspec.json.Decoder(InboxEntry).decode


async def put(session: Session, key: OrderKey, entry: InboxEntry, now_ms: int) -> None:
    """Enter an order, or count one more try of it. One that is ignored stays so while the reason is the same."""
    await session.lock(key.name)
    before = await read(session, key)
    if before is None:
        kept = msgspec.structs.replace(entry, first_ms=now_ms, last_ms=now_ms, tries=1)
        await session.execute("INSERT INTO inbox VALUES (?, ?, ?, ?, ?, ?, ?)", *key, *_columns(kept))
        return
    same = (before.reason, before.listings) == (entry.reason, entry.listings)
    kept = msgspec.structs.replace(
        entry,
        state=before.state if same else "open",
        actor=before.actor if same else "",
        first_ms=before.first_ms,
        last_ms=now_ms,
        tries=before.tries + 1,
    )
    await _update(session, key, kept)


async def read(session: Session, key: OrderKey) -> InboxEntry | None:
    """Read the entry of an order."""
    found = await session.fetch(f"SELECT body FROM inbox WHERE {_ONE}", *key)
    return _decode(found[0][0]) if found else None


async def ignore(session: Session, key: OrderKey, actor: str) -> InboxEntry | None:
    """Mark an entry as seen and left; None where there is none."""
    await session.lock(key.name)
    before = await read(session, key)
    if before is None:
        return None
    kept = msgspec.structs.replace(before, state="ignored", actor=actor)
    await _update(session, key, kept)
    return kept


async def take_out(session: Session, key: OrderKey) -> None:
    """Remove an order that is booked whole."""
    await session.execute(f"DELETE FROM inbox WHERE {_ONE}", *key)


async def page(
    session: Session, partition: str, *, channel: str, state: str, after: tuple[int, str, str], limit: int
) -> list[InboxEntry]:
    """Read a page of entries of a state, the oldest first; an empty channel is all."""
    first_ms, after_channel, after_number = after[0], plain(after[1]), plain(after[2])
    of_channel, values = ("AND channel = ?", [plain(channel)]) if channel else ("", [])
    # The bound alone is what the index knows: without it, each page would go through all before it.
    rows = await session.fetch(
        f"SELECT body FROM inbox WHERE partition = ? AND state = ? {of_channel} AND first_ms >= ? AND (first_ms > ?"
        " OR channel > ? OR (channel = ? AND number > ?)) ORDER BY first_ms, channel, number LIMIT ?",
        partition, state, *values, first_ms, first_ms, after_channel, after_channel, after_number, limit,
    )  # fmt: skip
    return [_decode(body) for [body] in rows]


def _columns(entry: InboxEntry) -> tuple[str, int, int, str]:
    return entry.state, entry.first_ms, entry.last_ms, text_of(entry)


async def _update(session: Session, key: OrderKey, kept: InboxEntry) -> None:
    await session.execute(
        f"UPDATE inbox SET state = ?, first_ms = ?, last_ms = ?, body = ? WHERE {_ONE}", *_columns(kept), *key
    )
