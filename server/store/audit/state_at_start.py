"""The records that an audit has read, rolled back to the moment at which the audit began."""

from array import array
from collections.abc import Iterator
from typing import Final

from server.domain.aliases import MovingAliases
from server.domain.changes import Change, ChangeLine
from server.domain.reservation import Reservation
from server.domain.stock import BUCKETS, StockRecord, lacking
from server.store.audit.allocation_check import AllocationsAtStart
from server.store.audit.checks import LIVE_STATES, Drift
from server.store.audit.quotas_at_start import QuotasAtStart
from server.store.journal.replay import Replay, RowNumbers
from server.store.keys import split_field, stored_text

_ON_HAND, _HELD, _COMMITTED = 0, 1, 2
_KNOWN, _LISTED = 1, 2
_MAKES: Final = frozenset({"reserve", "order"})
"""Operations that make a reservation."""


class StateAtStart:
    """The figures of every (SKU, location): first as they were read, at the end as they were at ``start_seq``."""

    def __init__(self, row_numbers: RowNumbers, start_seq: int) -> None:
        self.reservations = 0
        """Live ones that were read."""
        self.records_read = 0
        """Stock records that were read."""
        self.missed: dict[bytes, list[tuple[int, str, int, int, int]]] = {}
        """Reservations that changed since the start and were not read: by how much each line moved
        (row, channel, held, committed, backordered)."""
        self.allocations = AllocationsAtStart()
        self.quotas = QuotasAtStart()
        self.names = MovingAliases()
        """How reservations find the records of what was renamed."""
        self._row_numbers = row_numbers
        self._start_seq = start_seq
        self._buckets = tuple(array("q") for _ in BUCKETS)
        self._waiting = array("q")
        self._seqs = array("q")
        self._reserved_waiting = array("q")
        self._reserved_held = array("q")
        self._reserved_committed = array("q")
        self._flags = bytearray()
        self._late_places: set[int] = set()
        self._seen: set[bytes] = set()
        self._late: dict[bytes, int] = {}  # reservations read after they changed, with the seq of the reading
        self._unconfirmed: set[bytes] = set()
        self._born: set[bytes] = set()

    # -- what was read

    def has_seen(self, raw_id: bytes) -> bool:
        """Whether this live reservation was read before."""
        return raw_id in self._seen

    def saw_reservation(self, raw_id: bytes, record: Reservation | None) -> None:
        """Add a live reservation; None: it cannot be read, so none of its units can be counted."""
        self._seen.add(raw_id)
        self.reservations += 1
        if record is None:
            return
        self._add_reserved(record)
        self.quotas.saw(raw_id, record)
        if record.seq > self._start_seq:
            self._late[raw_id] = record.seq
            self._unconfirmed.add(raw_id)

    def saw_stock(self, field: bytes, record: StockRecord) -> None:
        """Add a stock record; one that was read before keeps its first reading."""
        row = self._row(field)
        if self._flags[row] & _KNOWN:
            return
        self._flags[row] |= _KNOWN
        self.records_read += 1
        for bucket, units in zip(self._buckets, record.buckets, strict=True):
            bucket[row] = units
        self._waiting[row] = record.waiting
        self._seqs[row] = record.seq
        if record.seq > self._start_seq:
            self._late_places.add(row)
        if record.allocations:
            self.allocations.saw(row, record.allocated)

    def list_record(self, field: bytes) -> bool:
        """Note that a (SKU, location) is listed; False: no stock record of it was read."""
        row = self._row(self._found(field))
        self._flags[row] |= _LISTED
        return bool(self._flags[row] & _KNOWN)

    def _found(self, field: bytes) -> bytes:
        """Return the field under which a record was read: its name may be an old one, or a new one to come."""
        return self.names.field_of(field, lambda each: bool(self._flags[self._row(each)] & _KNOWN))

    def unlisted(self) -> Iterator[bytes]:
        """Return each (SKU, location) with a stock record that was not listed."""
        for field, flags in zip(list(self._row_numbers.fields()), bytes(self._flags), strict=False):
            if flags & _KNOWN and not flags & _LISTED:
                yield field

    # -- back to the start

    def roll_back(self, change: Change) -> None:
        """Subtract a change since the start from every reading that includes it. Call it in the journal's order."""
        raw_id = change.reservation_id.encode()
        late_seq = self._late.get(raw_id, 0)
        is_missed = bool(raw_id) and raw_id not in self._seen and self._was_there(raw_id, change)
        if raw_id:
            self.quotas.roll_back(raw_id, change, late_seq, is_missed=is_missed)
        for line in change.lines:
            row = self._row(f"{line.sku}\0{line.location}".encode())
            self._roll_back_stock(row, line, change.channel)
            if late_seq and line.seq <= late_seq:
                self._take_out(row, change.channel, line.d_held, line.d_committed, line.d_waiting + line.d_owed)
                if line.seq == late_seq:
                    self._unconfirmed.discard(raw_id)
            elif is_missed:
                self.missed.setdefault(raw_id, []).append(
                    (row, change.channel, line.d_held, line.d_committed, line.d_waiting + line.d_owed)
                )

    def _was_there(self, raw_id: bytes, change: Change) -> bool:
        """Whether an unread reservation may have been live at the start: not if it was made since."""
        if raw_id in self.missed:
            return True
        if change.operation in _MAKES:
            self._born.add(raw_id)
            return False
        if raw_id in self._born:
            if change.state not in LIVE_STATES:
                self._born.discard(raw_id)  # its lines so far come to nothing, so it may be forgotten here
            return False
        return True

    def _take_out(self, row: int, channel: str, d_held: int, d_committed: int, d_backordered: int) -> None:
        self._reserved_held[row] -= d_held
        self._reserved_committed[row] -= d_committed
        self._reserved_waiting[row] -= d_backordered
        self.allocations.add_reserved(row, channel, -d_held - d_committed)

    def _roll_back_stock(self, row: int, line: ChangeLine, channel: str) -> None:
        if line.seq > self._seqs[row]:
            return
        self.allocations.roll_back(row, channel, line.d_held + line.d_committed)
        for bucket, delta in zip(self._buckets, line.deltas, strict=True):
            bucket[row] -= delta
        self._waiting[row] -= line.d_waiting + line.d_owed
        if line.seq == self._seqs[row]:
            self._late_places.discard(row)

    def recover(self, raw_id: bytes, record: Reservation | None, seq: int) -> None:
        """Take in a missed reservation, read anew when the partition's seq was ``seq``; None: it is forgotten."""
        for deltas in self.missed.pop(raw_id):
            self._take_out(*deltas)
        if record is not None:
            self._add_reserved(record)
            self.quotas.recover(raw_id, record)
        self._seen.add(raw_id)
        self._late[raw_id] = seq if record is None else record.seq

    def unconfirmed(self) -> Iterator[Drift]:
        """Report readings whose seq no line of the journal explains."""
        fields = list(self._row_numbers.fields()) if self._late_places else []
        for row in sorted(self._late_places):
            yield Drift(*split_field(fields[row]), "seq", "a line of the journal", self._seqs[row])
        for raw_id in sorted(self._unconfirmed):
            yield Drift("", "", "seq", "a line of the journal", self._late[raw_id], stored_text(raw_id))

    # -- at the start

    def available(self, row: int) -> int:
        """Return what was available at a location."""
        on_hand, *taken = self._counters(row)
        return on_hand - sum(taken)

    def lacks(self, row: int) -> int:
        """Return how many reserved units were not on the shelf of a location."""
        on_hand, held, committed, damaged, quality_control, _ = self._counters(row)
        return lacking(on_hand, held, committed, damaged, quality_control)

    def compare(self, row: int, field: bytes) -> Iterator[Drift]:
        """Compare the counters of a location with the reservations, and with what is possible."""
        counters = self._counters(row)
        reserved = (self._reserved_held[row], self._reserved_committed[row])
        for bucket, expected in zip((_HELD, _COMMITTED), reserved, strict=True):
            if counters[bucket] != expected:
                yield Drift(*split_field(field), BUCKETS[bucket], expected, counters[bucket])
        if self._waiting[row] != self._reserved_waiting[row]:
            yield Drift(*split_field(field), "backordered", self._reserved_waiting[row], self._waiting[row])
        for name, units in zip(BUCKETS[_ON_HAND + 1 :], counters[_ON_HAND + 1 :], strict=True):
            if units < 0:
                yield Drift(*split_field(field), "negative", f"{name} of at least 0", units)
        for expected, used in self.allocations.compare(row):
            yield Drift(*split_field(field), "allocations", expected, used)

    def compare_journal(self, row: int, field: bytes, replay: Replay) -> Iterator[Drift]:
        """Compare the record of a location with the journal up to the start."""
        counters, seq = self._counters(row), self._seqs[row]
        last_seq = replay.last_seq(row)
        if replay.from_zero:
            for name, expected, found in zip(BUCKETS, replay.counters(row), counters, strict=True):
                if expected != found:
                    yield Drift(*split_field(field), name, expected, found)
            if replay.waiting(row) != self._waiting[row]:
                yield Drift(*split_field(field), "backordered", replay.waiting(row), self._waiting[row])
        elif last_seq and replay.available(row) != self.available(row):
            yield Drift(*split_field(field), "available", replay.available(row), self.available(row))
        if not self._flags[row] & _KNOWN and not any(counters):
            return  # it was renamed or deleted, and no unit is left under this name
        if seq > self._start_seq:
            return  # what its seq was at the start is not known; the lines since then were found
        if (
            last_seq == seq
            and seq
            and (written := replay.allocations.get(row, [])) != (read := self.allocations.read(row))
        ):
            yield Drift(*split_field(field), "allocations", str(written), str(read))
        if last_seq != seq and (last_seq or replay.from_zero or 0 < replay.first_seq <= seq):
            yield Drift(*split_field(field), "seq", last_seq, seq)

    def _counters(self, row: int) -> tuple[int, ...]:
        self._make_room(row)
        return tuple(bucket[row] for bucket in self._buckets)

    def _add_reserved(self, record: Reservation) -> None:
        for line in record.lines:
            if line.is_stocked and (line.held or line.committed or line.backordered):
                row = self._row(self._found(f"{line.sku}\0{line.location}".encode()))
                self._reserved_held[row] += line.held
                self._reserved_committed[row] += line.committed
                self.allocations.add_reserved(row, record.channel, line.held + line.committed)
                self._reserved_waiting[row] += line.backordered

    def _row(self, field: bytes) -> int:
        row = self._row_numbers.row(field)
        self._make_room(row)
        return row

    def _make_room(self, row: int) -> None:
        missing = row + 1 - len(self._seqs)
        if missing > 0:
            reserved = (self._reserved_held, self._reserved_committed, self._reserved_waiting)
            for column in (*self._buckets, self._waiting, self._seqs, *reserved):
                column.frombytes(bytes(8 * missing))
            self._flags.extend(bytes(missing))
