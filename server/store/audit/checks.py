"""The report of an audit, and the checks that need one record only."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from server.domain.reservation import Reservation
from server.domain.stock import BUCKETS
from server.domain.transfer import Transfer

DRIFT_LINES_MAX: Final = 1000
"""Further drift is counted, not listed: a store that is wrong throughout must not fill the memory and the log."""
LIVE_STATES: Final = frozenset({"held", "committed", "backordered"})
_UNIT_KINDS: Final = frozenset(
    {
        *BUCKETS,
        "shortage",
        "lacking",
        "available",
        "quantity",
        "returned",
        "in_transit",
        "backordered",
        "allocations",
        "quota",
    }
)
_SPENT_STATES: Final = frozenset({"released", "expired", "cancelled"})


class Drift(msgspec.Struct, frozen=True):
    """One difference. ``what`` is a bucket's name, or another kind that :mod:`server.store.audit.audit` lists.

    ``sku`` and ``location`` are empty if it concerns no stock. ``reservation_id`` (or a transfer's id) is empty if it
    concerns neither.
    """

    sku: str
    location: str
    what: str
    expected: int | str
    found: int | str
    reservation_id: str = ""

    @property
    def units(self) -> int:
        """By how many units; 1 for what is not counted in units, so that no drift counts as 0."""
        if self.what in _UNIT_KINDS and isinstance(self.expected, int) and isinstance(self.found, int):
            return max(1, abs(self.expected - self.found))
        return 1


class AuditReport(msgspec.Struct, frozen=True):
    """The result of an audit.

    ``conclusive`` False: the journal was trimmed during the audit or lacks entries that it needed, so the figures
    could not be brought to one moment; ``drift`` then holds only what is wrong at any moment. Audit again.
    ``drift`` lists at most ``DRIFT_LINES_MAX``; ``drift_count`` counts all. ``seconds`` is how long it took.
    """

    drift: list[Drift]
    drift_count: int
    drift_units: int
    conclusive: bool
    reservations: int
    places: int
    journal_entries: int
    journal_complete: bool
    """The journal reaches back to the first change, so that every counter was rebuilt from it."""
    seconds: float
    quotas: dict[bytes, int] = {}
    """By how many units the counters of quotas have to grow to be right, by their names in ``meta``."""


class Findings:
    """Collects drift."""

    def __init__(self) -> None:
        self.listed: list[Drift] = []
        self.count = 0
        self.units = 0
        self._keys: set[tuple[str, ...]] = set()

    def add_all(self, drifts: Iterable[Drift]) -> None:
        """Add several differences."""
        for drift in drifts:
            self.add(drift)

    def add(self, drift: Drift) -> None:
        """Add one difference, once: the same counter can be wrong against reservations and against the journal."""
        key = (drift.sku, drift.location, drift.what, drift.reservation_id, str(drift.found))
        if key in self._keys:
            return
        self.count += 1
        self.units += drift.units
        if len(self.listed) < DRIFT_LINES_MAX:
            self.listed.append(drift)
            self._keys.add(key)


def check_transfer(transfer_id: str, transfer: Transfer) -> Iterator[Drift]:
    """Find contradictions within one transfer."""
    for line in transfer.lines:
        lowest = min(line.received, line.lost, line.cancelled, line.in_transit)
        if lowest < 0:
            yield Drift(line.sku, transfer.destination, "negative", 0, lowest, transfer_id)
    ended = "cancelled" if any(line.cancelled for line in transfer.lines) else "closed"
    expected = "in_transit" if any(line.in_transit for line in transfer.lines) else ended
    if transfer.state != expected:
        yield Drift("", "", "state", expected, transfer.state, transfer_id)


def check_record(reservation_id: str, record: Reservation, *, live: bool) -> Iterator[Drift]:
    """Find contradictions within one record. ``live``: it is stored among those that reserve units."""
    for line in record.lines:
        total = line.held + line.committed + line.fulfilled + line.released + line.expired + line.backordered
        if total != line.quantity:
            yield Drift(line.sku, line.location, "quantity", line.quantity, total, reservation_id)
        waiting = min(line.waiting, line.owed)
        lowest = min(line.held, line.committed, line.fulfilled, line.released, line.expired, line.returned, waiting)
        if lowest < 0:
            yield Drift(line.sku, line.location, "negative", 0, lowest, reservation_id)
        if line.returned > line.fulfilled:
            yield Drift(line.sku, line.location, "returned", line.fulfilled, line.returned, reservation_id)
    yield from _check_state(reservation_id, record, live=live)


def _check_state(reservation_id: str, record: Reservation, *, live: bool) -> Iterator[Drift]:
    expected = expected_state(record)
    if record.state != expected:
        yield Drift("", "", "state", expected, record.state, reservation_id)
    if live != (expected in LIVE_STATES):
        found = "live" if live else "ended"
        yield Drift("", "", "place", "ended" if live else "live", found, reservation_id)
    if is_hold(record) != (record.deadline_ms > 0):
        wanted = "a deadline" if is_hold(record) else "none"
        yield Drift("", "", "deadline", wanted, record.deadline_ms, reservation_id)


def is_hold(record: Reservation) -> bool:
    """Whether it holds units, or waits for units to hold, and so has a deadline."""
    return any(line.held or line.waiting for line in record.lines)


def expected_state(record: Reservation) -> str:
    """Return the state that follows from the lines; if nothing is reserved, any of three is right."""
    if any(line.held for line in record.lines):
        return "held"
    if any(line.committed for line in record.lines):
        return "committed"
    if any(line.backordered for line in record.lines):
        return "backordered"
    if any(line.fulfilled for line in record.lines):
        return "fulfilled"
    return record.state if record.state in _SPENT_STATES else "expired"
