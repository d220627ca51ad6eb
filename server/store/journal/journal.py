"""The journal: the stream of every change that the scripts wrote, read forwards; ``entries`` has what is in it."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from server.domain.changes import Change
from server.store.connection.commands import command
from server.store.errors import StoreError, StoreUnavailableError
from server.store.journal.entries import (
    ID_PART_MAX,
    START,
    Bounds,
    EntryId,
    before,
    decode_entry,
    format_entry_id,
    parse_bounds,
    parse_entry_id,
    text_of,
)
from server.store.keys import Keyspace

__all__ = [
    "START",
    "Bounds",
    "DamagedEntryError",
    "EntryId",
    "before",
    "bounds",
    "decode_entry",
    "format_entry_id",
    "has_entry",
    "is_missing",
    "last_before",
    "parse_bounds",
    "parse_entry_id",
    "read",
    "read_back",
    "read_page",
    "text_of",
]

log = structlog.get_logger("holdfast.journal")

PAGE_ENTRIES: Final = 64
"""Entries of one read. An entry can hold a whole batch, so this is some thousand lines at most."""

Page = list[tuple[bytes, dict[bytes, bytes]]]
"""Entries with their ids, nothing decoded."""


class DamagedEntryError(StoreError):
    """An entry of the journal cannot be read; ``entry_id`` says which."""

    def __init__(self, journal: str, entry_id: str) -> None:
        super().__init__(
            f"Entry {entry_id} of {journal} is damaged or was written by somebody else."
            " Run holdfast verify; what follows it can be read from that id on."
        )
        self.entry_id = entry_id


async def bounds(client: Redis, keyspace: Keyspace) -> Bounds:
    """Ask where the journal begins and ends.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    try:
        return parse_bounds(await command(client, "XINFO STREAM", keyspace.journal))
    except StoreUnavailableError as error:
        if is_missing(error):
            return Bounds()
        raise


async def has_entry(client: Redis, keyspace: Keyspace, entry_id: str) -> bool:
    """Whether the journal holds an entry with this id.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    return bool(await command(client, "XRANGE", keyspace.journal, entry_id, entry_id))


async def last_before(client: Redis, keyspace: Keyspace, entry_id: str) -> str:
    """Return the id of the last entry before an id, ``0-0`` where there is none.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found: Page = await command(client, "XREVRANGE", keyspace.journal, f"({entry_id}", "-", "COUNT", 1)
    return text_of(found[0][0]) if found else START


def is_missing(error: StoreUnavailableError) -> bool:
    """Whether the store only says that there is no journal yet."""
    return "no such key" in str(error.__cause__)


async def read(
    client: Redis, keyspace: Keyspace, after: str = START, until: str | None = None, count: int = PAGE_ENTRIES
) -> AsyncIterator[tuple[str, list[Change]]]:
    """Yield the entries after one id, up to and with another (None: the newest), ``count`` to a round trip.

    Raises
    ------
    ValueError
        ``after`` or ``until`` is not a stream id.
    DamagedEntryError
        An entry cannot be decoded.
    StoreUnavailableError
        The store did not answer.

    """
    end = parse_entry_id(until) if until is not None else (ID_PART_MAX, ID_PART_MAX)
    position = parse_entry_id(after)
    while position < end:
        page = await read_page(client, keyspace, format_entry_id(position), count, format_entry_id(end))
        for raw_id, fields in page:
            entry_id = text_of(raw_id)
            try:
                changes = decode_entry(fields)
            except msgspec.DecodeError as error:
                raise DamagedEntryError(keyspace.journal, entry_id) from error
            yield entry_id, changes
        if len(page) < count:
            return
        position = parse_entry_id(text_of(page[-1][0]))


async def read_page(client: Redis, keyspace: Keyspace, after: str, count: int, until: str = "+") -> Page:
    """Read at most ``count`` entries after an id, as they stand there; fewer: these were the last.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    page: Page = await command(client, "XRANGE", keyspace.journal, f"({after}", until, "COUNT", count)
    return page


async def read_back(client: Redis, keyspace: Keyspace, last: str, after: str, count: int) -> Page:
    """Read at most ``count`` entries from an end (``(id``: before an id) back to after another id, the newest first.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    page: Page = await command(client, "XREVRANGE", keyspace.journal, last, f"({after}", "COUNT", count)
    return page
