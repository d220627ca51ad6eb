"""The journal replayed: rebuilds every counter from the changes alone, and notices where the changes do not add up."""

from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

from server.domain.aliases import RENAMED
from server.domain.allocations import Allocation, followed
from server.domain.changes import Change, ChangeLine
from server.domain.stock import BUCKETS, StockLevel
from server.store.keys import split_field

_ALLOCATIONS: Final = frozenset({"allocate", "allocate_move", RENAMED})
_TRANSFERS: Final = frozenset({"transfer_ship", "transfer_receive", "transfer_cancel"})


class RowNumbers:
    """Numbers for (SKU, location) pairs, so that figures of a million of them fit into plain arrays."""

    def __init__(self) -> None:
        self._rows: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def row(self, field: bytes) -> int:
        """Return the number of a field of the stock hash, a new one where it has none."""
        return self._rows.setdefault(field, len(self._rows))

    def row_of(self, sku: str, location: str) -> int:
        """As :meth:`row`."""
        return self.row(f"{sku}\0{location}".encode())

    def fields(self) -> Iterator[bytes]:
        """Every field, in the order of the numbers."""
        return iter(self._rows)


class Fault(NamedTuple):
    """Where the journal contradicts itself at ``line``; ``what`` is "sequence", "available" or "allocations"."""

    what: str
    line: ChangeLine
    expected: int | str
    found: int | str


