"""The records of a backup: what a key of the store holds, in pieces, whatever form a store keeps it in.

Each is an array ``[key, type, expires at (ms, 0: never), items]``. The items, all of them bytes, are by type:

``string``  the value
``hash``    field, value, field, value, …
``set``     the members
``zset``    member, score, member, score, …
``list``    the elements, in order
``stream``  id, field, value, field, value, …: one entry for each record
``stream_end``  of a stream, behind its entries: the last id, how many were ever added, the greatest id that was deleted

A key with more than some hundred items has several records, one behind the other.
"""

from typing import Final, Literal, NamedTuple

ITEMS_MAX: Final = 512
"""Of one record: the store takes them in a fraction of a millisecond."""
JOURNAL: Final = b":journal"
"""How the keys of the journals end."""

Type = Literal["string", "hash", "set", "zset", "list", "stream", "stream_end"]


class Record(NamedTuple):
    """What a key holds, or a piece of it."""

    key: bytes
    type: Type
    expires_ms: int
    items: list[bytes]


def partition_of(key: bytes) -> str:
    """Return the partition that a key belongs to; empty: none."""
    _, begins, rest = key.partition(b"hf:{")
    return rest.partition(b"}")[0].decode("utf-8", "backslashreplace") if begins else ""
