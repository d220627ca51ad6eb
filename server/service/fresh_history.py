"""What the journal has of the history and the documents database has not yet: the newest changes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple, TypeVar

from server.domain.history import Gap, HistoryRow, Moment
from server.service.caller import Caller
from server.store.copies.journal_tail import TailEntry, read_back
from server.store.journal.entries import START, Bounds, EntryId, before, parse_entry_id

_AT_A_TIME: Final = 1_000
"""Rows that are looked at before others on the event loop get their turn: some tenths of a millisecond."""

Item = TypeVar("Item")


class Fresh(NamedTuple):
    """Rows that the journal has and the database has not, the newest first, and what is known to be missing."""

    rows: list[HistoryRow]
    gaps: list[Gap]


async def in_turns(items: Sequence[Item]) -> AsyncIterator[Sequence[Item]]:
    """Yield what is many in pieces, between which others on the event loop get their turn."""
    for start in range(0, len(items), _AT_A_TIME):
        yield items[start : start + _AT_A_TIME]
        await asyncio.sleep(0)


async def read_fresh(caller: Caller, read_to: str | None, upto: Moment | None, from_ms: int) -> Fresh:
    """Read what was written to the journal after an id, None: all of it; the newest entries at most.

    How many these are is said in :mod:`~server.store.copies.journal_tail`.

    Raises
    ------
    StoreUnavailableError
        The store did not answer in time.

    """
    client, keyspace, tail = caller.partition.client, caller.partition.keyspace, caller.partition.tail
    start = parse_entry_id(read_to or START)
    if upto is not None and upto.ms < start[0]:
        return Fresh([], [])
    end = await tail.read(client, keyspace, start)
    gaps = _gap_of(read_to or START, end, is_first=read_to is None)
    after = max(start, before((from_ms, 0))) if from_ms else start
    entries, is_whole = list(tail.entries), tail.after <= after
    if upto is not None and not is_whole:  # it may be about what is older than what is kept here
        entries, is_whole = await read_back(client, keyspace, f"{upto.ms}", after)
    rows = await _chosen(entries, after, upto, gaps)
    return Fresh(rows, gaps if is_whole else [Gap(after[0], entries[0].position[0], "unread"), *gaps])


async def _chosen(
    entries: Sequence[TailEntry], after: EntryId, upto: Moment | None, gaps: list[Gap]
) -> list[HistoryRow]:
    """Return the rows of entries after an id and up to a time, the newest first; ``entries``: the oldest first."""
    rows = list[HistoryRow]()
    async for some in in_turns(entries[::-1]):
        for position, own in some:
            if position <= after:
                return rows
            if upto is not None and position[0] > upto.ms:
                continue
            if own is None:
                gaps.append(Gap(position[0], position[0], "damaged"))
            else:
                rows += reversed(own)
    return rows


def _gap_of(start: str, end: Bounds, *, is_first: bool) -> list[Gap]:
    """Find what is missing between the database and the journal, before the follower has noted it."""
    first_ms = parse_entry_id(end.first_id if end.entries else end.last_id)[0]
    if is_first:
        return [Gap(0, first_ms, "before")] if end.removed > 0 else []
    if end.is_beyond(start):
        return [Gap(parse_entry_id(end.last_id)[0], parse_entry_id(start)[0], "went_back")]
    return [Gap(parse_entry_id(start)[0], first_ms, "trimmed")] if end.is_lost(start) else []
