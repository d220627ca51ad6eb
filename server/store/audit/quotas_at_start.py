"""What keys with a quota, and their customers, held when an audit began, by what the reservations say."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from server.domain.changes import Change
from server.domain.reservation import Reservation

PREFIX: Final = b"quota\0"
"""As in ``lua/lib/quotas.lua``."""


class QuotasAtStart:
    """What reservations that count for a quota held at the start, and what has changed since."""

    def __init__(self) -> None:
        self._held: defaultdict[bytes, int] = defaultdict(int)
        self._changes: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)
        self._names: dict[bytes, tuple[bytes, ...]] = {}
        self._unnamed: defaultdict[bytes, list[tuple[int, int]]] = defaultdict(list)

    def saw(self, raw_id: bytes, record: Reservation) -> None:
        """Add what a reservation held when it was read."""
        if record.quota:
            self._named(raw_id, record.quota, record.customer_ref)
            for name in self._names[raw_id]:
                self._held[name] += units_of(record)

    def roll_back(self, raw_id: bytes, change: Change, late_seq: int, *, is_missed: bool) -> None:
        """Take in a change since the start.

        ``late_seq``: that of the reading that may include it, 0: there is none. ``is_missed``: the reservation was
        there at the start and was not read, so whether it counts is known once it is.
        """
        if change.quota:
            self._named(raw_id, change.quota, change.customer_ref)
        moves = [(line.seq, line.d_held + line.d_waiting) for line in change.lines]
        names = self._names.get(raw_id)
        if names is None:
            if is_missed:
                self._unnamed[raw_id] += moves
            return
        included = sum(units for seq, units in moves if seq <= late_seq)
        for name in names:
            self._changes[name] += moves
            self._held[name] -= included

    def recover(self, raw_id: bytes, record: Reservation) -> None:
        """Add what a reservation held that was read late, after all changes so far."""
        moves = self._unnamed.pop(raw_id, [])
        if not record.quota:
            return
        self._named(raw_id, record.quota, record.customer_ref)
        held = units_of(record) - sum(units for seq, units in moves if seq <= record.seq)
        for name in self._names[raw_id]:
            self._changes[name] += moves
            self._held[name] += held

    def names(self) -> Iterable[bytes]:
        """Return the counters that there must be, or may have been."""
        return self._held.keys() | self._changes.keys()

    def compare(self, name: bytes, counted: int, seq: int) -> Iterator[tuple[int, int]]:
        """Return the units held and counted at the start where they differ; ``counted``: when the seq was ``seq``."""
        found = counted - sum(units for at, units in self._changes.get(name, ()) if at <= seq)
        expected = self._held.get(name, 0)
        if found != expected:
            yield expected, found

    def _named(self, raw_id: bytes, key: str, customer_ref: str) -> None:
        name = PREFIX + key.encode()
        self._names[raw_id] = (name, name + b"\0" + customer_ref.encode()) if customer_ref else (name,)


def units_of(record: Reservation) -> int:
    """Return how many units a reservation counts as: what it holds, or waits to hold, at locations."""
    return sum(line.held + line.waiting for line in record.lines if line.is_stocked)
