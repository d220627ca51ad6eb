"""Finds the changes of a journal entry that are worth counting. Most are holds, which come to nothing.

A hold moves no figure until it is committed, and can only take what is available down. So while what it left lies above
every reorder point there is nothing to do, and that can be seen without decoding all of its record. Counting runs in
the process that serves orders: what it saves, they have.
"""

from typing import Final

import msgspec

from server.domain.changes import Change
from server.store.journal.feed import Entry


class _Line(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of a :class:`server.domain.reservation.ReservationLine`, up to what the line left."""

    sku: msgspec.Raw
    location: msgspec.Raw
    quantity: int
    requested: int
    held: int
    committed: int
    first_available: int


class _Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The first fields of a :class:`server.domain.reservation.Reservation`, up to its lines."""

    state: msgspec.Raw
    created_ms: msgspec.Raw
    deadline_ms: msgspec.Raw
    ttl_ms: msgspec.Raw
    seq: msgspec.Raw
    channel: msgspec.Raw
    actor: msgspec.Raw
    fingerprint: msgspec.Raw
    lines: list[_Line]


class _New(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A reserve or order, as it stands in the journal. ``behind`` is there where channels have units of their own."""

    operation: str
    reservation_id: msgspec.Raw
    record: _Record
    behind: list[msgspec.Raw] | None = None


_HOLD: Final = "reserve"
_glance = msgspec.msgpack.Decoder(list[_New]).decode


def worth_counting(entry: Entry, highest_point: int) -> tuple[list[Change], int]:
    """Decode the changes of an entry, unless nothing comes of any of them; then return only their number.

    ``highest_point``: no reorder point is above it.

    Raises
    ------
    msgspec.DecodeError, DamagedEntryError
        Somebody else wrote it, or it is damaged.

    """
    try:
        made = _glance(entry.fields.get(b"e", b""))
    except msgspec.ValidationError:  # there are other changes
        return entry.changes, 0
    for new in made:
        if new.operation != _HOLD or new.behind is not None:
            return entry.changes, 0
        for line in new.record.lines:
            if line.first_available <= highest_point or line.committed:
                return entry.changes, 0
    return [], len(made)
