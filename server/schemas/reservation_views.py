"""From a reservation, as the ledger keeps it, to what callers get."""

from typing import Final

from server.domain.reservation import Changed, OpenLines, Reservation, ReservationLine, as_of, left_available
from server.schemas.availability import AvailableView
from server.schemas.common import time_of
from server.schemas.reservations import LineView, OpenView, ReservationView

_PROMISING: Final = frozenset({"reserve", "order"})


def reservation_view(
    reservation_id: str, record: Reservation, left: list[AvailableView] | None = None, *, as_of_ms: int = 0
) -> ReservationView:
    """Show a reservation, and what its last operation ``left`` to promise.

    ``as_of_ms`` lets a hold that lapsed but was not swept yet show as expired.
    """
    if 0 < record.deadline_ms <= as_of_ms:
        record = as_of(record, as_of_ms)
    notes = dict(record.notes) if record.notes else {}
    return ReservationView(
        reservation_id,
        record.state,  # type: ignore[arg-type]  # the scripts know only these states
        record.channel,
        time_of(record.created_ms),
        [
            LineView(
                number, line.sku, line.location, line.quantity, line.requested, line.held, line.committed,
                line.fulfilled, line.released, line.expired, line.returned, line.waiting + line.owed, line.mode,
                line.promise_on,
            )
            for number, line in enumerate(record.lines, 1)
        ],
        time_of(record.deadline_ms) if record.deadline_ms else None,
        notes.pop("order_ref", record.order_ref),
        record.customer_ref,
        record.flags,
        notes,
        left or [],
        None if record.open is None else _open_view(record, record.open),
    )  # fmt: skip


def _open_view(record: Reservation, lines: OpenLines) -> OpenView | None:
    """Show the open lines of which something is reserved; None: there is none."""
    numbers = [] if lines.bound else [each for each in lines.lines if _is_promised(record.lines[each - 1])]
    return OpenView(numbers, lines.group) if numbers else None


def _is_promised(line: ReservationLine) -> bool:
    return line.held + line.committed > 0


def left_views(answer: Changed, operation: str) -> list[AvailableView]:
    """Show what an operation left to promise; an extend touches no units, so it leaves nothing to tell."""
    lines = answer.reservation.lines
    if operation in _PROMISING and len(lines) == 1:  # most of them: nothing to sort out
        line = lines[0]
        return [AvailableView(line.sku, line.location, line.first_available, line.first_seq)]
    left = left_available(answer) if operation in _PROMISING else answer.availability
    return [AvailableView(each.sku, each.location, each.available, each.seq) for each in left]
