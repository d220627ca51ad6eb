"""Which count of a place is a repeat: only that of the file which was the last one there.

The idempotency key of such a count is its place. The fingerprint says which file, and another file takes the key over.
So after files A and B, A is no repeat, and counts.
"""

from collections.abc import Mapping
from typing import Final

from server.domain.operations.stock import Count
from server.store.connection.commands import command
from server.store.connection.connect import StoreClient
from server.store.keys import Keyspace

_KEYS_PER_READ: Final = 1_000
"""Of answers that are kept: less than a millisecond of the store's time."""


def place_key(sku: str, location: str) -> str:
    """Return the key of the counts of a place."""
    return f"counted:{location}\0{sku}"


async def counted_before(
    client: StoreClient, keyspace: Keyspace, counts: Mapping[int, Count], earlier_keys: Mapping[int, str]
) -> set[int]:
    """Return the lines whose counts an earlier release has made, which had a key for each line of a file.

    ``earlier_keys``: what it called each line. Where the place was counted by this release since, they do not matter.

    Raises
    ------
    StoreUnavailableError
        The store did not answer.

    """
    found: set[int] = set()
    lines = list(counts)
    for first in range(0, len(lines), _KEYS_PER_READ):
        piece = lines[first : first + _KEYS_PER_READ]
        there = await _kept(client, keyspace, {line: earlier_keys[line] for line in piece})
        since = await _kept(client, keyspace, {line: counts[line].key for line in there})
        found |= there - since
    return found


async def _kept(client: StoreClient, keyspace: Keyspace, keys: Mapping[int, str]) -> set[int]:
    """Return the lines whose keys are kept."""
    if not keys:
        return set()
    values = await command(client, "HMGET", keyspace.idempotency, *keys.values())
    return {line for line, value in zip(keys, values, strict=True) if value is not None}
