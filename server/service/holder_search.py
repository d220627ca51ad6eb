"""Which reservations may have units at a place: the database names them, so that not all need be gone through.

The history has who came while it was followed, and the index for finding who was there before.
It is only a hint. Whoever asks reads the place and these reservations in one moment, and believes it where they add up.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from server.service.caller import Caller
from server.store.documents import finding_search, history_search
from server.store.documents.database import Session
from server.store.errors import DocumentsError
from server.store.repositories.shortages import HolderSearch, Places

ROWS_PER_PLACE: Final = 1_000
"""Rows of each of the two that are looked at for a place: the newest of the history."""
ROWS_MAX: Final = 20_000
"""Of all places of a question; some tens of milliseconds in the database's thread."""


def holder_search(caller: Caller) -> HolderSearch | None:
    """Return what looks into the database for the caller's partition; None: there is none."""
    documents, partition = caller.partition.documents, caller.principal.partition
    if documents is None:
        return None

    async def look(places: Places) -> Mapping[tuple[str, str], Sequence[str]]:
        async def read(session: Session) -> dict[tuple[str, str], list[str]]:
            return await _named(session, partition, places)

        try:
            return await documents.look(read)
        except DocumentsError:
            return {}  # then all are gone through, as without it

    return look


async def _named(session: Session, partition: str, places: Places) -> dict[tuple[str, str], list[str]]:
    """Read the names for as many places as there is room for."""
    found, left = dict[tuple[str, str], list[str]](), ROWS_MAX
    for place in places:
        if left <= 0:
            break
        rows = await history_search.reservations_at(session, partition, *place, min(left, ROWS_PER_PLACE))
        rows += await finding_search.holders(session, partition, place[0], min(left, ROWS_PER_PLACE))
        left -= len(rows)
        found[place] = [name for name in dict.fromkeys(rows) if name]
    return found
