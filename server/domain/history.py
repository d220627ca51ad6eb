"""The history: who changed what, when, from what to what, and why; rows made of the journal's changes."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final, Literal, NamedTuple

import msgspec

from server.domain.alerts import ALERTS
from server.domain.allocations import left
from server.domain.changes import Change, ChangeLine
from server.domain.stock import BUCKETS

GapReason = Literal["before", "trimmed", "went_back", "damaged", "unread"]
"""before: the journal did not reach back further when it was first followed. trimmed: it was cut off before it was
read. went_back: the store came back without its newest entries, so what is said to have happened then did not last.
damaged: an entry cannot be read. unread: it stands in the journal and was not read yet."""

NOT_KEPT: Final = frozenset({"customer_ref", "tracking", "url"})
"""Notes that are left out: they lead to a buyer."""
PERSONAL: Final = frozenset({"reason"})
"""Notes on a reservation in which somebody may have written of a buyer: they go when the order is erased."""
KEYS_CHANGED: Final = "api_key"
"""The journal's operation for an API key that was made or revoked."""
CONFIGURED: Final = "configuration"
"""The journal's operation for channels and sources that are configured otherwise than at the start before."""
ADMIN_ONLY: Final = (KEYS_CHANGED, CONFIGURED)
"""Operations of which only administrators are told."""
_DERIVED: Final = frozenset({*ALERTS, "shortage"})
"""Entries that follow from changes and are none themselves."""
_KEY_NOTES: Final = ("key", "barcode", "left_key")
_HEADS: Final = frozenset({"sku", "key"})
"""Notes that begin a new subject in the commands about channels, which name SKUs and keys side by side."""
_PLACES: Final = 1_000_000
"""Rows of one entry at most; no entry has so many."""


class Gap(msgspec.Struct, frozen=True):
    """A time of which not everything is known, milliseconds since 1970; ``from_ms`` 0: since ever."""

    from_ms: int
    to_ms: int
    reason: GapReason


class Moment(NamedTuple):
    """Where a row stands: the milliseconds of its entry, and its place among the rows of the same millisecond."""

    ms: int
    place: int


class Detail(msgspec.Struct, array_like=True, frozen=True):
    """What of a row nobody searches for. ``deltas``: of the buckets and of backordered units, without zeros at the end.

    ``seq`` 0: it is no change of stock. ``before``: what was available before, None: not known, or no stock.
    """

    state: str = ""
    deltas: list[int] = []
    seq: int = 0
    line: int = 0
    before: int | None = None
    notes: list[tuple[str, str]] = []

    @property
    def moved(self) -> dict[str, int]:
        """By how many units it moved what."""
        return {name: by for name, by in zip((*BUCKETS, "backordered"), self.deltas, strict=False) if by}


class HistoryRow(msgspec.Struct, frozen=True):
    """One thing that was changed: a SKU at a location, a reservation, a rule, a listing, a key.

    Names are as they were then; empty: it is about none. ``available``: units that could be reserved after it, None
    where it moved no stock.
    """

    moment: Moment
    operation: str
    actor: str
    channel: str = ""
    reservation_id: str = ""
    order_ref: str = ""
    sku: str = ""
    location: str = ""
    key: str = ""
    available: int | None = None
    detail: Detail = Detail()


def rows_of(entry: tuple[int, int], changes: Iterable[Change]) -> list[HistoryRow]:
    """Make the rows of one entry of the journal, in their order. ``entry``: its id, milliseconds and number."""
    ms, number = entry
    moments = (Moment(ms, number * _PLACES + index) for index in count())
    return [row for change in changes if change.operation not in _DERIVED for row in _rows(change, moments)]


def _rows(change: Change, moments: Iterator[Moment]) -> Iterator[HistoryRow]:
    if change.lines:
        notes = _kept(change.notes)
        order_ref = _first(change.notes, ("order_ref",))
        for line in change.lines:
            yield _row_of_line(next(moments), change, line, notes, order_ref)
        return
    for notes in _subjects(change):
        yield HistoryRow(
            next(moments), change.operation, change.actor, change.channel or _first(notes, ("channel",)),
            change.reservation_id, _first(notes, ("order_ref",)), _first(notes, ("sku",)), _first(notes, ("location",)),
            _first(notes, _KEY_NOTES), None, Detail(state=change.state, notes=_kept(notes)),
        )  # fmt: skip


def _row_of_line(
    moment: Moment, change: Change, line: ChangeLine, notes: list[tuple[str, str]], order_ref: str
) -> HistoryRow:
    allocations = change.allocations_at(line)
    available = left(line.available, allocations)
    before = None if allocations else line.available - line.d_available
    deltas = [*line.deltas, line.d_waiting + line.d_owed]
    while deltas and not deltas[-1]:
        deltas.pop()
    return HistoryRow(
        moment, change.operation, change.actor, change.channel, change.reservation_id, order_ref, line.sku,
        line.location, _first(change.notes, _KEY_NOTES), available,
        Detail(change.state, deltas, line.seq, line.line, before, notes),
    )  # fmt: skip


def _subjects(change: Change) -> Iterator[list[tuple[str, str]]]:
    """Divide the notes of a change without lines by what they are about: a change of many rules is many rows."""
    heads = _HEADS if change.operation.startswith("channel_") else frozenset(name for name, _ in change.notes[:1])
    found: list[tuple[str, str]] = []
    for name, value in change.notes:
        if name in heads and found:
            yield found
            found = []
        found.append((name, value))
    yield found


def _kept(notes: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in notes if name not in NOT_KEPT]


def _first(notes: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    return next((value for wanted in names for name, value in notes if name == wanted), "")


def is_personal(detail: Detail) -> bool:
    """Whether there is something in a row that may be about a buyer, if it is of a reservation."""
    return any(name in PERSONAL for name, _ in detail.notes)


def without_personal(detail: Detail) -> Detail:
    """Take from a row of a reservation what may be about its buyer."""
    return msgspec.structs.replace(detail, notes=[each for each in detail.notes if each[0] not in PERSONAL])
