"""Compares what a count left behind with what was reserved, counted and moved, each reckoned here anew."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from bench.propagation.figures import Values
from server.domain.changes import Change
from server.domain.reservation import Reservation
from tests.rigs.count_run.traffic import LOCATION, Acknowledged, Shelf

COUNTER: Final = {"held": "held", "committed": "committed", "fulfilled": "fulfilled", "released": "released"}


class Zeros(msgspec.Struct):
    """How long after the change a channel got zero, in milliseconds.

    ``superseded``: more had come by then. ``shown``: it showed zero already, a rise before it was not published yet.
    """

    delays_ms: list[float] = []
    superseded: int = 0
    shown: int = 0


def broken_reservations(reservations: Iterable[Acknowledged], records: Mapping[str, Reservation]) -> list[str]:
    """List what was acknowledged and is not there as it was."""
    wrong = []
    for reservation in reservations:
        record = records.get(reservation.id)
        if record is None:
            wrong.append(f"{reservation.id} was acknowledged and is gone")
        elif record.state != reservation.state:
            wrong.append(f"{reservation.id} is {record.state}, not {reservation.state}")
        else:
            found = {line.sku: getattr(line, COUNTER[reservation.state]) for line in record.lines}
            if found != reservation.lines:
                wrong.append(f"{reservation.id} has {found} {reservation.state}, not {reservation.lines}")
    return wrong


def wrong_levels(stock: Iterable[Shelf], on_hand: Mapping[str, int]) -> list[str]:
    """List what does not lie there as it was counted, and moved since the count began."""
    return [
        f"{shelf.sku}: {on_hand[shelf.sku]} on hand, not {shelf.counted} counted {shelf.moved:+} moved"
        for shelf in stock
        if on_hand[shelf.sku] != shelf.counted + shelf.moved
    ]


def wrong_differences(stock: Iterable[Shelf], reported: Mapping[str, int]) -> list[str]:
    """List where the report of differences is not what the books and the count come to."""
    wanted = {shelf.sku: shelf.counted - shelf.on_hand for shelf in stock if shelf.counted != shelf.on_hand}
    return [
        f"{sku}: reported {reported.get(sku)}, differs by {wanted.get(sku)}"
        for sku in sorted(wanted.keys() | reported.keys())
        if reported.get(sku) != wanted.get(sku)
    ]


def shortages(records: Mapping[str, Reservation], available: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Work out by brute force who lacks how much: SKU -> reservation -> units."""
    order = sorted(records.items(), key=lambda each: ("vip" in each[1].flags, -each[1].created_ms, each[0]))
    found: dict[str, dict[str, int]] = {sku: {} for sku, units in available.items() if units < 0}
    left = {sku: -units for sku, units in available.items()}
    for name, record in order:
        for line in record.lines:
            lacks = min(line.held + line.committed, left.get(line.sku, 0))
            if lacks > 0:
                found[line.sku][name] = lacks
                left[line.sku] -= lacks
    return found


def zeros(changes: Iterable[Change], arrived: Values, key_of: Mapping[str, int]) -> Zeros:
    """Find for each fall to zero or below by the count when the channel got it.

    Raises
    ------
    AssertionError
        It never was, although nothing came in meanwhile.

    """
    lines = [(line, change) for change in changes for line in change.lines if line.location == LOCATION]
    risen: dict[str, list[int]] = {}
    for line, change in lines:
        if line.available > 0:
            risen.setdefault(line.sku, []).append(change.at_ms)
    found = Zeros()
    for line, change in lines:
        if change.operation != "count" or not line.available <= 0 < line.available - line.d_available:
            continue
        # What was on its way before the change may still arrive after it.
        told_us = next(
            (us for us, units in arrived[key_of[line.sku]] if units == 0 and us >= 1000 * change.at_ms), None
        )
        rose_ms = next((at_ms for at_ms in risen.get(line.sku, []) if at_ms >= change.at_ms), None)
        if told_us is not None and (rose_ms is None or told_us <= 1000 * rose_ms):
            found.delays_ms.append(told_us / 1000 - change.at_ms)
        elif rose_ms is not None:
            found.superseded += 1
        else:
            shown = [units for _, units in arrived[key_of[line.sku]]][-1:]
            assert shown == [0], f"{line.sku}: zero was never published"
            found.shown += 1
    return found
