"""How far the index for finding is, and what of it is to be read again."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from server.store.documents.database import Session, plain
from server.store.documents.followed import positions
from server.store.documents.many_rows import insert

FOLLOWER: Final = "find"
"""The name under which the journal is followed for it."""


class State(NamedTuple):
    """How far the index of a partition is. ``is_filled``: all that the store has was read once."""

    is_filled: bool
    seq: int
    read_to: str = ""
    """The id in the journal up to which it was followed; empty: not at all."""


async def state(session: Session, partition: str) -> State:
    """Read how far the index of a partition is."""
    rows = await session.fetch("SELECT filled, seq FROM found_state WHERE partition = ?", partition)
    return State(bool(rows[0][0]), rows[0][1]) if rows else State(is_filled=False, seq=0)


async def progress(session: Session, partition: str) -> State:
    """Read the same, and up to where the journal was followed."""
    now = await state(session, partition)
    followed_to = (await positions(session, partition)).get(FOLLOWER, "")
    return now._replace(read_to=followed_to)


async def filled(session: Session) -> set[str]:
    """Read which partitions were read once."""
    return {name for (name,) in await session.fetch("SELECT partition FROM found_state WHERE filled = 1")}


async def epoch(session: Session, partition: str) -> int:
    """Return how often all was to be read anew."""
    rows = await session.fetch("SELECT epoch FROM found_state WHERE partition = ?", partition)
    return int(rows[0][0]) if rows else 0


_NEWEST: Final = "seq = CASE WHEN excluded.seq > found_state.seq THEN excluded.seq ELSE found_state.seq END"


async def put_seq(session: Session, partition: str, seq: int) -> None:
    """Note the newest seq that is in it."""
    changes = f" ON CONFLICT (partition) DO UPDATE SET {_NEWEST}"
    await insert(session, "found_state (partition, filled, seq, epoch)", [(partition, 0, seq, 0)], changes)


async def put_unfilled(session: Session, partition: str) -> None:
    """Note that all has to be read again: another epoch begins."""
    changes = " ON CONFLICT (partition) DO UPDATE SET seq = 0, filled = 0, epoch = found_state.epoch + 1"
    await insert(session, "found_state (partition, filled, seq, epoch)", [(partition, 0, 0, 1)], changes)


async def put_filled(session: Session, partition: str, seq: int, since: int) -> None:
    """Note that all was read once, and the seq at which that began, unless another epoch began ``since`` that one."""
    await session.execute(
        "INSERT INTO found_state (partition, filled, seq, epoch) VALUES (?, 1, ?, ?) ON CONFLICT (partition)"
        f" DO UPDATE SET filled = 1, {_NEWEST} WHERE found_state.epoch = excluded.epoch",
        partition, seq, since,
    )  # fmt: skip


async def put_moved(session: Session, partition: str, locations: Iterable[str]) -> None:
    """Note that locations were closed or opened, so that all that lies there is to be read again."""
    rows = [(partition, location, "") for location in dict.fromkeys(map(plain, locations))]
    changes = " ON CONFLICT (partition, location) DO UPDATE SET read_to = ''"
    await insert(session, "found_moved (partition, location, read_to)", rows, changes)


async def moved(session: Session, partition: str) -> tuple[str, str] | None:
    """Read a location that was closed or opened, and up to which SKU it was read again; None: there is none."""
    rows = await session.fetch("SELECT location, read_to FROM found_moved WHERE partition = ? LIMIT 1", partition)
    return (rows[0][0], rows[0][1]) if rows else None


async def moving(session: Session) -> set[str]:
    """Read in which partitions something is to be read again."""
    return {name for (name,) in await session.fetch("SELECT DISTINCT partition FROM found_moved")}


async def move_on(session: Session, partition: str, location: str, read_to: str) -> None:
    """Note up to which SKU a location was read again; empty: it is done."""
    if read_to:
        one = "UPDATE found_moved SET read_to = ? WHERE partition = ? AND location = ?"
        await session.execute(one, read_to, partition, location)
    else:
        await session.execute("DELETE FROM found_moved WHERE partition = ? AND location = ?", partition, location)


Known = dict[tuple[str, str], int]
"""SKUs at locations that the index has, by SKU and location, and the seq of each."""


async def skus_at(session: Session, partition: str, location: str, after: str, limit: int) -> Known:
    """Read which SKUs the index has at a location, some of them, in their order."""
    rows = await session.fetch(
        "SELECT sku, seq FROM found_places WHERE partition = ? AND location = ? AND sku > ? ORDER BY sku LIMIT ?",
        partition, location, after, limit,
    )  # fmt: skip
    return {(sku, location): seq for sku, seq in rows}


async def places_after(session: Session, partition: str, after: tuple[str, str], limit: int) -> Known:
    """Read some of the SKUs at locations that the index has, in the order of both."""
    rows = await session.fetch(
        "SELECT sku, location, seq FROM found_places WHERE partition = ? AND (sku, location) > (?, ?)"
        " ORDER BY sku, location LIMIT ?",
        partition, *after, limit,
    )  # fmt: skip
    return {(sku, location): seq for sku, location, seq in rows}


async def reservations_after(session: Session, partition: str, after: str, limit: int) -> list[str]:
    """Read some of the reservations that the index has."""
    rows = await session.fetch(
        "SELECT id FROM found_reservations WHERE partition = ? AND id > ? ORDER BY id LIMIT ?", partition, after, limit
    )
    return [name for (name,) in rows]
