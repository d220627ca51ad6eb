"""What the lines of an order are made of once they are booked: the same, whatever their keys mean by now."""

from collections.abc import Mapping

from server.domain.booked_orders import BookedLine, BookedOrder
from server.domain.components import Component
from server.domain.order_steps import Meant
from server.domain.reservation import UNMAPPED, Reservation


def as_booked(record: BookedOrder, found: Mapping[str, Reservation], meant: Mapping[str, Meant]) -> dict[str, Meant]:
    """Return the meanings of an order's lines: pieces that are added to a line are more of what it was booked as.

    Keys can change hands between SKUs, and what was sold before stays what it is. A line that nobody knew when it was
    booked, or whose reservations are forgotten, means what it means today.
    """
    booked = {
        line.key: components for line in record.lines if (components := _components(line, record, found)) is not None
    }
    return {
        key: each._replace(components=booked[key], known=True) if key in booked else each for key, each in meant.items()
    }


def _components(line: BookedLine, record: BookedOrder, found: Mapping[str, Reservation]) -> list[Component] | None:
    for part in reversed(line.parts):
        reservation = found.get(record.reservations[part.reservation])
        if reservation is None:
            continue
        lines = [reservation.lines[number - 1] for number in part.lines]
        if all(each.mode != UNMAPPED for each in lines):
            return [Component(each.sku, units) for each, units in zip(lines, part.units, strict=True)]
    return None
