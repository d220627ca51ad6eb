"""Up to where followers of the journal have read, beside what they make of it: a position moves with its rows."""

from typing import Final, NamedTuple

from server.store.documents.database import Session

_ONE: Final = "partition = ? AND name = ?"


class Move(NamedTuple):
    """A follower's step: from the id that its position has, None where it has none, to another."""

    name: str
    before: str | None
    after: str


async def positions(session: Session, partition: str) -> dict[str, str]:
    """Read the positions in a partition's journal, by the name of the follower."""
    rows = await session.fetch("SELECT name, read_to FROM followers WHERE partition = ?", partition)
    return dict(rows)


async def move(session: Session, partition: str, step: Move) -> bool:
    """Move a position; False: it stands elsewhere, as where another process has followed meanwhile.

    Whoever moves it in the same transaction as the rows that it stands for writes each of them exactly once.
    """
    await session.lock(f"follower {partition} {step.name}")
    if step.before is not None:
        statement = f"UPDATE followers SET read_to = ? WHERE {_ONE} AND read_to = ?"
        return bool(await session.execute(statement, step.after, partition, step.name, step.before))
    if await session.fetch(f"SELECT 1 FROM followers WHERE {_ONE}", partition, step.name):
        return False
    await session.execute("INSERT INTO followers VALUES (?, ?, ?)", partition, step.name, step.after)
    return True
