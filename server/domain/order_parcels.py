"""Parcels of an order: what has left in which, by the notes that each shipment leaves in its reservation."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from server.domain.booked_orders import BookedOrder
from server.domain.reservation import PARCEL, Reservation


class Parcel(NamedTuple):
    """One that has a tracking number. ``lines``: pieces of the order's lines in it, by their keys.

    ``is_placed`` False: for some of its units no such line is known.
    """

    tracking: str
    carrier: str = ""
    lines: tuple[tuple[str, int], ...] = ()
    is_placed: bool = False


def parcels_of(record: BookedOrder, found: Mapping[str, Reservation]) -> list[Parcel]:
    """Return the parcels of an order, those of each of its reservations in the order in which they left."""
    return [
        _placed(record, index, *left)
        for index, name in enumerate(record.reservations)
        if name in found
        for left in _left(found[name])
    ]


def parcels_ahead(
    ahead: Mapping[str, int], parcels: Sequence[Parcel], *, whole_lines: bool
) -> list[tuple[Parcel, dict[str, int]]]:
    """Return which pieces that have left, and were not told, are in which parcel: in the ones that left last.

    ``whole_lines``: a line is told at once, with the last parcel that has pieces of it.
    """
    left, told = dict(ahead), list[tuple[Parcel, dict[str, int]]]()
    for parcel in reversed(parcels):
        lines = dict[str, int]()
        for key, pieces in parcel.lines:
            some = left.get(key, 0) if whole_lines else min(pieces, left.get(key, 0))
            if some:
                lines[key] = some
                left[key] -= some
        if lines:
            told.append((parcel, lines))
    unplaced = next((parcel for parcel in reversed(parcels) if not parcel.is_placed), None)
    if not told and unplaced is not None:
        return [(unplaced, dict(ahead))]
    return told[::-1]


def _left(record: Reservation) -> Iterator[tuple[str, str, dict[int, int]]]:
    """Go through its parcels: tracking, carrier, and units by line; none where an earlier release has written it."""
    tracking = carrier = ""
    for name, value in record.notes:
        if name == "tracking":
            if tracking:
                yield tracking, carrier, {}
            tracking, carrier = value, ""
        elif name == "carrier" and tracking:
            carrier = value
        elif name == PARCEL:
            yield tracking, carrier, _contents(value)
            tracking = ""
    if tracking:
        yield tracking, carrier, {}


def _contents(text: str) -> dict[int, int]:
    pairs = (each.split(":") for each in text.split(" "))
    return {int(line): int(units) for line, units in pairs}


def _placed(record: BookedOrder, index: int, tracking: str, carrier: str, units: dict[int, int]) -> Parcel:
    left, lines = Counter(units), Counter[str]()
    for line in record.lines:
        for part in line.parts:
            if part.reservation != index:
                continue
            each_line = list(zip(part.lines, part.units, strict=True))
            pieces = min(part.pieces, *(left[number] // each for number, each in each_line))
            if pieces:
                lines[line.key] += pieces
                left.subtract({number: pieces * each for number, each in each_line})
    return Parcel(tracking, carrier, tuple(lines.items()), is_placed=bool(units) and not any(left.values()))
