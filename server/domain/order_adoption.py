"""Adoption: reservations that named an order's number before intake has met it become its booking."""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from server.domain.booked_orders import BookedOrder, BookedPieces
from server.domain.order_steps import Meant
from server.domain.order_told import Told, with_lines
from server.domain.reservation import Reservation


def adopted(
    record: BookedOrder, told: Told, meant: Mapping[str, Meant], found: Mapping[str, Reservation]
) -> tuple[BookedOrder, int]:
    """Return the record with what its reservations have of the order's lines; and units that no line can be found for.

    Only the difference is booked then.
    """
    free = {
        index: [line.quantity for line in found[name].lines]
        for index, name in enumerate(record.reservations)
        if name in found
    }
    by_life = sorted(free, key=lambda index: _rank(found[record.reservations[index]]))
    lines = []
    for line in with_lines(record, told):
        what, wanted = meant.get(line.key), told.lines[line.key].ordered
        parts = list[BookedPieces]()
        if what is not None and not told.lines[line.key].stockless:
            parts = _claimed(wanted, what, [(i, found[record.reservations[i]], free[i]) for i in by_life])
        lines.append(replace(line, ordered=sum(part.pieces for part in parts), parts=parts))
    left = sum(
        min(units, line.held + line.committed + line.owed)
        for index, of_lines in free.items()
        for units, line in zip(of_lines, found[record.reservations[index]].lines, strict=True)
    )
    return replace(record, lines=lines), left


def _rank(record: Reservation) -> int:
    """Those that have units first, then those whose hold ended, then what was cancelled."""
    if any(line.held + line.committed + line.owed + line.fulfilled for line in record.lines):
        return 0
    return 1 if any(line.expired for line in record.lines) else 2


def _claimed(
    wanted: int, what: Meant, reservations: Sequence[tuple[int, Reservation, list[int]]]
) -> list[BookedPieces]:
    """Claim pieces of a line in the reservations; units that are taken are no longer free."""
    parts = list[BookedPieces]()
    for index, record, free in reservations:
        while wanted > 0:
            numbers = [_line_of(record, free, component.sku, what) for component in what.components]
            if not all(numbers) or len(set(numbers)) < len(numbers):
                break
            units = [component.quantity for component in what.components]
            pieces = min(wanted, *(free[number - 1] // each for number, each in zip(numbers, units, strict=True)))
            if pieces == 0:
                break
            for number, each in zip(numbers, units, strict=True):
                free[number - 1] -= pieces * each
            parts.append(BookedPieces(index, pieces, numbers, units))
            wanted -= pieces
    return parts


def _line_of(record: Reservation, free: Sequence[int], sku: str, what: Meant) -> int:
    """Return the number of the line that has most of a SKU, or what was written in its place; 0: there is none."""
    of_sku = [
        number
        for number, line in enumerate(record.lines, 1)
        if free[number - 1] > 0 and (line.sku == sku or (line.is_unmapped and line.sku == what.key))
    ]
    return max(of_sku, key=lambda number: free[number - 1], default=0)
