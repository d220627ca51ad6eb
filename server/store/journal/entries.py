"""Entries of the journal, decoded: what each change did, the ids of the stream, and where it begins and ends.

Their shape is the contract with ``lua/lib/journal.lua``: one stream entry for each script that changed something,
holding the changes in the order in which they were made.
"""

import re
from typing import Any, Final

import msgspec

from server.domain.allocations import Allocation
from server.domain.changes import Change, ChangeLine
from server.domain.reservation import Reservation, ReservationLine

EntryId = tuple[int, int]
"""A stream id, milliseconds and number: compares in the order of the stream."""

START: Final = "0-0"
"""Before the first entry."""

_ID: Final = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)
ID_PART_MAX: Final = 2**64 - 1


class _NewReservation(msgspec.Struct, array_like=True, frozen=True):
    """A reserve or order: its record is new, and holds all that a change holds.

    With allocations, the record's lines show what is left for this channel. ``behind`` then has for each line what is
    reserved by no one, and the allocations; these are empty where a later line of the same (SKU, location) has them.
    """

    operation: str
    reservation_id: str
    record: Reservation
    behind: list[tuple[int, list[Allocation]] | bool] = []


_split = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_change = msgspec.msgpack.Decoder(Change).decode
_decode_new = msgspec.msgpack.Decoder(_NewReservation).decode
_ARRAY_OF_FOUR: Final = 0x94
"""A reserve or order is an array of three or four; other changes are longer."""


def _change_of(new: _NewReservation) -> Change:
    record = new.record
    lines = [
        _line_of(number, line)
        for number, line in enumerate(record.lines, 1)
        if line.quantity and line.is_stocked  # a line of a partial reservation that got nothing changed nothing
    ]
    if new.behind:
        lines = [_behind(line, new.behind[line.line - 1]) for line in lines]
    notes = [("order_ref", record.order_ref)] if record.order_ref else []
    notes += record.notes
    return Change(
        new.operation, record.created_ms, record.actor, record.channel, new.reservation_id, record.state, lines,
        notes, record.quota, record.customer_ref if record.quota else "",
    )  # fmt: skip


def _behind(line: ChangeLine, behind: tuple[int, list[Allocation]] | bool) -> ChangeLine:
    if isinstance(behind, bool):
        return line
    available, allocations = behind
    return msgspec.structs.replace(line, available=available, allocations=allocations or None)


def _line_of(number: int, line: ReservationLine) -> ChangeLine:
    return ChangeLine(
        number, line.sku, line.location, 0, line.held, line.committed, 0, 0, 0, line.first_available, line.first_seq,
        line.waiting, line.owed,
    )  # fmt: skip


def decode_entry(fields: dict[bytes, bytes]) -> list[Change]:
    """Decode the fields of one stream entry.

    Raises
    ------
    msgspec.DecodeError
        Somebody else wrote it, or it is damaged.

    """
    return [
        _change_of(_decode_new(each)) if memoryview(each)[0] <= _ARRAY_OF_FOUR else _decode_change(each)
        for each in _split(fields.get(b"e", b""))
    ]


def new_reservations(fields: dict[bytes, bytes]) -> list[tuple[str, Reservation]]:
    """Return the reservations that one stream entry has made, by their ids; errors as for :func:`decode_entry`."""
    made = [_decode_new(each) for each in _split(fields.get(b"e", b"")) if memoryview(each)[0] <= _ARRAY_OF_FOUR]
    return [(each.reservation_id, each.record) for each in made]


def parse_entry_id(text: str) -> EntryId:
    """Read a stream id such as ``1700000000000-3``.

    Raises
    ------
    ValueError
        It is not one.

    """
    match = _ID.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a journal id; it looks like 1700000000000-0")
    parts = int(match[1]), int(match[2])
    if max(parts) > ID_PART_MAX:
        raise ValueError(f"{text!r} is not a journal id; its parts are numbers below 2^64")
    return parts


def format_entry_id(entry_id: EntryId) -> str:
    """Write a stream id as the store does."""
    return f"{entry_id[0]}-{entry_id[1]}"


def before(entry_id: EntryId) -> EntryId:
    """Return the greatest id that is smaller."""
    milliseconds, number = entry_id
    return (milliseconds, number - 1) if number else (max(0, milliseconds - 1), ID_PART_MAX)


class Bounds(msgspec.Struct, frozen=True):
    """Where the journal begins and ends.

    ``first_id`` is that of the oldest entry kept, ``0-0`` where none is; ``last_id`` of the newest ever written.
    ``max_deleted_id`` reports single deletions only (which Holdfast never makes): trimming does not move it, and is
    known by ``removed``, the number of entries that are gone.
    """

    first_id: str = START
    last_id: str = START
    max_deleted_id: str = START
    entries: int = 0
    entries_added: int = 0

    @property
    def removed(self) -> int:
        """How many entries were ever trimmed or deleted."""
        return self.entries_added - self.entries

    def is_beyond(self, after: str) -> bool:
        """Whether this id lies beyond the end: the store came back without its newest entries, as from a backup."""
        return parse_entry_id(after) > parse_entry_id(self.last_id)

    def is_lost(self, after: str) -> bool:
        """Whether entries after this id may be gone, so that a reader who resumes there has to start afresh.

        It errs on the safe side: a reader whose own last entry was trimmed, but none after it, counts as lost. So does
        one who has read entries that the journal never had: those that follow are not what followed then.
        """
        if self.is_beyond(after):
            return True
        cursor = parse_entry_id(after)
        if self.removed <= 0 or cursor == parse_entry_id(self.last_id):
            return False
        if self.entries == 0 or cursor < parse_entry_id(self.max_deleted_id):
            return True
        return cursor < parse_entry_id(self.first_id)


def parse_bounds(info: dict[str, Any]) -> Bounds:
    """Read the store's answer to XINFO STREAM."""
    return Bounds(
        first_id=text_of(info["recorded-first-entry-id"]),
        last_id=text_of(info["last-generated-id"]),
        max_deleted_id=text_of(info["max-deleted-entry-id"]),
        entries=int(info["length"]),
        entries_added=int(info["entries-added"]),
    )


def text_of(value: bytes | str) -> str:
    """Return an id as text, however the store sent it."""
    return value if isinstance(value, str) else value.decode("ascii")
