"""What else is kept of orders and may hold personal data: return cases, labels, and what channels say in words."""

from typing import Final

import msgspec
from msgspec.structs import replace

from server.domain.order_documents import Note, ReturnDocument
from server.store.documents.database import Session, plain
from server.store.documents.erasure import is_erased, without_reasons
from server.store.documents.orders import OrderKey, add_entry, order_key, text_of

BODY_BYTES_MAX: Final = 8 * 1024 * 1024
"""Labels are the longest: some megabytes."""
_decode_return = msgspec.json.Decoder(ReturnDocument).decode
_ONE: Final = "partition = ? AND channel = ? AND kind = ? AND id = ?"


class Paper(msgspec.Struct, frozen=True, kw_only=True):
    """Something that came from a channel or goes to it, as it is: by its kind and an id that is unique there.

    ``number``: the order that it is about, by which it is found and erased; empty where it is about none.
    """

    kind: str
    id: str
    body: bytes
    number: str = ""
    media_type: str = ""

    def __repr__(self) -> str:
        """Show nothing of its content."""
        return f"Paper({self.kind} {len(self.body)} bytes)"


async def put_paper(session: Session, partition: str, channel: str, paper: Paper, now_ms: int) -> bool:
    """Keep a paper in place of one with its id; return False where its order was erased."""
    if len(paper.body) > BODY_BYTES_MAX:
        raise ValueError(f"a paper has {BODY_BYTES_MAX} bytes at most")
    key = order_key(partition, channel, paper.number)
    await session.lock(key.name)
    if paper.number and await is_erased(session, key):
        return False
    one = _values(partition, channel, paper.kind, paper.id)
    await session.execute(f"DELETE FROM papers WHERE {_ONE}", *one)
    await session.execute(
        "INSERT INTO papers (partition, channel, kind, id, number, at_ms, media_type, body)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        *one, key.number, now_ms, plain(paper.media_type), paper.body,
    )  # fmt: skip
    return True


async def paper(session: Session, key: OrderKey, name: str) -> Paper | None:
    """Read a paper of an order."""
    rows = await session.fetch(
        "SELECT kind, id, body, number, media_type FROM papers"
        " WHERE partition = ? AND channel = ? AND number = ? AND id = ?",
        *key, plain(name),
    )  # fmt: skip
    return Paper(**dict(zip(("kind", "id", "body", "number", "media_type"), rows[0], strict=True))) if rows else None


async def add_words(session: Session, key: OrderKey, note: Note) -> None:
    """Add to an order's notes what a channel has said of it, unless its personal data was erased, or is too old."""
    await session.lock(key.name)
    gone = "SELECT 1 FROM orders WHERE partition = ? AND channel = ? AND number = ? AND erased_ms > 0"
    if not await is_erased(session, key) and not await session.fetch(gone, *key):
        await add_entry(session, "notes", key, note)


async def put_return(session: Session, partition: str, channel: str, case: ReturnDocument) -> bool:
    """Keep a return case, unless something newer is kept; return whether it was kept."""
    key = order_key(partition, channel, case.order_key)
    await session.lock(key.name)
    name = plain(case.key)
    one = "partition = ? AND channel = ? AND key = ?"
    known = await session.fetch(f"SELECT changed_ms, body FROM returns WHERE {one}", partition, key.channel, name)
    if known and case.changed_ms < known[0][0]:
        return False
    if await is_erased(session, key):
        case = without_reasons(case)
    elif known:
        case = _with_reasons(case, _decode_return(known[0][1]))
    body = text_of(case)
    await session.execute(f"DELETE FROM returns WHERE {one}", partition, key.channel, name)
    await session.execute(
        "INSERT INTO returns (partition, channel, key, number, changed_ms, body) VALUES (?, ?, ?, ?, ?, ?)",
        partition, key.channel, name, key.number, min(max(case.changed_ms, 0), 2**53), body,
    )  # fmt: skip
    return True


def _with_reasons(case: ReturnDocument, before: ReturnDocument) -> ReturnDocument:
    """Keep what the buyer wrote where it is not told again: it is left out of what is heard."""
    reasons = {(line.line, line.listing): line.reason for line in before.lines}
    lines = (replace(each, reason=each.reason or reasons.get((each.line, each.listing), "")) for each in case.lines)
    return replace(case, lines=tuple(lines))


def _values(partition: str, channel: str, kind: str, name: str) -> tuple[str, str, str, str]:
    return partition, plain(channel), plain(kind), plain(name)
