"""Pieces of the journal as SKUs: what changed, each once, in amounts that can be read and sent at a time."""

from collections.abc import AsyncIterator
from typing import Final, NamedTuple

from server.domain.changes import Change
from server.store.journal.journal import DamagedEntryError, parse_entry_id
from server.store.repositories.locations import closings
from server.streams.event_rounds import Position

READ_ENTRIES: Final = 500
"""Journal entries looked at before the SKUs in them are sent."""
READ_SKUS: Final = 250
"""SKUs after which no further entry is looked at; one entry can hold some hundreds more."""


class Piece(NamedTuple):
    """SKUs whose availability a piece of the journal touched, each once; its last id; whether the journal goes on.

    ``closings``: or else the locations that its only entry has closed and opened.
    """

    skus: list[str]
    upto: Position
    more: bool
    closings: frozenset[str] = frozenset()


async def changed_skus(entries: AsyncIterator[tuple[str, list[Change]]], position: Position) -> Piece:
    """Take a piece of the journal.

    Raises
    ------
    DamagedEntryError
        The first entry cannot be decoded.

    """
    skus: dict[str, None] = {}
    upto, seen = position, 0
    try:
        async for entry_id, changes in entries:
            moved = frozenset[str]().union(*(each.names for change in changes if (each := closings(change))))
            if moved:  # is a piece of its own, or several
                return Piece(list(skus), upto, more=True) if seen else Piece([], parse_entry_id(entry_id), True, moved)
            upto = parse_entry_id(entry_id)
            skus.update((line.sku, None) for change in changes for line in change.lines)
            seen += 1
            if seen >= READ_ENTRIES or len(skus) >= READ_SKUS:
                return Piece(list(skus), upto, more=True)
    except DamagedEntryError:
        if not seen:
            raise
        return Piece(list(skus), upto, more=True)  # what precedes it is sent first; the next piece begins with it
    return Piece(list(skus), upto, more=False)
