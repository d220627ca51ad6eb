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
    """Return the record with what reservations of others have of the order's lines; and units that no line is for.

    Only the difference is booked then. A line may be told later than others, so this is looked at each time.
    """
    others = record.reservations[: len(record.reservations) - record.generations]
    free = {index: _unclaimed(record, index, found[name]) for index, name in enumerate(others) if name in found}
    if not free:
        return record, 0
    by_life = sorted(free, key=lambda index: _rank(found[others[index]]))
    lines = []
    for line in with_lines(record, told):
        what, wanted = meant.get(line.key), told.lines[line.key].ordered - line.ordered
        parts = list[BookedPieces]()
        if what is not None and not told.lines[line.key].stockless:
            parts = _claimed(wanted, what, [(i, found[others[i]], free[i]) for i in by_life])
        ordered = line.ordered + sum(part.pieces for part in parts)
        lines.append(replace(line, ordered=ordered, parts=[*line.parts, *parts]))
    left = sum(
        min(max(units, 0), line.held + line.committed + line.owed)
        for index, of_lines in free.items()
        for units, line in zip(of_lines, found[others[index]].lines, strict=True)
    )
    return replace(record, lines=lines), left


def _unclaimed(record: BookedOrder, index: int, found: Reservation) -> list[int]:
    """Return the units of each line that no line of the order has claimed: as many as were reserved at first.

    What was moved counts where it was moved from. A line that an edit has added counts if its SKU has no other.
    """
    first = {line.sku for line in found.lines if line.first_seq}
    free = [
        max(line.quantity, line.quantity - line.edited) if line.first_seq or line.sku not in first else 0
        for line in found.lines
    ]
    for part in (part for line in record.lines for part in line.parts if part.reservation == index):
        for number, units in zip(part.lines, part.units, strict=True):
            free[number - 1] -= part.pieces * units
    return free


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
