"""Which reservations have units at a place, as this process has found out by going through all of them.

Nobody tells it when that changes. Who uses it reads the place and its reservations again, in one moment, and believes
it where they add up: the units of these reservations are all that is held and committed there, so there are no others.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from server.store.keys import Keyspace

PLACES_MAX: Final = 1_000
"""Places that are kept, of all partitions together."""
RESERVATIONS_MAX: Final = 200
"""Of one place; one with more of them is gone through each time."""

_known: Final[dict[tuple[str, bytes], tuple[str, ...]]] = {}


def at(keyspace: Keyspace, fields: Iterable[bytes]) -> dict[bytes, tuple[str, ...]]:
    """Return the ids of the reservations at those of some fields of the stock hash that are known."""
    found: dict[bytes, tuple[str, ...]] = {}
    for field in fields:
        ids = _known.get((keyspace.stock, field))
        if ids is not None:
            found[field] = ids
    return found


def keep(keyspace: Keyspace, holders: Mapping[bytes, Sequence[str]]) -> None:
    """Keep the ids of all reservations that have units at some fields."""
    for field, ids in holders.items():
        _known.pop((keyspace.stock, field), None)  # the newest stand last
        if 0 < len(ids) <= RESERVATIONS_MAX:
            _known[keyspace.stock, field] = tuple(dict.fromkeys(ids))
    while len(_known) > PLACES_MAX:
        del _known[next(iter(_known))]
