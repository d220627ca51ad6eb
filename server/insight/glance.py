"""Looks through an entry of the journal for what is worth counting. Most of it is holds, which come to nothing.

A hold moves no figure until it is committed, and can only take what is available down. So while what it left lies above
every reorder point there is nothing to do, and that can be seen without decoding all of its record. Counting runs in
the process that serves orders: what it saves, they have.
"""

from typing import Final

import msgspec

from server.insight.filling import FILL
from server.store.journal import Change, Packed, decode_changes, split_entry


class _Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of a :class:`server.domain.outcomes.ReservationLine`, up to what the line left."""

    sku: msgspec.Raw
    location: msgspec.Raw
    quantity: int
    requested: int
    held: int
    committed: int
    first_available: int


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of a :class:`server.domain.outcomes.Reservation`, up to its lines."""

    state: msgspec.Raw
    created_ms: msgspec.Raw
    deadline_ms: msgspec.Raw
    ttl_ms: msgspec.Raw
    seq: msgspec.Raw
    channel: msgspec.Raw
    actor: msgspec.Raw
    fingerprint: msgspec.Raw
    lines: list[_Line]


class _Promise(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A promise, as it stands in the journal."""

    operation: str
    reservation_id: msgspec.Raw
    record: _Record


_HOLD: Final = "reserve"
_ARRAY_OF_THREE: Final = 0x93
"""What a promise is where no channel has units of its own; see :mod:`server.store.journal`."""
_FILL: Final = FILL.encode()

_glance = msgspec.msgpack.Decoder(_Promise).decode


def worth_counting(fields: dict[bytes, bytes], highest_point: int) -> tuple[list[Change], int]:
    """Decode the changes of an entry that may be worth counting, and say how many others there are.

    ``highest_point``: no reorder point is above it.

    Raises
    ------
    msgspec.DecodeError
        Somebody else wrote it, or it is damaged.

    """
    changes = split_entry(fields)
    if _FILL in fields[b"e"]:  # units that went on are seen together with what brought them
        return decode_changes(changes), 0
    kept = [each for each in changes if not _is_idle(each, highest_point)]
    return decode_changes(kept) if kept else [], len(changes) - len(kept)


def _is_idle(packed: Packed, highest_point: int) -> bool:
    if memoryview(packed)[0] != _ARRAY_OF_THREE:
        return False
    promise = _glance(packed)
    for line in promise.record.lines:
        if line.first_available <= highest_point or line.committed:
            return False
    return promise.operation == _HOLD
