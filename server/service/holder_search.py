"""Which reservations may have units at a place: the database names them, so that not all need be gone through.

The history has who came while it was followed. The index for finding has who was there when it was filled.
It is only a hint. Whoever asks reads the place and these reservations in one moment, and believes it where they add up.
"""

from collections.abc import Mapping, Sequence
from itertools import chain, zip_longest
from typing import Final

from server.service.caller import Caller
from server.store.documents import finding_search, history_search
from server.store.documents.database import Session
from server.store.errors import DocumentsError
from server.store.repositories.shortages import HolderSearch, Places

NAMES_PER_PLACE: Final = 1_000
"""So many rows of the history are read for a place, the newest, and of the index; and so many names are returned."""
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
        limit = min(left, NAMES_PER_PLACE)
        later = await history_search.reservations_at(session, partition, *place, limit)
        before = await finding_search.holders(session, partition, *place, limit)
        left -= max(1, len(later) + len(before))
        found[place] = _in_turn(later, before)[:limit]
    return found


def _in_turn(later: Sequence[str], before: Sequence[str]) -> list[str]:
    """Return the names of both, each once: who reads only the first of them has some of each."""
    both = chain.from_iterable(zip_longest(dict.fromkeys(later), before, fillvalue=""))
    return [name for name in dict.fromkeys(both) if name]