class Replay:
    """Counters rebuilt from changes that are applied in the journal's order.

    Parameters
    ----------
    row_numbers
        Shared numbers, where a caller keeps other figures of the same (SKU, location)s.
    from_zero
        Whether the first change applied is the first ever made. Otherwise the counters are only sums of deltas
        since some moment, and the first ``available`` of each (SKU, location) is taken on trust.
    reservations
        Whether to rebuild what each reservation's lines hold, too.

    """

    def __init__(
        self, row_numbers: RowNumbers | None = None, *, from_zero: bool = True, reservations: bool = False
    ) -> None:
        self.row_numbers = RowNumbers() if row_numbers is None else row_numbers
        self._track = reservations
        self._begin(from_zero=from_zero)

    def _begin(self, *, from_zero: bool) -> None:
        self.from_zero = from_zero
        self.seq = 0
        """The last one applied; 0: none."""
        self.first_seq = 0
        self._buckets = tuple(array("q") for _ in BUCKETS)
        self.in_transit = 0
        """Units that left one location and have neither reached another nor been written off."""
        self._waiting = array("q")
        self._available = array("q")
        self._seqs = array("q")
        self.allocations: dict[int, list[Allocation]] = {}
        """The allocations of channels, by the number of the (SKU, location); only where there is any."""
        self._untold: set[int] = set()
        """(SKU, location)s whose allocations stand in a later line of the first change that is applied."""
        self.reserved: dict[tuple[str, int], tuple[int, int]] = {}
        """(reservation id, line) to units held and committed, for those that hold or have committed any."""

    def apply(self, change: Change) -> list[Fault]:
        """Apply one change; says what in it does not follow from what came before."""
        faults: list[Fault] = []
        if change.operation in _TRANSFERS:
            self.in_transit += sum(int(value) for name, value in change.notes if name == "in_transit")
        listed = self._listed_later(change)
        for line in change.lines:
            self._check_sequence(line, faults)
            self._apply_allocations(change, line, faults, is_listed=line.seq not in listed)
            self._apply_line(line, faults)
            if self._track and change.reservation_id:
                self._apply_reserved(change.reservation_id, line)
        return faults

    def follows(self, line: ChangeLine) -> bool:
        """Whether this can be the next line."""
        return line.seq == self.seq + 1 or not (self.seq or self.from_zero)

    def counters(self, row: int) -> tuple[int, ...]:
        """Return the six buckets of a (SKU, location)."""
        self._make_room(row)
        return tuple(bucket[row] for bucket in self._buckets)

    def waiting(self, row: int) -> int:
        """Return how many backordered units a (SKU, location) has."""
        self._make_room(row)
        return self._waiting[row]

    def available(self, row: int) -> int:
        """Return what was available after the last change of a (SKU, location); 0 where there was none."""
        self._make_room(row)
        return self._available[row]

    def last_seq(self, row: int) -> int:
        """Return the last seq of a (SKU, location); 0: no change of it was applied."""
        self._make_room(row)
        return self._seqs[row]

    def levels(self) -> Iterator[StockLevel]:
        """Return the stock of every (SKU, location) that a change was applied to."""
        for row, field in enumerate(self.row_numbers.fields()):
            if self.last_seq(row):
                sku, location = split_field(field)
                on_hand, held, committed, damaged, quality_control, safety = self.counters(row)
                yield StockLevel(
                    sku, location, on_hand, held, committed, damaged, quality_control, safety, self.last_seq(row),
                    self.allocations.get(row, False),
                )  # fmt: skip

    def start_over(self) -> None:
        """Forget all that was applied, and take what comes as the middle of a journal."""
        self._begin(from_zero=False)

    def _check_sequence(self, line: ChangeLine, faults: list[Fault]) -> None:
        if not self.follows(line):
            faults.append(Fault("sequence", line, self.seq + 1, line.seq))
            self.from_zero = False  # the sums lack something from here on
        self.seq = line.seq
        self.first_seq = self.first_seq or line.seq

    @staticmethod
    def _listed_later(change: Change) -> frozenset[int]:
        """Return the seqs of the lines whose allocations stand in a later one of the same (SKU, location)."""
        if len(change.lines) == 1 or not any(line.allocations for line in change.lines):
            return frozenset()
        found: set[int] = set()
        listed: set[tuple[str, str]] = set()
        for line in reversed(change.lines):
            if line.allocations:
                listed.add((line.sku, line.location))
            elif (line.sku, line.location) in listed:
                found.add(line.seq)
        return frozenset(found)

    def _apply_allocations(self, change: Change, line: ChangeLine, faults: list[Fault], *, is_listed: bool) -> None:
        """Apply the allocations of a line; they follow from those before unless the change set them."""
        row, written = self.row_numbers.row_of(line.sku, line.location), list(line.allocations or ())
        before = self.allocations.get(row, [])
        is_known = bool(self.last_seq(row)) or self.from_zero
        expected = followed(before, change.channel, line.d_held + line.d_committed, line.d_on_hand)
        if not is_listed:
            if before:
                self.allocations[row] = expected
            elif not is_known:
                self._untold.add(row)
            return
        if row in self._untold:
            self._untold.remove(row)
            is_known = False
        if not written and not before:
            return
        if change.operation not in _ALLOCATIONS and is_known and expected != written:
            faults.append(Fault("allocations", line, str(expected), str(written)))
        self.allocations[row] = written
        if not written:
            del self.allocations[row]

    def _apply_line(self, line: ChangeLine, faults: list[Fault]) -> None:
        row = self.row_numbers.row_of(line.sku, line.location)
        self._make_room(row)
        if self._seqs[row] or self.from_zero:
            expected = self._available[row] + line.d_available
            if line.available != expected:
                faults.append(Fault("available", line, expected, line.available))
        for bucket, delta in zip(self._buckets, line.deltas, strict=True):
            if delta:
                bucket[row] += delta
        self._waiting[row] += line.d_waiting + line.d_owed
        self._available[row] = line.available
        self._seqs[row] = line.seq

    def _apply_reserved(self, reservation_id: str, line: ChangeLine) -> None:
        key = (reservation_id, line.line)
        held, committed = self.reserved.pop(key, (0, 0))
        held, committed = held + line.d_held, committed + line.d_committed
        if held or committed:
            self.reserved[key] = (held, committed)

    def _make_room(self, row: int) -> None:
        missing = row + 1 - len(self._seqs)
        if missing > 0:
            missing = max(missing, len(self.row_numbers) - len(self._seqs))
            for column in (*self._buckets, self._waiting, self._available, self._seqs):
                column.frombytes(bytes(8 * missing))
